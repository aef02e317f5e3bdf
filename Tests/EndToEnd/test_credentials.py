"""Credentials towards destinations: secrets in files are read again."""

import pytest
import requests

from conftest import mlflow_exporter, otlp_exporter
from kit.mlflow_server import MLflowServer
from kit.waiting import eventually


PARKED = 100
"""Seconds within which a parked route is tried again."""


def each_arrived_once(sink, spans, within=60):
    eventually(lambda: spans <= sink.spans, within=within)
    assert set(sink.received.values()) == {1}


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_is_rotated_in_its_file(millrace, sink, tmp_path, status):
    keys = {"first-key"}
    sink.admits = lambda _, headers: None if headers.get("x-api-key") in keys else (status, {"message": "who?"})
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
