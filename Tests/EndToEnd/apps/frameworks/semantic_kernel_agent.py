"""Semantic Kernel's own spans, content included: an agent with a tool.

usage: semantic_kernel_agent.py OPENAI_URL
"""

import asyncio
import os
import sys

os.environ["SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE"] = "true"

from common import QUESTION, SYSTEM, exporting_provider, weather
from openai import AsyncOpenAI
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import kernel_function

provider = exporting_provider()


class Weather:
    @kernel_function(name="get_weather", description="The weather of a city.")
    def get_weather(self, city: str) -> str:
        return weather(city)


async def main():
    client = AsyncOpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
    service = OpenAIChatCompletion("gpt-4o-mini", async_client=client)
    agent = ChatCompletionAgent(service=service, name="travel", instructions=SYSTEM, plugins=[Weather()])
    await agent.get_response(QUESTION)


asyncio.run(main())
provider.shutdown()
