"""A restart with another pipeline file: who was there goes on where it stood, who is new starts as the file says."""

import collections

from conftest import AWAY


def test_kept_exporters_keep_their_place_and_new_ones_start_as_they_say(millrace, archives, service):
    kept = {"kept": archives("kept"), "away": AWAY}
    gateway = millrace(kept, drain_timeout="200ms")
    since = gateway.ledger()["destinations"]["kept"]["since"]
    before = gateway.send(service)
    gateway.delivered("kept", len(before))
    gateway.stop()

    new = {"newest": archives("newest"), "oldest": archives("oldest", start="oldest")}
    gateway.change(kept | new)
    gateway.start()
    after = gateway.send(service)
    gateway.delivered("kept", len(before) + len(after))
    gateway.delivered("oldest", len(before) + len(after))
    gateway.delivered("newest", len(after))
    assert archives.spans("kept") == archives.spans("oldest") == collections.Counter(before | after)
    assert archives.spans("newest") == collections.Counter(after)

    ledger = gateway.ledger()
    assert ledger["accepted_spans"] == len(before) + len(after)
    rows = ledger["destinations"]
    assert {name: row["accepted"] for name, row in rows.items()} == {
        "kept": len(before) + len(after),
        "away": len(before) + len(after),
        "newest": len(after),
        "oldest": len(before) + len(after),
    }
    assert rows["away"]["queued"] == len(before) + len(after)
    assert rows["kept"]["since"] == since <= rows["newest"]["since"]


def test_an_exporter_with_nothing_left_may_vanish(millrace, archives, service):
    gateway = millrace({"kept": archives("kept"), "gone": archives("gone")})
    sent = gateway.send(service)
    gateway.settled(accepted=len(sent))
    gateway.stop()
    gateway.change({"kept": archives("kept")})
    gateway.start()
    sent |= gateway.send(service)
    gateway.settled(accepted=len(sent))
    assert archives.spans("kept") == collections.Counter(sent)


def test_the_ledger_is_the_same_with_and_without_a_process(millrace, archives, service):
    gateway = millrace({"kept": archives("kept"), "away": AWAY}, drain_timeout="200ms")
    sent = gateway.send(service)
    gateway.delivered("kept", len(sent))
    running = still(gateway.ledger())
    assert running["kept"]["delivered"] == running["away"]["queued"] == len(sent)
    assert still(gateway.printed_ledger()) == running
    gateway.stop()
    assert still(gateway.printed_ledger()) == running
    gateway.start()
    assert still(gateway.ledger()) == running


def still(ledger):
    """The rows without what time alone changes."""
    return {
        name: {key: value for key, value in row.items() if key != "oldest_queued_seconds"}
        for name, row in ledger["destinations"].items()
    }
