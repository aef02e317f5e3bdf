"""Langfuse's SDK pointed at the gateway: decorated functions, a traced OpenAI client, a tool, a retriever, a failure.

usage: langfuse_sdk.py OPENAI_URL
"""

import contextlib
import os
import sys

os.environ |= {
    "LANGFUSE_BASE_URL": os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"],
    "LANGFUSE_OTEL_TRACES_EXPORT_PATH": "v1/traces",
    "LANGFUSE_PUBLIC_KEY": "pk-lf-none",
    "LANGFUSE_SECRET_KEY": "sk-lf-none",
}

from common import QUESTION, SYSTEM, weather
from langfuse import get_client, observe, propagate_attributes
from langfuse.openai import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]


@observe(as_type="tool")
def get_weather(city):
    return weather(city)


@observe(as_type="retriever")
def search(query):
    return [{"page_content": "Paris is mild.", "metadata": {"source": "guide.txt"}}]


@observe(name="travel", as_type="agent")
def travel(question):
    with propagate_attributes(session_id="session-1", user_id="ada", tags=["blue"], trace_name="plan a trip"):
        search(question)
        get_weather(city="Paris")
        with contextlib.suppress(openai.BadRequestError):
            client.chat.completions.create(model="broken-model", messages=messages)
        return client.chat.completions.create(model="gpt-4o-mini", messages=messages).choices[0].message.content


travel(QUESTION)
get_client().shutdown()
