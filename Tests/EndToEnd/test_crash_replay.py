"""`kill -9` while dead letters are replayed: each span still has one outcome, at every moment."""

import threading

from conftest import otlp_exporter
from kit.environments import LONG
from kit.millrace import run

KILLS = 50 if LONG else 6


def test_killed_while_dead_letters_are_replayed_each_span_has_one_outcome(millrace, sink, service, at_some_moment):
    sink.refuses = lambda _: (400, {"message": "not yet"})
    gateway = millrace({"sink": otlp_exporter(sink)})
    sent = gateway.send(service, traces=1)  # few: refusals without end would open the circuit
    assert gateway.settled()["destinations"]["sink"]["dead_lettered"] == len(sent)
    for _ in range(KILLS):
        replay = threading.Thread(target=run, args=("dead-letters", "replay", "--config", gateway.file))
        replay.start()
        at_some_moment(0.4)
        gateway.kill()
        replay.join()
        gateway.printed_ledger()
        gateway.start()
        row = gateway.settled(accepted=len(sent))["destinations"]["sink"]
        assert row["dead_lettered"] == row["accepted"] == len(sent)
        assert sum(letter["spans"] for letter in gateway.dead_letters()["dead_letters"]) == len(sent)
    sink.refuses = None
    gateway.dead_letters("replay")
    assert gateway.settled()["destinations"]["sink"]["delivered"] == len(sent)
    assert sink.spans == sent
