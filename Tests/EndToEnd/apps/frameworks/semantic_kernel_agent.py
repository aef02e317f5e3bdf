"""Semantic Kernel's own spans, content included: an agent with a tool.

Its conversations are log records, which are sent too if OTEL_LOGS_EXPORTER=otlp.

usage: semantic_kernel_agent.py OPENAI_URL
"""

import asyncio
import logging
import os
import sys

os.environ["SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE"] = "true"

from common import QUESTION, SYSTEM, exporting_provider, weather
from openai import AsyncOpenAI
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import kernel_function

provider = exporting_provider()
logs = LoggerProvider()
if os.environ.get("OTEL_LOGS_EXPORTER") == "otlp":
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
logging.getLogger("semantic_kernel").addHandler(LoggingHandler(logger_provider=logs))
logging.getLogger("semantic_kernel").setLevel(logging.INFO)


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
logs.shutdown()
