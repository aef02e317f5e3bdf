"""AutoGen AgentChat with its own spans, the OpenAI client under it traced by OpenInference: an agent with a tool.

usage: autogen_agent.py OPENAI_URL
"""

import asyncio
import sys

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient
from common import QUESTION, SYSTEM, exporting_provider, weather
from openinference.instrumentation.openai import OpenAIInstrumentor

provider = exporting_provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)


def get_weather(city: str) -> str:
    """The weather of a city."""
    return weather(city)


async def main():
    client = OpenAIChatCompletionClient(model="gpt-4o-mini", base_url=sys.argv[1], api_key="none")
    agent = AssistantAgent("travel", client, tools=[get_weather], system_message=SYSTEM, reflect_on_tool_use=True)
    await agent.run(task=QUESTION)


asyncio.run(main())
provider.shutdown()
