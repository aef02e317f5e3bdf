"""A proxy on the way to a destination: by setting, by variable, with a password, and away."""

import ssl

import pytest
from conftest import otlp_exporter
from kit.certificates import Authority
from kit.forward_proxy import ForwardProxy
from kit.sink import Sink
from kit.waiting import eventually

PASSWORD = "seeded-password-of-the-proxy"


@pytest.fixture
def proxy(tmp_path):
    """`proxy(**settings)` starts one."""
    started = []

    def start(**settings):
        started.append(ForwardProxy(tmp_path, **settings))
        return started[-1].start()

    yield start
    for one in started:
        one.close()


@pytest.fixture
def secured(tmp_path):
    """A destination that speaks TLS, and the authority that vouches for it."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("destination"))
    sink = Sink(tls=context).start()
    yield sink, {"ca": str(authority.certificate)}
    sink.close()


def arrives(gateway, sink):
    sent = gateway.send("shop")
    eventually(lambda: sent <= sink.spans, within=60)
    assert set(sink.received.values()) == {1}


def started(millrace, exporters, **variables):
    gateway = millrace(exporters, starts=False)
    environment = gateway.process.environment
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        environment.pop(name, None)
    environment |= variables
    return gateway.start()


@pytest.mark.parametrize("way", ["setting", "variable"])
def test_plain_requests_go_by_the_proxy_and_https_through_a_tunnel(millrace, sink, secured, proxy, way):
    front, (target, tls) = proxy(), secured
    setting = {"proxy": front.url} if way == "setting" else {}
    variables = {"http_proxy": front.url, "HTTPS_PROXY": front.url} if way == "variable" else {"NO_PROXY": "*"}
    exporters = {"plain": otlp_exporter(sink, **setting), "secured": otlp_exporter(target, tls=tls, **setting)}
    gateway = started(millrace, exporters, **variables)
    arrives(gateway, sink)
    arrives(gateway, target)
    plain, tunnel = ("POST", f"{sink.url}/v1/traces"), ("CONNECT", f"127.0.0.1:{target.port}")
    assert {plain, tunnel} <= set(front.requests)
    assert (gateway.failures("plain"), gateway.failures("secured")) == (0, 0)


@pytest.mark.parametrize("why", ["NO_PROXY", "an empty setting"])
def test_a_destination_may_be_left_out(millrace, sink, proxy, why):
    front = proxy()
    setting = {"proxy": ""} if why == "an empty setting" else {}
    variables = {"NO_PROXY": "other.example,127.0.0.1"} if why == "NO_PROXY" else {}
    gateway = started(millrace, {"out": otlp_exporter(sink, **setting)}, http_proxy=front.url, **variables)
    arrives(gateway, sink)
    assert front.requests == []


@pytest.mark.parametrize("is_secured", [False, True])
def test_a_proxy_that_refuses_the_password_loses_nothing_and_nobody_reads_it(
    millrace, sink, secured, proxy, is_secured
):
    target, tls = secured if is_secured else (sink, {})
    front = proxy(login=("gateway", PASSWORD))
    wrong = front.url.replace(PASSWORD, PASSWORD + "-of-yesterday")
    gateway = millrace({"out": otlp_exporter(target, proxy=wrong, **({"tls": tls} if tls else {}))})
    sent = gateway.send("shop")
    eventually(lambda: gateway.failures("out") > 0)
    # Of a plain request tinyproxy's answer gets lost, because it resets the connection without reading the body.
    assert "CONNECT tunnel failed, response 40" in gateway.process.log or not is_secured
    assert (gateway.row("out")["queued"], target.requests) == (len(sent), [])
    assert "seeded-" not in gateway.process.log + gateway.admin("/readyz").text
    gateway.stop()
    gateway.change({"out": otlp_exporter(target, proxy=front.url, **({"tls": tls} if tls else {}))})
    gateway.start()
    eventually(lambda: sent <= target.spans, within=60)
    assert "seeded-" not in gateway.process.log


def test_spans_wait_while_the_proxy_is_away(millrace, sink, proxy):
    front = proxy()
    gateway = millrace({"out": otlp_exporter(sink, proxy=front.url)})
    arrives(gateway, sink)
    front.close()
    sent = gateway.send("shop")
    eventually(lambda: gateway.failures("out") > 0)
    assert not sent & sink.spans
    front.start()
    eventually(lambda: sent <= sink.spans, within=60)
