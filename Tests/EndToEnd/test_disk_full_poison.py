"""A full disk must not stop what frees it: spans that a destination refuses are set aside in room that is kept for them."""

from conftest import otlp_exporter
from kit import otlp
from kit.waiting import eventually

TRACES = 40
PADDING = 20_000  # five spans a request: about 100 KB


def test_poison_is_set_aside_on_a_full_disk_and_the_rest_is_delivered(small_disk, millrace, sink, service):
    def refuses(message):
        if any(span.name == "poison" for span in otlp.each_span(message)):
            return 400, {"message": "no poison here"}

    sink.refuses = refuses
    sink.close()
    gateway = millrace(
        {"sink": otlp_exporter(sink)},
        journal={"directory": str(small_disk.directory / "journal"), "segment": "1MiB", "min_free": "64KiB"},
    )
    poison, sent = set(), set()
    for number in range(TRACES):
        message = otlp.request(service, spans=5, padding=PADDING)
        if number % 8 == 3:
            bad = otlp.each_span(message)[2]
            bad.name = "poison"
            poison.add(otlp.pair(bad))
        sent |= set(otlp.spans_of(message))
        assert gateway.post(message.SerializeToString()).status_code == 200
    with small_disk.taken():
        sink.start()
        eventually(lambda: gateway.row("sink")["queued"] == 0, within=60)
        row = gateway.row("sink")
        assert (row["delivered"], row["dead_lettered"]) == (len(sent) - len(poison), len(poison))
    sink.refuses = None
    assert gateway.dead_letters("replay")["spans"] == len(poison)
    row = gateway.settled(accepted=len(sent))["destinations"]["sink"]
    assert (row["delivered"], row["dead_lettered"]) == (len(sent), 0)
    assert sink.spans == sent
