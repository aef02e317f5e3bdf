"""Laminar's SDK pointed at the gateway: observed functions, its OpenAI instrumentation, session and user.

usage: laminar_sdk.py OPENAI_URL
"""

import os
import sys

import openai
from common import QUESTION, SYSTEM, weather
from lmnr import Laminar, observe

gateway = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
host, port = gateway.rsplit(":", 1)
Laminar.initialize(project_api_key="none", base_url=host, http_port=int(port), force_http=True)
client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]


@observe(span_type="TOOL")
def get_weather(city):
    return weather(city)


@observe(session_id="session-1", user_id="ada", tags=["blue"])
def travel(question):
    get_weather("Paris")
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages).choices[0].message.content


travel(QUESTION)
Laminar.shutdown()
