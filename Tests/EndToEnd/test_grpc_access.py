"""Ways to a gRPC receiver: TLS with and without certificates of clients, unix sockets, load balancers; and who is at the door."""

import subprocess
import threading

import grpc
import pytest

from kit import otlp
from kit.balancers import Balancer
from kit.certificates import Authority
from kit.environments import APPS, free_port
from kit.grpc_caller import SERVICES, Caller
from kit.millrace import PROTOBUF
from kit.running import run_to_end
from kit.waiting import eventually

Code = grpc.StatusCode
BODY = otlp.request("shop", 3).SerializeToString()


@pytest.fixture
def start(millrace):
    """`start(**settings)`: a gateway with a gRPC receiver, which drops what it takes; its address."""

    def start(**settings):
        receiver = {"type": "otlp_grpc", "listen": f"127.0.0.1:{free_port()}"} | settings
        receivers = {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"}, "grpc": receiver}
        pipelines = {
            "all": {
                "receivers": ["otlp", "grpc"],
                "processors": [],
                "exporters": ["out"],
                "signals": ["traces", "metrics", "logs"],
            }
        }
        gateway = millrace({"out": {"type": "discard"}}, receivers=receivers, pipelines=pipelines, processors={})
        return gateway, receiver["listen"]

    return start


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def served(authority, **more):
    certificate, key = authority.issue("server")
    return {"certificate": str(certificate), "key": str(key)} | more


def credentials(authority, pair=None):
    certificate, key = pair or (None, None)
    return grpc.ssl_channel_credentials(
        authority.certificate.read_bytes(), key and key.read_bytes(), certificate and certificate.read_bytes()
    )


def test_an_sdk_sends_over_tls_with_http_2_agreed_on(start, authority):
    gateway, listen = start(tls=served(authority))
    run_to_end(
        APPS / "all_signals.py",
        "grpc",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"https://{listen}",
        OTEL_EXPORTER_OTLP_CERTIFICATE=str(authority.certificate),
    )
    assert gateway.metric("millrace_receiver_requests_total", receiver="grpc", code="OK") == 3
    said = subprocess.run(
        ["openssl", "s_client", "-connect", listen, "-alpn", "http/1.1,h2"], input=b"", capture_output=True, timeout=30
    )
    assert b"ALPN protocol: h2" in said.stdout
    with Caller(listen) as plain:
        _, error = plain.export(BODY)
        assert error.code() == Code.UNAVAILABLE
    assert gateway.metric("millrace_tls_handshake_failures_total", listener="grpc", reason="plain_http") >= 1


def test_a_client_is_who_its_certificate_names(start, authority):
    gateway, listen = start(tls=served(authority, client_ca=str(authority.certificate)))
    pair = authority.issue("ann", names="URI:spiffe://shop/ann")
    with Caller(listen, credentials(authority, pair)) as ann, Caller(listen, credentials(authority)) as nobody:
        assert ann.export(BODY) == (b"", None)
        assert nobody.export(BODY)[1].code() == Code.UNAVAILABLE
    name = "millrace_receiver_identity_accepted_spans_total"
    assert gateway.metric(name, identity="spiffe://shop/ann") == 3


def test_a_unix_socket_takes_calls(start, tmp_path):
    _, listen = start(listen=f"unix:{tmp_path}/grpc.sock")
    with Caller(listen) as client:
        assert client.export(BODY) == (b"", None)


@pytest.mark.parametrize("program", ["haproxy", "nginx"])
def test_a_balancer_says_whose_each_connection_is(start, tmp_path, program):
    gateway, listen = start(proxy_protocol=["127.0.0.1"])
    balancer = Balancer(tmp_path, listen, program).start()
    try:
        with Caller(balancer.address) as behind, Caller(listen) as direct:
            assert behind.export(BODY) == (b"", None)
            assert direct.export(BODY)[1].code() == Code.UNAVAILABLE
    finally:
        balancer.close()
    assert gateway.metric("millrace_receiver_proxy_header_failures_total", receiver="grpc") >= 1


def test_a_grpc_client_on_a_port_of_http_is_told_in_grpc(start):
    gateway, _ = start()
    for _ in range(2):
        with Caller(gateway.pipeline["receivers"]["otlp"]["listen"]) as client:
            _, error = client.export(BODY)
            assert error.code() == Code.UNIMPLEMENTED and "4317" in error.details()
    eventually(lambda: gateway.process.log.count("speaks gRPC to a port that speaks HTTP") == 1)
    assert gateway.post(BODY, PROTOBUF).status_code == 200


def test_health_is_told_without_credentials(start):
    gateway, listen = start(auth={"bearer": [{"token": "t0ken", "name": "shop"}]})
    with Caller(listen) as client:
        traces = SERVICES["traces"].encode()
        for service in (b"", b"\x0a" + bytes([len(traces)]) + traces):
            assert client.call("/grpc.health.v1.Health/Check", service) == (b"\x08\x01", None)
        _, error = client.call("/grpc.health.v1.Health/Check", b"\x0a\x05other")
        assert error.code() == Code.NOT_FOUND


def test_many_calls_at_once_on_one_connection_and_many_connections(start):
    gateway, listen = start(max_streams=20)
    results = []

    def send():
        with Caller(listen, use_local_subchannel_pool=1) as client:
            method = client.channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            calls = [method.future(BODY, timeout=60) for _ in range(100)]
            results.extend(call.result() for call in calls)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [b""] * 800
    eventually(lambda: gateway.ledger()["accepted_spans"] == 2400)
