"""What a dead destination keeps waiting goes at last where the file says so: by age, or by its own backlog."""

from conftest import AWAY, otlp_exporter
from kit import journal
from kit.waiting import eventually

MIB = 1 << 20
PADDING = 20_000  # five spans a request: about 100 KB


def test_records_over_the_age_expire_for_the_one_that_has_not_had_them(millrace, archives, service):
    gateway = millrace({"kept": archives("kept"), "away": AWAY}, drain_timeout="200ms")
    sent = gateway.send(service)
    gateway.delivered("kept", len(sent))
    gateway.stop()
    with gateway.later("+6d"):
        assert gateway.row("away")["queued"] == len(sent)
    with gateway.later("+8d"):
        eventually(lambda: gateway.row("away")["expired"] == len(sent))
        row = gateway.settled(accepted=len(sent))["destinations"]["kept"]
        assert (row["delivered"], row["expired"]) == (len(sent), 0)


def test_dead_letters_over_their_age_expire(millrace, sink, service):
    sink.refuses = lambda _: (400, {"message": "no"})
    gateway = millrace({"sink": otlp_exporter(sink, dead_letters={"max_age": "24h"})})
    sent = gateway.send(service, traces=1)
    assert gateway.settled(accepted=len(sent))["destinations"]["sink"]["dead_lettered"] == len(sent)
    gateway.stop()
    with gateway.later("+2d"):
        eventually(lambda: gateway.row("sink")["expired"] == len(sent))
        assert gateway.row("sink")["dead_lettered"] == 0
        assert gateway.dead_letters()["dead_letters"] == []


def test_a_backlog_that_may_expire_gives_way_alone(millrace, archives, service, tmp_path):
    folder = tmp_path / "journal"
    gateway = millrace(
        {"kept": archives("kept"), "away": AWAY | {"backlog": {"max_bytes": "1MiB", "when_full": "expire"}}},
        journal={"directory": str(folder), "min_free": "16MiB", "segment": "256KiB"},
        drain_timeout="200ms",
    )
    sent = gateway.send(service, traces=60, padding=PADDING)
    gateway.delivered("kept", len(sent))
    eventually(lambda: gateway.row("away")["expired"] > 0)
    eventually(lambda: journal.size(folder) <= 2 * MIB)
    row = gateway.row("away")
    assert 0 < row["queued"] < len(sent) and row["accepted"] == len(sent)
    assert gateway.row("kept")["expired"] == 0
    assert gateway.ledger()["refused_spans"] == 0


def test_a_backlog_that_must_be_kept_refuses_until_it_is_delivered(millrace, archives, sink, service, tmp_path):
    sink.close()
    gateway = millrace(
        {"kept": archives("kept"), "sink": otlp_exporter(sink, backlog={"max_bytes": "1MiB"})},
        journal={"directory": str(tmp_path / "journal"), "min_free": "16MiB", "segment": "256KiB"},
    )

    def refused():
        answer = gateway.post_trace(service, padding=PADDING)
        return answer.status_code == 503 and int(answer.headers["retry-after"]) > 0

    eventually(refused, within=60, every=0)
    assert gateway.row("sink")["expired"] == 0
    sink.start()
    eventually(lambda: gateway.post_trace(service, padding=PADDING).status_code == 200)
    rows = gateway.settled()["destinations"]
    assert rows["sink"]["delivered"] == rows["sink"]["accepted"] == rows["kept"]["delivered"]
