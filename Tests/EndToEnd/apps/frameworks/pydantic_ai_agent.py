"""Pydantic AI's own instrumentation, with its default settings: an agent with a tool, then a model that refuses.

usage: pydantic_ai_agent.py OPENAI_URL
"""

import contextlib
import sys

from common import QUESTION, SYSTEM, exporting_provider, weather
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = exporting_provider()
Agent.instrument_all()
openai = OpenAIProvider(base_url=sys.argv[1], api_key="none")


def agent(model):
    agent = Agent(OpenAIChatModel(model, provider=openai), name="travel", system_prompt=SYSTEM)
    agent.tool_plain(weather, name="get_weather")
    return agent


agent("gpt-4o-mini").run_sync(QUESTION)
with contextlib.suppress(ModelHTTPError):
    agent("broken-model").run_sync(QUESTION)
provider.shutdown()
