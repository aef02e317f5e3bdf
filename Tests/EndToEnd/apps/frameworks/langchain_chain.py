"""LangChain's chain and LangGraph's agent with a tool and a retriever, traced in one of three ways.

usage: langchain_chain.py openinference|traceloop|langsmith OPENAI_URL
"""

import contextlib
import os
import sys

flavour, url = sys.argv[1:]
if flavour == "langsmith":
    os.environ |= {"LANGSMITH_TRACING": "true", "LANGSMITH_TRACING_MODE": "otel", "LANGSMITH_API_KEY": "none"}
    os.environ["LANGSMITH_ENDPOINT"] = url  # there is nothing there, which it only mentions

import openai
from common import QUESTION, SYSTEM, exporting_provider, weather
from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

provider = exporting_provider()
if flavour == "openinference":
    from openinference.instrumentation.langchain import LangChainInstrumentor

    LangChainInstrumentor().instrument(tracer_provider=provider)
elif flavour == "traceloop":
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    LangchainInstrumentor().instrument(tracer_provider=provider)


class Guide(BaseRetriever):
    def _get_relevant_documents(self, query, *, run_manager):
        return [Document("Paris is mild.", metadata={"source": "guide.txt"})]


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return weather(city)


def model(name):
    return ChatOpenAI(model=name, base_url=url, api_key="none", max_retries=0)


config = {"metadata": {"session_id": "session-1", "user_id": "ada", "thread_id": "session-1"}, "tags": ["blue"]}
prompt = ChatPromptTemplate.from_messages([("system", SYSTEM + " Known: {guide}"), ("user", "{question}")])
chain = {"guide": Guide(), "question": lambda question: question} | prompt | model("gpt-4o-mini") | StrOutputParser()
chain.invoke(QUESTION, config | {"run_name": "travel chain"})
agent = create_agent(model("gpt-4o-mini"), [get_weather], system_prompt=SYSTEM, name="travel")
agent.invoke({"messages": [("user", QUESTION)]}, config)
with contextlib.suppress(openai.BadRequestError):
    model("broken-model").invoke([("system", SYSTEM), ("user", QUESTION)], config)
if flavour == "langsmith":
    from langchain_core.tracers.langchain import wait_for_all_tracers
    from langsmith.run_trees import get_cached_client

    wait_for_all_tracers()
    get_cached_client().flush()
provider.shutdown()
