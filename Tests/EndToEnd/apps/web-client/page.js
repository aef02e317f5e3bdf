// OpenTelemetry's own web SDKs in a page: `client(kind, url, headers)` is one of them, whose `spans(count)` ends spans and
// returns their ids, and whose `flush()` tells whether they were taken.

import { OTLPTraceExporter as JSONExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchSpanProcessor, WebTracerProvider } from "@opentelemetry/sdk-trace-web";
import { OTLPTraceExporter as OldExporter } from "old-exporter";
import { BatchSpanProcessor as OldProcessor, WebTracerProvider as OldProvider } from "old-sdk";

const kinds = {
  json: [JSONExporter, BatchSpanProcessor, WebTracerProvider],
  protobuf: [ProtobufExporter, BatchSpanProcessor, WebTracerProvider],
  // By sendBeacon, or by XMLHttpRequest where it has headers.
  old: [OldExporter, OldProcessor, OldProvider],
};

window.client = (kind, url, headers) => {
  const [Exporter, Processor, Provider] = kinds[kind];
  // What is not flushed leaves when the page is hidden.
  const processor = new Processor(new Exporter(headers ? { url, headers } : { url }), { scheduledDelayMillis: 600000 });
  const tracer = new Provider({ spanProcessors: [processor] }).getTracer("page");
  return {
    spans(count) {
      return Array.from({ length: count }, (_, number) => {
        const span = tracer.startSpan(`click ${number}`);
        span.end();
        return [span.spanContext().traceId, span.spanContext().spanId];
      });
    },
    flush: () => processor.forceFlush().then(() => "flushed", String),
  };
};
