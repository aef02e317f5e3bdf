"""rotel, a collector in Rust, between two gateways: it takes all three signals from the one and sends them to the other."""

import collections
import json
import os

import pytest
from conftest import QUICK_RETRY
from kit import otlp
from kit.environments import ENVIRONMENTS, free_port
from kit.millrace import all_signals
from kit.processes import Process
from kit.waiting import eventually

AGENT = next(ENVIRONMENTS.glob("rotel/lib/python*/site-packages/rotel/rotel-agent"), None)


@pytest.fixture
def rotel(tmp_path):
    """`rotel(protocol, endpoint)` starts one that sends there, and returns the addresses where it takes OTLP, by protocol."""
    started = []

    def start(protocol, endpoint):
        ports = {"grpc": free_port(), "http": free_port()}
        arguments = [AGENT, "start", "--exporter", "otlp", "--otlp-exporter-protocol", protocol]
        arguments += ["--otlp-exporter-endpoint", endpoint]
        for name, port in ports.items():
            arguments += [f"--otlp-{name}-endpoint", f"127.0.0.1:{port}"]
        started.append(Process("rotel", arguments, tmp_path, dict(os.environ)))
        started[-1].start()
        return {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}

    yield start
    for process in started:
        process.expect_running()
        process.end_group()


@pytest.mark.skipif(AGENT is None, reason="PyPI has no rotel for this machine, or `make environments` did not run")
@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_takes_and_sends_all_signals(millrace, archives, rotel, tmp_path, protocol):
    receivers = {"otlp": {"type": f"otlp_{protocol}", "listen": f"127.0.0.1:{free_port()}"}}
    last = millrace({"far": archives("far")}, tmp_path / "last", receivers=receivers, **all_signals(["far"]))
    to = rotel(protocol, f"http://{receivers['otlp']['listen']}")[protocol]
    out = {"type": f"otlp_{protocol}", "endpoint": to, "retry": QUICK_RETRY}
    first = millrace({"near": out}, tmp_path / "first", **all_signals(["near"]))
    for signal in otlp.ITEMS:
        message = otlp.request_of(signal, "shop", items=50)
        answer = first.post(message.SerializeToString(), path=f"/v1/{signal}")
        assert answer.status_code == 200, answer.content
        sent = collections.Counter(otlp.pairs_of(signal, message))

        def arrived(signal=signal, sent=sent):
            # A line that is being written is read at the next look.
            path = tmp_path / "far.jsonl"
            text = path.read_text() if path.exists() else ""
            lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
            found = [pair for line in lines for pair in otlp.pairs_of_json(signal, line)]
            return collections.Counter(found) == sent

        eventually(arrived, within=60)
        assert first.row("near", signal)["delivered"] == 50
        assert last.row("far", signal)["accepted"] == 50
