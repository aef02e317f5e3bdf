"""OTLP's rules for gRPC servers and clients. Each test has the name of its rule (kit/conformance.py)."""

import time

import grpc
import pytest
from conftest import QUICK_RETRY
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from kit import otlp
from kit.environments import free_port
from kit.grpc_caller import Caller
from kit.grpc_sink import GRPCSink
from kit.millrace import all_signals
from kit.waiting import Crowd, eventually
from test_conformance_http_client import started_again
from test_conformance_http_server import broken

Code = grpc.StatusCode
DISCARD = {"out": {"type": "discard"}}
PASSES = [Code.CANCELLED, Code.DEADLINE_EXCEEDED, Code.ABORTED, Code.OUT_OF_RANGE, Code.UNAVAILABLE, Code.DATA_LOSS]
FINAL = [Code.INVALID_ARGUMENT, Code.ALREADY_EXISTS]
OURS = [
    Code.UNKNOWN, Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.FAILED_PRECONDITION, Code.UNIMPLEMENTED, Code.INTERNAL,
    Code.UNAUTHENTICATED, Code.RESOURCE_EXHAUSTED,
]  # fmt: skip
"""Codes after which a client drops what it has, and a gateway may not."""


@pytest.fixture
def client(millrace):
    """A caller of a gateway that takes all signals over gRPC."""
    receivers = {"grpc": {"type": "otlp_grpc", "listen": f"127.0.0.1:{free_port()}"}}
    millrace(DISCARD, receivers=receivers, **all_signals(DISCARD, receivers=receivers))
    with Caller(receivers["grpc"]["listen"]) as caller:
        yield caller


@pytest.fixture
def sinks():
    """`sinks(count)` starts some."""
    started = []

    def start(count=1):
        started.extend(GRPCSink().start() for _ in range(count))
        return started[-count:]

    yield start
    for sink in started:
        sink.close()


def exporter(sink, **settings):
    return {"type": "otlp_grpc", "endpoint": sink.url, "retry": QUICK_RETRY, "batch": {"linger": "1ms"}} | settings


def out(millrace, sink, **settings):
    exporters = {"out": exporter(sink, **settings)}
    return millrace(exporters, **all_signals(exporters))


def post(gateway, signal="traces", items=1):
    message = otlp.request_of(signal, "shop", items)
    assert gateway.post(message.SerializeToString(), path=f"/v1/{signal}").status_code == 200


@pytest.mark.parametrize("concurrency", [1, 3])
def test_calls_at_once_are_a_setting(millrace, sinks, concurrency):
    (sink,) = sinks()
    gateway = out(millrace, sink, concurrency=concurrency, batch={"linger": "1ms", "spans": 1})
    for number in range(20):  # the more are answered, the more go at once
        post(gateway)
        eventually(lambda number=number: len(sink.calls) > number)
    crowd = Crowd(concurrency)
    sink.refuses = crowd.stay
    for _ in range(8):
        post(gateway)
    gateway.delivered("out", 28)
    assert crowd.peak == concurrency


def posts_to_each(millrace, sinks, codes):
    """A gateway that sends one span to a destination for each code, which answers it until `refuses` is None."""
    destinations = dict(zip((code.name for code in codes), sinks(len(codes))))
    for name, sink in destinations.items():
        sink.refuses = lambda *_, code=Code[name]: (code, "so it is: 100 %", None)
    exporters = {name: exporter(sink) for name, sink in destinations.items()}
    gateway = millrace(exporters, drain_timeout="0s", **all_signals(exporters))
    post(gateway)
    return gateway, destinations


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_grpc_full_success_has_no_partial_success(client, signal):
    for compression in (None, grpc.Compression.Gzip):
        body = otlp.request_of(signal, "shop").SerializeToString()
        assert client.export(body, signal, compression=compression) == (b"", None)


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_grpc_partial_success_counts_what_was_rejected(client, signal):
    """And says why."""
    response, error = client.export(broken(signal, 2).SerializeToString(), signal)
    assert error is None
    partial = otlp.RESPONSES[signal].FromString(response).partial_success
    assert getattr(partial, f"rejected_{otlp.ITEMS[signal]}") == 2 and partial.error_message


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_grpc_bad_data_is_invalid_argument_with_a_bad_request(client, signal):
    _, error = client.export(b"\x0a\xff", signal)
    assert error.code() == Code.INVALID_ARGUMENT and error.details()
    (detail,) = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"]).details
    bad = BadRequest()
    assert detail.Unpack(bad)
    assert [violation.description for violation in bad.field_violations] == [error.details()]


def test_grpc_what_passes_is_tried_again(millrace, sinks):
    gateway, destinations = posts_to_each(millrace, sinks, PASSES)
    for name, sink in destinations.items():
        eventually(lambda name=name: gateway.failures(name) >= 2)
        sink.refuses = None
        eventually(lambda sink=sink: len(sink.spans) == 1)


def test_grpc_what_does_not_pass_is_not_tried_again(millrace, sinks):
    gateway, destinations = posts_to_each(millrace, sinks, FINAL)
    for name, sink in destinations.items():
        eventually(lambda name=name: gateway.row(name)["dead_lettered"] == 1)
        assert len(sink.calls) == 1


def test_grpc_what_somebody_can_mend_is_kept(millrace, sinks):
    """The deviation of the rule before: nothing is dropped, and all arrives once the destination takes it."""
    gateway, destinations = posts_to_each(millrace, sinks, OURS)
    for name, sink in destinations.items():
        eventually(lambda name=name: f"gRPC status {name}: so it is: 100 %" in gateway.process.log)
        assert not any(gateway.row(name)[outcome] for outcome in ("rejected", "expired", "lost"))
    started_again(gateway, destinations)
    for name, sink in destinations.items():
        if gateway.row(name)["dead_lettered"]:
            assert gateway.dead_letters("replay", "--exporter", name)["letters"] == 1
        eventually(lambda sink=sink: len(sink.spans) == 1)


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED])
def test_grpc_a_pause_that_a_server_names_is_kept(millrace, sinks, code):
    (sink,), times = sinks(), []
    sink.refuses = lambda *_: times.append(time.monotonic()) or (len(times) == 1 and (code, "later", 3)) or None
    gateway = out(millrace, sink)
    post(gateway)
    eventually(lambda: len(sink.spans) == 1)
    assert times[1] - times[0] >= 3


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_grpc_after_partial_success_nothing_is_sent_again(millrace, sinks, signal):
    (sink,) = sinks()
    answer = otlp.RESPONSES[signal]()
    setattr(answer.partial_success, f"rejected_{otlp.ITEMS[signal]}", 2)
    answer.partial_success.error_message = "two are odd"
    sink.answer = answer.SerializeToString()
    gateway = out(millrace, sink)
    post(gateway, signal, items=5)
    row = gateway.settled(accepted=5, signal=signal)["destinations"]["out"]
    assert (row["delivered"], row["rejected"], len(sink.calls)) == (3, 2, 1)
    assert "two are odd" in gateway.process.log


def test_grpc_an_answer_over_4_mib_is_not_retryable_and_recorded(millrace, sinks):
    (sink,) = sinks()
    sink.answer = b"\x0a" + bytes([0x80, 0x80, 0x80, 0x02]) + bytes(4 << 20)
    gateway = out(millrace, sink)
    post(gateway)
    eventually(lambda: gateway.row("out")["dead_lettered"] == 1)
    assert len(sink.calls) == 1
    (letter,) = gateway.dead_letters()["dead_letters"]
    assert "over the limit of 4 MiB" in letter["reason"]
