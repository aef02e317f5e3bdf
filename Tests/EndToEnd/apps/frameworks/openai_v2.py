"""OpenTelemetry's own instrumentation of OpenAI's client, content on the span: chat with a tool, embeddings, an error.

usage: openai_v2.py OPENAI_URL
"""

import contextlib
import os
import sys

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"

import openai
from common import QUESTION, SYSTEM, exporting_provider
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

provider = exporting_provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)
client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
tool = {"name": "get_weather", "description": "The weather of a city.", "parameters": parameters}

with provider.get_tracer("travel").start_as_current_span("travel"):
    client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    tools = [{"type": "function", "function": tool}]
    client.chat.completions.create(model="gpt-4o-tools", messages=messages, tools=tools)
    client.embeddings.create(model="text-embedding-3-small", input="one")
    with contextlib.suppress(openai.BadRequestError):
        client.chat.completions.create(model="broken-model", messages=messages)
provider.shutdown()
