"""The otlp_grpc exporter in front of gRPC's own C core: bytes, compression, TLS and outages."""

import grpc
import pytest
from conftest import QUICK_RETRY
from kit import otlp
from kit.certificates import Authority
from kit.grpc_sink import GRPCSink
from kit.waiting import eventually


@pytest.fixture
def destination():
    """`destination(**settings)` starts one."""
    started = []

    def start(**settings):
        started.append(GRPCSink(**settings))
        return started[-1].start()

    yield start
    for sink in started:
        sink.close()


def grpc_exporter(sink, **settings):
    return {"type": "otlp_grpc", "endpoint": sink.url, "retry": QUICK_RETRY} | settings


def arrives(gateway, sink):
    sent = gateway.send("shop")
    eventually(lambda: sent <= sink.spans, within=60)


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_what_was_accepted_leaves_byte_for_byte(millrace, destination, compression):
    sink = destination()
    exporters = {"out": grpc_exporter(sink, compression=compression, headers={"X-Tenant": "shop"})}
    gateway = millrace(exporters, processors={"batch": {"type": "batch", "linger": "1ms"}}, pipelines={
        "traces": {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["out"]}
    })  # fmt: skip
    bodies = [otlp.request("shop", spans=20).SerializeToString() for _ in range(10)]
    for body in bodies:
        assert gateway.post(body).status_code == 200
        eventually(lambda body=body: body in sink.bodies["traces"])
    assert sink.bodies["traces"] == bodies
    assert {metadata["x-tenant"] for _, _, metadata in sink.calls} == {"shop"}
    assert gateway.failures("out") == 0


def test_a_batch_that_is_too_large_goes_in_parts(millrace, destination):
    sink = destination(max_receive_message_length=20_000)
    gateway = millrace({"out": grpc_exporter(sink, compression="none")})
    sent = gateway.send("shop", traces=1, spans=40, padding=1000)
    eventually(lambda: sent <= sink.spans)
    assert gateway.row("out")["dead_lettered"] == 0


def test_spans_wait_while_it_is_away(millrace, destination):
    sink = destination()
    gateway = millrace({"out": grpc_exporter(sink)})
    arrives(gateway, sink)
    sink.close()
    sent = gateway.send("shop")
    eventually(lambda: gateway.failures("out") > 0)
    sink.start()
    eventually(lambda: sent <= sink.spans, within=60)


@pytest.mark.parametrize("trusts", [True, False])
def test_over_tls_who_cannot_be_verified_gets_nothing(millrace, destination, tmp_path, trusts):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    client_certificate, client_key = authority.issue("client", subject="/CN=gateway")
    pair = [(key.read_bytes(), certificate.read_bytes())]
    credentials = grpc.ssl_server_credentials(pair, authority.certificate.read_bytes(), require_client_auth=True)
    sink = destination(credentials=credentials)
    tls = {"certificate": str(client_certificate), "key": str(client_key)}
    gateway = millrace({"out": grpc_exporter(sink, tls=tls | ({"ca": str(authority.certificate)} if trusts else {}))})
    if trusts:
        return arrives(gateway, sink)
    gateway.send("shop")
    eventually(lambda: gateway.failures("out") > 0)
    assert not sink.calls and "certificate" in gateway.process.log


def test_an_http_destination_is_told_from_a_grpc_one(millrace, sink):
    gateway = millrace({"out": grpc_exporter(sink)})
    sent = gateway.send("shop")
    eventually(lambda: gateway.failures("out") > 0)
    assert gateway.row("out")["queued"] == len(sent)
