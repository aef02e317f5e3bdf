"""Many dead letters: they are listed in pages, quickly, while other spans are delivered."""

import json
import time

from conftest import otlp_exporter
from kit import otlp
from kit.environments import LONG
from kit.millrace import run
from kit.waiting import eventually

LETTERS = 100_000 if LONG else 3_000
TRACES = 500  # a request; a span each
PAGE = 1000


def page(gateway, *more):
    start = time.monotonic()
    done = run("dead-letters", "list", "--config", gateway.file, "--exporter", "poisoned", "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), time.monotonic() - start


def test_dead_letters_are_listed_in_pages_while_others_are_delivered(millrace, sink, service, archives, report):
    sink.refuses = lambda message: (400, {"code": 3, "message": "no"})
    gateway = millrace({"poisoned": otlp_exporter(sink, dead_letters={"max_bytes": "1GiB"}), "archive": archives("all")})
    sent = 0
    while sent < LETTERS:
        message = otlp.request(service, 1)
        for _ in range(TRACES - 1):
            message.MergeFrom(otlp.request(service, 1))
        assert gateway.post(message.SerializeToString()).status_code == 200
        sent += TRACES
    eventually(lambda: gateway.row("poisoned")["dead_lettered"] == sent, within=600)

    first, took = page(gateway)
    ids = [letter["id"] for letter in first["dead_letters"]]
    assert len(ids) == PAGE and first["next"] == ids[-1]
    report(f"first page of {sent} dead letters: {took:.3f} s")
    while first["next"]:
        first, _ = page(gateway, "--after", first["next"])
        ids += [letter["id"] for letter in first["dead_letters"]]
    assert len(ids) == len(set(ids)) == sent
    listed = run("dead-letters", "list", "--config", gateway.file, "--limit", "2")
    assert listed.stdout.splitlines()[-1] == f"more: --after {ids[1]}"
    assert gateway.row("archive")["delivered"] == sent
