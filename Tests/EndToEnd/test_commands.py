"""The command line and the admin endpoint, as scripts and supervisors use them."""

import json
import re
import signal

import jsonschema
import pytest

from kit import otlp
from kit.environments import BINARY, CHECKOUT
from kit.millrace import OUTCOMES, checked, pipeline, run
from kit.processes import Process
from kit.waiting import eventually

CONFIGURATION, USAGE = 78, 64


@pytest.fixture
def archive(tmp_path):
    return {"archive": {"type": "file", "path": str(tmp_path / "archive.jsonl")}}


@pytest.fixture
def bad_file(tmp_path, archive):
    """A pipeline file with five different errors."""
    document = pipeline(tmp_path, archive)
    document["receivers"]["otlp"]["listn"] = "127.0.0.1:4318"
    document["receivers"]["otlp"]["max_body"] = 1048576
    document["processors"]["map"]["type"] = "mlflow_mapp"
    document["pipelines"]["traces"]["exporters"] = ["archiv"]
    document["drain_timeout"] = "soon"
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(document, indent=2))
    return path


ERRORS = {
    "/receivers/otlp/listn": "listen",
    "/receivers/otlp/max_body": "MiB",
    "/processors/map/type": "mlflow_map",
    "/pipelines/traces/exporters/0": "archive",
    "/drain_timeout": "s",
}


@pytest.mark.parametrize("command", [["validate"], ["run", "--config"]], ids=" ".join)
def test_every_error_of_a_file_is_named_with_its_place_and_a_hint(bad_file, command):
    done = run(*command, bad_file)
    assert done.returncode == CONFIGURATION
    found = {}
    for line in (done.stdout + done.stderr).splitlines():
        match = re.fullmatch(rf".*?{re.escape(str(bad_file))}:(\d+):(\d+): (/\S+): (.+)", line)
        if match:
            found[match[3]] = (int(match[1]), match[4])
    assert set(found) == set(ERRORS)
    lines = bad_file.read_text().splitlines()
    for pointer, hint in ERRORS.items():
        number, message = found[pointer]
        assert hint in message, f"{pointer}: {message}"
        key = [part for part in pointer.split("/") if not part.isdigit()][-1]
        assert key in lines[number - 1] or "archiv" in lines[number - 1], f"{pointer} is not in line {number}"


def test_a_file_that_is_not_json_is_named_with_line_and_column(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text('{\n  "receivers": {,\n}\n')
    done = run("validate", path)
    assert done.returncode == CONFIGURATION
    assert f"{path}:2:17" in done.stdout + done.stderr


def test_a_good_file_is_valid_and_printed_without_its_secrets(tmp_path, archive):
    document = pipeline(tmp_path, archive)
    document["exporters"]["away"] = {
        "type": "mlflow", "endpoint": "http://127.0.0.1:5000", "username": "ada", "password": "${env:SECRET_WORD}"
    }
    path = tmp_path / "good.json"
    path.write_text(json.dumps(document))
    assert run("validate", path, SECRET_WORD="hush-hush").returncode == 0
    printed = run("validate", path, "--print", SECRET_WORD="hush-hush")
    assert printed.returncode == 0
    assert "archive" in printed.stdout and "hush-hush" not in printed.stdout + printed.stderr


@pytest.mark.parametrize(
    "arguments",
    [["jump"], ["run", "--confg", "x"], ["validate"], ["ledger", "--nonsense"]],
    ids=" ".join,
)
def test_wrong_usage_is_64(arguments):
    done = run(*arguments)
    assert done.returncode == USAGE
    assert done.stderr and not done.stdout


def test_a_missing_file_is_wrong_configuration():
    assert run("run", "--config", "/nonexistent/pipeline.json").returncode == CONFIGURATION


def test_the_version_is_one_line():
    done = run("version")
    assert done.returncode == 0
    assert re.fullmatch(r"(millrace )?\d+\.\d+\.\d+\S*\n", done.stdout)


def test_the_schema_takes_every_example_and_refuses_an_unknown_key():
    done = run("schema")
    assert done.returncode == 0
    schema = json.loads(done.stdout)
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    examples = sorted((CHECKOUT / "pipelines").glob("*.json"))
    assert examples
    for path in examples:
        jsonschema.validate(json.loads(path.read_text()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"recievers": {}}, schema)


def test_a_port_that_is_taken_is_a_failure_while_running(millrace, archive, tmp_path):
    gateway = millrace(archive)
    document = pipeline(tmp_path, archive, journal={"storage": "memory", "directory": str(tmp_path / "journal")})
    document["receivers"] = gateway.pipeline["receivers"]
    path = tmp_path / "second.json"
    path.write_text(json.dumps(document))
    done = run("run", "--config", path)
    assert done.returncode == 1
    assert gateway.address[0] in done.stderr


def test_two_processes_do_not_share_one_journal(millrace, archive, tmp_path):
    gateway = millrace(archive)
    document = pipeline(tmp_path, archive, journal=gateway.pipeline["journal"])
    path = tmp_path / "second.json"
    path.write_text(json.dumps(document))
    done = run("run", "--config", path)
    assert done.returncode == 1
    assert "journal" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_drains_and_ends_with_zero(millrace, archive, tmp_path, number):
    gateway = millrace(archive)
    message = otlp.request("drained", spans=50)
    assert gateway.post(message.SerializeToString()).status_code == 200
    gateway.process.send(number)
    assert gateway.process.wait(10) == 0
    assert set(otlp.spans_of_file(tmp_path / "archive.jsonl")) == set(otlp.spans_of(message))


def test_the_admin_endpoint_tells_health_readiness_metrics_and_ledger(millrace, archive):
    gateway = millrace(archive)
    assert gateway.admin("/healthz").status_code == 200
    assert gateway.admin("/readyz").status_code == 200
    assert gateway.admin("/nowhere").status_code == 404
    assert gateway.post(otlp.request("counted").SerializeToString()).status_code == 200
    assert gateway.post(b"\xff\xff").status_code == 400
    ledger = gateway.settled(accepted=5)
    row = ledger["destinations"]["archive"]
    assert set(row) >= {"since", "accepted", *OUTCOMES}
    assert row["delivered"] == 5

    metrics = gateway.admin("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert gateway.metric("millrace_receiver_accepted_spans_total", receiver="otlp", signal="traces") == 5
    assert gateway.metric("millrace_receiver_requests_total", code="200") == 1
    assert gateway.metric("millrace_receiver_requests_total", code="400") == 1
    assert gateway.metric("millrace_exporter_delivered_spans_total", exporter="archive") == 5
    assert 0 < gateway.metric("millrace_process_resident_bytes") < 1 << 30
    for line in metrics.text.splitlines():
        assert re.fullmatch(r'#.*|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? \S+', line), line


def test_the_ledger_is_the_same_from_the_process_and_from_the_journal(millrace, archive):
    gateway = millrace(archive)
    for _ in range(3):
        assert gateway.post(otlp.request("counted").SerializeToString()).status_code == 200
    running = gateway.settled(accepted=15)
    asked = run("ledger", "--config", gateway.file)
    assert asked.returncode == 0
    assert checked(json.loads(asked.stdout))["destinations"] == running["destinations"]

    gateway.stop()
    from_journal = run("ledger", "--config", gateway.file)
    assert from_journal.returncode == 0
    ledger = checked(json.loads(from_journal.stdout))
    assert ledger["accepted_spans"] == 15
    assert ledger["destinations"] == running["destinations"]


def test_without_a_file_the_embedded_pipeline_runs(tmp_path):
    """On its fixed ports, so only where they are free; what it needs and writes is its own directory."""
    process = Process("millrace", [BINARY, "run"], tmp_path, {"PATH": "/usr/bin:/bin"})
    process.start()
    try:
        eventually(lambda: "4317" in process.log and "4318" in process.log or not process.running, within=15)
        if not process.running:
            assert process.child.returncode == 1
            pytest.skip("the default ports are taken on this machine")
    finally:
        process.end_group()
    assert process.child.returncode == 0

