"""What MLflow shows of recorded traces that come in pieces, with their log records, over several connections."""

import itertools
import json
import uuid

import pytest
import requests
from conftest import mlflow_exporter, otlp_exporter
from kit import otlp
from kit.environments import APPS, CHECKOUT, LONG, free_port
from kit.fake_words import ANSWER
from kit.millrace import PROTOBUF
from kit.recorded import FIVE, RECORDED, divided, message, raw_items, retraced
from kit.running import run_to_end
from kit.waiting import eventually
from kit.windows import behind_a_window, chain

CONNECTIONS = 4
REMOTE = 0x300
"""Flags of a span whose parent is in another process."""


@pytest.fixture
def sessions():
    sessions = [requests.Session() for _ in range(CONNECTIONS)]
    for session in sessions:
        session.trust_env = False
    yield sessions
    for session in sessions:
        session.close()


def post(gateway, session, signal, body):
    path = f"{gateway.url}/v1/{signal}"
    assert session.post(path, data=body, headers={"content-type": PROTOBUF}, timeout=60).status_code == 200


def the(mlflow, experiment, ids):
    """The traces of these ids in an experiment, once all of them are there and ended."""

    def there():
        traces = {trace["id"]: trace for trace in mlflow.traces(experiment) if trace["id"] in ids}
        assert set(traces) == set(ids), f"{len(traces)} of {len(ids)} traces"
        open_traces = [trace["id"] for trace in traces.values() if trace["state"] == "IN_PROGRESS"]
        assert not open_traces, f"open: {open_traces}"
        return traces

    return eventually(there, within=120, every=0.3)


def test_recorded_traces_and_their_logs_read_as_one_whatever_comes_first(
    millrace, each_mlflow, sink, sessions, seeded, at_some_moment
):
    sink.bodies = []
    gateway = behind_a_window(
        millrace({"mlflow": mlflow_exporter(each_mlflow), "backend": otlp_exporter(sink)}, starts=False),
        signals=["traces", "logs"],
        after_root="4s",
    ).start()
    way, sent, expected, logged = uuid.uuid4().hex, [], {}, raw_items(b"")
    for files, log_files, pages in RECORDED:
        new = {}
        for signal, name in [("traces", name) for name in files] + [("logs", name) for name in log_files]:
            request = message(name, signal)
            new |= retraced(signal, request, way)
            bodies = [part.SerializeToString() for part in divided(signal, request, seeded)]
            sent += [(signal, body) for body in bodies]
            for body in bodies if signal == "logs" else []:
                logged += raw_items(body)
        service = service_of(message(files[0], "traces"))
        for prefix, page in pages.items():
            (trace,) = [trace for old, trace in new.items() if old.startswith(prefix)]
            expected.setdefault(service, {})[trace] = page
    seeded.shuffle(sent)
    for signal, body in sent:
        post(gateway, seeded.choice(sessions), signal, body)
        at_some_moment(0.05)
    for service, pages in expected.items():
        for trace in the(each_mlflow, service, pages).values():
            question, answer = pages[trace["id"]]
            assert (trace["request_preview"], trace["response_preview"]) == (question, answer), service
            models = [span for span in trace["spans"] if span["type"] in ("CHAT_MODEL", "LLM")]
            assert any(question in str(span["inputs"]) for span in models), service
            assert answer is None or any(answer in str(span["outputs"]) for span in models), service
    gateway.settled(signal="logs")

    def arrived():
        came = raw_items(b"")
        for signal, body in sink.bodies:
            if signal == "logs":
                came += raw_items(body)
        return came == logged

    eventually(arrived)


@pytest.mark.parametrize("form", [("", "true"), ("gen_ai_latest_experimental", "EVENT_ONLY")])
def test_what_an_app_says_in_log_records_is_on_its_page(form, millrace, each_mlflow, fake_openai, service):
    gateway = behind_a_window(
        millrace({"mlflow": mlflow_exporter(each_mlflow)}, starts=False), signals=["traces", "logs"]
    ).start()
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": gateway.url, "OTEL_SERVICE_NAME": service}
    settings["OTEL_SEMCONV_STABILITY_OPT_IN"], settings["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = form
    run_to_end(APPS / "frameworks/openai_v2_logs.py", fake_openai.url, environment="frameworks", **settings)
    (trace,) = each_mlflow.expect_traces(service, 2)
    assert (trace["request_preview"], trace["response_preview"]) == ("Weather in Paris? Ünï 🌤", ANSWER)
    (model,) = [span for span in trace["spans"] if span["name"] == "chat gpt-4o-mini"]
    assert ANSWER in str(model["outputs"]) and trace["tokens"]


def test_a_web_app_with_a_database_and_an_agent_is_one_trace_by_its_question(
    millrace, mlflow, run_app, fake_openai, service
):
    gateway = behind_a_window(millrace({"mlflow": mlflow_exporter(mlflow)}, starts=False)).start()
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": gateway.url, "OTEL_SERVICE_NAME": service}
    # Its root comes last, in a request of its own.
    run_app("plumbing_fastapi.py", fake_openai.url, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1", **settings)
    gateway.settled(accepted=8)
    (trace,) = mlflow.traces(service)
    assert (trace["name"], trace["state"], len(trace["spans"])) == ("POST /ask", "ERROR", 8)
    assert (trace["request_preview"], trace["response_preview"]) == ("Weather in Paris?", ANSWER)


def service_of(request):
    (name,) = {
        attribute.value.string_value
        for resource in request.resource_spans
        for attribute in resource.resource.attributes
        if attribute.key == "service.name"
    }
    return name


@pytest.mark.parametrize("ends", ["together", "restarted", "killed"])
def test_five_services_make_the_same_page_in_any_order(ends, millrace, mlflow, sessions, seeded, report):
    """With a stop or a kill -9 between any two requests of a trace, or with none.

    A process that is told to stop delivers what looks complete: where the root came before that, it has no content of its own.
    """
    gateway = behind_a_window(millrace({"mlflow": mlflow_exporter(mlflow)}, starts=False), after_root="15s").start()
    parts = [message(name, "traces") for name in FIVE]
    orders, all_orders = {}, list(itertools.permutations(range(len(parts))))
    for order in all_orders if LONG else seeded.sample(all_orders, 30):
        way = uuid.uuid4().hex
        requests_of = []
        for number in order:
            request = message(FIVE[number], "traces")
            (trace,) = set(retraced("traces", request, way).values())
            requests_of.append(request.SerializeToString())
        orders[trace] = requests_of
    for step in range(len(parts)):
        for bodies in orders.values():
            post(gateway, seeded.choice(sessions), "traces", bodies[step])
        if step + 1 < len(parts) and ends != "together":
            gateway.kill() if ends == "killed" else gateway.stop()
            gateway.start()
    traces = the(mlflow, "five-node", orders)
    spans = sum(len(otlp.each_span(part)) for part in parts)
    last = {trace for trace, bodies in orders.items() if ends != "restarted" or b"five-node" in bodies[-1]}
    pages = {json.dumps(page(traces[trace]), sort_keys=True) for trace in last}
    assert len(pages) == 1, f"{len(pages)} pages"
    one = traces[next(iter(last))]
    early = {json.dumps(without_content(page(trace)), sort_keys=True) for trace in traces.values()}
    assert early == {json.dumps(without_content(page(one)), sort_keys=True)}
    assert len(one["spans"]) == spans and one["state"] == "OK" and one["name"]
    assert one["request_preview"] and one["response_preview"] and one["tokens"]["total_tokens"]
    services = {span["attributes"]["service.name"] for span in one["spans"]}
    assert services == {"five-go", "five-java", "five-node", "five-python", "five-rust"}
    assert not any(spans_in(mlflow, f"five-{name}", orders) for name in ("go", "java", "python", "rust"))
    report(f"{one['name']}: {one['request_preview']!r}, {one['response_preview']!r}, {one['session']}, {one['tokens']}")


def spans_in(mlflow, experiment, traces):
    return {span for span in mlflow.spans(experiment) if span[0] in traces}


def page(trace):
    """What a person sees of a trace: all but its id and what MLflow derives of that."""
    head = {key: trace[key] for key in ("state", "name", "session", "user", "tokens", "request_preview", "response_preview")}
    keys = ("id", "parent", "name", "type", "status", "inputs", "outputs")
    spans = [
        {key: span[key] for key in keys} | {"service": span["attributes"].get("service.name")} for span in trace["spans"]
    ]
    return head | {"spans": sorted(spans, key=lambda span: span["id"])}


def without_content(page):
    """The page without question and answer of its root."""
    spans = [span | ({"inputs": None, "outputs": None} if span["parent"] is None else {}) for span in page["spans"]]
    return page | {"request_preview": None, "response_preview": None, "spans": spans}


def test_what_never_gets_its_root_is_ended_and_named(millrace, mlflow, service):
    """A trace behind a caller that exports nothing, an agent that was killed, three spans without their root."""
    gateway = behind_a_window(
        millrace({"mlflow": mlflow_exporter(mlflow)}, starts=False), wait="500ms", open_wait="1500ms", show_after="300ms"
    ).start()
    unsampled, killed, rootless = chain(service, 3), chain(service, 3), otlp.request(service, 4)
    top = otlp.each_span(unsampled)[0]
    top.name, top.parent_span_id, top.flags = "GET /ask", otlp.ids.randbytes(8), REMOTE
    del killed.resource_spans[0].scope_spans[0].spans[0]
    step, model = otlp.each_span(killed)
    step.name, model.name = "agent step", "chat"
    # It ended before it could say when the last one did.
    model.end_time_unix_nano = 0
    del rootless.resource_spans[0].scope_spans[0].spans[0]
    for request in (unsampled, killed, rootless):
        assert gateway.post(request.SerializeToString()).status_code == 200
    ids = {name: otlp.spans_of(request)[0][0] for name, request in
           [("unsampled", unsampled), ("killed", killed), ("rootless", rootless)]}
    traces = the(mlflow, service, ids.values())
    tops = {name: [span for span in traces[trace]["spans"] if span["parent"] is None] for name, trace in ids.items()}
    assert all(len(found) == 1 for found in tops.values()), tops
    assert all(traces[trace]["name"] for trace in ids.values())
    assert [tops[name][0]["name"] for name in ("unsampled", "killed")] == ["GET /ask", "agent step"]
    assert [len(traces[ids[name]]["spans"]) for name in ids] == [3, 2, 4]
    created = [span["attributes"].get("millrace.created") for span in tops["rootless"]]
    assert created == [True]
    # Its experiment is known, its list is read by people.
    assert {trace["state"] for trace in traces.values()} == {"OK"}


def test_a_parked_route_behind_a_window_holds_up_no_other(millrace, mlflow, service):
    present, missing = f"{service}-present", f"{service}-missing"
    mlflow.create_experiment(present)
    gateway = behind_a_window(millrace({"mlflow": mlflow_exporter(mlflow)}, starts=False), after_root="200ms")
    gateway.pipeline["processors"]["route"]["create"] = False
    gateway.save()
    gateway.start()
    sent = {name: chain(name, 3) for name in (missing, present)}
    for request in sent.values():
        assert gateway.post(request.SerializeToString()).status_code == 200
    gateway.delivered("mlflow", 3)
    assert gateway.row("mlflow")["queued"] == 3
    gateway.kill()
    gateway.start()
    late = chain(missing, 2)
    assert gateway.post(late.SerializeToString()).status_code == 200
    # What was delivered just before the kill may be delivered again.
    eventually(lambda: gateway.row("mlflow")["queued"] == 5)
    mlflow.create_experiment(missing)
    row = gateway.settled(accepted=8, within=150)["destinations"]["mlflow"]
    assert (row["delivered"], row["created"]) == (8, 0)
    assert mlflow.spans(missing) == set(otlp.spans_of(sent[missing])) | set(otlp.spans_of(late))


@pytest.mark.parametrize("name", ["sidecar", "container", "gateway"])
def test_the_files_that_are_shipped_show_a_trace_within_3_seconds_of_its_root(name, millrace, mlflow, service, tmp_path):
    """With its question in log records, its root last and in another service than what came first."""
    given = json.loads((CHECKOUT / f"pipelines/{name}.json").read_text())
    gateway = millrace({"mlflow": mlflow_exporter(mlflow)}, starts=False)
    processors, (pipeline,) = given["processors"], given["pipelines"].values()
    if name == "gateway":
        processors["share"]["ratio"] = 1
    gateway.pipeline["processors"] = processors
    gateway.pipeline["pipelines"]["traces"] = pipeline | {"receivers": ["otlp"], "exporters": ["mlflow"]}
    gateway.pipeline["receivers"] = {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"}}
    gateway.pipeline |= {key: value for key, value in given.items() if key == "memory_limit"}
    gateway.save()
    gateway.start()
    spans, logs = message("clients/node-otel-openai-3.pb", "traces"), message("clients/node-otel-openai-2.logs.pb", "logs")
    way = uuid.uuid4().hex
    new = retraced("traces", spans, way) | retraced("logs", logs, way)
    (trace,) = [trace for old, trace in new.items() if old.startswith("c688a062")]
    (root,) = [span for span in otlp.each_span(spans) if span.trace_id.hex() == trace and not span.parent_span_id]
    top = otlp.REQUESTS["traces"].FromString(spans.SerializeToString())
    rename(top, service)
    keep(top, lambda span: span.trace_id.hex() == trace and span.span_id == root.span_id)
    keep(spans, lambda span: span.trace_id.hex() == trace and span.span_id != root.span_id)
    for signal, request in [("logs", logs), ("traces", spans)]:
        assert gateway.post(request.SerializeToString(), path=f"/v1/{signal}").status_code == 200
    assert gateway.post(top.SerializeToString()).status_code == 200
    gateway.delivered("mlflow", len(otlp.each_span(spans)) + 1, within=3)
    page = the(mlflow, service, {trace})[trace]
    assert (page["request_preview"], page["response_preview"]) == ("Weather in Paris?", "It is sunny in Paris.")


def rename(request, service):
    for resource in request.resource_spans:
        for attribute in resource.resource.attributes:
            if attribute.key == "service.name":
                attribute.value.string_value = service


def keep(request, wanted):
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            kept = [span for span in scope.spans if wanted(span)]
            del scope.spans[:]
            scope.spans.extend(kept)
