"""`kill -9` at random moments, again and again, and damage on disk in between: what was answered 200 arrives, or is
counted as lost and named. A run is repeated by MILLRACE_SEED, which every run prints."""

import pytest

from conftest import otlp_exporter
from kit import journal, otlp
from kit.environments import LONG
from kit.load import Load
from kit.millrace import all_signals, by_signal
from kit.waiting import eventually

KILLS = 300 if LONG else 30
ROUNDS = 20 if LONG else 3


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_killed_again_and_again_no_acknowledged_item_is_missing(
    millrace, sink, service, tmp_path, seeded, at_some_moment, report, signal
):
    archive = tmp_path / "archive.jsonl"
    exporters = {"sink": otlp_exporter(sink), "archive": {"type": "file", "path": str(archive)}}
    gateway = millrace(
        exporters,
        journal={"directory": str(tmp_path / "journal"), "min_free": "16MiB", "segment": "256KiB"},
        # Each signal has a log of its own; the others stand empty beside it.
        **({} if signal == "traces" else all_signals(exporters)),
    )
    with Load(gateway, service, threads=4, rate=25, signal=signal) as load:
        for _ in range(KILLS if signal == "traces" else KILLS // 3):
            at_some_moment(0.8)
            acknowledged = len(load.acknowledged)
            gateway.kill()
            if seeded.random() < 0.2:  # and once more while it starts
                gateway.process.start()
                at_some_moment(0.05)
                gateway.kill()
            gateway.start()
            for name, row in by_signal(gateway.ledger())[signal]["destinations"].items():
                assert row["accepted"] >= acknowledged and row["lost"] == 0, f"{name}: {row}"
        load.acknowledge(20)
    assert set(load.statuses) == {200}

    ledger, words = gateway.settled(within=180, signal=signal), otlp.ITEMS[signal]
    accepted = ledger[f"accepted_{words}"]
    for name, row in ledger["destinations"].items():
        assert row["delivered"] == row["accepted"] == accepted, name
    assert load.acknowledged - sink.spans == set()
    assert load.acknowledged - set(otlp.spans_of_file(archive, signal)) == set()
    report(f"{len(load.acknowledged)} {words} acknowledged, {accepted} accepted")


def test_bits_that_flip_in_closed_segments_cost_exactly_their_records(millrace, sink, service, tmp_path, seeded):
    folder = tmp_path / "journal"
    gateway = millrace(
        {"sink": otlp_exporter(sink)},
        journal={"directory": str(folder), "min_free": "16MiB", "segment": "64KiB"},
    )
    lost, lost_items, acknowledged = set(), 0, set()
    for _ in range(ROUNDS):
        sink.close()
        with Load(gateway, service, rate=50) as load:
            eventually(lambda: len(journal.segments(folder)) >= 6, within=60)
        gateway.kill()
        *closed, _ = journal.segments(folder)
        # What came in a round before is at the sink, whether its cursor was written or not.
        waiting = [[each for each in journal.records(segment) if not sink.spans & set(each.spans)] for segment in closed]
        damaged = [seeded.choice(records) for records in seeded.sample([each for each in waiting if each], k=3)]
        for record in damaged:
            record.flip(seeded.randrange(8 * record.length))
        gateway.start()
        sink.start()
        acknowledged |= load.acknowledged
        lost |= {span for record in damaged for span in record.spans}
        lost_items += sum(record.items for record in damaged)

        ledger = gateway.settled(accepted=len(acknowledged), within=90)
        row = ledger["destinations"]["sink"]
        assert row["accepted"] == ledger["accepted_spans"]
        assert (row["lost"], row["delivered"]) == (lost_items, row["accepted"] - lost_items)
        assert sink.spans == acknowledged - lost
        for record in damaged:
            assert record.is_named_in(gateway.process.log), f"{record.segment.name} at {record.offset}"
