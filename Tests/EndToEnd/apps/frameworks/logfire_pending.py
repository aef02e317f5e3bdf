"""Logfire's SDK around Pydantic AI, its base URL being the gateway: it sends a pending span where a span starts.

usage: logfire_pending.py OPENAI_URL
"""

import os
import sys

import logfire
from common import QUESTION, SYSTEM, weather
from logfire import AdvancedOptions
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

gateway = os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT")  # else everything comes twice
logfire.configure(
    token="none", send_to_logfire=True, console=False, metrics=False, advanced=AdvancedOptions(base_url=gateway)
)
logfire.instrument_pydantic_ai()
openai = OpenAIProvider(base_url=sys.argv[1], api_key="none")
agent = Agent(OpenAIChatModel("gpt-4o-mini", provider=openai), name="travel", system_prompt=SYSTEM)
agent.tool_plain(weather, name="get_weather")
with logfire.span("plan a trip to {city}", city="Paris"):
    logfire.info("asking {who}", who="the agent")
    logfire.force_flush()  # the pending spans leave before their spans end
    agent.run_sync(QUESTION)
logfire.shutdown()
