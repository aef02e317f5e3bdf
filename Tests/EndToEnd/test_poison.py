"""Spans that a destination will not take: they alone are set aside, can be listed, shown, replayed and given up, and
nothing waits behind them."""

import pytest

from conftest import mlflow_exporter, otlp_exporter
from kit import otlp
from kit.waiting import eventually

TRACES = 200
UNMAPPED = {"receivers": ["otlp"], "processors": ["route", "batch"]}


def late(span):
    span.start_time_unix_nano = span.end_time_unix_nano = 1 << 63


def long_session(span):
    span.attributes.add(key="session.id").value.string_value = "s" * 300


def null_tokens(span):
    usage = '{"input_tokens": null, "output_tokens": 1, "total_tokens": 1}'
    span.attributes.add(key="mlflow.chat.tokenUsage").value.string_value = usage


# What MLflow says to each; 3.6.0 takes the other two.
POISONS = {
    "a start time of 2^63": (late, "3.17.2", 500, "Python int too large to convert to SQLite INTEGER"),
    "a session of 300 characters": (
        long_session, "3.17.2", 400, "'Session ID' exceeds the maximum length of 250 characters"
    ),
    "a null token count": (null_tokens, "3.17.2", 422, "Failed to log OpenTelemetry spans"),
    "a start time of 2^63, 3.6.0": (late, "3.6.0", 422, "Python int too large to convert to SQLite INTEGER"),
}


def requests_to(gateway, exporter):
    return gateway.metric("millrace_exporter_attempts_total", exporter=exporter)


def is_open(gateway, exporter):
    return gateway.metric("millrace_exporter_circuit_open", exporter=exporter) > 0


@pytest.fixture
def unmapped(millrace):
    """`unmapped(exporters)` is a gateway that does not mend what MLflow would refuse."""

    def start(exporters, **sections):
        return millrace(exporters, pipelines={"traces": UNMAPPED | {"exporters": list(exporters)}}, **sections)

    return start


@pytest.fixture
def picky(sink):
    """A sink that refuses each request with a span named "poison"; `picky.status` is how."""
    sink.status = 400

    def refuses(message):
        if any(span.name == "poison" for span in otlp.each_span(message)):
            return sink.status, {"message": "no poison here"}

    sink.refuses = refuses
    return sink


def poisoned(service, traces=TRACES, spans_each=1):
    """(a request, the one span of it that is to be poison)."""
    message = otlp.batch(service, traces, spans_each)
    return message, otlp.each_span(message)[traces * spans_each * 2 // 3]


@pytest.mark.parametrize("poison", POISONS)
def test_one_trace_that_mlflow_refuses_costs_the_199_others_nothing(unmapped, servers, service, poison):
    spoil, version, status, words = POISONS[poison]
    mlflow = servers.mlflow[version].wait()
    gateway = unmapped({"mlflow": mlflow_exporter(mlflow)})
    message, bad = poisoned(service)
    spoil(bad)
    assert gateway.post(message.SerializeToString()).status_code == 200
    eventually(lambda: len(mlflow.spans(service)) == TRACES - 1, within=120, every=0.5)
    behind = gateway.send(service, traces=2)  # the cursor is not blocked
    eventually(lambda: gateway.row("mlflow")["queued"] == 0, within=60)
    row = gateway.row("mlflow")
    assert (row["delivered"], row["dead_lettered"]) == (TRACES - 1 + len(behind), 1)
    assert mlflow.spans(service) == set(otlp.spans_of(message)) - {otlp.pair(bad)} | behind
    assert not is_open(gateway, "mlflow")
    assert requests_to(gateway, "mlflow") <= 60, "a few for each halving of 200"

    (letter,) = gateway.dead_letters()["dead_letters"]
    assert (letter["exporter"], letter["spans"], letter["status"]) == ("mlflow", 1, status)
    assert (letter["trace_ids"], letter["services"]) == ([bad.trace_id.hex()], [service])
    assert words in letter["reason"]
    assert letter["attempts"] >= 1 and letter["first_attempt"] <= letter["last_attempt"]
    (whole,) = gateway.dead_letters("show", "--id", letter["id"])["dead_letters"]
    assert letter.items() <= whole.items()
    assert words in whole["answer"]
    assert otlp.pairs_of_json("traces", whole["request"]) == [otlp.pair(bad)]


def test_one_span_of_a_trace_is_set_aside_without_its_siblings(unmapped, mlflow, service):
    gateway = unmapped({"mlflow": mlflow_exporter(mlflow)})
    message, bad = poisoned(service, traces=10, spans_each=5)
    late(bad)
    assert gateway.post(message.SerializeToString()).status_code == 200
    row = gateway.settled(accepted=50, within=120)["destinations"]["mlflow"]
    assert (row["delivered"], row["dead_lettered"]) == (49, 1)
    assert mlflow.spans(service) == set(otlp.spans_of(message)) - {otlp.pair(bad)}


def test_a_dead_letter_of_mlflow_is_delivered_where_it_is_taken(unmapped, mlflow, sink, service):
    gateway = unmapped({"there": mlflow_exporter(mlflow)})
    message, bad = poisoned(service, traces=3)
    late(bad)
    assert gateway.post(message.SerializeToString()).status_code == 200
    assert gateway.settled(accepted=3, within=120)["destinations"]["there"]["dead_lettered"] == 1
    listed = gateway.dead_letters()
    gateway.stop()
    assert gateway.dead_letters() == listed  # from the disk

    gateway.change({"there": otlp_exporter(sink)})
    gateway.start()
    (letter,) = listed["dead_letters"]
    assert gateway.dead_letters("replay", "--id", letter["id"]) == {"letters": 1, "spans": 1}
    row = gateway.settled(accepted=3)["destinations"]["there"]
    assert (row["delivered"], row["dead_lettered"]) == (3, 0)
    assert sink.spans == {otlp.pair(bad)}
    assert gateway.dead_letters()["dead_letters"] == []


def test_a_replay_goes_to_its_own_exporter_alone_and_comes_back_while_the_cause_is_there(
    millrace, picky, archives, service
):
    gateway = millrace({"picky": otlp_exporter(picky), "archive": archives("archive")})
    message, bad = poisoned(service, traces=20)
    bad.name = "poison"
    assert gateway.post(message.SerializeToString()).status_code == 200

    def expect(delivered, dead_lettered):
        row = gateway.settled(accepted=20)["destinations"]["picky"]
        assert (row["delivered"], row["dead_lettered"]) == (delivered, dead_lettered)

    expect(19, 1)
    refused = picky.requests.count((400, 1))
    assert gateway.dead_letters("replay", "--exporter", "picky")["spans"] == 1
    eventually(lambda: picky.requests.count((400, 1)) > refused)
    expect(19, 1)
    (letter,) = gateway.dead_letters()["dead_letters"]
    assert "no poison here" in letter["reason"]

    picky.refuses = None
    assert gateway.dead_letters("replay")["letters"] == 1
    expect(20, 0)
    assert picky.spans == set(otlp.spans_of(message))
    assert archives.spans("archive").total() == 20, "the others see nothing of a replay"


def test_a_replay_asked_for_while_nothing_runs_is_sent_by_the_next_start(millrace, picky, service):
    gateway = millrace({"picky": otlp_exporter(picky)})
    message, bad = poisoned(service, traces=5)
    bad.name = "poison"
    assert gateway.post(message.SerializeToString()).status_code == 200
    gateway.settled(accepted=5)
    gateway.stop()
    picky.refuses = None
    assert gateway.dead_letters("replay")["letters"] == 1
    row = gateway.printed_ledger()["destinations"]["picky"]
    assert (row["delivered"], row["dead_lettered"], row["queued"]) == (4, 0, 1)
    gateway.start()
    row = gateway.settled(accepted=5)["destinations"]["picky"]
    assert (row["delivered"], row["dead_lettered"]) == (5, 0)
    assert picky.spans == set(otlp.spans_of(message))


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_dead_letters_that_are_purged_count_as_expired(millrace, picky, service, running):
    gateway = millrace({"picky": otlp_exporter(picky)})
    message, bad = poisoned(service, traces=5)
    bad.name = "poison"
    for _ in range(2):
        assert gateway.post(message.SerializeToString()).status_code == 200
    assert gateway.settled(accepted=10)["destinations"]["picky"]["dead_lettered"] == 2
    if not running:
        gateway.stop()
    assert gateway.dead_letters("purge") == {"letters": 2, "spans": 2}
    assert gateway.dead_letters()["dead_letters"] == []
    row = gateway.printed_ledger()["destinations"]["picky"]
    assert (row["delivered"], row["dead_lettered"], row["expired"]) == (8, 0, 2)


def test_dead_letters_outlive_kill_9(millrace, picky, service):
    gateway = millrace({"picky": otlp_exporter(picky)})
    message, bad = poisoned(service, traces=5)
    bad.name = "poison"
    assert gateway.post(message.SerializeToString()).status_code == 200

    def expect_one():
        row = gateway.settled(accepted=5)["destinations"]["picky"]
        assert (row["delivered"], row["dead_lettered"]) == (4, 1)
        (letter,) = gateway.dead_letters()["dead_letters"]
        assert letter["trace_ids"] == [bad.trace_id.hex()]

    expect_one()
    gateway.kill()  # before its cursor is on the disk, as a rule: then it is found out again
    gateway.start()
    expect_one()
    gateway.stop()
    listed = gateway.dead_letters()
    gateway.start()
    gateway.kill()
    assert gateway.dead_letters() == listed
    gateway.start()
    expect_one()
    assert gateway.dead_letters() == listed


def test_dead_letters_are_shown_and_moved_only_for_who_may_read_the_journal(millrace, picky, service, tmp_path):
    gateway = millrace({"picky": otlp_exporter(picky)})
    message, bad = poisoned(service, traces=5)
    bad.name = "poison"
    assert gateway.post(message.SerializeToString()).status_code == 200
    gateway.settled(accepted=5)
    admin = "http://" + gateway.pipeline["admin"]["listen"]
    (token,) = [path for path in (tmp_path / "journal").iterdir() if path.is_file() and "token" in path.name]
    assert token.stat().st_mode & 0o777 == 0o600
    for authorization in ({}, {"authorization": "Bearer " + "0" * len(token.read_text())}):
        for ask, path in (("get", "list"), ("post", "replay"), ("post", "purge")):
            answer = getattr(gateway.session, ask)(f"{admin}/dead-letters/{path}", headers=authorization, timeout=10)
            assert answer.status_code in (401, 403), path
            assert bad.trace_id.hex() not in answer.text
    assert gateway.row("picky")["dead_lettered"] == 1
    purge = gateway.session.post(
        f"{admin}/dead-letters/purge", headers={"authorization": f"Bearer {token.read_text()}"}, timeout=10
    )
    assert (purge.status_code, gateway.row("picky")["expired"]) == (200, 1)


def test_a_lone_poison_on_a_quiet_system_opens_no_circuit_and_waits_for_proof(millrace, picky, service):
    """A 500 may be the destination's own trouble: only what fails while other spans are taken is at fault."""
    picky.status = 500
    gateway = millrace({"picky": otlp_exporter(picky)})
    message, bad = poisoned(service, traces=1)
    bad.name = "poison"
    assert gateway.post(message.SerializeToString()).status_code == 200

    def refused(times):
        assert not is_open(gateway, "picky")
        return len(picky.requests) >= times

    eventually(lambda: refused(5))
    assert gateway.row("picky")["queued"] == 1
    others = set()

    def set_aside():
        assert not is_open(gateway, "picky")
        others.update(gateway.send(service, traces=1))
        gateway.delivered("picky", len(others))
        return gateway.row("picky")["dead_lettered"] == 1

    eventually(set_aside, every=0.5)
    row = gateway.settled()["destinations"]["picky"]
    assert (row["delivered"], row["dead_lettered"]) == (len(others), 1)
    assert picky.spans == others
