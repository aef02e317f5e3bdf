"""What `make test` runs: apps of the environment `frameworks`."""

from unittest.mock import ANY

from kit.framework import ONCE, PLAIN, SESSION, Framework

DEFAULT = (
    Framework(
        "pydantic_ai_agent",
        "pydantic_ai",
        {"invoke_agent travel": "AGENT AGENT", "chat gpt-4o-mini": "LLM LLM", "execute_tool get_weather": "TOOL"}
        | {"chat broken-model": "LLM"},
        traces=("travel", "travel"),
        tool="execute_tool get_weather",
        session=ANY,
        failed=("chat broken-model", "invoke_agent travel"),
    ),
    Framework(
        "logfire_pending",
        "logfire",
        {"plan a trip to {city}": PLAIN, "asking {who}": PLAIN, "invoke_agent travel": "AGENT"}
        | {"chat gpt-4o-mini": "LLM LLM", "execute_tool get_weather": "TOOL"},
        traces=("plan a trip to Paris",),
        tool="execute_tool get_weather",
        session=ANY,
    ),
    Framework(
        "langfuse_sdk",
        "langfuse",
        {"travel": "AGENT", "search": "RETRIEVER", "get_weather": "TOOL", "OpenAI-generation": "LLM LLM"},
        traces=("plan a trip",),
        conversations=1,
        tokens=ONCE,
        tool="get_weather",
        failed=("OpenAI-generation",),
        **SESSION,
    ),
    Framework(
        "langchain-openinference",
        "openinference",
        {"travel chain": "CHAIN", "RunnableParallel<guide,question>": "CHAIN", "Guide": "RETRIEVER"}
        | {"RunnableLambda": "CHAIN", "ChatPromptTemplate": "CHAIN", "StrOutputParser": "CHAIN"}
        | {"travel": "CHAIN", "model": "CHAIN CHAIN", "tools": "CHAIN", "get_weather": "TOOL"}
        | {"ChatOpenAI": "LLM LLM LLM LLM"},
        traces=("travel chain", "travel", "ChatOpenAI"),
        previewed=2,
        conversations=3,
        tokens=(33, 21),
        tool="get_weather",
        failed=("ChatOpenAI",),
        app="langchain_chain",
        arguments=("openinference",),
        **SESSION,
    ),
    Framework(
        "langchain-traceloop",
        "traceloop",
        {"travel chain.workflow": "AGENT", "execute_task RunnableParallel<guide,question>": "TASK"}
        | {"vector_db_retrieve Guide": "RETRIEVER", "execute_task RunnableLambda": "TASK"}
        | {"execute_task ChatPromptTemplate": "TASK", "execute_task StrOutputParser": "TASK"}
        | {"invoke_agent travel": "AGENT", "travel.workflow": "AGENT", "execute_task model": "TASK TASK"}
        | {"execute_task tools": "TASK", "execute_tool get_weather": "TOOL", "ChatOpenAI.chat": "LLM LLM LLM LLM"},
        traces=("travel chain", "travel", "ChatOpenAI.chat"),
        previewed=2,
        conversations=3,
        tokens=(33, 21),
        tool="execute_tool get_weather",
        failed=("ChatOpenAI.chat",),
        app="langchain_chain",
        arguments=("traceloop",),
        **SESSION,
    ),
    Framework(
        "langchain-langsmith",
        "langsmith",
        {"travel chain": "CHAIN", "RunnableParallel<guide,question>": "CHAIN", "Guide": "RETRIEVER"}
        | {"RunnableLambda": "CHAIN", "ChatPromptTemplate": "CHAIN", "StrOutputParser": "PARSER"}
        | {"travel": "CHAIN", "model": "CHAIN CHAIN", "tools": "CHAIN", "get_weather": "TOOL"}
        | {"ChatOpenAI": "LLM LLM LLM LLM"},
        traces=("travel chain", "travel", "ChatOpenAI"),
        previewed=2,
        conversations=3,
        tokens=(33, 21),
        tool="get_weather",
        failed=("ChatOpenAI",),
        # Where its exporter meets a run before its end, the span is OK, which OpenTelemetry lets nobody take back.
        fails_with_ok=True,
        app="langchain_chain",
        arguments=("langsmith",),
        **SESSION,
    ),
    Framework(
        "haystack_pipeline",
        "haystack",
        {"haystack.pipeline.run": "CHAIN", "haystack.component.run": "RETRIEVER CHAIN LLM"}
        | {"haystack.agent.run": "AGENT", "haystack.agent.step": "TASK TASK", "haystack.agent.step.llm": "LLM LLM"}
        | {"haystack.agent.step.tool": "TOOL"},
        traces=("haystack.pipeline.run", "haystack.agent.run"),
        previewed=2,
        conversations=3,
        tokens=(33, 21),
        tool="haystack.agent.step.tool",
    ),
    Framework(
        "openai_v2",
        "otel_genai",
        {"travel": PLAIN, "chat gpt-4o-mini": "LLM", "chat gpt-4o-tools": "LLM", "chat broken-model": "LLM"}
        | {"embeddings text-embedding-3-small": "EMBEDDING"},
        models=("gpt-4o-mini", "gpt-4o-tools"),
        traces=("travel",),
        tokens=(27, 14),
        failed=("chat broken-model",),
    ),
    Framework(
        "anthropic-openinference",
        "openinference",
        {"travel": PLAIN, "messages.create": "LLM LLM LLM", "anthropic.messages.create": "LLM LLM LLM"},
        models=("claude-sonnet-4-5",),
        traces=("travel",),
        failed=("messages.create", "anthropic.messages.create"),
        app="anthropic_messages",
        arguments=("openinference",),
    ),
    Framework(
        "anthropic-traceloop",
        "otel_genai",
        {"travel": PLAIN, "anthropic.chat": "LLM LLM LLM", "anthropic.messages.create": "LLM LLM LLM"},
        models=("claude-sonnet-4-5",),
        traces=("travel",),
        failed=("anthropic.chat", "anthropic.messages.create"),
        app="anthropic_messages",
        arguments=("traceloop",),
    ),
    Framework(
        "openai_agents",
        "openinference",
        {"plan a trip": "AGENT", "Agent workflow": "CHAIN", "travel": "AGENT", "turn": "CHAIN CHAIN"}
        | {"response": "LLM LLM", "get_weather": "TOOL"},
        traces=("plan a trip",),
        tool="get_weather",
    ),
    Framework(
        "smolagents_agent",
        "openinference",
        {"travel.run": "AGENT", "Step 1": "CHAIN", "Step 2": "CHAIN", "OpenAIModel.generate": "LLM LLM"}
        | {"get_weather": "TOOL", "final_answer": "TOOL"},
        traces=("travel.run",),
        tool="get_weather",
    ),
    Framework(
        "mcp_server",
        "mcp",
        {"travel": PLAIN, "tools/list": "TASK TASK", "tools/call get_weather": "TOOL TOOL"}
        | {"resources/read": "RETRIEVER RETRIEVER", "prompts/get plan": "TASK TASK", "tools/call broken": "TOOL TOOL"},
        models=(),
        traces=("travel",),
        previewed=0,
        conversations=0,
        tokens=(0, 0),
        failed=("tools/call broken",),
    ),
)
