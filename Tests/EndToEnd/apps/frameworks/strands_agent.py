"""Strands with its own spans: an agent with a tool, with the session and user that its documentation sets.

usage: strands_agent.py OPENAI_URL
"""

import sys

from common import QUESTION, SYSTEM, exporting_provider, weather
from strands import Agent, tool
from strands.models.openai import OpenAIModel

provider = exporting_provider()


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return weather(city)


client_args = {"base_url": sys.argv[1], "api_key": "none"}
model = OpenAIModel(client_args=client_args, model_id="gpt-4o-mini")
attributes = {"session.id": "session-1", "user.id": "ada"}
Agent(
    model, tools=[get_weather], system_prompt=SYSTEM, name="travel", trace_attributes=attributes, callback_handler=None
)(QUESTION)
provider.shutdown()
