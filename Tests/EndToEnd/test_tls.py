"""TLS on the receiver: what clients get, who is refused and what is said of it."""

import socket
import ssl
import subprocess
import time

import pytest
import requests

from kit import otlp
from kit.certificates import Authority
from kit.millrace import PROTOBUF
from kit.tls import DISCARD, authority, clients, curl, files, secured
from kit.waiting import eventually

FAILURES = "millrace_tls_handshake_failures_total"


def s_client(gateway, *options, sends=b""):
    """What `openssl s_client` says of a connection."""
    host, port = gateway.address
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{host}:{port}", *map(str, options)],
        input=sends, capture_output=True, timeout=30,
    )  # fmt: skip
    return done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


def test_a_python_sdk_sends_over_https(secured, run_app, authority, service, tmp_path):
    gateway = secured(exporters={"archive": {"type": "file", "path": str(tmp_path / "archive.jsonl")}})
    run_app(
        "shop.py",
        OTEL_EXPORTER_OTLP_ENDPOINT=gateway.url,
        OTEL_EXPORTER_OTLP_CERTIFICATE=str(authority.certificate),
        OTEL_SERVICE_NAME=service,
    )
    ledger = gateway.settled()
    assert ledger["accepted_spans"] == len(otlp.spans_of_file(tmp_path / "archive.jsonl")) > 0


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_both_versions_are_spoken_and_http_1_1_is_agreed_on(secured, version):
    gateway = secured()
    said = s_client(gateway, f"-tls{version.replace('.', '_')}", "-alpn", "h2,http/1.1", "-brief")
    assert f"TLSv{version}" in said
    for offers, agreed in [("http/1.1", "http/1.1"), ("http/1.1,h2", "h2")]:
        assert f"ALPN protocol: {agreed}" in s_client(gateway, "-alpn", offers)


@pytest.mark.parametrize("version", ["tls1", "tls1_1"])
def test_older_versions_are_refused_and_counted(secured, version):
    gateway = secured()
    said = s_client(gateway, f"-{version}", "-cipher", "DEFAULT@SECLEVEL=0")
    assert "alert protocol version" in said
    assert gateway.metric(FAILURES, listener="otlp", reason="version") == 1
    assert "a client offers no version of TLS that is allowed" in gateway.process.log


def test_ciphers_without_forward_secrecy_are_refused(secured):
    gateway = secured()
    said = s_client(gateway, "-tls1_2", "-cipher", "AES128-SHA")
    assert "handshake failure" in said
    assert gateway.metric(FAILURES, listener="otlp", reason="cipher") == 1


def test_a_plain_client_is_told_to_use_https_and_logged_once(secured):
    gateway = secured()
    for path in ("/v1/traces", "/again"):
        answer = requests.post(gateway.url.replace("https", "http") + path, data=b"x" * 100_000, timeout=10)
        assert answer.status_code == 400 and "https://" in answer.text
        assert answer.headers["connection"] == "close"
    assert gateway.metric(FAILURES, listener="otlp", reason="plain_http") == 2
    assert gateway.process.log.count("speaks plain HTTP to a port that speaks TLS") == 1


def test_a_tls_client_on_a_plain_port_is_logged_once(millrace):
    gateway = millrace(DISCARD)
    for _ in range(2):
        code, _, error = curl(gateway.url.replace("http", "https"))
        assert code == 35 and "wrong version number" in error
    assert gateway.process.log.count("a client sends bytes that are not HTTP") == 1
    assert gateway.metric("millrace_receiver_requests_total", code="400") == 2


def test_a_client_that_does_not_trust_the_authority_is_counted(secured, tmp_path):
    gateway = secured()
    code, _, _ = curl(gateway.url, "--cacert", Authority(tmp_path, "stranger").certificate)
    assert code == 60
    assert gateway.metric(FAILURES, listener="otlp", reason="refused_by_client") == 1


def test_a_handshake_that_never_ends_is_closed_after_header_timeout(secured):
    gateway = secured(receiver={"header_timeout": "1s"})
    hello = bytes.fromhex("16030100c8010000c4")
    with socket.create_connection(gateway.address, timeout=10) as silent:
        with socket.create_connection(gateway.address, timeout=10) as stuck:
            stuck.sendall(hello)
            begun = time.monotonic()
            assert stuck.recv(100) == b"" and silent.recv(100) == b""
            assert time.monotonic() - begun < 5
    assert gateway.metric(FAILURES, listener="otlp", reason="timeout") == 2
    assert gateway.metric("millrace_receiver_connections") == 0


def test_connections_in_handshake_count_towards_the_limit(secured):
    gateway = secured(receiver={"max_connections": 2, "header_timeout": "60s"})
    held = [socket.create_connection(gateway.address, timeout=10) for _ in range(2)]
    eventually(lambda: gateway.metric("millrace_receiver_connections") == 2)
    assert gateway.post_trace("one too many").status_code == 503
    for stream in held:
        stream.close()
    eventually(lambda: gateway.post_trace("room").status_code == 200)


def test_a_balancer_that_only_connects_is_no_failure(secured):
    gateway = secured()
    for _ in range(3):
        socket.create_connection(gateway.address, timeout=10).close()
    eventually(lambda: gateway.metric("millrace_receiver_connections") == 0)
    assert gateway.metric(FAILURES) == 0


def test_a_client_that_ends_without_goodbye_gets_its_answer(secured, authority):
    gateway = secured()
    body = otlp.request("abrupt").SerializeToString()
    head = f"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: {PROTOBUF}\r\nContent-Length: {len(body)}\r\n\r\n"
    context = ssl.create_default_context(cafile=authority.certificate)
    with socket.create_connection(gateway.address, timeout=10) as stream:
        with context.wrap_socket(stream, server_hostname="localhost") as tls:
            tls.sendall(head.encode() + body)
            # The sending side of TCP ends, and TLS says nothing of it.
            socket.socket.shutdown(tls, socket.SHUT_WR)
            assert tls.recv(100).startswith(b"HTTP/1.1 200")


def test_large_bodies_pass_whole(secured, tmp_path):
    gateway = secured(exporters={"archive": {"type": "file", "path": str(tmp_path / "archive.jsonl")}})
    message = otlp.request("large", spans=200, padding=20_000)
    assert gateway.post(message.SerializeToString()).status_code == 200
    gateway.settled()
    assert sorted(otlp.spans_of_file(tmp_path / "archive.jsonl")) == sorted(otlp.spans_of(message))


def test_a_unix_socket_speaks_tls_too(secured, authority, tmp_path):
    path = tmp_path / "otlp.sock"
    gateway = secured(listen=f"unix:{path}")
    code, status, error = curl(
        "https://localhost/v1/traces", "--unix-socket", path, "--cacert", authority.certificate,
        body=otlp.request("socket").SerializeToString(),
    )  # fmt: skip
    assert (code, status) == (0, 200), error
    assert gateway.settled()["accepted_spans"] == 5


# Client certificates


def test_a_client_certificate_is_asked_for_and_verified(secured, authority, clients, run_app, service, tmp_path):
    gateway = secured(client_ca=str(clients.certificate))
    certificate, key = clients.issue("app", "URI:spiffe://test/app", subject="/CN=app")
    trust = ("--cacert", authority.certificate)
    body = otlp.request("mutual").SerializeToString()
    for version in ("1.2", "1.3"):
        options = (*trust, "--tlsv" + version, "--tls-max", version)
        url = gateway.url + "/v1/traces"
        code, status, error = curl(url, *options, "--cert", certificate, "--key", key, body=body)
        assert (code, status) == (0, 200), error
        assert curl(url, *options, body=body)[1] == 0
        stranger = Authority(tmp_path, f"stranger-{version}").issue("app")
        assert curl(url, *options, "--cert", stranger[0], "--key", stranger[1], body=body)[1] == 0
    assert gateway.metric(FAILURES, listener="otlp", reason="no_certificate") == 2
    assert gateway.metric(FAILURES, listener="otlp", reason="bad_certificate") == 2
    run_app(
        "shop.py",
        OTEL_EXPORTER_OTLP_ENDPOINT=gateway.url,
        OTEL_EXPORTER_OTLP_CERTIFICATE=str(authority.certificate),
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=str(certificate),
        OTEL_EXPORTER_OTLP_CLIENT_KEY=str(key),
        OTEL_SERVICE_NAME=service,
    )
    assert gateway.settled()["accepted_spans"] > 10


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_session_that_is_resumed_ends_with_its_certificate(secured, authority, clients, version):
    gateway = secured(client_ca=str(clients.certificate))
    context = ssl.create_default_context(cafile=authority.certificate)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    context.load_cert_chain(*clients.issue("brief", "URI:spiffe://test/brief", seconds=8))
    ends = time.monotonic() + 8

    body = otlp.request("brief").SerializeToString()
    head = f"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: {PROTOBUF}\r\ncontent-length: {len(body)}\r\n\r\n"

    def ask(session=None):
        """(the session, whether it was resumed, the answer) of a request that comes right behind the handshake."""
        with socket.create_connection(gateway.address, timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as secure:
                try:
                    secure.sendall(head.encode() + body)
                    answer = secure.recv(4096)
                except OSError:
                    answer = b""
                return secure.session, secure.session_reused, answer

    session, _, answer = ask()
    assert answer.startswith(b"HTTP/1.1 200")
    _, is_resumed, answer = ask(session)
    assert is_resumed and answer.startswith(b"HTTP/1.1 200")
    accepted = gateway.settled()["accepted_spans"]
    eventually(lambda: time.monotonic() > ends + 2, within=30)
    for refused in range(1, 11):
        _, is_resumed, answer = ask(session)
        assert is_resumed and answer == b""
        assert gateway.metric(FAILURES, listener="otlp", reason="bad_certificate") == refused
    assert gateway.settled()["accepted_spans"] == accepted
