"""A pipeline file that would give up records: refused, naming the way to say so; said, it is done and accounted for."""

import pytest

from conftest import AWAY
from kit.millrace import run


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
