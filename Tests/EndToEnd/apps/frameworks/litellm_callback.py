"""LiteLLM's "otel" callback: chat with a tool, embeddings, an error, under the app's own span.

usage: litellm_callback.py OPENAI_URL
"""

import contextlib
import os
import sys

os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OTEL_EXPORTER": "otlp_http"}
os.environ["OTEL_ENDPOINT"] = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]

import litellm
from common import QUESTION, SYSTEM
from opentelemetry import trace

litellm.callbacks = ["otel"]
messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
tool = {"name": "get_weather", "description": "The weather of a city.", "parameters": parameters}
api = {"base_url": sys.argv[1], "api_key": "none", "num_retries": 0, "max_retries": 0, "user": "ada"}


def ask(model, **more):
    # A new one for each call: LiteLLM writes in it, and of a second call with the same it says nothing.
    metadata = {"session_id": "session-1", "tags": ["blue"]}
    litellm.completion(f"openai/{model}", messages=messages, metadata=metadata, **api, **more)


ask("gpt-4o-mini")
ask("gpt-4o-tools", tools=[{"type": "function", "function": tool}])
with contextlib.suppress(litellm.BadRequestError):
    ask("broken-model")
litellm.embedding("openai/text-embedding-3-small", input=["one"], api_base=sys.argv[1], api_key="none")
