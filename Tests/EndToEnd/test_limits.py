"""What one client may use, how memory is shared out, and load balancers that say who the client is."""

import http.client
import ssl
import threading
import time

import pytest
import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from conftest import otlp_exporter
from kit import otlp
from kit.balancers import Balancer
from kit.certificates import Authority
from kit.environments import free_port
from kit.millrace import PROTOBUF
from kit.waiting import eventually

OVER = "millrace_receiver_over_limit_total"
FAILURES = "millrace_receiver_proxy_header_failures_total"
ANN, BOB = "127.0.0.2", "127.0.0.3"  # two clients
DISCARD = {"out": {"type": "discard"}}
MIB = 1 << 20


def receivers(**settings):
    return {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"} | settings}


@pytest.fixture
def balanced(millrace, tmp_path):
    """`balanced(program, **settings)` starts a gateway and a load balancer before it: (gateway, balancer)."""
    started = []

    def start(program, exporters=DISCARD, **settings):
        gateway = millrace(exporters, receivers=receivers(proxy_protocol=["127.0.0.1"], **settings))
        listen = gateway.pipeline["receivers"]["otlp"]["listen"]
        started.append(Balancer(tmp_path, listen, program).start())
        return gateway, started[-1]

    yield start
    for balancer in started:
        balancer.close()


class Client:
    """A connection from an address of its own."""

    def __init__(self, address, source, context=None):
        host, port = address.split(":")
        settings = {"timeout": 30, "source_address": (source, 0)}
        if context:
            self.connection = http.client.HTTPSConnection("localhost", int(port), context=context, **settings)
        else:
            self.connection = http.client.HTTPConnection(host, int(port), **settings)

    def post(self, body, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request("POST", "/v1/traces", body, {"content-type": PROTOBUF} | headers)
        answer = self.connection.getresponse()
        answer.read()
        return answer

    def close(self):
        self.connection.close()


def test_a_python_sdk_over_its_rate_waits_as_it_is_told_and_loses_nothing(millrace, sink, service):
    gateway = millrace({"out": otlp_exporter(sink)}, receivers=receivers(limits={"requests_per_second": 2}))
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"{gateway.url}/v1/traces")))
    tracer, start = provider.get_tracer("limits"), time.monotonic()
    for number in range(14):
        # Each is exported before it ends.
        with tracer.start_as_current_span(f"step {number}"):
            pass
    assert time.monotonic() - start > 1
    provider.shutdown()
    assert gateway.settled()["accepted_spans"] == len(sink.spans) == 14
    assert gateway.metric(OVER, limit="requests_per_second") >= 1
    assert gateway.process.log.count("a client is over its limit and answered 429") == 1


@pytest.mark.parametrize("program", ["haproxy", "nginx"])
def test_connections_are_counted_by_the_client_that_a_balancer_names(balanced, program):
    gateway, balancer = balanced(program, limits={"connections": 2})
    body = otlp.request("shop").SerializeToString()
    first = [Client(balancer.address, ANN) for _ in range(2)]
    assert [client.post(body).status for client in first] == [200, 200]
    refused = Client(balancer.address, ANN).post(body)
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert Client(balancer.address, BOB).post(body).status == 200
    assert [client.post(body).status for client in first] == [200, 200]
    assert gateway.metric(OVER, limit="connections") == 1
    assert f"source={ANN}" in gateway.process.log
    first[0].close()
    eventually(lambda: Client(balancer.address, ANN).post(body).status == 200)
    assert gateway.metric(FAILURES) == 0


def test_tls_comes_behind_the_header(balanced, tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    gateway, balancer = balanced("haproxy", tls={"certificate": str(certificate), "key": str(key)})
    trusting = ssl.create_default_context(cafile=str(authority.certificate))
    body = otlp.request("shop").SerializeToString()
    assert Client(balancer.address, ANN, trusting).post(body).status == 200
    with pytest.raises(ssl.SSLError):
        Client(balancer.address, BOB, ssl.create_default_context()).post(body)
    eventually(lambda: f"client={BOB}" in gateway.process.log)
    assert gateway.metric(FAILURES) == 0


def test_who_guesses_behind_a_balancer_slows_down_nobody_else(balanced):
    members = [{"name": "ann", "token": "seeded-token-of-ann"}]
    _, balancer = balanced("haproxy", auth={"bearer": members})
    body = otlp.request("shop").SerializeToString()
    guesses = [Client(balancer.address, BOB).post(body, Authorization=f"Bearer g{n}").status for n in range(15)]
    assert guesses[:10] == [401] * 10 and 429 in guesses[10:]
    assert Client(balancer.address, ANN).post(body, Authorization="Bearer seeded-token-of-ann").status == 200
    assert Client(balancer.address, ANN).post(body, Authorization="Bearer wrong").status == 401


def test_a_balancer_without_a_header_is_closed_and_others_with_one_are_refused(balanced, millrace, tmp_path):
    gateway, balancer = balanced("nginx")
    body = otlp.request("shop").SerializeToString()
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            gateway.post(body)
    assert gateway.metric(FAILURES, reason="missing") == 2
    assert gateway.process.log.count('a load balancer in "proxy_protocol" opens') == 1
    other = millrace(DISCARD, directory=tmp_path / "other")
    refused = Balancer(tmp_path, other.pipeline["receivers"]["otlp"]["listen"], "haproxy").start()
    try:
        assert Client(refused.address, ANN).post(body).status == 400
    finally:
        refused.close()
    assert Client(balancer.address, ANN).post(body).status == 200


def test_members_have_limits_of_their_own_from_one_address(millrace, sink):
    members = [{"name": name, "token": f"seeded-token-of-{name}"} for name in ("ann", "bob")]
    gateway = millrace(
        {"out": otlp_exporter(sink)},
        receivers=receivers(auth={"bearer": members}, limits={"requests_per_second": 1, "bytes_in_flight": "1MiB"}),
    )
    body = otlp.request("shop", spans=1).SerializeToString()

    def statuses(name, count):
        shown = {"Authorization": f"Bearer seeded-token-of-{name}"}
        return [gateway.post(body, **shown).status_code for _ in range(count)]

    assert 429 in statuses("ann", 8)
    assert statuses("bob", 4) == [200] * 4
    assert gateway.metric(OVER, identity="ann", limit="requests_per_second") >= 1
    assert gateway.metric(OVER, identity="bob") == 0
    # A body alone may be larger than what is in flight at most.
    large = otlp.request("shop", spans=1, padding=2 * MIB).SerializeToString()
    assert gateway.post(large, Authorization="Bearer seeded-token-of-bob").status_code == 200


class Greedy(threading.Thread):
    """Keeps many large bodies in flight, and counts what it is answered."""

    def __init__(self, address, ended):
        super().__init__(daemon=True)
        self.address, self.ended, self.statuses = address, ended, []
        self.body = otlp.batch("greedy", 100, 1, padding=20_000).SerializeToString()

    def run(self):
        while not self.ended.is_set():
            client = Client(self.address, BOB)
            try:
                while not self.ended.is_set():
                    self.statuses.append(client.post(self.body).status)
                    if self.statuses[-1] != 200:
                        self.ended.wait(0.1)
            except (OSError, http.client.HTTPException):
                pass  # an answer that came while the body was being sent
            finally:
                client.close()


def test_who_uses_most_of_the_memory_is_answered_429_and_a_modest_one_goes_on(millrace):
    gateway = millrace(DISCARD, receivers=receivers(hold="0s", max_body="16MiB"), memory_limit="32MiB")
    listen, ended = gateway.pipeline["receivers"]["otlp"]["listen"], threading.Event()
    modest = Client(listen, ANN)
    body = otlp.request("modest", spans=1, padding=100_000).SerializeToString()
    assert modest.post(body).status == 200
    greedy = [Greedy(listen, ended) for _ in range(14)]
    for client in greedy:
        client.start()
    try:
        eventually(lambda: any(429 in client.statuses for client in greedy))
        statuses = [modest.post(body).status for _ in range(50)]
    finally:
        ended.set()
        for client in greedy:
            client.join(30)
    assert statuses == [200] * 50
    answers = [status for client in greedy for status in client.statuses]
    assert {200, 429} <= set(answers) <= {200, 429, 503}
