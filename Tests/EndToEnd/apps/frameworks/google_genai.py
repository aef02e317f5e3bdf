"""Google's GenAI client: a function call, its result handed back, an error; traced by one of two instrumentations.

usage: google_genai.py openinference|contrib OPENAI_URL
"""

import contextlib
import os
import sys

flavour, url = sys.argv[1:]
os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"

from common import QUESTION, SYSTEM, exporting_provider, weather
from google import genai
from google.genai import errors, types

if flavour == "openinference":
    from openinference.instrumentation.google_genai import GoogleGenAIInstrumentor as Instrumentor
else:
    from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor as Instrumentor

provider = exporting_provider()
Instrumentor().instrument(tracer_provider=provider)
client = genai.Client(api_key="none", http_options=types.HttpOptions(base_url=url.removesuffix("/v1")))


def get_weather(city: str) -> str:
    """The weather of a city."""
    return weather(city)


config = types.GenerateContentConfig(system_instruction=SYSTEM, tools=[get_weather])
with provider.get_tracer("travel").start_as_current_span("travel"):
    client.models.generate_content(model="gemini-2.5-flash", contents=QUESTION, config=config)
    with contextlib.suppress(errors.ClientError):
        client.models.generate_content(model="broken-model", contents=QUESTION)
provider.shutdown()
