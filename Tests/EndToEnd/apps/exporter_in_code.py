"""MLflow's announcement, first way: the exporter with endpoint and header in code.

usage: exporter_in_code.py ENDPOINT EXPERIMENT
"""

import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

endpoint, experiment = sys.argv[1:]
exporter = OTLPSpanExporter(endpoint=endpoint, headers={"x-mlflow-experiment-id": experiment})
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)

tracer = trace.get_tracer("announcement")
with tracer.start_as_current_span("outer"):
    with tracer.start_as_current_span("inner"):
        pass

provider.shutdown()
