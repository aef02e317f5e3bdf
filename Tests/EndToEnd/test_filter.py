"""Spans that nobody looks at are dropped, and what is left is one tree: with what their framework really sends."""

import json

import pytest
from conftest import mlflow_exporter
from kit import otlp
from kit.environments import CHECKOUT, DATA
from kit.fake_words import ANSWER
from kit.windows import behind_a_window, chain

GENAI = {"attribute": "gen_ai.operation.name", "exists": True}


def filtering(exporter, **settings):
    """The sections of a pipeline that drops spans before they are mapped."""
    return {
        "processors": {
            "only": {"type": "filter"} | settings,
            "map": {"type": "mlflow_map"},
            "route": {"type": "mlflow_experiment"},
        },
        "pipelines": {
            "traces": {"receivers": ["otlp"], "processors": ["only", "map", "route"], "exporters": [exporter]}
        },
    }


@pytest.mark.parametrize("requests", ["one", "each"])
def test_only_genai_spans_are_a_whole_trace_in_mlflow(millrace, mlflow, run_app, fake_openai, service, requests):
    gateway = millrace({"mlflow": mlflow_exporter(mlflow)}, starts=False, **filtering("mlflow", keep=GENAI))
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": gateway.url, "OTEL_SERVICE_NAME": service}
    if requests == "each":
        # Every span comes alone, the endpoint's own last.
        settings["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"] = "1"
        parts = behind_a_window(gateway, after_root="1s").pipeline["pipelines"]["traces"]
        parts["processors"] = ["only", "map", "whole", "route"]
        gateway.save()
    gateway.start()
    run_app("plumbing_fastapi.py", fake_openai.url, **settings)
    ledger = gateway.settled(accepted=8)

    (trace,) = mlflow.expect_traces(service, 2)
    # The endpoint's own span is gone, and its error is the trace's.
    assert trace["state"] == "ERROR"
    assert trace["name"] == "invoke_agent weather"
    assert (trace["request_preview"], trace["response_preview"]) == ("Weather in Paris?", ANSWER)
    spans = {span["name"]: span for span in trace["spans"]}
    assert spans["openai.chat"]["parent"] == spans["invoke_agent weather"]["id"]
    assert spans["invoke_agent weather"]["parent"] is None
    delivered = ledger["destinations"]["mlflow"]
    assert delivered["delivered"] == 2
    assert delivered["filtered"] == delivered["accepted"] - 2 >= 4


@pytest.mark.parametrize(
    ("children", "parents"),
    [
        ("reparent", {"invoke_agent weather": "POST /ask", "openai.chat": "invoke_agent weather"}),
        ("keep", {"invoke_agent weather": "?", "openai.chat": "?"}),
        ("drop", {}),
    ],
)
def test_children_move_stay_or_go(millrace, run_app, fake_openai, tmp_path, children, parents):
    path = tmp_path / "spans.jsonl"
    plumbing = {"name": {"matches": "^(plan|POST|SELECT)$| http (send|receive)$"}}
    archive = {"type": "file", "path": str(path)}
    gateway = millrace({"out": archive}, **filtering("out", drop=plumbing, children=children))
    run_app("plumbing_fastapi.py", fake_openai.url, OTEL_EXPORTER_OTLP_ENDPOINT=gateway.url, OTEL_SERVICE_NAME="shop")
    gateway.settled()
    spans = {
        span["spanId"]: span
        for line in path.read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }
    found = {
        span["name"]: spans.get(span["parentSpanId"], {"name": "?"})["name"] if span.get("parentSpanId") else None
        for span in spans.values()
    }
    assert found == {"POST /ask": None} | parents


@pytest.mark.parametrize("first", ["dropped", "kept"])
def test_children_in_another_request_are_moved_behind_a_window(millrace, archives, tmp_path, service, first):
    gateway = behind_a_window(millrace({"kept": archives("kept")}, starts=False), after_root="1s")
    gateway.pipeline["processors"]["lean"] = {"type": "filter", "drop": {"name": {"matches": "^(GET|send)"}}}
    gateway.pipeline["pipelines"]["traces"]["processors"].insert(0, "lean")
    gateway.save()
    gateway.start()
    message = chain(service, 5)
    server, agent, call, send, answer = otlp.each_span(message)
    server.name, agent.name, call.name, send.name, answer.name = "GET /ask", "agent", "chat", "send", "answer"
    requests = {"dropped": [server, send], "kept": [agent, call, answer]}
    order = ["dropped", "kept"] if first == "dropped" else ["kept", "dropped"]
    for name in order:
        piece = otlp.ExportTraceServiceRequest.FromString(message.SerializeToString())
        del piece.resource_spans[0].scope_spans[0].spans[:]
        piece.resource_spans[0].scope_spans[0].spans.extend(requests[name])
        assert gateway.post(piece.SerializeToString()).status_code == 200
    row = gateway.settled(accepted=5)["destinations"]["kept"]
    assert (row["delivered"], row["filtered"], row["created"]) == (3, 2, 0)
    spans = {
        span["name"]: span
        for line in (tmp_path / "kept.jsonl").read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }
    assert not spans["agent"].get("parentSpanId")
    assert spans["chat"]["parentSpanId"] == spans["agent"]["spanId"]
    assert spans["answer"]["parentSpanId"] == spans["chat"]["spanId"]
    assert gateway.metric("millrace_window_decided_traces_total", reason="complete") >= 1


def test_lean_keeps_a_trace_of_five_services_connected(millrace, archives, tmp_path):
    lean = json.loads((CHECKOUT / "pipelines/lean.json").read_text())
    sections = {name: lean[name] for name in ("processors", "pipelines")}
    gateway = millrace({"mlflow": archives("lean")}, **sections)
    for language in ("java", "rust", "node", "python", "go"):
        body = (DATA / f"clients/five-{language}-1.pb").read_bytes()
        assert gateway.post(body).status_code == 200
    row = gateway.settled(accepted=17)["destinations"]["mlflow"]
    assert row["delivered"] == row["accepted"] - row["filtered"] and row["filtered"] > 4 and row["created"] == 0
    spans = [
        span
        for line in (tmp_path / "lean.jsonl").read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    ids = {span["spanId"] for span in spans}
    (root,) = [span for span in spans if not span.get("parentSpanId")]
    assert {span["traceId"] for span in spans} == {root["traceId"]}
    assert all(span["parentSpanId"] in ids for span in spans if span is not root)
    assert not any(key["key"].startswith("millrace.parent") for span in spans for key in span["attributes"])
