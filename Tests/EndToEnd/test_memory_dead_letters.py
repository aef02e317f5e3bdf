"""A journal in memory keeps dead letters too, for as long as the process lives."""

from conftest import otlp_exporter


def test_dead_letters_in_memory_can_be_listed_and_replayed(millrace, sink, service, tmp_path):
    sink.refuses = lambda _: (400, {"message": "not yet"})
    gateway = millrace(
        {"sink": otlp_exporter(sink)}, journal={"storage": "memory", "directory": str(tmp_path / "journal")}
    )
    sent = gateway.send(service, traces=1)
    assert gateway.settled(accepted=len(sent))["destinations"]["sink"]["dead_lettered"] == len(sent)
    assert sum(letter["spans"] for letter in gateway.dead_letters()["dead_letters"]) == len(sent)
    sink.refuses = None
    assert gateway.dead_letters("replay")["spans"] == len(sent)
    assert gateway.settled(accepted=len(sent))["destinations"]["sink"]["delivered"] == len(sent)
    assert sink.spans == sent
