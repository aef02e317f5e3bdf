"""Credentials towards destinations: tokens are fetched and renewed, secrets in files are read again, none is ever shown."""

import json
import ssl
import time

import pytest
import requests

from conftest import mlflow_exporter, otlp_exporter
from kit.aws import Signatures
from kit.certificates import Authority
from kit.load import Load
from kit.millrace import run
from kit.mlflow_server import MLflowServer
from kit.sink import Sink
from kit.token_server import TokenServer
from kit.waiting import eventually


@pytest.fixture
def issuer():
    server = TokenServer().start()
    yield server
    server.close()


@pytest.fixture
def guarded(sink, issuer):
    """A destination that takes nothing without a token."""
    sink.admits = issuer.admits
    return sink


PARKED = 100
"""Seconds within which a parked route is tried again."""


def each_arrived_once(sink, spans, within=60):
    eventually(lambda: spans <= sink.spans, within=within)
    assert set(sink.received.values()) == {1}


def test_a_token_is_renewed_before_its_end_and_nothing_is_refused(millrace, guarded, issuer):
    issuer.lifetime = 4
    gateway = millrace({"out": otlp_exporter(guarded, oauth2=issuer.settings(scope="all-apis traces"))})
    start = time.monotonic()
    with Load(gateway, "load") as load:
        eventually(lambda: len(issuer.issued) >= 4, within=60)
    each_arrived_once(guarded, load.acknowledged)
    assert (set(load.statuses), load.broken, issuer.refused, gateway.failures("out")) == ({200}, 0, 0, 0)
    assert set(issuer.requests) == {(issuer.client, "all-apis traces", 200)}
    assert len(issuer.requests) <= 2 + (time.monotonic() - start) / 3


def test_a_revoked_token_is_replaced_by_one_request_and_nothing_is_lost(millrace, guarded, issuer):
    gateway = millrace({"out": otlp_exporter(guarded, oauth2=issuer.settings(), batch={"linger": "1ms"})})
    with Load(gateway, "load") as load:
        load.acknowledge(50)
        issuer.revoke()
        load.acknowledge(200)
    each_arrived_once(guarded, load.acknowledged)
    assert len(issuer.issued) == 2
    assert 1 <= issuer.refused <= 4
    assert gateway.failures("out") == 0


def test_a_destination_that_refuses_every_token_parks_its_spans_and_does_not_make_it_ask_on_and_on(
    millrace, sink, issuer
):
    refused = []
    sink.admits = lambda *_: refused.append(1) or (401, {"message": "not for you"})
    gateway = millrace({"out": otlp_exporter(sink, oauth2=issuer.settings())})
    sent = gateway.send("unwelcome")
    eventually(lambda: "status 401: not for you" in gateway.process.log)
    assert (len(issuer.issued), gateway.row("out")["queued"]) == (2, len(sent))
    assert 2 <= len(refused) <= 8
    sink.admits = issuer.admits
    each_arrived_once(sink, sent, within=PARKED)
    assert len(issuer.issued) == 2


def test_spans_wait_while_no_token_can_be_had(millrace, guarded, issuer):
    issuer.close()
    gateway = millrace({"out": otlp_exporter(guarded, oauth2=issuer.settings())})
    sent = gateway.send("early")
    eventually(lambda: gateway.failures("out") >= 4)
    assert f"no token from {issuer.url}: Failed to connect" in gateway.process.log
    assert (gateway.row("out")["queued"], issuer.refused) == (len(sent), 0)
    issuer.start()
    each_arrived_once(guarded, sent)


def test_a_client_that_is_not_known_is_said_and_asks_seldom(millrace, guarded, issuer, tmp_path):
    file = tmp_path / "secret"
    file.write_text("wrong-client-secret\n")
    settings = issuer.settings(client_secret=f"${{file:{file}}}")
    gateway = millrace({"out": otlp_exporter(guarded, oauth2=settings)})
    start = time.monotonic()
    sent = gateway.send("early")
    eventually(lambda: "status 401: invalid_client: no client has the secret ***" in gateway.process.log)
    file.write_text(issuer.secret)
    each_arrived_once(guarded, sent)
    assert len(issuer.requests) <= 3 + (time.monotonic() - start) / 30
    assert [status for _, _, status in issuer.requests][-1] == 200
    assert "wrong-client-secret" not in gateway.process.log


def test_a_client_secret_is_rotated_in_its_file(millrace, guarded, issuer, tmp_path):
    file = tmp_path / "secret"
    file.write_text(issuer.secret)
    gateway = millrace({"out": otlp_exporter(guarded, oauth2=issuer.settings(client_secret=f"${{file:{file}}}"))})
    each_arrived_once(guarded, gateway.send("before"))
    issuer.secret = "another-client-secret"
    file.write_text(issuer.secret)
    issuer.revoke()
    each_arrived_once(guarded, gateway.send("after"))
    assert [status for _, _, status in issuer.requests] == [200, 401, 200]
    assert gateway.failures("out") == 0


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_is_rotated_in_its_file(millrace, sink, tmp_path, status):
    keys = {"first-key"}
    sink.admits = lambda _, headers, __: None if headers.get("x-api-key") in keys else (status, {"message": "who?"})
    file = tmp_path / "key"
    file.write_text("first-key\n")
    gateway = millrace({"out": otlp_exporter(sink, headers={"X-Api-Key": f"${{file:{file}}}"})})
    each_arrived_once(sink, gateway.send("before"))
    for key in ("second-key", "third-key"):
        keys.clear()
        keys.add(key)
        file.write_text(key + "\n")
        each_arrived_once(sink, gateway.send("after"))
    assert gateway.failures("out") == 0


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_requests_are_signed_for_aws_and_keys_rotate_in_their_files(millrace, sink, tmp_path, compression):
    aws = Signatures("xray")
    sink.admits = aws.admits
    files = {name: tmp_path / name for name in ("access_key_id", "secret_access_key", "session_token")}

    def write():
        for name, file in files.items():
            file.write_text(aws.settings()[name] + "\n")

    write()
    settings = aws.settings(**{name: f"${{file:{file}}}" for name, file in files.items()})
    gateway = millrace({"out": otlp_exporter(sink, sigv4=settings, compression=compression)})
    each_arrived_once(sink, gateway.send("before"))
    assert (aws.refused, aws.signed_names) == (0, {"content-type;host;x-amz-date;x-amz-security-token"})
    aws.keys = ("AKIDANOTHER", "another-secret-key", "another-token")
    write()
    each_arrived_once(sink, gateway.send("after"))
    assert (aws.refused, gateway.failures("out")) == (1, 0)


def context(certificate, key):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return tls


def test_a_token_endpoint_has_to_show_who_it_is_even_where_the_destination_has_not(millrace, sink, tmp_path):
    authority = Authority(tmp_path)
    issuer = TokenServer(context(*authority.issue("issuer"))).start()
    sink.admits = issuer.admits
    gateway = millrace({"out": otlp_exporter(sink, oauth2=issuer.settings(), tls={"verify": False})})
    sent = gateway.send("early")
    eventually(lambda: f"no token from {issuer.url}: SSL" in gateway.process.log)
    assert not issuer.requests and not sink.requests
    gateway.stop()
    gateway.change({"out": otlp_exporter(sink, oauth2=issuer.settings(), tls={"ca": str(authority.certificate)})})
    gateway.start()
    each_arrived_once(sink, sent)
    issuer.close()


def test_databricks_is_an_endpoint_a_table_and_a_client(millrace, sink, issuer):
    asked = []

    def admits(path, headers, body):
        asked.append((path, headers.get("x-databricks-uc-table-name")))
        return issuer.admits(path, headers, body)

    sink.admits = admits
    exporter = otlp_exporter(
        sink,
        traces_endpoint=sink.url + "/api/2.0/otel/v1/traces",
        headers={"X-Databricks-UC-Table-Name": "main.traces.otel_spans"},
        oauth2=issuer.settings(scope="all-apis"),
    )
    del exporter["endpoint"]
    each_arrived_once(sink, millrace({"out": exporter}).send("shop"))
    assert set(asked) == {("/api/2.0/otel/v1/traces", "main.traces.otel_spans")}


def test_one_token_serves_the_traces_and_the_look_ups_of_mlflow(millrace, mlflow, issuer, service):
    gateway = millrace({"mlflow": mlflow_exporter(mlflow, oauth2=issuer.settings())})
    for name in (service, service + "-more"):
        gateway.send(name, traces=1)
        mlflow.expect_traces(name, spans=5)
    assert len(issuer.requests) == 1


CSRF = "class CSRFProtect:\n    def init_app(self, app):\n        pass\n\n    def protect(self):\n        pass\n"
"""In place of Flask-WTF, which protects a form that nobody fills in here."""


@pytest.fixture
def locked_mlflow(tmp_path):
    """An MLflow that asks for user and password; `password` is the administrator's."""
    stub = tmp_path / "stub/flask_wtf"
    stub.mkdir(parents=True)
    (stub / "__init__.py").touch()
    (stub / "csrf.py").write_text(CSRF)
    server = MLflowServer("3.17.2", tmp_path / "locked")
    users = tmp_path / "users.ini"
    users.write_text(
        "[mlflow]\ndefault_permission = READ\nadmin_username = admin\n"
        f"database_uri = sqlite:///{tmp_path}/users.db\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    server.password = "first password of admin"
    server.process.arguments += ["--app-name", "basic-auth"]
    server.process.environment |= {
        "PYTHONPATH": str(stub.parent), "MLFLOW_AUTH_CONFIG_PATH": str(users),
        "MLFLOW_AUTH_ADMIN_PASSWORD": server.password, "MLFLOW_FLASK_SERVER_SECRET_KEY": "a key for sessions",
    }  # fmt: skip
    server.start()
    yield server.wait()
    server.close()


def test_mlflows_password_is_rotated_in_its_file(millrace, locked_mlflow, tmp_path):
    session = requests.Session()
    session.trust_env = False
    session.auth = ("admin", locked_mlflow.password)
    api = locked_mlflow.url + "/api/2.0/mlflow"
    file = tmp_path / "password"
    file.write_text(locked_mlflow.password + "\n")
    gateway = millrace(
        {"mlflow": mlflow_exporter(locked_mlflow, username="admin", password=f"${{file:{file}}}")}
    )
    sent = gateway.send("before")
    gateway.delivered("mlflow", len(sent))
    another = {"username": "admin", "password": "second password of admin"}
    known = {"current_password": locked_mlflow.password}
    changed = session.patch(api + "/users/update-password", json=another | known, timeout=30)
    assert changed.status_code == 200, changed.text
    waiting = gateway.send("between")
    eventually(lambda: "MLflow refuses the credentials (401)" in gateway.process.log)
    file.write_text(another["password"] + "\n")
    gateway.delivered("mlflow", len(sent) + len(waiting), within=PARKED)
    session.auth = ("admin", another["password"])
    names = {
        found["name"]
        for found in session.get(api + "/experiments/search?max_results=100", timeout=30).json()["experiments"]
    }
    assert {"before", "between"} <= names


def test_no_secret_is_shown_anywhere(millrace, sink, issuer, tmp_path):
    echoed = []

    def admits(path, headers, body):
        if issuer.admits(path, headers, body):
            return 401, {"message": f"refused: {headers.as_string()}"}
        echoed.append(headers.as_string())
        return 400, {"message": f"this is what came: {headers.as_string()}"}

    sink.admits = admits
    file = tmp_path / "key"
    file.write_text("seeded-key-of-a-file")
    exporters = {
        "token": otlp_exporter(sink, oauth2=issuer.settings(), headers={"X-Key": f"${{file:{file}}}"}),
        "basic": mlflow_exporter(sink, username="seeded-user", password="seeded-password"),
        "bearer": otlp_exporter(sink, headers={"Authorization": "Bearer seeded-bearer", "X-Plain": "seeded-plain"}),
        "aws": otlp_exporter(sink, sigv4=Signatures("xray").settings()),
    }
    gateway = millrace(exporters, log={"level": "trace"})
    gateway.send("shop")
    eventually(lambda: gateway.row("token")["dead_lettered"] == 20)
    issuer.revoke()
    issuer.secret = "changed-client-secret"
    gateway.send("shop")
    eventually(lambda: "no token from" in gateway.process.log)
    printed = run("validate", gateway.file, "--print")
    letters = json.dumps(gateway.dead_letters())
    shown = [
        gateway.process.log, printed.stdout + printed.stderr, letters, gateway.admin("/metrics").text,
        gateway.admin("/ledger").text, gateway.admin("/readyz").text,
    ]  # fmt: skip
    assert "***" in gateway.process.log and "***" in printed.stdout and "***" in letters
    gateway.stop()
    shown += [path.read_bytes().decode("latin-1") for path in (tmp_path / "journal").rglob("*") if path.is_file()]
    assert any("seeded-key-of-a-file" in text for text in echoed)
    secrets = [
        "seeded-key-of-a-file", "seeded-password", "seeded-bearer", "client-secret", "seeded-secret-key",
        "seeded-session-token", "seeded-plain", *issuer.issued,
    ]  # fmt: skip
    for secret in secrets:
        assert not [text for text in shown if secret in text], secret
