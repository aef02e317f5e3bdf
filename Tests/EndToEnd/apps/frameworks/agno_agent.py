"""Agno traced by OpenInference: an agent with a tool, with its session and user.

usage: agno_agent.py OPENAI_URL
"""

import os
import sys

os.environ |= {"AGNO_TELEMETRY": "false", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}

from agno.agent import Agent
from agno.models.openai import OpenAIChat
from common import QUESTION, SYSTEM, exporting_provider, weather
from openinference.instrumentation.agno import AgnoInstrumentor

provider = exporting_provider()
AgnoInstrumentor().instrument(tracer_provider=provider)


def get_weather(city: str) -> str:
    """The weather of a city."""
    return weather(city)


model = OpenAIChat("gpt-4o-mini", base_url=sys.argv[1], api_key="none", max_retries=0)
agent = Agent(name="travel", model=model, tools=[get_weather], system_message=SYSTEM, telemetry=False)
agent.run(QUESTION, session_id="session-1", user_id="ada")
provider.shutdown()
