"""Destinations that are down for the whole run: the one that is up does not feel it, and the disk holds one copy."""

import statistics
import time

from conftest import AWAY
from kit import journal, otlp

MIB = 1 << 20
ROUNDS, REQUESTS, SPANS = 3, 150, 50


def spans_a_second(gateway, bodies):
    """From the first request until the archive has all."""
    start = time.monotonic()
    for body in bodies:
        assert gateway.post(body).status_code == 200
    gateway.delivered("archive", len(bodies) * SPANS)
    return len(bodies) * SPANS / (time.monotonic() - start)


def test_destinations_that_are_down_cost_the_other_nothing_and_the_disk_one_copy(
    millrace, service, tmp_path, report
):
    bodies = [otlp.request(service, SPANS, padding=1000).SerializeToString() for _ in range(REQUESTS)]
    alone, beside = [], []
    for number in range(ROUNDS):
        for rates, others in ((alone, {}), (beside, {"away": AWAY, "gone": AWAY})):
            directory = tmp_path / f"{number}-{len(others)}"
            archive = {"type": "file", "path": str(directory / "archive.jsonl")}
            gateway = millrace(
                {"archive": archive} | others,
                directory,
                journal={"directory": str(directory / "journal"), "min_free": "16MiB", "segment": "1MiB"},
                drain_timeout="200ms",
            )
            rates.append(spans_a_second(gateway, bodies))
            for name in others:
                assert gateway.ledger()["destinations"][name]["queued"] == REQUESTS * SPANS
            if others:
                sent, held = sum(map(len, bodies)), journal.size(directory / "journal")
                assert sent <= held <= 1.1 * sent + 2 * MIB, f"{held} bytes on disk for {sent} bytes sent"
            gateway.stop()
    ratio = statistics.median(beside) / statistics.median(alone)
    report(f"throughput beside two dead destinations: {ratio:.2f} of alone ({statistics.median(alone):,.0f} spans/s)")
