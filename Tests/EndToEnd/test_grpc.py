"""OTLP over gRPC, by the SDK's exporters and by the C core itself."""

import socket
import threading

import grpc
import pytest
import requests

from kit import otlp
from kit.environments import APPS, free_port
from kit.grpc_caller import Caller, retry_delay
from kit.millrace import by_signal
from kit.running import run_to_end
from kit.waiting import eventually

SIGNALS = ["traces", "metrics", "logs"]
Code = grpc.StatusCode


@pytest.fixture
def start(millrace, archives, tmp_path):
    """`start(**settings)`: a gateway with a gRPC receiver, which writes to the file `all.jsonl`."""

    def start(directory=tmp_path, signals=SIGNALS, settings=(), **sections):
        file = {"all": archives("all")}
        receiver = {"type": "otlp_grpc", "listen": f"127.0.0.1:{free_port()}"} | dict(settings)
        receivers = {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"}, "grpc": receiver}
        pipelines = {
            "all": {"receivers": ["otlp", "grpc"], "processors": [], "exporters": ["all"], "signals": signals}
        }
        sections = {"receivers": receivers, "pipelines": pipelines, "processors": {}} | sections
        return millrace(file, directory, **sections)

    return start


def place(gateway):
    return gateway.pipeline["receivers"]["grpc"]["listen"]


def caller(gateway, credentials=None, **options):
    return Caller(place(gateway), credentials, **options)


def delivered(gateway, **items):
    def arrived():
        gateway.process.expect_running()
        ledgers = by_signal(gateway.ledger())
        found = {signal: ledgers[signal]["destinations"]["all"]["delivered"] for signal in items}
        assert found == items
        return True

    eventually(arrived, within=30)


@pytest.mark.parametrize("packing", [{}, {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}])
def test_an_sdk_sends_all_signals(start, tmp_path, packing):
    gateway = start()
    run_to_end(
        APPS / "all_signals.py",
        "grpc",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{place(gateway)}",
        OTEL_SERVICE_NAME="till",
        **packing,
    )
    delivered(gateway, traces=1, metrics=2, logs=1)
    written = (tmp_path / "all.jsonl").read_bytes()
    assert b"only 2 kites left" in written and b"till.wait" in written and b"sell" in written
    for signal in SIGNALS:
        assert gateway.metric("millrace_receiver_requests_total", receiver="grpc", signal=signal, code="OK") == 1


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        (lambda c: c.call("/opentelemetry.proto.collector.trace.v1.TraceService/Get"), Code.UNIMPLEMENTED, "not served"),
        (lambda c: c.call("/other.Service/Export", b"x"), Code.UNIMPLEMENTED, "MetricsService/Export"),
        (lambda c: c.export(b"\xff\xff\xff"), Code.INVALID_ARGUMENT, ""),
        (lambda c: c.export(bytes(2 << 20)), Code.RESOURCE_EXHAUSTED, "1MiB"),
        (
            lambda c: c.export(bytes(2 << 20), compression=grpc.Compression.Gzip),
            Code.RESOURCE_EXHAUSTED,
            "after decompression",
        ),
        (lambda c: c.export(b"", "logs"), Code.UNIMPLEMENTED, "takes logs, only traces, metrics"),
    ],
)
def test_what_is_refused_says_why_and_is_not_to_be_sent_again(start, call, code, words):
    gateway = start(signals=["traces", "metrics"], settings={"max_body": "1MiB"})
    with caller(gateway) as client:
        response, error = call(client)
        assert response is None and error.code() == code, error
        assert words in error.details() and error.details()
        assert retry_delay(error) is None
        assert client.export(otlp.request("shop").SerializeToString()) == (b"", None)


def test_who_may_send_and_how_much(start):
    member = {"token": "s3cret-token", "name": "shop"}
    gateway = start(settings={"auth": {"bearer": [member]}, "limits": {"requests_per_second": 0.2}})
    body = otlp.request("shop").SerializeToString()
    with caller(gateway) as client:
        for shown in ({}, {"authorization": "Bearer wrong"}):
            _, error = client.export(body, **shown)
            assert error.code() == Code.UNAUTHENTICATED and "Bearer TOKEN" in error.details()
            assert retry_delay(error) is None
        answers = [client.export(body, authorization="Bearer s3cret-token") for _ in range(3)]
        assert answers[0] == (b"", None)
        error = answers[-1][1]
        assert error.code() == Code.UNAVAILABLE and "a second are allowed" in error.details()
        assert 1 <= retry_delay(error) <= 3
    assert gateway.metric("millrace_receiver_denied_requests_total", receiver="grpc") == 2


def test_an_sdk_waits_for_a_gateway_that_is_away(start):
    gateway = start(starts=False)
    host, port = place(gateway).rsplit(":", 1)
    with socket.create_server((host, int(port))) as nobody:
        app = threading.Thread(
            target=run_to_end,
            args=(APPS / "all_signals.py", "grpc"),
            kwargs={"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{place(gateway)}"},
        )
        app.start()
        nobody.accept()[0].close()
    gateway.start()
    app.join()
    delivered(gateway, traces=1)


def test_restarts_under_load_lose_nothing_that_was_answered(start, tmp_path):
    gateway = start()
    acknowledged, stopping = set(), threading.Event()

    def send(number):
        with caller(gateway, initial_reconnect_backoff_ms=100, max_reconnect_backoff_ms=200) as client:
            for count in range(100_000):
                message = otlp.request(f"shop-{number}-{count}", 2)
                _, error = client.export(message.SerializeToString())
                if not error:
                    acknowledged.update(otlp.spans_of(message))
                else:
                    assert error.code() == Code.UNAVAILABLE, error
                if stopping.is_set():
                    return

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for end in (gateway.stop, gateway.kill, gateway.stop):
        before = len(acknowledged)
        eventually(lambda before=before: len(acknowledged) > before + 200)
        end()
        gateway.start()
    stopping.set()
    for thread in threads:
        thread.join()
    ledger = gateway.settled()
    assert ledger["accepted_spans"] >= len(acknowledged)
    assert acknowledged <= set(otlp.spans_of_file(tmp_path / "all.jsonl"))


def test_http_on_a_port_of_grpc_is_told_in_words(start):
    gateway = start()
    for _ in range(2):
        answer = requests.post(f"http://{place(gateway)}/v1/traces", data=b"x", timeout=10)
        assert answer.status_code == 400 and b"this port speaks OTLP over gRPC" in answer.content
    assert gateway.process.log.count("speaks HTTP/1.1 to a port that speaks gRPC") == 1
