// What each language and tool needs, and what is peculiar about it: defaults, protocols, switches for content, what is lost.

const python = `import os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)

with trace.get_tracer("hello").start_as_current_span("chat hello") as span:
    span.set_attribute("gen_ai.operation.name", "chat")
    span.set_attribute("gen_ai.request.model", "gpt-4o-mini")
    span.set_attribute("gen_ai.usage.input_tokens", 12)
    span.set_attribute("gen_ai.usage.output_tokens", 30)
provider.shutdown()`;

const go = `exporter, err := otlptracehttp.New(ctx) // reads OTEL_EXPORTER_OTLP_ENDPOINT
if err != nil {
    log.Fatal(err)
}
provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
defer provider.Shutdown(ctx) // without it the last five seconds are lost
otel.SetTracerProvider(provider)`;

const rust = `let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder()
    .with_batch_exporter(exporter)
    .build();
opentelemetry::global::set_tracer_provider(provider.clone());
// at the end:
provider.shutdown()?;`;

function span(target) {
  const id = (length) => Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const attribute = (key, value) => ({ key, value });
  const now = Date.now();
  const body = { resourceSpans: [{
    resource: { attributes: [attribute("service.name", { stringValue: "hello-millrace" })] },
    scopeSpans: [{ spans: [{
      traceId: ids.trace ??= id(16), spanId: ids.span ??= id(8), name: "chat hello",
      startTimeUnixNano: `${ids.time ??= now}000000`, endTimeUnixNano: `${ids.time + 1200}000000`,
      attributes: [
        attribute("gen_ai.operation.name", { stringValue: "chat" }), attribute("gen_ai.request.model", { stringValue: "gpt-4o-mini" }),
        attribute("gen_ai.usage.input_tokens", { intValue: "12" }), attribute("gen_ai.usage.output_tokens", { intValue: "30" }),
      ],
    }] }],
  }] };
  const bearer = target.token ? ` -H 'Authorization: Bearer YOUR_TOKEN'` : "";
  return `curl -sS ${target.endpoint}${target.path} -H 'Content-Type: application/json'${bearer} \\\n  -d '${JSON.stringify(body)}'`;
}
const ids = {};

/** The variables that every SDK reads. */
function variables(target, more = []) {
  const own = target.token ? ["OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20YOUR_TOKEN"] : [];
  return [`OTEL_EXPORTER_OTLP_ENDPOINT=${target.endpoint}`, `OTEL_EXPORTER_OTLP_PROTOCOL=${target.protocol}`, ...own, ...more]
    .map((line) => `export ${line}`).join("\n");
}

const shell = (target, more) => ({ title: "In the shell that starts it", text: variables(target, ["OTEL_SERVICE_NAME=my-app", ...(more ?? [])]) });
const CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true";

export const SNIPPETS = [
  {
    id: "curl", title: "curl",
    parts: (target) => target.isGRPC
      ? [{ title: "This receiver speaks gRPC", text: `# choose an otlp_http receiver for curl; for SDKs:\n${variables(target)}` }]
      : [{ title: "One span, to see that the way is open", text: span(target) }],
    know: ["An answer of {} or {\"partialSuccess\":{}} means that it is in the journal."],
  },
  {
    id: "python", title: "Python",
    parts: (target) => [
      { title: "Once", text: "pip install opentelemetry-sdk opentelemetry-exporter-otlp" }, shell(target, [CONTENT]),
      { title: target.isGRPC ? "app.py, with the exporter of opentelemetry.exporter.otlp.proto.grpc for this receiver" : "app.py",
        text: target.isGRPC ? python.replace("proto.http", "proto.grpc") : python }],
    know: [
      "The exporter class decides the protocol in code; OTEL_EXPORTER_OTLP_PROTOCOL counts with opentelemetry-instrument alone, whose default is gRPC.",
      `${CONTENT} turns prompts and answers on in OpenTelemetry's own GenAI instrumentations; OpenInference and OpenLLMetry record them by default.`,
    ],
  },
  {
    id: "node", title: "Node.js",
    parts: (target) => [
      { title: "Once", text: "npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node" },
      shell(target, ["NODE_OPTIONS='--require @opentelemetry/auto-instrumentations-node/register'", CONTENT])],
    know: [
      "The default is http/protobuf. Over gRPC nothing is ever retried: prefer HTTP.",
      "Spans are flushed at exit and on SIGTERM, not by process.exit().",
      "Bodies come chunked and without a length; some proxies do not take that, this receiver does.",
    ],
  },
  {
    id: "go", title: "Go",
    parts: (target) => [shell(target), { title: target.isGRPC ? "main.go, with otlptracegrpc in the place of otlptracehttp" : "main.go", text: target.isGRPC ? go.replace("otlptracehttp", "otlptracegrpc") : go }],
    know: [
      "Without an endpoint Go sends to https://localhost:4318: the http:// in the variable is what makes it plain.",
      "A refused or reset connection loses its batch at once, without a retry.",
      "The exporter package decides the protocol, whatever OTEL_EXPORTER_OTLP_PROTOCOL says.",
    ],
  },
  {
    id: "java", title: "Java",
    parts: (target) => [{ title: "With the agent", text: `${variables(target, ["OTEL_SERVICE_NAME=my-app", CONTENT, "OTEL_LOGS_EXPORTER=none", "OTEL_METRICS_EXPORTER=none"])}\njava -javaagent:opentelemetry-javaagent.jar -jar app.jar` }],
    know: [
      "The agent's default is http/protobuf on 4318, the bare SDK's is gRPC on 4317: the two variables say it for both.",
      "Logs and metrics are switched off here: where a pipeline takes none, each interval would log an error.",
      "Spring AI writes prompts to its own log and not to spans, unless an ObservationFilter puts them there.",
      "The agent puts the command line into the resource, secrets in it included.",
    ],
  },
  {
    id: "rust", title: "Rust",
    parts: (target) => [shell(target), { title: "main.rs", text: target.isGRPC ? rust.replace("with_http", "with_tonic") : rust }],
    know: [
      "opentelemetry-otlp 0.31 and older retry nothing; 0.33 tries four times within a second.",
      "shutdown() says Ok even where spans were lost.",
    ],
  },
  {
    id: "claude", title: "Claude Code",
    parts: (target) => [{ title: "In the shell that starts it", text: `export CLAUDE_CODE_ENABLE_TELEMETRY=1\nexport CLAUDE_CODE_ENHANCED_TELEMETRY_BETA=1\nexport OTEL_TRACES_EXPORTER=otlp\nexport OTEL_LOG_USER_PROMPTS=1\n${variables(target)}\nclaude` }],
    know: ["OTEL_LOG_USER_PROMPTS turns the content of prompts on; without it their length alone is sent."],
  },
  {
    id: "other", title: "Anything else",
    parts: (target) => [shell(target, [CONTENT])],
    know: [
      "Every OpenTelemetry SDK reads these variables, unless its code sets an endpoint.",
      "Who sends to a Langfuse address may send to this one: the path /api/public/otel/v1/traces is taken, too.",
    ],
  },
];
