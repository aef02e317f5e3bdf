"""Google's ADK with its own spans, content included, on LiteLLM's model: an agent with a tool, in a session of a user.

usage: adk_agent.py OPENAI_URL
"""

import asyncio
import os
import sys

os.environ |= {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
}

from common import QUESTION, SYSTEM, exporting_provider, weather
from google.adk.agents import Agent
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.genai import types

provider = exporting_provider()


def get_weather(city: str) -> str:
    """The weather of a city."""
    return weather(city)


async def main():
    model = LiteLlm("openai/gpt-4o-mini", api_base=sys.argv[1], api_key="none")
    runner = InMemoryRunner(Agent(name="travel", model=model, instruction=SYSTEM, tools=[get_weather]), app_name="app")
    await runner.session_service.create_session(app_name="app", user_id="ada", session_id="session-1")
    question = types.Content(role="user", parts=[types.Part(text=QUESTION)])
    async for _ in runner.run_async(user_id="ada", session_id="session-1", new_message=question):
        pass


asyncio.run(main())
provider.shutdown()
