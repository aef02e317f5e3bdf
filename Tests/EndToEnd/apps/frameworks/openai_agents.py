"""OpenAI's Agents SDK on the Responses API, traced by OpenInference: an agent with a tool, in a group.

usage: openai_agents.py OPENAI_URL
"""

import sys

from agents import Agent, OpenAIResponsesModel, Runner, function_tool, set_trace_processors, trace
from common import QUESTION, SYSTEM, exporting_provider, weather
from openai import AsyncOpenAI
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

provider = exporting_provider()
set_trace_processors([])
OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)
model = OpenAIResponsesModel("gpt-4o-mini", AsyncOpenAI(base_url=sys.argv[1], api_key="none", max_retries=0))
tool = function_tool(weather, name_override="get_weather")
with trace("plan a trip", group_id="session-1"):
    Runner.run_sync(Agent("travel", instructions=SYSTEM, tools=[tool], model=model), QUESTION)
provider.shutdown()
