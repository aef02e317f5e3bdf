"""Instrumentations that people use for GenAI apps, against a local OpenAI: what MLflow then shows."""

import pytest

from kit import traces
from kit.fake_openai import ANSWER

QUESTION = [("system", "Be brief."), ("user", "Weather in Paris? Ünï 🌤")]
CHAT_TYPES = {"openinference": {"LLM", "CHAT_MODEL"}, "traceloop": {"LLM", "CHAT_MODEL"}}


@pytest.fixture(params=["openinference", "traceloop"])
def flavour(request):
    return request.param


@pytest.fixture
def trace(flavour, gateway, each_mlflow, run_app, service, fake_openai):
    run_app(
        "genai.py", flavour, fake_openai.url, OTEL_EXPORTER_OTLP_ENDPOINT=gateway.url, OTEL_SERVICE_NAME=service
    )
    (trace,) = each_mlflow.expect_traces(service, spans=6)
    return trace


def test_a_genai_instrumentation_is_shown_as_conversations(trace, flavour, each_mlflow):
    root, *calls = sorted(trace["spans"], key=lambda span: span["parent"] is not None)
    assert (root["name"], root["type"]) == ("travel agent", "AGENT")
    assert {call["parent"] for call in calls} == {root["id"]}
    by_model = {model(call): call for call in calls}
    assert len(by_model) == 5, f"models: {list(by_model)}"

    expect_chat(by_model["gpt-4o-mini"], flavour)
    expect_chat(by_model["gpt-4o-stream"], flavour)
    expect_tool_call(by_model["gpt-4o-tools"], flavour)
    expect_error(by_model["broken-model"], flavour)
    embedding = by_model["text-embedding-3-small"]
    assert embedding["type"] == "EMBEDDING"
    assert "one" in str(embedding["inputs"]) and "two" in str(embedding["inputs"])
    expect_trace(trace, each_mlflow)


def model(span):
    """The requested model; the fake answers as `MODEL-2026`."""
    return str(span["attributes"]["mlflow.llm.model"]).removesuffix("-2026")


def expect_chat(span, flavour):
    assert span["type"] in CHAT_TYPES[flavour]
    assert span["status"] != "ERROR"
    assert traces.asked(span) == QUESTION
    assert traces.text(traces.answered(span)["content"]) == ANSWER
    assert traces.usage(span) == (11, 7, 18)
    assert span["attributes"]["mlflow.message.format"] == "openai"


def expect_tool_call(span, flavour):
    assert span["type"] in CHAT_TYPES[flavour]
    (call,) = traces.answered(span)["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "get_weather")
    assert call["function"]["arguments"].replace(" ", "") == '{"city":"Paris"}'
    (tool,) = span["attributes"]["mlflow.chat.tools"]
    assert (tool["type"], tool["function"]["name"]) == ("function", "get_weather")


def expect_error(span, flavour):
    assert span["status"] == "ERROR"
    assert "exception" in span["events"]
    assert traces.asked(span) == QUESTION


def expect_trace(trace, server):
    assert trace["state"] == "OK"
    assert trace["tokens"]["output_tokens"] == 21
    assert "Weather in Paris?" in trace["request_preview"]
    assert "Sunny." in trace["response_preview"]
    if server.version != "3.6.0":  # which keeps none of these for traces that come by OTLP
        assert (trace["name"], trace["session"], trace["user"]) == ("travel agent", "session-1", "ada")
