"""LiveKit Agents without a room: one text turn of a session, with a tool.

usage: livekit_session.py OPENAI_URL
"""

import asyncio
import sys

from common import QUESTION, SYSTEM, exporting_provider, weather
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.telemetry import set_tracer_provider
from livekit.plugins import openai

provider = exporting_provider()
set_tracer_provider(provider)


@function_tool
async def get_weather(city: str) -> str:
    """The weather of a city."""
    return weather(city)


async def main():
    llm = openai.LLM(model="gpt-4o-mini", base_url=sys.argv[1], api_key="none")
    async with AgentSession(llm=llm) as session:
        await session.start(Agent(instructions=SYSTEM, tools=[get_weather]))
        await session.run(user_input=QUESTION)


asyncio.run(main())
provider.shutdown()
