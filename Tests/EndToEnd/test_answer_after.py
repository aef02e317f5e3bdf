"""Answers that wait until an exporter has what their request brought (`answer_after`), over HTTP and gRPC."""

import concurrent.futures
import signal
import socket
import struct
import threading
import time

import grpc
import hpack
import pytest
import requests

from conftest import otlp_exporter
from kit import http2_crowd, otlp
from kit.environments import free_port
from kit.grpc_caller import Caller, retry_delay
from kit.waiting import eventually

OK = ("ok", None, "")
WAYS = ["http", "grpc"]
MIB = 1 << 20


class Gate:
    """A destination that keeps requests until it is opened."""

    def __init__(self):
        self.event = threading.Event()
        self.held = 0

    def __call__(self, message):
        self.held += 1
        assert self.event.wait(60)


class Clients:
    """`send(message)` gives ("ok" or "unavailable", seconds of Retry-After or RetryInfo, words)."""

    def __init__(self, gateway, way):
        self.gateway, self.way = gateway, way
        self.pool = concurrent.futures.ThreadPoolExecutor(16)

    def send(self, message):
        body = message.SerializeToString()
        if self.way == "http":
            answer = requests.post(
                self.gateway.url + "/v1/traces", data=body, headers={"content-type": "application/x-protobuf"}, timeout=30
            )
            if answer.status_code == 200:
                return OK
            assert answer.status_code == 503, answer.content
            return "unavailable", int(answer.headers["retry-after"]), otlp.status_message(answer)
        with Caller(self.gateway.pipeline["receivers"]["grpc"]["listen"]) as client:
            response, error = client.export(body)
        if error is None:
            assert response == b""
            return OK
        assert error.code() is grpc.StatusCode.UNAVAILABLE, error
        return "unavailable", retry_delay(error), error.details()

    def begin(self, message):
        """The same in a thread, as a future."""
        return self.pool.submit(self.send, message)

    def begin_until_refused(self, messages):
        """One after the other until one is refused; gives those that came before that, and wait."""
        waiting = []
        for message in messages:
            answer = self.begin(message)
            concurrent.futures.wait([answer], timeout=0.5)
            if answer.done():
                stopping = ("unavailable", 1, "the gateway is stopping")
                # A call that begins while its connection ends is told so by gRPC itself, without a RetryInfo.
                ended = self.way == "grpc" and answer.result()[:2] == ("unavailable", None)
                assert answer.result() == stopping or ended and "GOAWAY" in answer.result()[2]
                return waiting
            waiting.append((message, answer))
        raise AssertionError("none was refused")


@pytest.fixture
def start(millrace, tmp_path):
    """`start(exporters, way, timeout=…)`: a gateway and a client of one protocol, whose answers wait for `sink`."""

    def start(exporters, way, timeout="30s", storage="disk", linger="60s", **sections):
        waits = {"answer_after": "sink", "answer_timeout": timeout}
        journal = {"directory": str(tmp_path / "journal"), "storage": storage}
        if storage == "disk":
            journal["min_free"] = "16MiB"
        gateway = millrace(
            exporters,
            receivers={
                "otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"} | waits,
                "grpc": {"type": "otlp_grpc", "listen": f"127.0.0.1:{free_port()}"} | waits,
            },
            # Whoever waits, waits for no batch.
            processors={"batch": {"type": "batch", "linger": linger}},
            pipelines={
                "all": {"receivers": ["otlp", "grpc"], "processors": ["batch"], "exporters": list(exporters)},
            },
            journal=journal,
            **sections,
        )
        return gateway, Clients(gateway, way)

    return start


def once(sink, sent):
    """Everything sent arrived, and nothing twice."""
    assert sink.spans == set(sent)
    assert set(sink.received.values()) == {1}


@pytest.mark.parametrize("storage", ["disk", "memory"])
@pytest.mark.parametrize("way", WAYS)
def test_the_answer_comes_with_the_delivery(start, sink, service, archives, way, storage):
    sink.refuses = gate = Gate()
    # The file is written at once; nobody waits for it, and it does not hasten the answer.
    file = archives("file", batch={"linger": "50ms"})
    gateway, client = start({"sink": otlp_exporter(sink, concurrency=4), "file": file}, way, storage=storage)
    messages = [otlp.request(service) for _ in range(3)]
    answers = [client.begin(message) for message in messages]
    eventually(lambda: gateway.ledger()["accepted_spans"] == 15 and gate.held)
    assert not any(answer.done() for answer in answers)
    gate.event.set()
    assert [answer.result(20) for answer in answers] == [OK] * 3
    once(sink, [span for message in messages for span in otlp.spans_of(message)])
    code = {"http": "200", "grpc": "OK"}[way]
    assert gateway.metric("millrace_receiver_requests_total", code=code) == 3
    sink.refuses = None
    assert client.send(otlp.request(service)) == OK


@pytest.mark.parametrize("way", WAYS)
def test_what_becomes_a_dead_letter_is_not_acknowledged(start, sink, service, way):
    poison = otlp.request(service)
    root = otlp.spans_of(poison)[0]
    sink.refuses = lambda message: (400, {"message": "no"}) if root in otlp.spans_of(message) else None
    gateway, client = start({"sink": otlp_exporter(sink)}, way)
    status, pause, words = client.send(poison)
    assert (status, pause) == ("unavailable", 3) and "not delivered to sink: 1 dead lettered" in words
    assert gateway.row("sink")["dead_lettered"] == 1
    assert client.send(otlp.request(service)) == OK


@pytest.mark.parametrize("way", WAYS)
def test_what_comes_late_is_delivered_once_although_the_client_was_told_to_come_back(start, sink, service, way):
    sink.refuses = gate = Gate()
    gateway, client = start({"sink": otlp_exporter(sink)}, way, timeout="500ms")
    late = otlp.request(service)
    begin = time.monotonic()
    status, pause, words = client.send(late)
    assert 0.5 <= time.monotonic() - begin < 5
    assert (status, pause) == ("unavailable", 3) and "sink did not take it in time" in words
    # Now the oldest record shows how long another would wait: nothing of that is journaled.
    status, pause, words = client.send(otlp.request(service))
    assert (status, pause) == ("unavailable", 3) and "sink is more than 500ms behind" in words
    assert gateway.ledger()["accepted_spans"] == 5
    assert gateway.metric("millrace_receiver_refused_spans_total", reason="destination") == 5
    gate.event.set()
    gateway.settled(accepted=5)
    once(sink, otlp.spans_of(late))
    assert client.send(otlp.request(service)) == OK


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_taken_while_the_destination_is_away_and_everything_once_it_is_back(start, sink, service, way):
    sink.close()
    exporter = otlp_exporter(sink, retry={"initial": "100ms", "max": "200ms", "give_up_after": "3s"})
    gateway, client = start({"sink": exporter}, way, timeout="10s")
    first = client.begin(otlp.request(service))
    eventually(lambda: gateway.metric("millrace_exporter_circuit_open", exporter="sink") == 1)
    begin = time.monotonic()
    status, pause, words = client.send(otlp.request(service))
    assert time.monotonic() - begin < 2
    assert (status, pause) == ("unavailable", 3) and "sink is down" in words
    assert gateway.ledger()["accepted_spans"] == 5
    status, pause, words = first.result(20)
    assert status == "unavailable" and "5 dead lettered" in words
    # Nothing is left that could ask whether it is back: the next request does.
    sink.start()
    message = otlp.request(service)
    eventually(lambda: client.send(message) == OK)
    once(sink, otlp.spans_of(message))


@pytest.mark.parametrize("way", WAYS)
def test_a_crash_while_a_client_waits_loses_nothing(start, sink, service, way):
    sink.refuses = lambda message: (503, {"message": "not yet"})
    gateway, client = start({"sink": otlp_exporter(sink)}, way, linger="1s")
    message = otlp.request(service)
    answer = client.begin(message)
    eventually(lambda: gateway.ledger()["accepted_spans"] == 5 and sink.requests)
    gateway.kill()
    # Its connection is gone: it does not know, and sends again.
    assert answer.exception(20) or answer.result()[0] == "unavailable"
    sink.refuses = None
    gateway.start()
    gateway.settled(accepted=5)
    once(sink, otlp.spans_of(message))
    assert client.send(otlp.request(service)) == OK


@pytest.mark.parametrize("storage", ["disk", "memory"])
@pytest.mark.parametrize("way", WAYS)
def test_who_waits_at_the_end_is_told_to_come_back(start, sink, service, way, storage):
    sink.refuses = gate = Gate()
    gateway, client = start({"sink": otlp_exporter(sink)}, way, storage=storage, drain_timeout="2s")
    answer = client.begin(otlp.request(service))
    eventually(lambda: gateway.ledger()["accepted_spans"] == 5 and gate.held)
    gateway.process.send(signal.SIGTERM)
    client.begin_until_refused(otlp.request(service) for _ in range(3))
    assert not answer.done()
    assert answer.result(10) == ("unavailable", 1, "the gateway is stopping")
    assert gateway.process.wait(10) == 0
    gate.event.set()


@pytest.mark.parametrize("way", WAYS)
def test_what_was_there_at_the_end_is_acknowledged_once_it_is_delivered(start, sink, service, way):
    sink.refuses = gate = Gate()
    gateway, client = start({"sink": otlp_exporter(sink)}, way)
    message = otlp.request(service)
    answer = client.begin(message)
    eventually(lambda: gate.held)
    gateway.process.send(signal.SIGTERM)
    waiting = client.begin_until_refused(otlp.request(service) for _ in range(3))
    gate.event.set()
    assert answer.result(10) == OK
    delivered = [message, *(later for later, answer in waiting if answer.result(10) == OK)]
    assert gateway.process.wait(10) == 0
    once(sink, [span for sent in delivered for span in otlp.spans_of(sent)])


def long_headed(way, body, count):
    """The bytes of a connection with so many requests, each with a head of 15 KB."""
    path, kind = {
        "http": ("/v1/traces", "application/x-protobuf"),
        "grpc": ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", "application/grpc"),
    }[way]
    head = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", path), ("content-type", kind)]
    head += [(f"x-long-{number}", "z" * 3000) for number in range(5)]
    block = hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*field) for field in head], huffman=False)
    data = body if way == "http" else struct.pack(">BI", 0, len(body)) + body
    frames = [http2_crowd.BEGINNING]
    for stream in range(1, 2 * count, 2):
        frames.append(http2_crowd.frame(http2_crowd.HEADERS, http2_crowd.END_HEADERS, stream, block))
        frames.append(http2_crowd.frame(0, http2_crowd.END_STREAM, stream, data))
    return b"".join(frames)


@pytest.mark.parametrize("way", WAYS)
def test_clients_that_hang_up_leave_no_memory_behind(start, sink, service, way):
    sink.refuses = gate = Gate()
    gateway, client = start({"sink": otlp_exporter(sink)}, way, timeout="60s")
    receiver = {"http": "otlp", "grpc": "grpc"}[way]
    host, port = gateway.pipeline["receivers"][receiver]["listen"].split(":")
    data = long_headed(way, otlp.request(service).SerializeToString(), 99)

    def hang_up_after(accepted):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(data)
            eventually(lambda: gateway.metric("millrace_receiver_accepted_spans_total", receiver=receiver) == accepted, every=0.01)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    for number in range(1, 5):
        hang_up_after(number * 99 * 5)
    before = gateway.memory("VmRSS")
    for number in range(5, 45):
        hang_up_after(number * 99 * 5)
    # The heads alone are 57 MiB.
    assert gateway.memory("VmRSS") - before < 24 * MIB
    answer = client.begin(otlp.request(service))
    gate.event.set()
    assert answer.result(30) == OK
