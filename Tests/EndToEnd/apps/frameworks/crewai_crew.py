"""CrewAI and the OpenAI client under it traced by OpenInference: a crew of one agent with a tool.

usage: crewai_crew.py OPENAI_URL
"""

import os
import sys

os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false", "OPENAI_API_KEY": "none"}

from common import QUESTION, SYSTEM, exporting_provider, weather
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool
from openinference.instrumentation import using_attributes
from openinference.instrumentation.crewai import CrewAIInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor

provider = exporting_provider()
CrewAIInstrumentor().instrument(tracer_provider=provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)


@tool("get_weather")
def get_weather(city: str) -> str:
    """The weather of a city."""
    return weather(city)


llm = LLM(model="openai/gpt-4o-mini", base_url=sys.argv[1], api_key="none")
agent = Agent(role="travel agent", goal="Answer", backstory=SYSTEM, llm=llm, tools=[get_weather])
task = Task(description=QUESTION, expected_output="A sentence.", agent=agent)
with using_attributes(session_id="session-1", user_id="ada"):
    Crew(agents=[agent], tasks=[task], name="travel").kickoff(inputs={"city": "Paris"})
provider.shutdown()
