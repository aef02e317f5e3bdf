"""What the apps share: an OpenTelemetry SDK configured by the environment, the questions, a tool."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SYSTEM = "Be brief."
QUESTION = "Weather in Paris? Ünï 🌤"


def weather(city: str) -> str:
    return f"18 degrees in {city}"


def exporting_provider():
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider
