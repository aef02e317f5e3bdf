"""An app with the OpenTelemetry SDK that sends traces, log records and metrics; where they go is not in the code.

Its argument is the transport of its exporters, `http` or `grpc`.
"""

import importlib
import logging
import sys

from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

(transport,) = sys.argv[1:]


def exporter(module, name):
    return getattr(importlib.import_module(f"opentelemetry.exporter.otlp.proto.{transport}.{module}"), name)()


spans = TracerProvider()
spans.add_span_processor(BatchSpanProcessor(exporter("trace_exporter", "OTLPSpanExporter")))
trace.set_tracer_provider(spans)

records = LoggerProvider()
records.add_log_record_processor(BatchLogRecordProcessor(exporter("_log_exporter", "OTLPLogExporter")))
set_logger_provider(records)
logging.getLogger("till").addHandler(LoggingHandler(logger_provider=records))
logging.getLogger("till").setLevel(logging.INFO)

measurements = exporter("metric_exporter", "OTLPMetricExporter")
points = MeterProvider([PeriodicExportingMetricReader(measurements, export_interval_millis=60_000)])
metrics.set_meter_provider(points)
meter = metrics.get_meter("till")
meter.create_counter("sales", unit="1").add(3, {"shop": "Paris"})
meter.create_histogram("till.wait", unit="s").record(1.5)

with trace.get_tracer("till").start_as_current_span("sell"):
    logging.getLogger("till").warning("only %d kites left", 2)

for provider in (spans, records, points):
    provider.shutdown()
