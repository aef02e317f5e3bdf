"""Many dead letters: they are listed in pages, quickly, while other spans are delivered."""

import json
import time

from conftest import otlp_exporter
from kit import otlp
from kit.environments import LONG
from kit.millrace import run
from kit.waiting import eventually

LETTERS = 100_000 if LONG else 2_000
TRACES = 250  # of each kind in a request; a span each
PAGE = 1000


def is_poison(message):
    return any(span.name == "poison" for part in message.resource_spans for scope in part.scope_spans for span in scope.spans)


def request(service):
    """Traces that are refused, each beside one that is taken: a destination that refuses everything is left alone."""
    message = otlp.request(service, 1)
    for _ in range(2 * TRACES - 1):
        message.MergeFrom(otlp.request(service, 1))
    for part in message.resource_spans[::2]:
        part.scope_spans[0].spans[0].name = "poison"
    return message


def page(gateway, *more):
    start = time.monotonic()
    done = run("dead-letters", "list", "--config", gateway.file, "--exporter", "poisoned", "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), time.monotonic() - start


def test_dead_letters_are_listed_in_pages_while_others_are_delivered(millrace, sink, service, archives, report):
    sink.refuses = lambda message: (400, {"code": 3, "message": "no"}) if is_poison(message) else None
    poisoned = otlp_exporter(sink, dead_letters={"max_bytes": "1GiB"})
    gateway = millrace({"poisoned": poisoned, "archive": archives("all")})
    for _ in range(LETTERS // TRACES):
        assert gateway.post(request(service).SerializeToString()).status_code == 200
    eventually(lambda: gateway.row("poisoned")["dead_lettered"] == LETTERS, within=900)

    first, took = page(gateway)
    ids = [letter["id"] for letter in first["dead_letters"]]
    assert len(ids) == PAGE and first["next"] == ids[-1]
    report(f"first page of {LETTERS} dead letters: {took:.3f} s")
    while first["next"]:
        first, _ = page(gateway, "--after", first["next"])
        ids += [letter["id"] for letter in first["dead_letters"]]
    assert len(ids) == len(set(ids)) == LETTERS
    listed = run("dead-letters", "list", "--config", gateway.file, "--limit", "2")
    assert listed.stdout.splitlines()[-1] == f"more: --after {ids[1]}"
    assert gateway.row("archive")["delivered"] == 2 * LETTERS
