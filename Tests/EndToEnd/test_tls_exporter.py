"""TLS towards destinations: whoever must not be trusted gets nothing, and the rest is a matter of settings."""

import ssl

import pytest

from conftest import otlp_exporter
from kit.certificates import Authority, openssl, put
from kit.sink import Sink
from kit.waiting import eventually


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def destination():
    """`destination(certificate, key, client_ca=None)` starts a sink that speaks TLS."""
    started = []

    def start(certificate, key, client_ca=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if client_ca:
            # In TLS 1.3 a client sends its request before it hears that its certificate is refused, and may find a reset.
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        started.append(Sink(tls=context).start())
        return started[-1]

    yield start
    for sink in started:
        sink.close()


def refused(gateway, sink, reason):
    """Sends a trace that must not arrive, and looks for the reason in the log."""
    assert gateway.post_trace("secret").status_code == 200
    eventually(lambda: gateway.failures("out") > 0)
    assert not sink.requests
    assert reason in gateway.process.log
    assert gateway.row("out")["queued"] == 5


def arrives(gateway, sink):
    sent = gateway.send("welcome")
    eventually(lambda: sent <= sink.spans)


def test_an_authority_that_is_not_trusted_gets_nothing(millrace, destination, authority, tmp_path):
    sink = destination(*authority.issue("server"))
    gateway = millrace({"out": otlp_exporter(sink)})
    refused(gateway, sink, "unable to get local issuer certificate")
    stranger = Authority(tmp_path, "stranger")
    gateway.stop()
    gateway.change({"out": otlp_exporter(sink, tls={"ca": str(stranger.certificate)})})
    gateway.start()
    eventually(lambda: gateway.failures("out") > 1)
    assert not sink.requests
    gateway.stop()
    gateway.change({"out": otlp_exporter(sink, tls={"ca": str(authority.certificate)})})
    gateway.start()
    eventually(lambda: len(sink.spans) == 5)


def test_another_name_gets_nothing_unless_it_is_asked_for(millrace, destination, authority):
    sink = destination(*authority.issue("server", "DNS:traces.example"))
    trust = {"ca": str(authority.certificate)}
    gateway = millrace({"out": otlp_exporter(sink, tls=trust)})
    refused(gateway, sink, "SSL:")
    gateway.stop()
    gateway.change({"out": otlp_exporter(sink, tls=trust | {"server_name": "traces.example"})})
    gateway.start()
    arrives(gateway, sink)


def test_verification_can_be_switched_off(millrace, destination, authority):
    sink = destination(*authority.issue("server", "DNS:traces.example"))
    arrives(millrace({"out": otlp_exporter(sink, tls={"verify": False})}), sink)


def test_a_client_certificate_is_shown(millrace, destination, authority, tmp_path):
    clients = Authority(tmp_path, "clients")
    certificate, key = clients.issue("gateway")
    sink = destination(*authority.issue("server"), client_ca=clients.certificate)
    trust = {"ca": str(authority.certificate)}
    gateway = millrace({"out": otlp_exporter(sink, tls=trust)})
    refused(gateway, sink, "alert")
    gateway.stop()
    gateway.change({"out": otlp_exporter(sink, tls=trust | {"certificate": str(certificate), "key": str(key)})})
    gateway.start()
    arrives(gateway, sink)


def test_an_encrypted_key_is_a_failure_and_no_question_at_the_terminal(millrace, destination, authority, tmp_path):
    clients = Authority(tmp_path, "clients")
    certificate, key = clients.issue("gateway")
    encrypted = tmp_path / "encrypted.key"
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", encrypted)
    sink = destination(*authority.issue("server"), client_ca=clients.certificate)
    tls = {"ca": str(authority.certificate), "certificate": str(certificate), "key": str(encrypted)}
    gateway = millrace({"out": otlp_exporter(sink, tls=tls)})
    refused(gateway, sink, "private key")


def test_a_destination_that_changes_its_authority_is_trusted_again_without_a_restart(
    millrace, destination, authority, tmp_path
):
    trusted = tmp_path / "trusted.pem"
    put(Authority(tmp_path, "earlier").certificate, trusted)
    sink = destination(*authority.issue("server"))
    gateway = millrace({"out": otlp_exporter(sink, tls={"ca": str(trusted)})})
    refused(gateway, sink, "unable to get local issuer certificate")
    put(authority.certificate, trusted)
    eventually(lambda: len(sink.spans) == 5, within=100)
