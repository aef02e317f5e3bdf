"""Tail sampling decides once about a trace, whatever ends the process: no trace is split, and the ledger says what was dropped and why."""

import collections
import json

from conftest import AWAY
from kit import otlp
from kit.environments import LONG
from kit.windows import behind_a_window, chain, pieces, traces_of_file
from kit.waiting import eventually
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from test_windows import post

KILLS = 200 if LONG else 20
ERROR = 2
POLICIES = [
    {"name": "errors", "keep": {"status": "error"}},
    {"name": "health", "drop": {"all": [{"root": True}, {"name": "GET /health"}]}},
    {"name": "half", "ratio": 0.5},
]


def sampled(gateway, **settings):
    """A gateway that has not started with these policies behind its window, which waits only shortly."""
    settings = {"type": "tail_sample", "policies": POLICIES, "after_root": "1s"} | settings
    return behind_a_window(gateway, **settings)


def outcome(message):
    """Which policy decides about a trace, and whether it keeps it."""
    root = otlp.each_span(message)[0]
    if root.name == "GET /health":
        return "health", False
    if any(span.status.code == ERROR for span in otlp.each_span(message)):
        return "errors", True
    return "half", int(root.trace_id.hex()[-14:], 16) >= 1 << 55


def trace(service, random):
    """A trace of some kind, and a span of it to be sent late.

    What decides is on the root: a pause after it of more than `after_root`, as a kill may cause, ends the wait for pieces.
    """
    message = chain(service, random.randint(2, 6))
    spans = otlp.each_span(message)
    kind = random.choice(["error", "health", "plain", "plain", "plain"])
    if kind == "error":
        spans[0].status.code = ERROR
    if kind == "health":
        spans[0].name = "GET /health"
    late = ExportTraceServiceRequest.FromString(message.SerializeToString())
    del late.resource_spans[0].scope_spans[0].spans[:-1]
    del message.resource_spans[0].scope_spans[0].spans[-1]
    return message, late


def test_killed_at_any_moment_no_trace_is_split(
    millrace, archives, tmp_path, service, seeded, at_some_moment, report
):
    gateway = sampled(
        millrace(
            {"kept": archives("kept"), "away": AWAY},
            starts=False,
            drain_timeout="200ms",
            journal={"directory": str(tmp_path / "journal"), "min_free": "16MiB", "segment": "64KiB"},
        )
    ).start()
    sent, expected, late = {}, {}, []
    for _ in range(KILLS):
        traces = [trace(service, seeded) for _ in range(8)]
        waiting = late
        late = []
        for message, last in traces:
            name, keeps = outcome(message)
            spans = otlp.spans_of(message) + otlp.spans_of(last)
            sent[spans[0][0]] = {span for _, span in spans}
            expected[spans[0][0]] = (name, keeps)
            waiting += pieces(message, seeded)
            late.append(last)
        seeded.shuffle(waiting)
        kill_after = seeded.randrange(len(waiting))
        for number, piece in enumerate(waiting):
            if number == kill_after:
                at_some_moment(1.3)
                gateway.kill()
                gateway.start()
            post(gateway, piece)
    for piece in late:
        post(gateway, piece)
    accepted = gateway.ledger()["accepted_spans"]
    eventually(lambda: gateway.row("kept")["queued"] == 0, within=120)
    row = gateway.row("kept")
    assert row["delivered"] + row["filtered"] + row["sampled_out"] == accepted == row["accepted"]
    assert sum(row["by"]["sampled_out"].values()) == row["sampled_out"]
    assert gateway.row("away")["accepted"] == accepted
    came = collections.defaultdict(set)
    for request in traces_of_file(tmp_path / "kept.jsonl"):
        for key, spans in request.items():
            came[key] |= set(spans)
    kept = {key for key, (_, keeps) in expected.items() if keeps}
    assert set(came) == kept
    assert all(came[key] == sent[key] for key in kept)
    dropped = collections.Counter()
    for key, (name, keeps) in expected.items():
        if not keeps:
            dropped[name] += len(sent[key])
    by = row["by"]["sampled_out"]
    # What was sent again because its answer was lost counts again where it came late.
    assert set(by) == set(dropped) and all(by[name] >= dropped[name] for name in dropped)
    report(f"{KILLS} kills, {len(sent)} traces, {len(kept)} kept, sampled out {by}")


def test_the_reason_and_the_count_stand_on_the_root_and_in_the_ledger(millrace, archives, tmp_path, service):
    gateway = sampled(
        millrace({"kept": archives("kept")}, starts=False),
        after_root="100ms",
        policies=[POLICIES[0], {"name": "none", "ratio": 0}],
    ).start()
    failed, plain = chain(service, 3), chain(service, 2)
    otlp.each_span(failed)[1].status.code = ERROR
    otlp.each_span(failed)[1].attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 7
    for message in (failed, plain):
        assert gateway.post(message.SerializeToString()).status_code == 200
    row = gateway.settled(accepted=5)["destinations"]["kept"]
    assert (row["delivered"], row["sampled_out"], row["by"]) == (3, 2, {"sampled_out": {"none": 2}})
    (line,) = (tmp_path / "kept.jsonl").read_text().splitlines()
    spans = json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    written = {item["key"]: item["value"] for item in spans[0]["attributes"]}
    assert written["millrace.sampling.policy"] == {"stringValue": "errors"}
    assert written["millrace.sampling.adjusted_count"] == {"doubleValue": 1.0}
    assert gateway.metric("millrace_processor_sampled_out_spans_total", policy="none") == 2
    assert gateway.metric("millrace_window_seen_traces_total") == 2
    assert gateway.metric("millrace_window_seen_error_traces_total") == 1
    # The command reads the same from the disk.
    gateway.stop()
    assert gateway.printed_ledger()["destinations"]["kept"]["by"] == {"sampled_out": {"none": 2}}


def test_a_trace_that_is_kept_for_certain_is_shown_and_one_that_may_be_dropped_waits(
    millrace, archives, tmp_path, service
):
    gateway = sampled(
        millrace({"kept": archives("kept")}, starts=False),
        policies=[POLICIES[0], {"name": "none", "ratio": 0}],
        after_root="60s",
    )
    gateway.pipeline["processors"]["route"] = {"type": "mlflow_experiment", "from": []}
    gateway.save()
    gateway.start()
    failed, plain = chain(service, 4), chain(service, 4)
    otlp.each_span(failed)[2].status.code = ERROR
    for message in (failed, plain):
        for span in otlp.each_span(message)[1:]:
            part = ExportTraceServiceRequest.FromString(message.SerializeToString())
            del part.resource_spans[0].scope_spans[0].spans[:]
            part.resource_spans[0].scope_spans[0].spans.append(span)
            assert gateway.post(part.SerializeToString()).status_code == 200
    # Without the first record, which stands for it.
    gateway.delivered("kept", 2)
    root = ExportTraceServiceRequest.FromString(failed.SerializeToString())
    del root.resource_spans[0].scope_spans[0].spans[1:]
    assert gateway.post(root.SerializeToString()).status_code == 200
    # Long before the others are decided.
    gateway.delivered("kept", 4, within=30)
    assert {span for _, span in archives.spans("kept")} == {span for _, span in otlp.spans_of(failed)}
    assert gateway.row("kept")["queued"] == 3


def test_a_restart_in_order_decides_no_trace_whose_spans_are_still_to_come(millrace, archives, service):
    gateway = sampled(
        millrace({"kept": archives("kept")}, starts=False),
        policies=[POLICIES[0], {"name": "none", "ratio": 0}],
        after_root="5s",
    ).start()
    messages = [chain(service, 2) for _ in range(5)]
    for message in messages:
        root = ExportTraceServiceRequest.FromString(message.SerializeToString())
        del root.resource_spans[0].scope_spans[0].spans[1:]
        assert gateway.post(root.SerializeToString()).status_code == 200
    gateway.stop()
    gateway.start()
    for message in messages:
        del message.resource_spans[0].scope_spans[0].spans[0]
        otlp.each_span(message)[0].status.code = ERROR
        assert gateway.post(message.SerializeToString()).status_code == 200
    gateway.delivered("kept", 10, within=30)
    assert gateway.row("kept")["sampled_out"] == 0
