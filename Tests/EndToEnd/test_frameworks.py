"""Real GenAI frameworks and SDKs, as anybody would use them, against a local model: what MLflow then shows.

`make test-frameworks` (MILLRACE_FRAMEWORKS=all) takes all of them, else it is those of the environment `frameworks`.
"""

import collections
import os

import pytest

from conftest import VERSIONS, mlflow_exporter
from kit import traces
from kit.fake_words import ANSWER, INPUT_TOKENS, OUTPUT_TOKENS
from kit.framework import PLAIN
from kit.frameworks_default import DEFAULT
from kit.frameworks_more import MORE
from kit.millrace import Millrace, pipeline
from kit.running import run_to_end

FRAMEWORKS = [*DEFAULT, *(MORE if os.environ.get("MILLRACE_FRAMEWORKS") == "all" else [])]
QUESTION = "Weather in Paris? Ünï 🌤"
TOOLS = {"get_weather", "Weather-get_weather", "final_answer"}
MODEL_CALLS = {"LLM", "CHAT_MODEL"}
ONE_CALL = (INPUT_TOKENS, OUTPUT_TOKENS, INPUT_TOKENS + OUTPUT_TOKENS)


@pytest.fixture(scope="module")
def fan_out(servers, tmp_path_factory):
    """A gateway in front of all versions of MLflow at once, so that an app has to run but once."""
    directory = tmp_path_factory.mktemp("frameworks")
    exporters = {version: mlflow_exporter(servers.mlflow[version].wait()) for version in VERSIONS}
    gateway = Millrace(directory, pipeline(directory, exporters)).start()
    try:
        yield gateway
        gateway.ledger()
        gateway.stop()
    finally:
        gateway.process.end_group()


@pytest.fixture(scope="module", params=FRAMEWORKS, ids=lambda each: f"{each.convention}.{each.name}")
def framework(request, fan_out, fake_openai):
    """A framework whose app has run; MLflow has its spans."""
    framework = request.param
    run_to_end(
        framework.path,
        *framework.arguments,
        fake_openai.url,
        environment=framework.environment,
        OTEL_EXPORTER_OTLP_ENDPOINT=fan_out.url,
        OTEL_SERVICE_NAME=framework.service,
    )
    fan_out.settled()
    return framework


@pytest.fixture(params=VERSIONS)
def server(request, servers):
    return servers.mlflow[request.param]


@pytest.fixture
def shown(framework, server):
    """The traces of a framework's app as a version of MLflow shows them."""
    return server.traces(framework.experiment)


@pytest.fixture
def calls(framework, shown):
    """Its model calls that succeeded."""
    return [span for span in spans(shown) if span["type"] in MODEL_CALLS and "exception" not in span["events"]]


def spans(shown):
    return [span for trace in shown for span in trace["spans"]]


def test_every_span_has_the_type_that_its_icon_comes_from(framework, shown):
    found = collections.defaultdict(list)
    for span in spans(shown):
        found[span["name"]].append("LLM" if span["type"] in MODEL_CALLS else span["type"] or PLAIN)
    assert {name: sorted(types) for name, types in found.items()} == framework.types


def test_model_calls_are_conversations(framework, calls):
    chats = [call for call in calls if call["attributes"].get("mlflow.message.format") == "openai"]
    answered = [(call, said) for call, said in zip(chats, map(answer, chats), strict=True) if said]
    assert len(answered) == framework.conversations
    assert any(ANSWER in said for _, said in answered) == bool(framework.conversations)
    for call, said in answered:
        assert any(QUESTION in text for role, text in traces.asked(call) if role == "user"), call["inputs"]
        assert ANSWER in said or said.split()[0] in TOOLS, call["outputs"]


def answer(call):
    """What the model said, or the tool that it wants and with what; nothing where the emitter keeps that to itself."""
    if isinstance(call["outputs"], list):
        return None  # what cannot be read as messages is shown as it came
    message = traces.answered(call)
    (tool, *_) = message.get("tool_calls") or [None]
    return "{name} {arguments}".format(**tool["function"]) if tool else traces.text(message["content"])


def test_model_calls_name_their_model(framework, calls):
    assert {call["attributes"]["mlflow.llm.model"].removesuffix("-2026") for call in calls} == set(framework.models)


def test_tokens_are_counted_once(framework, shown, server, calls):
    assert {traces.usage(call) for call in calls} <= {ONE_CALL, None}
    sums = [trace["tokens"] or {"input_tokens": 0, "output_tokens": 0} for trace in shown]
    counted = sum(tokens["input_tokens"] for tokens in sums), sum(tokens["output_tokens"] for tokens in sums)
    assert counted == (framework.tokens if server.version == VERSIONS[0] else framework.summed or framework.tokens)


def test_a_tool_call_shows_what_went_in_and_out(framework, shown):
    tools = [span for span in spans(shown) if span["type"] == "TOOL"]
    told = {
        tool["name"]
        for tool in tools
        if "Paris" in str(tool["inputs"]) and "18 degrees in Paris" in str(tool["outputs"])
    }
    assert told == ({framework.tool} if framework.tool else set())


def test_failures_are_marked(framework, shown):
    """By an event, which the page shows in full, and by the status, unless the emitter says that all was well."""
    assert {span["name"] for span in spans(shown) if "exception" in span["events"]} == set(framework.failed)
    at_odds = [span for span in spans(shown) if ("exception" in span["events"]) != (span["status"] == "ERROR")]
    assert {span["name"] for span in at_odds} <= set(framework.failed if framework.fails_with_ok else ())


def test_the_list_shows_question_and_answer(framework, shown):
    previews = [(trace["request_preview"] or "", trace["response_preview"] or "") for trace in shown]
    telling = [asked for asked, answered in previews if "Weather in Paris?" in asked and ANSWER in answered]
    assert len(telling) == framework.previewed


def test_the_list_shows_name_session_and_user(framework, servers):
    """MLflow 3.6.0 keeps none of these for traces that come by OTLP."""
    shown = servers.mlflow[VERSIONS[0]].traces(framework.experiment)
    assert sorted(trace["name"] for trace in shown) == sorted(framework.traces)
    for said, expected in (("session", framework.session), ("user", framework.user)):
        values = [trace[said] for trace in shown]
        assert values.count(None) == (framework.strays if expected else len(shown)), values
        assert all(value == expected for value in values if value is not None), values
