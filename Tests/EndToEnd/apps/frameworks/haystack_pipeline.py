"""Haystack's own tracer: a retrieval pipeline with a prompt builder and a generator.

usage: haystack_pipeline.py OPENAI_URL
"""

import os
import sys

os.environ["HAYSTACK_CONTENT_TRACING_ENABLED"] = "true"

from common import QUESTION, SYSTEM, exporting_provider, weather
from haystack import Document, Pipeline, tracing
from haystack.components.agents import Agent
from haystack.components.builders import ChatPromptBuilder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.dataclasses import ChatMessage
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.tools import create_tool_from_function
from haystack.utils import Secret
from haystack_integrations.tracing.opentelemetry import OpenTelemetryTracer

provider = exporting_provider()
tracing.enable_tracing(OpenTelemetryTracer(provider.get_tracer("haystack")))
store = InMemoryDocumentStore()
store.write_documents([Document(content="The weather in Paris is mild.", meta={"source": "guide.txt"})])


def generator():
    return OpenAIChatGenerator(model="gpt-4o-mini", api_base_url=sys.argv[1], api_key=Secret.from_token("none"))


template = [
    ChatMessage.from_system(SYSTEM),
    ChatMessage.from_user("{% for document in documents %}{{ document.content }}{% endfor %} {{ question }}"),
]
pipeline = Pipeline()
pipeline.add_component("retriever", InMemoryBM25Retriever(store))
pipeline.add_component("prompt", ChatPromptBuilder(template, required_variables=["documents", "question"]))
pipeline.add_component("llm", generator())
pipeline.connect("retriever.documents", "prompt.documents")
pipeline.connect("prompt.prompt", "llm.messages")
pipeline.run({"retriever": {"query": QUESTION}, "prompt": {"question": QUESTION}})

get_weather = create_tool_from_function(weather, name="get_weather", description="The weather of a city.")
agent = Agent(chat_generator=generator(), tools=[get_weather], system_prompt=SYSTEM)
agent.run(messages=[ChatMessage.from_user(QUESTION)])
provider.shutdown()
