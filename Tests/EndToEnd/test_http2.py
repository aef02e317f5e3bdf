"""OTLP over HTTP/2, beside gRPC on one listener: by the library h2, curl, h2load and nghttp; and a crowd that means harm."""

import gzip
import json
import re
import statistics
import subprocess
import threading
import time

import grpc
import pytest
import requests

from kit import http2_crowd, otlp
from kit.captures import trace_captures
from kit.certificates import Authority
from kit.environments import DATA, LONG, clean_environment, free_port, program
from kit.grpc_caller import Caller
from kit.http2_client import HTTP2Client
from kit.manager import Manager
from kit.millrace import PROTOBUF, Millrace, by_signal, pipeline
from kit.waiting import eventually
from kit.wire import messages, resources

KIB, MIB = 1 << 10, 1 << 20
SIGNALS = ["traces", "metrics", "logs"]
DISCARD = {"out": {"type": "discard"}}
"""Without a data point, and so without a record."""
EMPTY = {"go-docker-grpc-2.metrics.pb"}
LARGE = {"spans": 100_000, "bytes": "32MiB"}
BODY = otlp.request("shop", 3).SerializeToString()
IDLE = 10_000 if LONG else 1000
"""What an idle connection may hold outside of `memory_limit`; operating.md has the figure."""
IDLE_BYTES = 40 * KIB
REQUESTS = "millrace_receiver_requests_total"


def both(listen, **settings):
    """Two receivers that share a listener."""
    common = {"listen": listen} | settings
    return {"otlp": {"type": "otlp_http"} | common, "grpc": {"type": "otlp_grpc"} | common}


def front(exporters, receivers=("otlp", "grpc"), signals=SIGNALS):
    """A pipeline of all signals without processors."""
    named = {"receivers": list(receivers), "processors": [], "exporters": list(exporters), "signals": signals}
    return {"processors": {}, "pipelines": {"all": named}}


@pytest.fixture
def shared(millrace):
    """`shared(**settings)`: a gateway with one listener for HTTP and gRPC, which drops what it takes."""

    def start(exporters=DISCARD, signals=SIGNALS, **settings):
        receivers = both(f"127.0.0.1:{free_port()}", **settings)
        return millrace(exporters, receivers=receivers, **front(exporters, signals=signals))

    return start


def place(gateway):
    return gateway.pipeline["receivers"]["otlp"]["listen"]


def signal_of(body):
    return body.suffixes[0][1:] if len(body.suffixes) > 1 else "traces"


@pytest.mark.parametrize("signal", SIGNALS)
def test_what_clients_sent_leaves_byte_for_byte(shared, archives, tmp_path, signal):
    """Requests are joined by putting their resources one behind the other, in any order; nothing else changes."""
    gateway = shared({"all": archives("all", format="protobuf", batch=LARGE)}, signals=[signal])
    ours = [body for body in sorted((DATA / "clients").glob("*.pb")) if signal_of(body) == signal]
    bodies = [body.read_bytes() for body in ours if body.name not in EMPTY]
    if signal == "traces":
        bodies += [capture.body for capture in trace_captures() if capture.content_type == PROTOBUF]
    assert len(bodies) >= 8
    with HTTP2Client(gateway.address) as client:
        for number, body in enumerate(bodies):
            packed = [(body, {}), (gzip.compress(body), {"content_encoding": "gzip"})][number % 2]
            status, headers, answer = client.post(packed[0], path=f"/v1/{signal}", **packed[1])
            assert (status, headers["content-type"], answer) == (200, PROTOBUF, b"")

    def settled():
        (row,) = by_signal(gateway.ledger())[signal]["destinations"].values()
        return row["delivered"] == row["accepted"]

    eventually(settled)
    written = sorted(resources(messages((tmp_path / "all.jsonl").read_bytes())))
    assert written == sorted(resources(b"".join(bodies)))


def test_json_means_the_same_by_both_versions(shared, archives, tmp_path):
    gateway = shared({"all": archives("all", format="json", batch=LARGE)})
    captures = [capture for capture in trace_captures() if capture.content_type == "application/json"]
    assert captures

    def lines():
        file = tmp_path / "all.jsonl"
        return file.read_bytes().splitlines() if file.exists() else []

    with HTTP2Client(gateway.address) as client:
        for number, capture in enumerate(captures):
            assert gateway.post(capture.body, capture.content_type).status_code == 200
            eventually(lambda number=number: len(lines()) == 2 * number + 1, every=0.01)
            assert client.post(capture.body, capture.content_type)[::2] == (200, b"{}")
            eventually(lambda number=number: len(lines()) == 2 * number + 2, every=0.01)
    assert lines()[::2] == lines()[1::2]


def test_each_request_goes_to_the_receiver_that_speaks_it(shared):
    gateway = shared()
    with HTTP2Client(gateway.address) as two, Caller(place(gateway)) as caller:
        for _ in range(3):
            assert two.post(BODY)[0] == 200
            assert caller.export(BODY) == (b"", None)
            assert gateway.post(BODY).status_code == 200
        assert two.post(BODY, path="/nowhere")[0] == 404
        _, error = caller.call("/other.Service/Export", b"x")
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert gateway.metric(REQUESTS, receiver="otlp", code="200") == 6
    assert gateway.metric(REQUESTS, receiver="grpc", code="OK") == 3
    assert gateway.metric(REQUESTS, receiver="otlp", code="404") == 1
    eventually(lambda: gateway.ledger()["accepted_spans"] == 27)


def test_over_tls_clients_agree_on_the_version(shared, tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    gateway = shared(tls={"certificate": str(certificate), "key": str(key)})
    (tmp_path / "body").write_bytes(BODY)
    for version, spoken in [("--http2", "2"), ("--http1.1", "1.1")]:
        done = subprocess.run(
            [
                "curl", "-sS", version, "--cacert", authority.certificate, "-w", "%{http_code} %{http_version}",
                "--data-binary", f"@{tmp_path / 'body'}", "-H", f"content-type: {PROTOBUF}",
                f"https://{place(gateway)}/v1/traces",
            ],
            capture_output=True, text=True, timeout=30, env=clean_environment(),
        )  # fmt: skip
        assert done.stdout == f"200 {spoken}", done.stderr
    with Caller(place(gateway), grpc.ssl_channel_credentials(authority.certificate.read_bytes())) as caller:
        assert caller.export(BODY) == (b"", None)


def test_programs_of_nghttp2_are_served(shared, tmp_path, report):
    gateway = shared()
    (tmp_path / "body").write_bytes(BODY)
    head = ["-H", f"content-type: {PROTOBUF}", "-d", tmp_path / "body"]
    url = f"http://{place(gateway)}/v1/traces"
    done = subprocess.run(["nghttp", "-v", *head, url], capture_output=True, text=True, timeout=30)
    assert ":status: 200" in done.stdout, done.stdout + done.stderr
    count = 5000
    load = ["h2load", "-n", str(count), "-c", "20", "-m", "20", *head, url]
    done = subprocess.run(load, capture_output=True, text=True, timeout=120)
    assert f"status codes: {count} 2xx, 0 3xx, 0 4xx, 0 5xx" in done.stdout, done.stdout + done.stderr
    report(re.search(r"finished in .*", done.stdout).group())
    eventually(lambda: gateway.ledger()["accepted_spans"] == 3 * (count + 1))


@pytest.mark.parametrize("name", ["otlp", "grpc"])
def test_the_socket_of_a_service_manager_may_have_either_name(tmp_path, name):
    manager = Manager(name)
    gateway = Millrace(tmp_path, pipeline(tmp_path, DISCARD, receivers=both("127.0.0.1:1"), **front(DISCARD)))
    manager.launch(gateway)
    gateway.start()
    try:
        with HTTP2Client(manager.address) as two, Caller("{}:{}".format(*manager.address)) as caller:
            assert two.post(BODY)[0] == 200
            assert caller.export(BODY) == (b"", None)
        gateway.stop()
    finally:
        gateway.process.end_group()
        manager.close()


def test_http_on_a_port_of_grpc_is_told_in_words(millrace):
    receivers = {"grpc": {"type": "otlp_grpc", "listen": f"127.0.0.1:{free_port()}"}}
    gateway = millrace(DISCARD, receivers=receivers, **front(DISCARD, receivers))
    host, port = receivers["grpc"]["listen"].split(":")
    with HTTP2Client((host, int(port))) as client:
        for _ in range(2):
            status, _, answer = client.post(BODY)
            assert status == 415 and b"4318" in answer
    eventually(lambda: gateway.process.log.count("speaks HTTP to a port that speaks gRPC") == 1)


class Good(threading.Thread):
    """Sends small requests at a steady rate, each once."""

    def __init__(self, send, ended):
        super().__init__(daemon=True)
        self.send, self.ended = send, ended
        self.seconds, self.failures = [], []

    def run(self):
        while not self.ended.wait(0.05):
            start = time.monotonic()
            try:
                answer = self.send()
            except Exception as error:
                answer = error
            self.seconds.append(time.monotonic() - start)
            if answer != "taken":
                self.failures.append(answer)


def senders(gateway):
    """Ways to send a request: over HTTP/1.1, HTTP/2 and gRPC."""
    session, two, caller = requests.Session(), HTTP2Client(gateway.address), Caller(place(gateway))
    session.trust_env = False
    kind = {"content-type": PROTOBUF}

    def taken(is_taken, answer):
        return "taken" if is_taken else answer

    def old():
        answer = session.post(gateway.url + "/v1/traces", data=BODY, headers=kind, timeout=30)
        return taken(answer.status_code == 200, answer.status_code)

    def new():
        answer = two.post(BODY)
        return taken(answer[0] == 200, answer)

    def call():
        answer = caller.export(BODY)
        return taken(answer == (b"", None), answer)

    return [old, new, call]


def test_idle_connections_and_a_flood_of_resets_leave_good_clients_served(shared, report):
    gateway = shared(max_connections=20_000, idle_timeout="600s", header_timeout="60s")
    crowd = subprocess.Popen(
        [program("clients", "python"), "-m", "kit.http2_crowd", place(gateway), str(IDLE), "2"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=http2_crowd.__file__.rsplit("/", 2)[0],
        env=clean_environment(),
    )  # fmt: skip
    try:
        assert crowd.stdout.readline() == "begun\n"
        before = gateway.memory("VmRSS")
        print(file=crowd.stdin, flush=True)
        assert crowd.stdout.readline() == "ready\n"
        each = (gateway.memory("VmRSS") - before) / (IDLE * 0.9)
        report(f"{IDLE} idle connections take {each / KIB:.1f} KiB each")
        ended = threading.Event()
        good = [Good(send, ended) for _ in range(2) for send in senders(gateway)]
        for client in good:
            client.start()
        ended.wait(60 if LONG else 10)
        ended.set()
        for client in good:
            client.join(40)
        told = json.loads(crowd.communicate("", timeout=60)[0])
    finally:
        crowd.kill()
    seconds = [second for client in good for second in client.seconds]
    report(
        f"{told}; {len(seconds)} good requests, p50 {statistics.median(seconds) * 1000:.1f} ms, "
        f"p99 {statistics.quantiles(seconds, n=100)[98] * 1000:.1f} ms; peak of {gateway.memory() / MIB:.0f} MiB"
    )
    assert [client.failures for client in good] == [[]] * len(good)
    assert len(seconds) > 30 and told["reset"] > 10_000 and told["floods ended"] > 0
    assert told["closed"] == 0 and each < IDLE_BYTES
    assert gateway.memory() < before + IDLE * IDLE_BYTES + 64 * MIB
    eventually(lambda: gateway.process.log.count("HTTP/2 connection is closed for what no") == 1)
    accepted = by_signal(gateway.ledger())["traces"]["accepted_spans"]
    assert accepted == 3 * len(seconds)
