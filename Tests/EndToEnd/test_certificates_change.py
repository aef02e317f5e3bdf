"""Certificates of the receiver and of the admin endpoint that change, end, or cannot be served."""

import os
import socket
import ssl
import threading
import time

import requests

from kit import otlp
from kit.certificates import Authority, openssl, put
from kit.environments import free_port
from kit.millrace import PROTOBUF, run
from kit.tls import DISCARD, authority, clients, curl, files, put_pair, secured
from kit.waiting import eventually


def served(gateway, authority):
    """The serial number of the certificate that a new connection gets."""
    context = ssl.create_default_context(cafile=authority.certificate)
    with socket.create_connection(gateway.address, timeout=10) as stream:
        with context.wrap_socket(stream, server_hostname="localhost") as tls:
            return tls.getpeercert()["serialNumber"]


def serial(certificate):
    return openssl("x509", "-in", certificate, "-noout", "-serial").stdout.strip().removeprefix("serial=")


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
