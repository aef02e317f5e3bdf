"""`kill -9` while spans are being set aside: each is a dead letter once, and nothing is counted twice."""

from conftest import otlp_exporter
from kit import otlp
from kit.environments import LONG
from kit.load import Load

KILLS = 100 if LONG else 12


def test_killed_while_poison_is_set_aside_each_span_has_one_outcome(millrace, sink, service, at_some_moment):
    def is_poison(span):
        return span.span_id[0] < 8  # one in 32

    def refuses(message):
        if any(is_poison(span) for span in otlp.each_span(message)):
            return 400, {"message": "no poison here"}

    sink.refuses = refuses
    gateway = millrace({"sink": otlp_exporter(sink)})
    with Load(gateway, service, rate=10) as load:
        for _ in range(KILLS):
            at_some_moment(1.0)
            gateway.kill()
            gateway.start()
            gateway.row("sink")
        load.acknowledge(20)
    assert set(load.statuses) == {200}
    row = gateway.settled(within=180)["destinations"]["sink"]
    letters = gateway.dead_letters()["dead_letters"]
    poison = {span for span in load.acknowledged if int(span[1][:2], 16) < 8}
    assert (row["lost"], row["expired"], row["rejected"]) == (0, 0, 0)
    assert row["delivered"] + row["dead_lettered"] == row["accepted"]
    assert sum(letter["spans"] for letter in letters) == row["dead_lettered"] >= len(poison) > 0
    assert load.acknowledged - poison <= sink.spans
    assert {span[0] for span in poison} <= {trace for letter in letters for trace in letter["trace_ids"]}

    sink.refuses = None
    assert gateway.dead_letters("replay")["spans"] == row["dead_lettered"]
    row = gateway.settled(within=120)["destinations"]["sink"]
    assert (row["delivered"], row["dead_lettered"]) == (row["accepted"], 0)
    assert load.acknowledged <= sink.spans
