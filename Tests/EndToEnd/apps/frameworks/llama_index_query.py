"""LlamaIndex traced by OpenInference: a query over an index, an agent with a tool, in a session.

usage: llama_index_query.py OPENAI_URL
"""

import asyncio
import os
import sys

from common import QUESTION, SYSTEM, exporting_provider, weather
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai_like import OpenAILike
from openinference.instrumentation import using_attributes
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

provider = exporting_provider()
LlamaIndexInstrumentor().instrument(tracer_provider=provider)
api = {"api_base": sys.argv[1], "api_key": "none", "max_retries": 0}
llm = OpenAILike(model="gpt-4o-mini", is_chat_model=True, is_function_calling_model=True, **api)
index = VectorStoreIndex.from_documents(
    [Document(text="Paris is mild.", metadata={"source": "guide.txt"})],
    embed_model=OpenAIEmbedding(model="text-embedding-3-small", **api),
)
tool = FunctionTool.from_defaults(weather, name="get_weather", description="The weather of a city.")


async def ask():
    return await FunctionAgent(name="travel", tools=[tool], llm=llm, system_prompt=SYSTEM, streaming=False).run(QUESTION)


with using_attributes(session_id="session-1", user_id="ada", tags=["blue"]):
    index.as_query_engine(llm=llm).query(QUESTION)
    asyncio.run(ask())
provider.shutdown()
