"""Microsoft's Agent Framework with its own spans, content included: an agent with a tool.

usage: agent_framework_agent.py OPENAI_URL
"""

import asyncio
import sys

from agent_framework import Agent
from agent_framework.observability import enable_instrumentation
from agent_framework.openai import OpenAIChatCompletionClient
from common import QUESTION, SYSTEM, exporting_provider, weather

provider = exporting_provider()
enable_instrumentation(enable_sensitive_data=True)


def get_weather(city: str) -> str:
    """The weather of a city."""
    return weather(city)


async def main():
    client = OpenAIChatCompletionClient(model="gpt-4o-mini", base_url=sys.argv[1], api_key="none")
    await Agent(client, SYSTEM, name="travel", tools=[get_weather]).run(QUESTION)


asyncio.run(main())
provider.shutdown()
