"""What `make test-frameworks` adds: apps that need an environment for themselves, or a large one."""

from kit.framework import ONCE, PLAIN, SESSION, Framework

MORE = (
    Framework(
        "litellm_callback",
        "litellm",
        {"litellm_request": "LLM LLM LLM EMBEDDING", "raw_gen_ai_request": "TASK TASK TASK"},
        traces=("litellm_request",) * 4,
        # Of an answer that is a tool call it sends a message without parts.
        conversations=1,
        models=("gpt-4o-mini", "gpt-4o-tools"),
        strays=1,
        tokens=(27, 14),
        user="ada",
        failed=("litellm_request",),
        environment="frameworks-google",
    ),
    Framework(
        "google_genai-openinference",
        "openinference",
        {"travel": PLAIN, "GenerateContent": "LLM LLM"},
        models=("gemini-2.5-flash",),
        traces=("travel",),
        conversations=1,
        tokens=ONCE,
        failed=("GenerateContent",),
        environment="frameworks-google",
        app="google_genai",
        arguments=("openinference",),
    ),
    Framework(
        "google_genai-contrib",
        "otel_genai",
        {"travel": PLAIN, "generate_content gemini-2.5-flash": "LLM", "generate_content broken-model": "LLM"}
        | {"execute_tool get_weather": "TOOL"},
        models=("gemini-2.5-flash",),
        traces=("travel",),
        conversations=1,
        tokens=ONCE,
        tool="execute_tool get_weather",
        failed=("generate_content broken-model",),
        environment="frameworks-google",
        app="google_genai",
        arguments=("contrib",),
    ),
    Framework(
        "adk_agent",
        "google_adk",
        {"invoke_workflow travel": "WORKFLOW", "invoke_agent travel": "AGENT", "execute_tool get_weather": "TOOL"}
        | {"generate_content openai/gpt-4o-mini": "LLM LLM"},
        models=("gpt-4o-mini",),
        traces=("travel",),
        tool="execute_tool get_weather",
        session="session-1",
        environment="frameworks-google",
    ),
    Framework(
        "dspy_program",
        "openinference",
        {"Predict.forward": "CHAIN", "Predict(StringSignature).forward": "CHAIN", "ChatAdapter.__call__": "CHAIN"}
        | {"LM.__call__": "LLM"},
        traces=("Predict.forward",),
        conversations=1,
        tokens=(0, 0),
        environment="frameworks-google",
        **SESSION,
    ),
    Framework(
        "agent_framework_agent",
        "otel_genai",
        {"invoke_agent travel": "AGENT", "chat gpt-4o-mini": "LLM LLM", "execute_tool get_weather": "TOOL"},
        traces=("travel",),
        tool="execute_tool get_weather",
        environment="frameworks-microsoft",
    ),
    Framework(
        "semantic_kernel_agent",
        "semantic_kernel",
        {"invoke_agent travel": "AGENT", "AutoFunctionInvocationLoop": "CHAIN", "chat gpt-4o-mini": "LLM LLM"}
        | {"execute_tool Weather-get_weather": "TOOL"},
        traces=("travel",),
        conversations=0,
        tool="execute_tool Weather-get_weather",
        environment="frameworks-microsoft",
    ),
    Framework(
        "autogen_agent",
        "autogen",
        {"create_agent travel": "AGENT", "invoke_agent travel": "AGENT", "execute_tool get_weather": "TOOL"}
        | {"ChatCompletion": "LLM LLM"},
        traces=("travel", "travel"),
        environment="frameworks-laminar",
    ),
    Framework(
        "laminar_sdk",
        "laminar",
        {"travel": "CHAIN", "get_weather": "TOOL", "openai.chat": "LLM"},
        traces=("travel",),
        conversations=1,
        tokens=ONCE,
        tool="get_weather",
        environment="frameworks-laminar",
        ignores_service=True,
        **SESSION,
    ),
    Framework(
        "openlit_sdk",
        "openlit",
        {"travel": "CHAIN", "chat gpt-4o-mini": "LLM", "chat gpt-4o-tools": "LLM", "chat broken-model": "LLM"}
        | {"embeddings text-embedding-3-small": "EMBEDDING", "POST": " ".join([PLAIN] * 4)},
        models=("gpt-4o-mini", "gpt-4o-tools"),
        traces=("travel",),
        tokens=(27, 14),
        failed=("chat broken-model", "POST"),
        environment="frameworks-openlit",
    ),
    Framework(
        "strands_agent",
        "strands",
        {"invoke_agent travel": "AGENT", "execute_event_loop_cycle": "TASK TASK", "chat": "LLM LLM"}
        | {"execute_tool get_weather": "TOOL"},
        traces=("travel",),
        tool="execute_tool get_weather",
        environment="frameworks-openlit",
        **SESSION,
    ),
    Framework(
        "agno_agent",
        "openinference",
        {"travel.run": "AGENT", "OpenAIChat.invoke": "LLM LLM", "get_weather": "TOOL"},
        traces=("travel",),
        tool="get_weather",
        environment="frameworks-crews",
        **SESSION,
    ),
    Framework(
        "crewai_crew",
        "openinference",
        {"travel.kickoff": "CHAIN", "travel agent._execute_core": "AGENT", "ChatCompletion": "LLM LLM"}
        | {"get_weather.run": "TOOL"},
        traces=("travel.kickoff",),
        previewed=0,
        tool="get_weather.run",
        environment="frameworks-crews",
        **SESSION,
    ),
    Framework(
        "llama_index_query",
        "openinference",
        {"RetrieverQueryEngine.query": "CHAIN", "RetrieverQueryEngine._query": "CHAIN"}
        | {"VectorIndexRetriever.retrieve": "RETRIEVER", "VectorIndexRetriever._retrieve": "RETRIEVER"}
        | {"OpenAIEmbedding.get_query_embedding": "EMBEDDING", "OpenAIEmbedding._get_query_embedding": "EMBEDDING"}
        | {"OpenAIEmbedding.get_text_embedding_batch": "EMBEDDING", "CompactAndRefine.synthesize": "CHAIN"}
        | {"CompactAndRefine.get_response": "CHAIN CHAIN", "TokenTextSplitter.split_text": "CHAIN CHAIN"}
        | {"DefaultRefineProgram.__call__": "CHAIN", "OpenAILike.predict": "LLM", "OpenAILike.chat": "LLM LLM"}
        | {"SentenceSplitter.__call__": "CHAIN", "SentenceSplitter._parse_nodes": "CHAIN"}
        | {"SentenceSplitter.split_text_metadata_aware": "CHAIN", "FunctionAgent.run": "CHAIN"}
        | {"BaseWorkflowAgent.init_run": "CHAIN", "BaseWorkflowAgent.setup_agent": "CHAIN CHAIN"}
        | {"BaseWorkflowAgent.run_agent_step": "CHAIN CHAIN", "BaseWorkflowAgent.parse_agent_output": "CHAIN CHAIN"}
        | {"BaseWorkflowAgent.call_tool": "CHAIN", "BaseWorkflowAgent.aggregate_tool_results": "CHAIN"}
        | {"OpenAILike._prepare_chat_with_tools": "LLM LLM", "OpenAILike.achat": "LLM LLM LLM LLM"}
        | {"get_weather": "TOOL"},
        traces=(
            "RetrieverQueryEngine.query",
            "FunctionAgent.run",
            "OpenAIEmbedding.get_text_embedding_batch",
            "SentenceSplitter.__call__",
        ),
        strays=2,
        conversations=6,
        tokens=(33, 21),
        tool="get_weather",
        environment="frameworks-crews",
        **SESSION,
    ),
    Framework(
        "livekit_session",
        "livekit",
        {"agent_session": "WORKFLOW", "start_agent_activity": "AGENT", "agent_turn": "AGENT", "llm_node": "LLM LLM"}
        | {"llm_request": "LLM LLM", "llm_request_run": "LLM LLM", "get_weather": "TOOL", "session_start": PLAIN}
        | {"setup_toolsets": PLAIN, "on_enter": "TASK", "agent_speaking": PLAIN, "session_close": "TASK"}
        | {"drain_agent_activity": "TASK", "on_exit": "TASK"},
        traces=("agent_session",),
        conversations=4,
        tool="get_weather",
        environment="frameworks-livekit",
    ),
)
