"""TLS on the receiver: what clients get, who is refused and what is said of it, certificates that change."""

import os
import socket
import ssl
import subprocess
import threading
import time

import pytest
import requests

from kit import otlp
from kit.certificates import Authority, openssl, put
from kit.environments import free_port
from kit.millrace import PROTOBUF, run
from kit.waiting import eventually

FAILURES = "millrace_tls_handshake_failures_total"
DISCARD = {"out": {"type": "discard"}}


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def files(tmp_path, authority):
    """The certificate and key that the gateway serves."""
    certificate, key = authority.issue("server")
    return put_pair(certificate, key, tmp_path)


def put_pair(certificate, key, directory):
    put(certificate, directory / "tls.pem")
    put(key, directory / "tls.key")
    return directory / "tls.pem", directory / "tls.key"


@pytest.fixture
def secured(millrace, authority, files):
    """`secured(**tls)` starts a gateway with TLS on its receiver, whose authority its session trusts."""

    def start(listen=None, receiver=(), exporters=DISCARD, **tls):
        settings = {"certificate": str(files[0]), "key": str(files[1]), "reload": "1s"} | tls
        gateway = millrace(
            exporters,
            starts=False,
            receivers={
                "otlp": {"type": "otlp_http", "listen": listen or f"127.0.0.1:{free_port()}", "tls": settings}
                | dict(receiver)
            },
        )
        gateway.session.verify = str(authority.certificate)
        return gateway.start()

    return start


def curl(url, *options, body=b""):
    """(exit code, status, what it says on stderr) of a request by curl."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "10", "--output", "/dev/null", "--write-out", "%{http_code}",
         "--header", f"content-type: {PROTOBUF}", "--data-binary", "@-", *map(str, options), url],
        input=body, capture_output=True, timeout=30,
    )  # fmt: skip
    return done.returncode, int(done.stdout or 0), done.stderr.decode()


def s_client(gateway, *options, sends=b""):
    """What `openssl s_client` says of a connection."""
    host, port = gateway.address
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{host}:{port}", *map(str, options)],
        input=sends, capture_output=True, timeout=30,
    )  # fmt: skip
    return done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


def served(gateway, authority):
    """The serial number of the certificate that a new connection gets."""
    context = ssl.create_default_context(cafile=authority.certificate)
    with socket.create_connection(gateway.address, timeout=10) as stream:
        with context.wrap_socket(stream, server_hostname="localhost") as tls:
            return tls.getpeercert()["serialNumber"]


def serial(certificate):
    return openssl("x509", "-in", certificate, "-noout", "-serial").stdout.strip().removeprefix("serial=")


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


@pytest.fixture
def clients(tmp_path):
    return Authority(tmp_path, "clients")


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


def test_another_authority_for_clients_counts_for_new_connections(secured, authority, clients, tmp_path):
    trusted = tmp_path / "clients.pem"
    put(clients.certificate, trusted)
    gateway = secured(client_ca=str(trusted))
    old, new = clients.issue("app"), Authority(tmp_path, "newer").issue("app")

    def takes(pair):
        options = ("--cacert", authority.certificate, "--cert", pair[0], "--key", pair[1])
        return curl(gateway.url + "/v1/traces", *options)[1] == 200

    assert takes(old) and not takes(new)
    put(tmp_path / "newer" / "ca.pem", trusted)
    eventually(lambda: takes(new), within=15)
    assert not takes(old)


# Certificates that change


def test_a_certificate_is_replaced_under_load_and_no_connection_is_dropped(secured, authority, files, tmp_path):
    gateway = secured()
    ended = threading.Event()
    problems, taken, connections = [], [], []

    def send():
        session = requests.Session()
        session.trust_env, session.verify = False, str(authority.certificate)
        try:
            while not ended.is_set():
                body = otlp.request("load").SerializeToString()
                answer = session.post(
                    gateway.url + "/v1/traces", data=body, headers={"content-type": PROTOBUF}, timeout=10
                )
                assert answer.status_code == 200
                taken.append(1)
        except Exception as error:
            problems.append(error)
        pools = session.get_adapter(gateway.url).poolmanager.pools
        connections.extend(pools[key].num_connections for key in pools.keys())

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for name in ("second", "third"):
            pair = authority.issue(name)
            put_pair(*pair, tmp_path)
            eventually(lambda pair=pair: served(gateway, authority) == serial(pair[0]), within=15)
            count = len(taken)
            eventually(lambda count=count: len(taken) > count + 20)
    finally:
        ended.set()
        for thread in threads:
            thread.join(20)
    assert not problems
    assert connections == [1] * 4
    assert gateway.process.log.count("TLS certificate replaced") == 2
    assert gateway.settled()["accepted_spans"] == 5 * len(taken)


def test_a_pair_that_does_not_fit_keeps_the_old_one_and_is_said_once(secured, authority, files, tmp_path):
    gateway = secured()
    before = served(gateway, authority)
    other = authority.issue("other")
    put(other[0], files[0])
    eventually(lambda: gateway.metric("millrace_tls_last_reload_success") == 0, within=15)
    assert served(gateway, authority) == before
    said = "TLS files changed and cannot be served; the earlier ones stay in use"
    assert gateway.process.log.count(said) == 1
    assert f"{files[1]} is not the key of the certificate in {files[0]}" in gateway.process.log
    files[0].write_text("rubbish")
    eventually(lambda: gateway.process.log.count(said) == 2, within=15)
    files[0].unlink()
    eventually(lambda: gateway.process.log.count(said) == 3, within=15)
    assert "No such file or directory" in gateway.process.log
    assert served(gateway, authority) == before
    assert gateway.admin("/readyz").status_code == 200
    put_pair(*other, tmp_path)
    eventually(lambda: served(gateway, authority) == serial(other[0]), within=15)
    assert gateway.metric("millrace_tls_last_reload_success") == 1


def test_the_expiry_is_a_metric_and_a_warning_and_the_process_stays_ready(secured, authority, files, tmp_path):
    gateway = secured()
    expiry = ssl.cert_time_to_seconds(openssl("x509", "-in", files[0], "-noout", "-enddate").stdout.strip()[9:])
    assert gateway.metric("millrace_tls_certificate_expiry_timestamp_seconds", listener="otlp") == expiry
    put_pair(*authority.issue("short", days=-1), tmp_path)
    eventually(lambda: "expired on" in gateway.process.log, within=15)
    assert gateway.metric("millrace_tls_certificate_expiry_timestamp_seconds", listener="otlp") < time.time()
    assert gateway.admin("/readyz").status_code == 200


# What keeps it from starting


def test_files_that_cannot_be_served_are_named_by_validate_and_keep_run_from_starting(millrace, authority, tmp_path):
    certificate, key = authority.issue("server")
    other = authority.issue("other")
    encrypted = tmp_path / "encrypted.key"
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", encrypted)
    pipe = tmp_path / "pipe.pem"
    os.mkfifo(pipe)
    gateway = millrace(DISCARD, starts=False)
    for pair, pointer, reason in (
        ((pipe, key), "certificate", f"{pipe} cannot be read: not a regular file"),
        ((tmp_path / "none.pem", key), "certificate", f"{tmp_path}/none.pem cannot be read: No such file or directory"),
        ((certificate, tmp_path / "none.key"), "key", f"{tmp_path}/none.key cannot be read"),
        ((certificate, encrypted), "key", f"{encrypted} holds an encrypted key; allowed: "),
        ((certificate, other[1]), "key", f"{other[1]} is not the key of the certificate in {certificate}"),
    ):
        for server in (gateway.pipeline["receivers"]["otlp"], gateway.pipeline["admin"]):
            server["tls"] = {"certificate": str(pair[0]), "key": str(pair[1])}
        gateway.save()
        for command in (("validate", gateway.file), ("run", "--config", gateway.file)):
            done = run(*command)
            assert done.returncode == 78
            for server in ("receivers/otlp", "admin"):
                assert f"/{server}/tls/{pointer}: {reason}" in done.stdout + done.stderr
    # Who only asks need not be able to read them.
    assert run("ledger", "--config", gateway.file).returncode == 1


def test_an_expired_certificate_is_a_warning(millrace, authority, tmp_path):
    certificate, key = authority.issue("old", days=-1)
    gateway = millrace(DISCARD, starts=False)
    gateway.pipeline["receivers"]["otlp"]["tls"] = {"certificate": str(certificate), "key": str(key)}
    gateway.save()
    done = run("validate", gateway.file)
    assert done.returncode == 0 and "valid" in done.stdout
    assert f"/receivers/otlp/tls/certificate: warning: {certificate} expired on" in done.stderr
    gateway.start()
    assert gateway.process.log.count("expired on") == 1


# The admin endpoint


def test_the_admin_endpoint_speaks_tls_and_commands_find_it(millrace, authority, files, tmp_path):
    gateway = millrace(
        DISCARD,
        starts=False,
        admin={
            "listen": f"127.0.0.1:{free_port()}",
            "tls": {"certificate": str(files[0]), "key": str(files[1]), "reload": "1s"},
        },
    )
    gateway.session.verify = str(authority.certificate)
    gateway.start()
    gateway.send("admin")
    assert gateway.settled()["accepted_spans"] == gateway.printed_ledger()["accepted_spans"] == 20
    assert gateway.dead_letters() == {"dead_letters": []} or gateway.dead_letters()["dead_letters"] == []
    plain = requests.get("http://" + gateway.pipeline["admin"]["listen"] + "/healthz", timeout=10)
    assert plain.status_code == 400 and "https://" in plain.text
    # Another key, and a certificate that has expired: commands go by the key alone.
    put_pair(*authority.issue("short", days=-1), tmp_path)
    eventually(lambda: "expired on" in gateway.process.log, within=15)
    assert gateway.printed_ledger()["accepted_spans"] == 20
    gateway.session.verify = False


def test_commands_say_what_they_lack_where_the_admin_endpoint_wants_certificates(millrace, authority, clients, files):
    gateway = millrace(
        DISCARD,
        starts=False,
        admin={
            "listen": f"127.0.0.1:{free_port()}",
            "tls": {"certificate": str(files[0]), "key": str(files[1]), "client_ca": str(clients.certificate)},
        },
    )
    gateway.session.verify = str(authority.certificate)
    gateway.session.cert = tuple(map(str, clients.issue("operator")))
    gateway.start()
    done = run("ledger", "--config", gateway.file)
    assert done.returncode == 1 and "commands have none to show" in done.stderr
