"""Sessions of coding CLIs that send log records and no spans, as MLflow shows them."""

import collections
import contextlib
import json
import pathlib
import socket
import uuid

import pytest
from conftest import mlflow_exporter, otlp_exporter
from kit import otlp
from kit.browser import TracePage
from kit.environments import CHECKOUT
from kit.recorded import divided, message, raw_items, retraced
from kit.waiting import eventually
from kit.windows import behind_a_window

QUESTION, ANSWER = "What is the weather in Paris?", "It is sunny in Paris."
CALL = ("CHAT_MODEL", "UNSET")
PAGES = {
    "clients/node-claude-code-1.logs.pb": {
        "session": "a50d3c27-5cd6-4b13-ae32-85e801fcb70d",
        "user": "72361303dac5a3dd70a63f6db96ffc8183efd140db1621b52d535aed26bafa20",
        "previews": (QUESTION, ANSWER),
        "tokens": (28, 14, 42),
        "cost": 0.0004745,
        "steps": {"chat claude-opus-4-8": CALL, "execute_tool Read": ("TOOL", "UNSET")},
        "arguments": {"file_path": "/srv/demo/node2/proj/a.txt"},
        "spans": 4,
    },
    "clients/node-codex-1.logs.pb": {
        "session": "01a22220-3da4-7492-9ac5-bdd511de0338",
        "user": None,
        "previews": (QUESTION, None),
        "tokens": (11, 7, 18),
        "cost": None,
        "steps": {"chat gpt-5-codex": CALL},
        "arguments": None,
        "spans": 2,
    },
    "clients/node-gemini-cli-5.logs.json": {
        "session": "7c3a26af-1628-4679-8384-6000cd6bcaac",
        "user": None,
        "previews": ("Use a tool to list the directory", ANSWER + " "),
        "tokens": (22, 20, 42),
        "cost": None,
        "steps": {"chat gemini-2.5-flash": CALL, "execute_tool list_directory": ("TOOL", "UNSET")},
        "arguments": {"dir_path": "/srv/demo/node2/proj"},
        "spans": 4,
    },
    "clients/node-qwen-code-1.logs.json": {
        "session": "ff2216c5-541b-4f86-89cd-4ea94fb4b889",
        "user": None,
        "previews": (QUESTION, ANSWER),
        "tokens": (22, 14, 36),
        "cost": None,
        "steps": {"chat gpt-4o-mini": CALL, "execute_tool list_directory": ("TOOL", "UNSET")},
        "arguments": {"path": "/srv/demo/node2/proj"},
        "spans": 4,
    },
}
"""By recording what its one turn shows; tokens are input, output and all."""

KEYS = ("session.id", "conversation.id", "prompt.id", "prompt_id")


def session(name, service):
    """The records of a session under a service, a session and a trace of its own; and what was added to its ids."""
    request, way = message(name, "logs"), f"-{uuid.uuid4().hex[:8]}"
    retraced("logs", request, way)
    for resource in request.resource_logs:
        for attribute in resource.resource.attributes:
            if attribute.key == "service.name":
                attribute.value.string_value = service
    for record in otlp.units_of("logs", request):
        for attribute in record.attributes:
            if attribute.key in KEYS:
                attribute.value.string_value += way
    return request, way


def windowed(millrace, mlflow, sink=None, **settings):
    exporters = {"mlflow": mlflow_exporter(mlflow)} | ({"backend": otlp_exporter(sink)} if sink else {})
    return behind_a_window(
        millrace(exporters, starts=False), signals=["traces", "logs"], log_sessions=True, **settings
    ).start()


def post(gateway, body):
    assert gateway.post(body, path="/v1/logs").status_code == 200


def test_recorded_sessions_without_spans_are_one_trace_a_turn_in_any_order_over_a_kill(
    millrace, mlflow, sink, seeded, service
):
    sink.bodies = []
    gateway = windowed(millrace, mlflow, sink, wait="8s", open_wait="12s")
    sent, ways = [], {}
    for number, name in enumerate(PAGES):
        request, ways[name] = session(name, f"{service}-{number}")
        sent += [part.SerializeToString() for part in divided("logs", request, seeded)]
    seeded.shuffle(sent)
    middle = len(sent) // 2
    for body in sent[:middle]:
        post(gateway, body)
    gateway.kill()
    gateway.start()
    # Whoever got no answer sends again.
    for body in sent[middle - 1 :]:
        post(gateway, body)
    spans = sum(page["spans"] for page in PAGES.values())
    gateway.delivered("mlflow", spans)
    row = gateway.settled(accepted=0)["destinations"]["mlflow"]
    assert (row["accepted"], row["created"], row["delivered"]) == (0, spans, spans)
    for number, (name, page) in enumerate(PAGES.items()):
        (trace,) = mlflow.traces(f"{service}-{number}")
        (root,) = [span for span in trace["spans"] if span["parent"] is None]
        steps = [span for span in trace["spans"] if span["parent"] == root["id"]]
        assert (root["type"], len(steps)) == ("AGENT", page["spans"] - 1), name
        assert (trace["state"], trace["session"], trace["user"]) == ("OK", page["session"] + ways[name], page["user"]), name
        assert (trace["request_preview"], trace["response_preview"]) == page["previews"], name
        assert {span["name"]: (span["type"], span["status"]) for span in steps} == page["steps"], name
        tokens = tuple(trace["tokens"][f"{kind}_tokens"] for kind in ("input", "output", "total"))
        assert tokens == page["tokens"], name
        # MLflow knows what the models of others cost.
        if page["cost"]:
            costs = [span["attributes"].get("mlflow.llm.cost") for span in steps if span["type"] == "CHAT_MODEL"]
            costs = [json.loads(cost) if isinstance(cost, str) else cost for cost in costs]
            assert sum(cost["total_cost"] for cost in costs) == pytest.approx(page["cost"]), name
        tools = [span["inputs"] for span in steps if span["type"] == "TOOL"]
        assert tools == ([page["arguments"]] if page["arguments"] else []), name
    # The log records went their own way.
    gateway.settled(signal="logs")
    expected = set(sum((raw_items(body) for body in sent), raw_items(b"")))
    eventually(lambda: expected == {item for signal, body in sink.bodies if signal == "logs" for item in raw_items(body)})


def test_a_session_that_sends_spans_is_not_there_twice(millrace, mlflow, seeded, service):
    gateway = windowed(millrace, mlflow, wait="2s", open_wait="4s")
    spans, logs = message("clients/node-gemini-cli-4.json", "traces"), message("clients/node-gemini-cli-5.logs.json", "logs")
    way = uuid.uuid4().hex
    traces = set((retraced("traces", spans, way) | retraced("logs", logs, way)).values())
    for request in (spans, logs):
        for resource in getattr(request, otlp.GROUPS["traces" if request is spans else "logs"][0]):
            for attribute in resource.resource.attributes:
                if attribute.key == "service.name":
                    attribute.value.string_value = service
    sent = [("logs", part) for part in divided("logs", logs, seeded)]
    sent += [("traces", part) for part in divided("traces", spans, seeded)]
    seeded.shuffle(sent)
    for signal, part in sent:
        assert gateway.post(part.SerializeToString(), path=f"/v1/{signal}").status_code == 200
    gateway.settled(signal="logs")
    gateway.settled(accepted=len(otlp.each_span(spans)))
    assert gateway.row("mlflow")["created"] == 0
    assert {trace["id"] for trace in mlflow.traces(service)} <= traces


@pytest.mark.parametrize("asks", [True, False])
def test_log_records_complete_the_spans_that_they_name(millrace, mlflow, seeded, service, asks):
    """Claude Code's interaction with its prompt, its answer and what its tool was called with, which only its log records say."""
    gateway = windowed(millrace, mlflow, after_root="4s", wait="4s", open_wait="8s")
    spans, logs = message("clients/node-claude-code-3.pb", "traces"), message("clients/node-claude-code-1.logs.pb", "logs")
    retraced("traces", spans, uuid.uuid4().hex)
    (root,) = [span for span in otlp.each_span(spans) if not span.parent_span_id]
    if not asks:
        kept = [attribute for attribute in root.attributes if attribute.key != "user_prompt"]
        del root.attributes[:]
        root.attributes.extend(kept)
    (tool,) = [span for span in otlp.each_span(spans) if span.name == "claude_code.tool"]
    (call,) = [attribute for attribute in tool.attributes if attribute.key == "tool_use_id"]
    for request, groups in ((spans, spans.resource_spans), (logs, logs.resource_logs)):
        for resource in groups:
            for attribute in resource.resource.attributes:
                if attribute.key == "service.name":
                    attribute.value.string_value = service
    for record in otlp.units_of("logs", logs):
        record.trace_id, record.span_id = root.trace_id, root.span_id
        for attribute in record.attributes:
            if attribute.key == "tool_use_id":
                attribute.value.string_value = call.value.string_value
    sent = [("logs", part) for part in divided("logs", logs, seeded)]
    sent += [("traces", part) for part in divided("traces", spans, seeded)]
    seeded.shuffle(sent)
    for signal, part in sent:
        assert gateway.post(part.SerializeToString(), path=f"/v1/{signal}").status_code == 200
    row = gateway.settled(signal="logs")["destinations"]["whole"]
    assert row["joined"] == 3
    gateway.settled(accepted=len(otlp.each_span(spans)))
    assert gateway.row("mlflow")["created"] == 0
    (trace,) = mlflow.traces(service)
    assert len(trace["spans"]) == len(otlp.each_span(spans))
    # The span has the question of its own recording.
    own = {attribute.key: attribute.value.string_value for attribute in root.attributes}
    assert trace["request_preview"] == own.get("user_prompt", QUESTION)
    assert (trace["response_preview"], trace["state"]) == (ANSWER, "OK")
    assert (trace["session"], trace["user"]) == (own["session.id"], own["user.id"])
    assert [trace["tokens"][f"{kind}_tokens"] for kind in ("input", "output", "total")] == [28, 14, 42]
    (shown,) = [span for span in trace["spans"] if span["parent"] is None]
    assert shown["type"] == "AGENT" and shown["outputs"]["choices"][0]["message"]["content"] == ANSWER
    (shown,) = [span for span in trace["spans"] if span["id"] == tool.span_id.hex()]
    assert shown["inputs"] == {"file_path": "/srv/demo/node2/proj/a.txt"}


@pytest.mark.parametrize("journal, memory, sizes", [("1MiB", "256MiB", (46_000, 46_000)), ("1GiB", "32MiB", (290_000, 2_500_000))])
def test_a_turn_that_is_larger_than_the_journal_or_the_memory_goes_on_in_parts(
    journal, memory, sizes, millrace, sink, service
):
    sink.bodies = []
    gateway = behind_a_window(
        millrace({"backend": otlp_exporter(sink)}, starts=False),
        signals=["traces", "logs"],
        log_sessions=True,
        wait="3s",
        open_wait="6s",
    )
    gateway.pipeline["memory_limit"] = memory
    gateway.pipeline["journal"]["max_bytes"] = journal
    gateway.pipeline["receivers"]["otlp"]["max_body"] = "8MiB"
    gateway.save()
    gateway.start()
    request, _ = session("clients/node-claude-code-1.logs.pb", service)
    prompt, _, tool, call, _, answer = otlp.units_of("logs", request)
    # Arguments and question stand in a span twice, as they came and as MLflow reads them: more than the journal is then the turn.
    texts = ["prompt", "tool_input"]
    parts = []
    for number, record in enumerate([prompt] + 10 * [tool] + [call, answer]):
        part = otlp.REQUESTS["logs"].FromString(request.SerializeToString())
        (scope,) = (scope for resource in part.resource_logs for scope in resource.scope_logs)
        del scope.log_records[:]
        scope.log_records.append(record)
        for attribute in scope.log_records[0].attributes:
            if attribute.key in texts:
                attribute.value.string_value = "x" * sizes[number == 10]
            if attribute.key == "tool_use_id":
                attribute.value.string_value = f"toolu_{number}"
        parts.append(part.SerializeToString())
    for part in parts:
        post(gateway, part)
    row = gateway.settled(signal="logs")["destinations"]["whole"]
    assert (row["joined"], row["filtered"]) == (13, 0)
    assert ("there is no memory to put a trace together" in gateway.process.log) == (memory == "32MiB")
    gateway.settled(accepted=0)
    sent = [otlp.REQUESTS["traces"].FromString(body) for signal, body in sink.bodies if signal == "traces"]
    spans = [span for request in sent for span in otlp.each_span(request)]
    assert len({span.trace_id for span in spans}) == 1
    names = collections.Counter(span.name for span in spans)
    assert names == {f"invoke_agent {service}": 1, "execute_tool Read": 10, "chat claude-opus-4-8": 1}


def test_a_turn_of_one_request_waits_while_others_have_the_memory(millrace, sink, service):
    sink.bodies = []
    gateway = behind_a_window(
        millrace({"backend": otlp_exporter(sink)}, starts=False),
        signals=["traces", "logs"],
        log_sessions=True,
        wait="1s",
        open_wait="2s",
    )
    gateway.pipeline["memory_limit"] = "64MiB"
    gateway.pipeline["receivers"]["otlp"] |= {"max_body": "8MiB", "body_timeout": "10m"}
    gateway.save()
    gateway.start()
    request, _ = session("clients/node-claude-code-1.logs.pb", service)
    records = otlp.units_of("logs", request)
    for attribute in (attribute for record in records for attribute in record.attributes if attribute.key == "tool_input"):
        attribute.value.string_value = "x" * 5_000_000
    # To put five megabytes together takes seven times as much, of 48 MiB for all clients.
    with contextlib.ExitStack() as held:
        for _ in range(3):
            client = held.enter_context(socket.create_connection(gateway.address))
            client.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n")
            client.sendall(b"Content-Length: 8388608\r\n\r\n" + bytes(8_388_607))
        post(gateway, request.SerializeToString())
        eventually(lambda: "there is no memory to put a trace together" in gateway.process.log, within=60)
        assert gateway.row("whole", "logs")["filtered"] == 0
    row = gateway.settled(signal="logs")["destinations"]["whole"]
    assert (row["joined"], row["filtered"]) == (len(records), 0)


@pytest.mark.skipif(
    not pathlib.Path("/usr/bin/chromium").exists(), reason="no Chromium: `make test` installs it where there is apt"
)
def test_the_page_of_a_claude_code_session_shows_the_tool_and_the_answer(millrace, mlflow, service):
    experiment = mlflow.create_experiment(service)
    gateway = windowed(millrace, mlflow, wait="500ms", open_wait="2s")
    request, _ = session("clients/node-claude-code-1.logs.pb", service)
    post(gateway, request.SerializeToString())
    gateway.delivered("mlflow", 4)
    (trace,) = mlflow.traces(service)
    spans = {span["name"]: span["id"] for span in trace["spans"]}
    page = TracePage()
    try:
        page.open(mlflow, experiment, trace["id"], spans[f"invoke_agent {service}"])
        inputs, outputs = eventually(page.sections)
        page.picture(CHECKOUT / ".build/reports/session-turn.png")
        assert QUESTION in inputs and ANSWER in outputs, (inputs, outputs)
        page.open(mlflow, experiment, trace["id"], spans["execute_tool Read"])
        eventually(lambda: "a.txt" in page.find("model-trace-explorer-default-span-view").text)
        page.picture(CHECKOUT / ".build/reports/session-tool.png")
    finally:
        page.close()
