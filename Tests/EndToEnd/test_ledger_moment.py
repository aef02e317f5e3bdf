"""One reading of the ledger is one moment: nothing moves between its figures."""

from conftest import otlp_exporter
from kit.load import Load

READINGS = 3000


def test_under_load_every_destination_has_accepted_what_the_pipeline_has(millrace, sink, service, tmp_path):
    gateway = millrace(
        {"sink": otlp_exporter(sink), "archive": {"type": "file", "path": str(tmp_path / "archive.jsonl")}}
    )
    with Load(gateway, service, rate=200) as load:
        load.acknowledge(20)
        for _ in range(READINGS):
            ledger = gateway.ledger()
            accepted = {name: row["accepted"] for name, row in ledger["destinations"].items()}
            assert set(accepted.values()) == {ledger["accepted_spans"]}, accepted
    gateway.settled(accepted=len(load.acknowledged))
