"""An app with the OpenTelemetry SDK that sends traces, log records and metrics; where they go is not in the code."""

import logging

from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

spans = TracerProvider()
spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(spans)

records = LoggerProvider()
records.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
set_logger_provider(records)
logging.getLogger("till").addHandler(LoggingHandler(logger_provider=records))
logging.getLogger("till").setLevel(logging.INFO)

points = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=60_000)])
metrics.set_meter_provider(points)
meter = metrics.get_meter("till")
meter.create_counter("sales", unit="1").add(3, {"shop": "Paris"})
meter.create_histogram("till.wait", unit="s").record(1.5)

with trace.get_tracer("till").start_as_current_span("sell"):
    logging.getLogger("till").warning("only %d kites left", 2)

for provider in (spans, records, points):
    provider.shutdown()
