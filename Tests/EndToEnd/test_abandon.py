"""A pipeline file that would give up records: refused, naming the way to say so; said, it is done and accounted for."""

import pytest

from conftest import AWAY, otlp_exporter
from kit import otlp
from kit.millrace import all_signals, by_signal, run


@pytest.fixture
def left_behind(millrace, archives, service):
    """A gateway that was stopped with 20 spans queued for `away`, while `kept` has them all."""
    gateway = millrace({"kept": archives("kept"), "away": AWAY}, drain_timeout="200ms")
    sent = gateway.send(service)
    gateway.delivered("kept", len(sent))
    gateway.stop()
    return gateway


def expect_refusal(gateway, *hints):
    done = run("run", "--config", gateway.file)
    assert done.returncode == 1, done.stderr
    for hint in hints:
        assert hint in done.stderr
    assert gateway.printed_ledger()["destinations"]["kept"]["delivered"] == 20


def test_a_vanished_exporter_with_records_left_is_given_up_only_by_name(left_behind, archives, service):
    gateway = left_behind
    gateway.change({"kept": archives("kept")})
    expect_refusal(gateway, "--abandon away")

    gateway.start("--abandon", "away")
    row = gateway.ledger()["destinations"]["away"]
    assert (row["accepted"], row["expired"], row["queued"]) == (20, 20, 0)
    gateway.send(service)
    gateway.delivered("kept", 40)
    gateway.stop()

    gateway.start()  # once is enough
    ledger = gateway.ledger()
    assert ledger["accepted_spans"] == 40
    row = ledger["destinations"]["away"]
    assert (row["accepted"], row["expired"]) == (20, 20), "its account ended when it was given up"
    gateway.stop()
    assert gateway.printed_ledger()["destinations"]["away"] == row


def test_only_the_named_one_is_given_up(millrace, archives, service):
    gateway = millrace({"kept": archives("kept"), "away": AWAY, "gone": AWAY}, drain_timeout="200ms")
    gateway.send(service)
    gateway.delivered("kept", 20)
    gateway.stop()
    gateway.change({"kept": archives("kept")})
    done = run("run", "--config", gateway.file, "--abandon", "gone")
    assert done.returncode == 1, done.stderr
    assert "--abandon away" in done.stderr
    gateway.change({"kept": archives("kept"), "away": AWAY, "gone": AWAY})
    gateway.start()
    assert gateway.row("away")["queued"] == 20


def test_storage_in_memory_does_not_give_up_what_the_disk_holds(left_behind):
    gateway = left_behind
    gateway.pipeline["journal"]["storage"] = "memory"
    gateway.save()
    done = run("run", "--config", gateway.file)
    assert done.returncode == 1, done.stderr
    assert "away" in done.stderr and "--abandon" in done.stderr

    gateway.pipeline["journal"]["storage"] = "disk"
    gateway.save()
    gateway.start()
    assert gateway.ledger()["destinations"]["away"]["queued"] == 20


def test_storage_in_memory_is_fine_where_nothing_is_left(millrace, archives, service):
    gateway = millrace({"kept": archives("kept")})
    gateway.send(service)
    gateway.settled(accepted=20)
    gateway.stop()
    gateway.pipeline["journal"]["storage"] = "memory"
    gateway.save()
    gateway.start()
    gateway.send(service)
    gateway.settled(accepted=20)


def test_a_journal_on_disk_is_not_left_behind_silently_for_one_in_memory(left_behind, archives, service):
    gateway = left_behind
    journal = gateway.pipeline["journal"]
    gateway.pipeline["journal"] = journal | {"storage": "memory"}
    gateway.save()
    done = run("run", "--config", gateway.file)
    assert done.returncode == 1
    for part in ('"memory"', "20 spans for away", "--abandon away"):
        assert part in done.stderr

    gateway.start("--abandon", "away")
    gateway.send(service)
    gateway.delivered("kept", 20)
    gateway.stop()

    gateway.pipeline["journal"] = journal
    gateway.save()
    gateway.start()
    assert gateway.row("away")["queued"] == 20, "what another storage gave up stays on the disk"


def test_dead_letters_of_an_exporter_and_a_signal_that_are_gone_are_shown_and_counted(millrace, archives, sink):
    sink.refuses = lambda _: (400, {"message": "not yet"})
    exporters, signals = {"kept": archives("kept"), "sink": otlp_exporter(sink)}, ["traces", "logs"]
    gateway = millrace(exporters, **all_signals(exporters, signals))

    def expect(**outcomes):
        for signal in signals:
            row = by_signal(gateway.ledger())[signal]["destinations"]["sink"]
            assert {name: row[name] for name in outcomes} == outcomes, signal

    for signal in signals * 2:
        body = otlp.request_of(signal, "shop", 1).SerializeToString()
        assert gateway.post(body, path=f"/v1/{signal}").status_code == 200
    for signal in signals:
        gateway.settled(accepted=2, signal=signal)
    sink.refuses = None
    for letter in {letter["signal"]: letter for letter in gateway.dead_letters()["dead_letters"]}.values():
        gateway.dead_letters("replay", "--id", letter["id"])
    for signal in signals:
        gateway.settled(signal=signal)
    expect(accepted=2, delivered=1, dead_lettered=1, queued=0)
    gateway.stop()

    whole = dict(gateway.pipeline)
    gateway.pipeline |= {"exporters": {"kept": archives("kept")}} | all_signals({"kept": 1}, ["traces"])
    gateway.save()
    gateway.start()
    expect(accepted=2, delivered=1, dead_lettered=1, queued=0)
    letters = gateway.dead_letters()["dead_letters"]
    assert sorted(letter["signal"] for letter in letters) == ["logs", "traces"]
    assert gateway.dead_letters("show", "--id", letters[0]["id"])["dead_letters"][0]["request"]
    done = run("dead-letters", "replay", "--config", gateway.file, "--exporter", "sink")
    assert done.returncode != 0 and "name it again" in done.stderr
    gateway.stop()
    assert len(gateway.dead_letters()["dead_letters"]) == 2, "from the disk too"

    gateway.pipeline |= whole
    gateway.save()
    gateway.start()
    assert gateway.dead_letters("replay")["letters"] == 2
    for signal in signals:
        gateway.settled(signal=signal)
    expect(delivered=2, dead_lettered=0)
