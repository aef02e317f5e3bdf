"""MLflow's trace page in a browser: a person sees conversations, failures and documents, not JSON."""

import pytest

from conftest import mlflow_exporter
from kit.browser import TracePage
from kit.captures import trace_captures
from kit.environments import CHECKOUT
from kit.fake_openai import ANSWER
from kit.waiting import eventually

PICTURES = CHECKOUT / ".build/reports"
NEWS = {"mlflow.org"}
"""What the page itself asks while its list of traces is still empty."""
CALLS = {
    "openinference-openai-1": "ChatCompletion",
    "openllmetry-openai-1": "openai.chat",
    "langchain-openinference-1": "ChatOpenAI",
}
"""Model calls of two instrumentations and an agent framework: {capture: span name}."""


@pytest.fixture(scope="module")
def page():
    page = TracePage()
    yield page
    page.close()


@pytest.fixture
def shown(millrace, mlflow, page, service):
    """`shown(capture, wanted)` opens the first span of a capture that is `wanted`; (trace, span)."""
    captures = {capture.name: capture for capture in trace_captures()}
    experiment = mlflow.create_experiment(service)
    gateway = millrace({"mlflow": mlflow_exporter(mlflow)})

    def show(name, wanted):
        capture = captures[name].retraced(service)
        headers = capture.headers | {"x-mlflow-experiment-id": experiment}
        assert gateway.post(capture.encoded, content_type=capture.content_type, **headers).status_code == 200
        traces = mlflow.expect_traces(service, spans=len(capture.spans()))
        trace, span = next((trace, span) for trace in traces for span in trace["spans"] if wanted(span))
        page.open(mlflow, experiment, trace["id"], span["id"])
        return trace, span

    return show


def answers(span):
    """Whether a model call has an answer in words."""
    choices = (span["outputs"] or {}).get("choices") if isinstance(span["outputs"], dict) else None
    return bool(choices and choices[0]["message"]["content"] == ANSWER)


@pytest.mark.parametrize("capture", CALLS)
def test_a_model_call_is_shown_as_a_conversation(shown, page, capture):
    _, span = shown(capture, lambda span: span["name"] == CALLS[capture] and answers(span))
    inputs, outputs = eventually(page.sections)
    page.picture(PICTURES / f"page-{capture}.png")
    (question, *_) = [message["content"] for message in span["inputs"]["messages"] if message["role"] == "user"]
    assert inputs[inputs.index("User") + 1] == question
    assert outputs == ["Assistant", ANSWER]


@pytest.mark.parametrize("capture", [name for name in CALLS if name != "langchain-openinference-1"])
def test_a_failed_call_is_marked(shown, page, capture):
    _, span = shown(capture, lambda span: span["status"] == "ERROR")
    assert "you broke it" in eventually(page.exception)
    page.picture(PICTURES / f"page-failed-{capture}.png")
    failed = page.colour(span["id"])
    _, other = shown(capture, lambda span: span["status"] != "ERROR")
    assert page.exception() is None
    assert page.colour(other["id"]) != failed


def test_a_retriever_is_shown_as_documents(shown, page):
    shown("llamaindex-openinference-1", lambda span: span["type"] == "RETRIEVER" and span["outputs"])
    cards = eventually(page.documents)
    page.picture(PICTURES / "page-documents.png")
    assert [card[0] for card in cards] == ["Paris is sunny.", "London is rainy."]
    assert all("score" in " ".join(card) for card in cards)


def test_the_page_asks_nobody_but_its_server(shown, page, mlflow):
    page.addresses()
    shown("openinference-openai-1", answers)
    eventually(page.sections)
    assert page.addresses() - NEWS == {mlflow.url.removeprefix("http://")}
