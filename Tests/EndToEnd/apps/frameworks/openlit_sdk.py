"""OpenLIT's SDK: its OpenAI instrumentation with a tool, embeddings and an error under a traced function.

usage: openlit_sdk.py OPENAI_URL
"""

import contextlib
import json
import os
import sys
import tempfile

import openai
import openlit
from common import QUESTION, SYSTEM
from opentelemetry import trace

gateway = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
service = os.environ["OTEL_SERVICE_NAME"]
prices = {"chat": {"gpt-4o-mini": {"promptPrice": 1, "completionPrice": 2}}}  # dollars; otherwise it asks GitHub
with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
    json.dump(prices, file)
    file.flush()
    openlit.init(otlp_endpoint=gateway, application_name=service, disable_metrics=True, pricing_json=file.name)
client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
tool = {"name": "get_weather", "description": "The weather of a city.", "parameters": parameters}


@openlit.trace
def travel(question):
    tools = [{"type": "function", "function": tool}]
    client.chat.completions.create(model="gpt-4o-tools", messages=messages, tools=tools)
    client.embeddings.create(model="text-embedding-3-small", input="one")
    with contextlib.suppress(openai.BadRequestError):
        client.chat.completions.create(model="broken-model", messages=messages)
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, user="ada").choices[0].message.content


travel(QUESTION)
trace.get_tracer_provider().shutdown()
