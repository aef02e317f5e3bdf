"""smolagents traced by OpenInference: an agent that calls a tool and then gives its final answer.

usage: smolagents_agent.py OPENAI_URL
"""

import sys

from common import QUESTION, exporting_provider, weather
from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from smolagents import OpenAIModel, ToolCallingAgent, tool

provider = exporting_provider()
SmolagentsInstrumentor().instrument(tracer_provider=provider)


@tool
def get_weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: its name
    """
    return weather(city)


model = OpenAIModel("gpt-4o-mini", api_base=sys.argv[1], api_key="none")
ToolCallingAgent([get_weather], model, name="travel", description="knows the weather", max_steps=3).run(QUESTION)
provider.shutdown()
