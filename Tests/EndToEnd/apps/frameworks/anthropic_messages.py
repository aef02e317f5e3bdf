"""Anthropic's client: a tool use, its result handed back, an error; traced by one of two instrumentations.

usage: anthropic_messages.py openinference|traceloop OPENAI_URL
"""

import contextlib
import sys

import anthropic
from common import QUESTION, SYSTEM, exporting_provider, weather

flavour, url = sys.argv[1:]
if flavour == "openinference":
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
else:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

provider = exporting_provider()
AnthropicInstrumentor().instrument(tracer_provider=provider)
client = anthropic.Anthropic(base_url=url.removesuffix("/v1"), api_key="none", max_retries=0)
schema = {"type": "object", "properties": {"city": {"type": "string"}}}
tool = {"name": "get_weather", "description": "The weather of a city.", "input_schema": schema}


def ask(messages, model="claude-sonnet-4-5"):
    return client.messages.create(model=model, max_tokens=100, system=SYSTEM, messages=messages, tools=[tool])


question = [{"role": "user", "content": QUESTION}]
with provider.get_tracer("travel").start_as_current_span("travel"):
    used = ask(question).content[0]
    result = {"type": "tool_result", "tool_use_id": used.id, "content": weather(**used.input)}
    ask([*question, {"role": "assistant", "content": [used.model_dump()]}, {"role": "user", "content": [result]}])
    with contextlib.suppress(anthropic.BadRequestError):
        ask(question, model="broken-model")
provider.shutdown()
