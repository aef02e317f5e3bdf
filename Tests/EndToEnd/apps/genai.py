"""A small agent on OpenAI's client, traced by a GenAI instrumentation: chat, tool call, stream, embeddings, an error.

usage: genai.py openinference|traceloop OPENAI_URL
"""

import contextlib
import sys

import openai
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

flavour, url = sys.argv[1:]
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("travel")

if flavour == "openinference":
    from openinference.instrumentation import using_session, using_user
    from openinference.instrumentation.openai import OpenAIInstrumentor

    root = {"openinference.span.kind": "AGENT", "input.value": "Weather in Paris?", "output.value": "Sunny."}
    context = contextlib.ExitStack()
    context.enter_context(using_session("session-1"))
    context.enter_context(using_user("ada"))
    root |= {"session.id": "session-1", "user.id": "ada"}
else:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    root = {
        "traceloop.span.kind": "agent",
        "traceloop.entity.name": "travel agent",
        "traceloop.entity.input": '{"question": "Weather in Paris?"}',
        "traceloop.entity.output": '{"answer": "Sunny."}',
        "traceloop.association.properties.session_id": "session-1",
        "traceloop.association.properties.user_id": "ada",
    }
    context = contextlib.nullcontext()

OpenAIInstrumentor().instrument(tracer_provider=provider)
client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
question = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather in Paris? Ünï 🌤"}]
weather = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}

with context, tracer.start_as_current_span("travel agent", attributes=root):
    client.chat.completions.create(model="gpt-4o-mini", messages=question, temperature=0.5)
    client.chat.completions.create(model="gpt-4o-tools", messages=question, tools=[weather])
    stream = client.chat.completions.create(
        model="gpt-4o-stream", messages=question, stream=True, stream_options={"include_usage": True}
    )
    for _ in stream:
        pass
    client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    with contextlib.suppress(openai.BadRequestError):
        client.chat.completions.create(model="broken-model", messages=question)

provider.shutdown()
