"""Edges store spans in a stream of NATS JetStream, gateways share its partitions: nothing acknowledged is lost, whoever dies."""

import pytest

from kit import otlp
from kit.environments import free_port
from kit.millrace import QUICK_RETRY
from kit.nats_server import NATS
from kit.waiting import eventually


def relay(servers, **settings):
    return {"type": "jetstream", "servers": servers, "stream": "spans", "retry": QUICK_RETRY} | settings


@pytest.fixture
def nats_server(tmp_path):
    """`nats_server(size)` starts one server or a cluster."""
    started = []

    def start(size=1, **settings):
        started.append(NATS(tmp_path / "nats", size, **settings))
        return started[-1].start()

    yield start
    for server in started:
        server.close()


@pytest.fixture
def edge(millrace, tmp_path):
    """`edge(nats)` takes OTLP and stores it in the stream."""
    return lambda nats, name="edge", **settings: millrace(
        {"relay": relay(nats.urls, replicas=len(nats.nodes)) | settings}, directory=tmp_path / name
    )


@pytest.fixture
def centre(millrace, tmp_path):
    """`centre(nats, exporters)` takes what lies in the stream."""

    def start(nats, exporters, name="centre", receiver={}, **sections):
        receivers = {
            "stream": {"type": "jetstream", "servers": nats.urls, "stream": "spans"} | receiver,
            "otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"},
        }
        pipelines = {"traces": {"receivers": ["stream", "otlp"], "processors": ["batch"], "exporters": list(exporters)}}
        processors = {"batch": {"type": "batch", "linger": "50ms"}}
        parts = {"receivers": receivers, "pipelines": pipelines, "processors": processors} | sections
        return millrace(exporters, directory=tmp_path / name, **parts)

    return start


def test_a_trace_goes_from_the_edge_through_the_stream_to_the_centre(nats_server, edge, centre, archives, service):
    nats = nats_server()
    sender, gateway = edge(nats), centre(nats, {"kept": archives("kept")})
    sent = sender.send(service, traces=20)
    sender.settled(accepted=len(sent))
    gateway.settled(accepted=len(sent))
    assert archives.spans("kept") == dict.fromkeys(sent, 1)
    stream = nats.stream("spans")
    assert stream["state"]["messages"] == 0, "every message is acknowledged"
    assert gateway.metric("millrace_receiver_redelivered_spans_total") == 0
