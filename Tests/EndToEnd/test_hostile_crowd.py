"""Sixty-four clients that mean harm, beside eight that do not: these notice nothing."""

import http.client
import json
import os
import statistics
import subprocess
import threading
import time

from kit import hostile, otlp
from kit.environments import LONG, clean_environment, free_port, program

MIB = 1 << 20
MEMORY_LIMIT = 128 * MIB
SECONDS = 60 if LONG else 15
HOSTILE = 64
GOOD = 8
PATTERN = {"attribute": "note", "matches": "(error|fatal).*timeout$"}
PAUSE = float(os.environ.get("MILLRACE_HOSTILE_PAUSE", 1))


class Good:
    """A client that sends twenty small requests a second and tries each once."""

    def __init__(self, address, service):
        self.address, self.service = address, service
        self.acknowledged = set()
        self.failures = []
        self.seconds = []

    def run(self, ended):
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        while not ended.wait(0.05):
            message = otlp.request(self.service)
            start = time.monotonic()
            connection.request(
                "POST", "/v1/traces", message.SerializeToString(), {"content-type": "application/x-protobuf"}
            )
            answer = connection.getresponse()
            text = answer.read()
            self.seconds.append(time.monotonic() - start)
            if answer.status == 200:
                self.acknowledged.update(otlp.spans_of(message))
            else:
                self.failures.append((answer.status, text))


def test_good_clients_beside_a_hostile_crowd_are_all_answered_200(millrace, service, tmp_path, report):
    archive = tmp_path / "archive.jsonl"
    gateway = millrace(
        {"archive": {"type": "file", "path": str(archive)}},
        receivers={
            "otlp": {
                "type": "otlp_http",
                "listen": f"127.0.0.1:{free_port()}",
                "max_body": "16MiB",
                "forward_headers": ["x-tenant"],
            }
        },
        processors={
            "map": {"type": "mlflow_map"},
            "route": {"type": "mlflow_experiment"},
            "share": {"type": "sample", "ratio": 0.9, "keep": {"any": [PATTERN, {"service": {"glob": f"{service}*"}}]}},
            "batch": {"type": "batch", "linger": "50ms"},
        },
        pipelines={
            "traces": {
                "receivers": ["otlp"],
                "processors": ["map", "route", "share", "batch"],
                "exporters": ["archive"],
            }
        },
        journal={"directory": str(tmp_path / "journal"), "min_free": "16MiB", "segment": "8MiB"},
        memory_limit=f"{MEMORY_LIMIT // MIB}MiB",
    )
    good, ended = [Good(gateway.address, f"{service}-{number}") for number in range(GOOD)], threading.Event()
    threads = [threading.Thread(target=client.run, args=(ended,), daemon=True) for client in good]
    addresses = [gateway.pipeline["receivers"]["otlp"]["listen"], gateway.pipeline["admin"]["listen"]]
    crowd = subprocess.Popen(
        [program("clients", "python"), "-m", "kit.hostile", *addresses, str(SECONDS), str(HOSTILE), str(PAUSE)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=hostile.__file__.rsplit("/", 2)[0],
        env=clean_environment(),
    )
    for thread in threads:
        thread.start()
    told = json.loads(crowd.communicate(timeout=SECONDS + 120)[0])
    ended.set()
    for thread in threads:
        thread.join(40)
    assert not any(thread.is_alive() for thread in threads)
    for line, count in told.items():
        report(f"{line} x {count}")
    seconds = [second for client in good for second in client.seconds]
    report(
        f"{len(seconds)} good requests, p50 {statistics.median(seconds) * 1000:.1f} ms, "
        f"p99 {statistics.quantiles(seconds, n=100)[98] * 1000:.1f} ms; peak of {gateway.memory() / MIB:.0f} MiB"
    )
    assert [client.failures for client in good] == [[]] * GOOD
    assert gateway.memory() <= MEMORY_LIMIT + 64 * MIB
    gateway.settled(within=120)
    start = time.monotonic()
    gateway.stop()
    gateway.start()
    report(f"ready {time.monotonic() - start:.2f} s after SIGTERM")
    acknowledged = set().union(*(client.acknowledged for client in good))
    assert acknowledged <= found(archive, service)


def found(archive, service):
    """The spans of a service; lines of others are not parsed."""
    with open(archive, "rb") as file:
        lines = [json.loads(line) for line in file if service.encode() in line]
    return {pair for line in lines for pair in otlp.pairs_of_json("traces", line)}
