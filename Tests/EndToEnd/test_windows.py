"""A window makes whole traces of what comes in pieces: nothing is lost or doubled, whatever ends the process."""

import collections

import pytest
import requests
from conftest import AWAY, mlflow_exporter, otlp_exporter
from kit import otlp
from kit.environments import LONG
from kit.millrace import run
from kit.waiting import eventually
from kit.windows import agent, behind_a_window, chain, pieces, traces_of_file

KILLS = 200 if LONG else 20


def test_a_trace_in_two_requests_the_root_last_is_one(millrace, archives, tmp_path, service):
    gateway = behind_a_window(millrace({"kept": archives("kept")}, starts=False), after_root="200ms").start()
    message = chain(service, 4)
    root, *others = otlp.each_span(message)
    children = chain(service, 1)
    del children.resource_spans[0].scope_spans[0].spans[:]
    children.resource_spans[0].scope_spans[0].spans.extend(others)
    assert gateway.post(children.SerializeToString()).status_code == 200
    row = gateway.row("kept")
    assert (row["queued"], row["accepted"]) == (3, 3)
    del message.resource_spans[0].scope_spans[0].spans[1:]
    assert gateway.post(message.SerializeToString()).status_code == 200
    row = gateway.settled(accepted=4)["destinations"]["kept"]
    assert (row["delivered"], row["created"], row["joined"]) == (4, 0, 0)
    trace, span = otlp.pair(root)
    (delivered,) = traces_of_file(tmp_path / "kept.jsonl")
    assert delivered[trace][0] == span and len(delivered[trace]) == 4
    assert gateway.metric("millrace_window_decided_traces_total", reason="complete") == 1


def test_open_traces_wait_in_the_journal_when_the_process_ends(millrace, archives, tmp_path, service):
    gateway = behind_a_window(millrace({"kept": archives("kept")}, starts=False)).start()
    open_trace, whole = chain(service, 2), chain(service, 3)
    root = open_trace.resource_spans[0].scope_spans[0].spans.pop(0)
    for message in (open_trace, whole):
        assert gateway.post(message.SerializeToString()).status_code == 200
    gateway.stop()
    assert [list(map(len, request.values())) for request in traces_of_file(tmp_path / "kept.jsonl")] == [[3]]
    row = gateway.printed_ledger()["destinations"]["kept"]
    assert (row["queued"], row["delivered"], row["accepted"]) == (1, 3, 4)
    gateway.start()
    del open_trace.resource_spans[0].scope_spans[0].spans[:]
    open_trace.resource_spans[0].scope_spans[0].spans.append(root)
    assert gateway.post(open_trace.SerializeToString()).status_code == 200
    gateway.settled(accepted=5)
    assert [len(spans) for request in traces_of_file(tmp_path / "kept.jsonl") for spans in request.values()] == [3, 2]


def test_with_a_journal_in_memory_open_traces_are_decided_at_the_end(millrace, archives, tmp_path, service):
    gateway = behind_a_window(
        millrace(
            {"kept": archives("kept")},
            starts=False,
            journal={"directory": str(tmp_path / "journal"), "storage": "memory"},
        )
    ).start()
    message = chain(service, 4)
    del message.resource_spans[0].scope_spans[0].spans[1]
    assert gateway.post(message.SerializeToString()).status_code == 200
    gateway.stop()
    (delivered,) = traces_of_file(tmp_path / "kept.jsonl")
    assert [len(spans) for spans in delivered.values()] == [3]


@pytest.mark.parametrize("show_after", ["0s", "20ms"])
def test_killed_at_any_moment_every_trace_stays_whole(
    show_after, millrace, archives, tmp_path, service, seeded, at_some_moment, report
):
    gateway = behind_a_window(
        millrace(
            {"kept": archives("kept"), "away": AWAY},
            starts=False,
            drain_timeout="200ms",
            journal={"directory": str(tmp_path / "journal"), "min_free": "16MiB", "segment": "64KiB"},
        ),
        after_root="3s",
        show_after=show_after,
    ).start()
    sent = {}
    for _ in range(KILLS):
        messages = [chain(service, seeded.randint(1, 6)) for _ in range(8)]
        for message in messages:
            sent[otlp.spans_of(message)[0][0]] = {span for _, span in otlp.spans_of(message)}
        waiting = [piece for message in messages for piece in pieces(message, seeded)]
        seeded.shuffle(waiting)
        kill_after = seeded.randrange(len(waiting))
        for number, piece in enumerate(waiting):
            if number == kill_after:
                at_some_moment(0.3)
                gateway.kill()
                gateway.start()
            post(gateway, piece)
    ledger = gateway.ledger()
    accepted = ledger["accepted_spans"]
    eventually(lambda: gateway.row("kept")["queued"] == 0, within=120)
    row = gateway.row("kept")
    # A piece that was sent again because its answer was lost goes on once.
    assert (row["delivered"] + row["filtered"], row["accepted"], row["created"]) == (accepted, accepted, 0)
    assert gateway.row("away")["accepted"] == accepted == gateway.row("away")["queued"]
    came = collections.defaultdict(list)
    for request in traces_of_file(tmp_path / "kept.jsonl"):
        for trace, spans in request.items():
            assert show_after != "0s" or set(spans) == sent[trace], "a trace came in pieces"
            came[trace].append(set(spans))
    assert {trace: set().union(*parts) for trace, parts in came.items()} == sent
    shown = gateway.metric("millrace_window_decided_traces_total", reason="open")
    report(f"{KILLS} kills, {len(sent)} traces, {sum(map(len, came.values())) - len(sent)} parts more, {shown} shown last")


def post(gateway, message, path="/v1/traces"):
    """Posts a request until it is answered 200: what was not acknowledged is sent again, as SDKs do."""

    def taken():
        try:
            return gateway.post(message.SerializeToString(), path=path).status_code == 200
        except requests.ConnectionError:
            return False

    eventually(taken, within=15)


def test_a_window_that_goes_from_the_file_with_open_traces_is_not_given_up_silently(millrace, archives, service):
    gateway = behind_a_window(millrace({"kept": archives("kept")}, starts=False)).start()
    message = chain(service, 2)
    del message.resource_spans[0].scope_spans[0].spans[0]
    assert gateway.post(message.SerializeToString()).status_code == 200
    gateway.stop()
    gateway.pipeline["pipelines"]["traces"]["processors"] = ["map", "route", "batch"]
    gateway.save()
    refused = run("run", "--config", gateway.file)
    assert refused.returncode != 0
    assert "1 spans for whole of pipeline traces" in refused.stderr and "--abandon whole" in refused.stderr
    gateway.start("--abandon", "whole")
    sent = gateway.send(service)
    ledger = gateway.settled(accepted=1 + len(sent))
    assert ledger["destinations"]["kept"]["delivered"] == len(sent)


def test_every_trace_is_in_the_experiment_of_its_root(millrace, mlflow, service, seeded):
    gateway = behind_a_window(millrace({"mlflow": mlflow_exporter(mlflow)}, starts=False), after_root="500ms").start()
    names = []
    for number in range(6):
        names.append(f"{service}-{number}")
        parts = pieces(chain(f"{service}-other", 4), seeded, most=4)
        top = next(part for part in parts if any(not span.parent_span_id for span in otlp.each_span(part)))
        top.resource_spans[0].resource.attributes[0].value.string_value = names[-1]
        for part in parts:
            assert gateway.post(part.SerializeToString()).status_code == 200
    gateway.settled(accepted=24)
    for name in names:
        assert len(mlflow.expect_traces(name, 4)) == 1
    assert f"{service}-other" not in mlflow.experiments()


def test_an_open_trace_is_shown_and_right_at_its_end(millrace, archives, each_mlflow, tmp_path, service):
    is_old = each_mlflow.version == "3.6.0"
    gateway = behind_a_window(
        millrace({"mlflow": mlflow_exporter(each_mlflow), "kept": archives("kept")}, starts=False),
        signals=["traces", "logs"],
        show_after="500ms",
        after_root="200ms",
    ).start()
    parts, logs = agent(service)
    root, tool, own, joined = [otlp.spans_of(part)[0] for part in parts]
    for part in parts[1:]:
        assert gateway.post(part.SerializeToString()).status_code == 200
    eventually(lambda: gateway.row("kept")["delivered"] == 2)
    if is_old:
        eventually(lambda: gateway.row("mlflow")["filtered"] == 2)
        assert each_mlflow.spans(service) == set()
    else:
        # The first record stands for the trace until its end.
        eventually(lambda: each_mlflow.spans(service) == {own, joined})
        (trace,) = each_mlflow.traces(service)
        assert trace["state"] == "IN_PROGRESS"
    assert gateway.row("mlflow")["queued"] == 1
    assert gateway.post(logs.SerializeToString(), path="/v1/logs").status_code == 200
    gateway.kill()
    gateway.start()
    assert gateway.post(parts[0].SerializeToString()).status_code == 200
    (trace,) = each_mlflow.expect_traces(service, 4)
    row = gateway.settled(accepted=4)["destinations"]["mlflow"]
    assert (row["delivered"], row["filtered"], row["created"]) == ((4, 2, 2) if is_old else (6, 0, 2))
    assert gateway.row("kept")["created"] == 0
    assert set(archives.spans("kept")) == {root, tool, own, joined}
    assert trace["state"] == "OK" and trace["tokens"]["total_tokens"] == 24
    # Of two conversations beside each other the last one.
    assert (trace["request_preview"], trace["response_preview"]) == ("And in Rome?", "Rain.")
    assert is_old or (trace["name"], trace["session"]) == ("agent", "s")
    spans = {span["name"]: span for span in trace["spans"]}
    assert spans["agent"]["parent"] is None
    assert "And in Rome?" in str(spans["chat 3"]["inputs"]) and "Rain." in str(spans["chat 3"]["outputs"])


def test_killed_at_any_moment_shown_traces_are_right_in_one_experiment(
    millrace, mlflow, service, seeded, at_some_moment, report
):
    gateway = behind_a_window(
        millrace({"mlflow": mlflow_exporter(mlflow)}, starts=False, drain_timeout="200ms"),
        signals=["traces", "logs"],
        show_after="20ms",
        after_root="4s",
    ).start()
    services = [f"{service}-{number}" for number in range(3)]
    for _ in range(KILLS // 4):
        sent = [(path, part) for name in services for path, part in requests_of(name)]
        seeded.shuffle(sent)
        kill_after = seeded.randrange(len(sent))
        for number, (path, part) in enumerate(sent):
            if number == kill_after:
                at_some_moment(0.5)
                gateway.kill()
                gateway.start()
            post(gateway, part, path)
    traces = [trace for name in services for trace in mlflow.expect_traces(name, KILLS // 4 * 4)]
    eventually(lambda: gateway.row("mlflow")["queued"] == 0)
    assert len(traces) == KILLS // 4 * 3 == len({trace["id"] for trace in traces})
    for trace in traces:
        assert len(trace["spans"]) == 4 and trace["state"] == "OK" and trace["tokens"]["total_tokens"] == 24
        assert (trace["name"], trace["session"]) == ("agent", "s")
        assert trace["request_preview"] == "And in Rome?"
    report(f"{len(traces)} traces, {gateway.row('mlflow')['created']} spans sent again")


@pytest.mark.parametrize("ends", ["kill", "stop"])
def test_late_spans_follow_their_trace_behind_a_restart(ends, millrace, mlflow, service, tmp_path):
    """Also where the journal has deleted what the trace became."""
    gateway = behind_a_window(
        millrace(
            {"mlflow": mlflow_exporter(mlflow)},
            starts=False,
            journal={"directory": str(tmp_path / "journal"), "min_free": "16MiB", "segment": "64KiB"},
        ),
        after_root="100ms",
    ).start()
    root, late = chain(service, 2), chain(f"{service}-other", 2)
    (top, child), (_, leaf) = otlp.each_span(root), otlp.each_span(late)
    leaf.trace_id, leaf.parent_span_id, leaf.flags = top.trace_id, child.span_id, 0x300
    del late.resource_spans[0].scope_spans[0].spans[0]
    assert gateway.post(root.SerializeToString()).status_code == 200
    gateway.delivered("mlflow", 2)
    # What is delivered leaves the disk by segments.
    others = gateway.send(f"{service}-more", traces=20, padding=4000)
    gateway.delivered("mlflow", 2 + len(others))
    segments = tmp_path / "journal/traces"
    eventually(lambda: not any(top.trace_id in path.read_bytes() for path in segments.glob("**/*.log")))
    getattr(gateway, ends)()
    gateway.start()
    assert gateway.post(late.SerializeToString()).status_code == 200
    eventually(lambda: otlp.pair(leaf) in mlflow.spans(service), within=10)
    assert f"{service}-other" not in mlflow.experiments()
    assert gateway.metric("millrace_window_decided_traces_total", reason="late") == 1


def test_what_a_client_sends_twice_goes_ahead_once(millrace, archives, mlflow, service):
    gateway = behind_a_window(
        millrace({"mlflow": mlflow_exporter(mlflow), "kept": archives("kept")}, starts=False),
        show_after="500ms",
        after_root="200ms",
    ).start()
    (root, *parts), _ = agent(service)
    for part in parts:
        for _ in range(2):
            assert gateway.post(part.SerializeToString()).status_code == 200
    gateway.delivered("kept", 2)
    assert gateway.post(root.SerializeToString()).status_code == 200
    destinations = gateway.settled(accepted=7)["destinations"]
    assert all((row["delivered"], row["filtered"], row["created"]) == (4, 3, 0) for row in destinations.values())
    assert set(archives.spans("kept").values()) == {1}
    assert len(mlflow.expect_traces(service, 4)) == 1


def requests_of(service):
    parts, logs = agent(service)
    return [("/v1/traces", part) for part in parts] + [("/v1/logs", logs)]


def test_a_trace_that_was_shown_and_never_gets_its_root_ends(millrace, mlflow, service):
    gateway = behind_a_window(
        millrace({"mlflow": mlflow_exporter(mlflow)}, starts=False), show_after="300ms", open_wait="5s"
    ).start()
    message = chain(service, 4)
    *_, top, middle, last = otlp.each_span(message)
    for span in (last, top, middle):
        part = chain(service, 1)
        del part.resource_spans[0].scope_spans[0].spans[:]
        part.resource_spans[0].scope_spans[0].spans.append(span)
        assert gateway.post(part.SerializeToString()).status_code == 200
    eventually(lambda: mlflow.spans(service) == {otlp.pair(top), otlp.pair(middle)})
    (trace,) = eventually(lambda: expect_ended(mlflow.traces(service)))
    assert trace["name"] == top.name and len(trace["spans"]) == 3
    assert [span["id"] for span in trace["spans"] if span["parent"] is None] == [top.span_id.hex()]
    row = gateway.settled(accepted=3)["destinations"]["mlflow"]
    assert (row["delivered"], row["created"]) == (4, 1)


def expect_ended(traces):
    assert traces and all(trace["state"] == "OK" for trace in traces), f"{traces}"
    return traces


@pytest.mark.parametrize("comes", [True, False])
def test_dead_letters_from_before_a_window_came_or_went_are_replayed(comes, millrace, sink, service):
    sink.refuses = lambda message: (400, {"message": "no"})
    gateway = millrace({"kept": otlp_exporter(sink)}, starts=False)
    without = gateway.pipeline["pipelines"]["traces"]["processors"]
    behind_a_window(gateway, after_root="100ms")
    within = gateway.pipeline["pipelines"]["traces"]["processors"]

    def restart(processors):
        if gateway.process.running:
            gateway.stop()
        gateway.pipeline["pipelines"]["traces"]["processors"] = processors
        gateway.save()
        gateway.start()

    restart(without if comes else within)
    sent = gateway.send(service, traces=3)
    eventually(lambda: gateway.row("kept")["dead_lettered"] == len(sent))
    restart(within if comes else without)
    letters = gateway.dead_letters()["dead_letters"]
    assert gateway.row("kept")["dead_lettered"] == len(sent)
    # Refused once more, it is a letter of the log that the exporter reads now.
    attempts = gateway.failures("kept")
    assert gateway.dead_letters("replay", "--id", letters[0]["id"])["letters"] == 1
    eventually(lambda: gateway.failures("kept") > attempts and gateway.row("kept")["queued"] == 0)
    assert gateway.row("kept")["dead_lettered"] == len(sent)
    assert len(gateway.dead_letters()["dead_letters"]) == len(letters)
    sink.refuses = None
    new = gateway.send(service)
    gateway.delivered("kept", len(new))
    assert gateway.dead_letters("replay")["letters"] == len(letters)
    gateway.kill()
    gateway.start()
    row = gateway.settled()["destinations"]["kept"]
    assert (row["delivered"], row["dead_lettered"], row["accepted"]) == (len(sent | new), 0, len(sent | new))
    assert gateway.dead_letters()["dead_letters"] == [] and sent | new <= sink.spans


def test_traces_of_hundreds_and_thousands_of_spans_are_put_together(millrace, archives, service):
    gateway = millrace(
        {"out": archives("out")},
        processors={"whole": {"type": "assemble", "after_root": "100ms", "wait": "1s", "open_wait": "2s"}},
        pipelines={"traces": {"receivers": ["otlp"], "processors": ["whole"], "exporters": ["out"]}},
    )
    sent = gateway.send(service, traces=6, spans=500) | gateway.send(service, traces=2, spans=5000)
    gateway.delivered("out", len(sent))
    assert set(archives.spans("out")) == sent and sum(archives.spans("out").values()) == len(sent)
