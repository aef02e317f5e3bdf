"""An app with the OpenTelemetry SDK as its documentation sets it up; where spans go is not in the code.

usage: shop.py [json]: with the JSON exporter in place of the protobuf one
"""

import json
import sys

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

if sys.argv[1:] == ["json"]:
    from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("shop")


def message(role, text):
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


with tracer.start_as_current_span("POST /checkout", kind=SpanKind.SERVER) as root:
    root.set_attribute("http.request.method", "POST")
    root.set_status(StatusCode.OK)
    with tracer.start_as_current_span("reserve stock", attributes={"items": 3, "weights": [0.5, 1.5], "gift": True}):
        pass
    with tracer.start_as_current_span(
        "chat gpt-4o-mini",
        kind=SpanKind.CLIENT,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.conversation.id": "conversation-7",
            "gen_ai.input.messages": message("user", "Which gift? Ünï 🎁"),
            "gen_ai.output.messages": message("assistant", "A kite."),
            "gen_ai.usage.input_tokens": 11,
            "gen_ai.usage.output_tokens": 7,
        },
    ):
        pass
    try:
        with tracer.start_as_current_span("charge card"):
            raise ValueError("card refused")
    except ValueError:
        pass

provider.shutdown()
