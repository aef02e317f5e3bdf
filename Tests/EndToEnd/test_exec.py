"""`millrace exec`: a command with the variables of all SDKs set, and a gateway beside it where none listens."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from conftest import AWAY, mlflow_exporter
from kit import otlp
from kit.certificates import Authority
from kit.environments import APPS, BINARY, CHECKOUT, clean_environment, program
from kit.millrace import pipeline, run
from kit.terminal import Terminal
from kit.waiting import eventually

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.fixture
def file(tmp_path, archives):
    """A pipeline file whose gateway nobody has started."""
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(pipeline(tmp_path, {"archive": archives("archive")})))
    return path


def receiver(file):
    return "http://" + json.loads(file.read_text())["receivers"]["otlp"]["listen"]


def begin(file, *command, **settings):
    """Starts `exec` in a process group of its own."""
    return subprocess.Popen(
        [str(BINARY), "exec", "--config", str(file), "--", *map(str, command)],
        env=clean_environment(**settings), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )


def test_an_app_sends_to_a_gateway_that_is_started_for_it_and_drained_behind_it(file, archives):
    done = run("exec", "--config", file, "--service", "shop", "--", program("clients", "python"), APPS / "shop.py")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr == f"millrace: 4 spans taken; archive {file.parent}/archive.jsonl: 4 delivered\n"
    assert sum(archives.spans("archive").values()) == 4, "what the app sent at its end is delivered"
    assert '"shop"' in (file.parent / "archive.jsonl").read_text()
    ledger = json.loads(run("ledger", "--config", file).stdout)["pipelines"]["traces"]
    assert (ledger["accepted_spans"], ledger["destinations"]["archive"]["queued"]) == (4, 0)


def test_a_gateway_that_listens_already_is_used_and_goes_on(millrace, archives):
    gateway = millrace({"archive": archives("archive")})
    done = run("exec", "--config", gateway.file, "--", program("clients", "python"), APPS / "shop.py")
    page = f"http://{gateway.pipeline['admin']['listen']}/"
    told = f"millrace: 4 spans taken meanwhile by the gateway at {gateway.pipeline['receivers']['otlp']['listen']}; look at it: {page}\n"
    assert (done.returncode, done.stderr) == (0, told)
    gateway.settled(accepted=4)
    silent = run("exec", "--config", gateway.file, "--", "true")
    assert "no span came from the command; likely causes" in silent.stderr


def test_a_gateway_that_is_started_again_meanwhile_is_not_taken_for_one_that_got_nothing(millrace, archives, tmp_path):
    gateway = millrace({"archive": archives("archive")})
    gateway.send("earlier", traces=3)
    came, ended = tmp_path / "came", tmp_path / "ended"
    wait = f"touch {came}; until test -e {ended}; do sleep 0.05; done"
    running = begin(gateway.file, "sh", "-c", wait)
    eventually(came.exists, within=20)
    gateway.stop()
    gateway.start()
    ended.touch()
    assert "has been started again meanwhile" in running.communicate(timeout=30)[1]


def send(path, status):
    """A command that posts a request with five spans to a path of the endpoint, and is answered so."""
    app = """
import os, sys, urllib.error, urllib.request
headers = {"content-type": "application/x-protobuf"}
request = urllib.request.Request(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + sys.argv[1], open(sys.argv[2], "rb").read(), headers)
try:
    status = urllib.request.urlopen(request).status
except urllib.error.HTTPError as error:
    status = error.code
assert status == int(sys.argv[3]), status
"""
    return lambda body: [sys.executable, "-c", app, path, body, str(status)]


@pytest.mark.parametrize(
    ("command", "exporter", "parts"),
    [
        (lambda body: ["true"], None, ["no span came from the command", "opentelemetry-distro"]),
        (send("/v1/spans", 404), None, ["nothing was taken", "answers: 1 of 404", "without /v1/traces"]),
        (send("/v1/traces", 200), AWAY, ["5 spans taken; out http://127.0.0.1:9: 5 wait in the journal (Failed to connect"]),
        (send("/v1/traces", 200), "refusing", ["5 spans taken; out http://127.0.0.1:", ": 5 dead lettered"]),
        (lambda body: ["/nonexistent/app"], None, None),
    ],
    ids=["nothing sent", "wrong path", "away", "refused", "no command"],
)
def test_at_the_end_it_says_what_became_of_the_spans(file, tmp_path, sink, command, exporter, parts):
    if exporter:
        sink.refuses = lambda request: (400, {"message": "no"})
        document = json.loads(file.read_text())
        own = {"type": "otlp_http", "endpoint": sink.url} if exporter == "refusing" else exporter
        document["exporters"] = {"out": own}
        document["pipelines"]["traces"]["exporters"] = ["out"]
        file.write_text(json.dumps(document))
    body = tmp_path / "body.pb"
    body.write_bytes(otlp.request("app").SerializeToString())
    done = run("exec", "--config", file, "--", *command(body))
    lines = [line for line in done.stderr.splitlines() if line.startswith("millrace: ")]
    if parts is None:
        assert (done.returncode, lines) == (127, [])
    else:
        assert done.returncode == 0, done.stderr
        assert len(lines) == 1 and all(part in lines[0] for part in parts), done.stderr


def test_mlflow_s_page_of_the_spans_is_named(mlflow, tmp_path):
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(pipeline(tmp_path, {"mlflow": mlflow_exporter(mlflow)}, drain_timeout="60s")))
    done = run("exec", "--config", path, "--service", "named-page", "--", program("clients", "python"), APPS / "shop.py", within=90)
    (experiment,) = re.findall(rf'mlflow {mlflow.url}/#/experiments/(\d+)/traces, experiment "named-page": 4 delivered', done.stderr)
    assert mlflow.expect_traces("named-page", spans=4) and experiment != "0"


def test_another_process_at_the_admin_port_is_no_reason_not_to_run(file, millrace, archives, tmp_path):
    other = millrace({"archive": archives("other")}, directory=tmp_path / "other")
    document = json.loads(file.read_text())
    document["admin"] = other.pipeline["admin"]
    file.write_text(json.dumps(document))
    show = f"import subprocess; print(subprocess.run(['{BINARY}', 'ledger', '--config', '{file}'], capture_output=True, text=True).stdout)"
    done = run("exec", "--config", file, "--", sys.executable, "-c", show)
    assert done.returncode == 0, done.stderr
    assert "accepted_spans" in json.loads(done.stdout)["pipelines"]["traces"], "commands find the port that it has"
    process = run("run", "--config", file)
    assert (process.returncode, 'the "listen" of "admin" in the pipeline file' in process.stderr) == (1, True)


@pytest.mark.parametrize("taken", ["receiver", "journal"])
def test_a_gateway_that_starts_in_part_is_none_and_the_command_does_not_run(file, taken):
    document = json.loads(file.read_text())
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        if taken == "receiver":
            document["receivers"]["grpc"] = {"type": "otlp_grpc", "listen": "127.0.0.1:%d" % other.getsockname()[1]}
            document["pipelines"]["traces"]["receivers"].append("grpc")
        else:
            (file.parent / "no-directory").write_text("")
            document["journal"]["directory"] = str(file.parent / "no-directory")
        file.write_text(json.dumps(document))
        done = run("exec", "--config", file, "--", "sh", "-c", "echo ran")
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "so the command does not run" in done.stderr


def test_the_variables_say_where_and_what_for_every_language(file):
    given = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://elsewhere:4318/v1/traces", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_LOGS_EXPORTER": "console",
    }
    done = run("exec", "--config", file, "--", sys.executable, "-c", SHOW, **given)
    seen = json.loads(done.stdout)
    assert seen["OTEL_EXPORTER_OTLP_ENDPOINT"] == receiver(file)
    assert seen["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" not in seen, "it would win over the endpoint"
    exporters = {signal: seen[f"OTEL_{signal}_EXPORTER"] for signal in ("TRACES", "METRICS", "LOGS")}
    assert exporters == {"TRACES": "otlp", "METRICS": "none", "LOGS": "console"}, "what is set stays, what nobody takes is off"
    assert CAPTURE not in seen, "it would come as log records, which nobody takes"
    assert seen["CLAUDE_CODE_ENABLE_TELEMETRY"] == seen["OTEL_LOG_USER_PROMPTS"] == "1"
    assert seen["GEMINI_TELEMETRY_OTLP_ENDPOINT"] == receiver(file)
    assert "OTEL_SERVICE_NAME" not in seen, "a name in the app's code is not to be lost"
    document = json.loads(file.read_text())
    document["pipelines"]["traces"]["signals"] = ["traces", "logs"]
    file.write_text(json.dumps(document))
    seen = json.loads(run("exec", "--config", file, "--", sys.executable, "-c", SHOW).stdout)
    assert seen[CAPTURE] == "true" and seen["OTEL_LOGS_EXPORTER"] == "otlp"


def test_the_table_of_clients_is_that_of_the_documentation():
    written = (CHECKOUT / "pipelines/docs/connect.md").read_text()
    assert written.endswith(run("reference", "--clients").stdout)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM),
        (["/nonexistent/app"], 127), (["/etc/passwd"], 126),
    ],
    ids=["its own", "of a signal", "not found", "no program"],
)
def test_the_exit_code_is_that_of_the_command(file, command, code):
    assert run("exec", "--config", file, "--", *command).returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1], ids=lambda number: number.name)
def test_a_signal_reaches_the_command_and_the_gateway_drains_behind_it(file, archives, number):
    app = """
import signal, sys, urllib.request, os
def end(number, frame):
    body = open(sys.argv[1], "rb").read()
    address = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces"
    request = urllib.request.Request(address, body, {"content-type": "application/x-protobuf"})
    print("ended by", number, urllib.request.urlopen(request).status, flush=True)
    sys.exit(3)
signal.signal(int(sys.argv[2]), end)
print("ready", flush=True)
while True: signal.pause()
"""
    body = file.parent / "body.pb"
    body.write_bytes(otlp.request("app").SerializeToString())
    child = begin(file, sys.executable, "-c", app, body, int(number))
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, number)
    output, errors = child.communicate(timeout=30)
    assert (output, child.returncode) == (f"ended by {int(number)} 200\n", 3), errors
    assert sum(archives.spans("archive").values()) == 5


def test_on_a_terminal_the_command_has_the_keys_and_ctrl_c_reaches_it_once(file, archives, tmp_path):
    app = """
import os, signal, sys, urllib.request
count = []
def interrupted(*_):
    count.append(1)
    body = open(sys.argv[1], "rb").read()
    address = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces"
    urllib.request.urlopen(urllib.request.Request(address, body, {"content-type": "application/x-protobuf"}))
    print("interrupted", len(count), flush=True)
    sys.exit(5)
signal.signal(signal.SIGINT, interrupted)
print("ready", flush=True)
print("got", input(), flush=True)
while True: signal.pause()
"""
    body = tmp_path / "body.pb"
    body.write_bytes(otlp.request("app").SerializeToString())
    script = tmp_path / "app.py"
    script.write_text(app)
    terminal = Terminal(tmp_path, BINARY, "exec", "--config", file, "--", sys.executable, script, body)
    try:
        eventually(lambda: "ready" in terminal.text, within=30, every=0.2)
        terminal.keys("hello", "Enter")
        eventually(lambda: "got hello" in terminal.text, within=15, every=0.2)
        terminal.keys("C-c")
        eventually(lambda: terminal.ended.exists() and terminal.ended.read_text() == "5\n", within=30, every=0.2)
        assert "interrupted 1" in terminal.text
    finally:
        terminal.close()
    assert sum(archives.spans("archive").values()) == 5


def test_a_gateway_does_not_outlive_an_exec_that_is_killed(file):
    child = begin(file, sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)")
    assert child.stdout.readline() == "ready\n"
    (command,) = subprocess.run(["pgrep", "-P", str(child.pid), "python"], capture_output=True, text=True).stdout.split()
    child.kill()
    child.wait()
    os.kill(int(command), signal.SIGKILL)

    def gone():
        holder = subprocess.run([BINARY, "reload", "--config", file], capture_output=True, text=True, env=clean_environment())
        return "no process has the journal" in holder.stderr

    eventually(gone, within=15, every=0.1)


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        ([], 64, "millrace exec -- python app.py"),
        (["--config", "/nonexistent.json", "--", "true"], 78, "No such file"),
    ],
    ids=["no command", "no file"],
)
def test_wrong_usage_is_told(arguments, code, hint):
    done = run("exec", *arguments)
    assert done.returncode == code
    assert hint in done.stderr


def test_a_gateway_that_cannot_start_says_why_and_the_command_does_not_run(file, millrace, archives, tmp_path):
    gateway = millrace({"archive": archives("other")}, directory=tmp_path / "other")
    document = json.loads(file.read_text())
    document["journal"] = gateway.pipeline["journal"]
    file.write_text(json.dumps(document))
    done = run("exec", "--config", file, "--", "sh", "-c", "echo ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert "journal" in done.stderr


def test_a_signal_while_the_gateway_starts_ends_both_and_the_command_does_not_run(file, tmp_path):
    """The gateway reads its file after `exec` has, and waits there for what a pipe is to give it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    document = json.loads(file.read_text())
    document["exporters"]["more"] = {"type": "otlp_http", "endpoint": "http://127.0.0.1:9", "headers": {"x-key": f"${{file:{pipe}}}"}}
    document["pipelines"]["traces"]["exporters"].append("more")
    file.write_text(json.dumps(document))
    child = begin(file, "sh", "-c", f"echo ran > {tmp_path}/ran")
    try:
        pipe.write_text("key")
        eventually(lambda: subprocess.run(["pgrep", "-P", str(child.pid)], capture_output=True).returncode == 0, within=15, every=0.05)
        os.kill(child.pid, signal.SIGINT)
        child.communicate(timeout=15)
        assert child.returncode == 128 + signal.SIGINT
    finally:
        child.kill()
        child.communicate()
    assert not (tmp_path / "ran").exists()


def test_a_gateway_of_somebody_else_that_ends_is_told(millrace, archives):
    gateway = millrace({"archive": archives("archive")})
    child = subprocess.Popen(
        [str(BINARY), "exec", "--config", str(gateway.file), "--", "cat"], env=clean_environment(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    try:
        child.stdin.write("line\n")
        child.stdin.flush()
        assert child.stdout.readline() == "line\n"
        gateway.stop()
        assert "has ended: what the command sends is not taken until one listens there again" in child.stderr.readline()
        child.stdin.close()
        assert child.wait(timeout=15) == 0
    finally:
        child.kill()


def test_what_answers_and_runs_another_file_is_told(millrace, file, archives, tmp_path):
    gateway = millrace({"archive": archives("other")}, directory=tmp_path / "other")
    document = json.loads(file.read_text())
    document["receivers"] = gateway.pipeline["receivers"]
    file.write_text(json.dumps(document))
    done = run("exec", "--config", file, "--", "true")
    assert done.returncode == 0 and "by no process that runs" in done.stderr


def test_content_can_be_left_off_and_tls_asks_for_its_authority(file, tmp_path):
    done = run("exec", "--config", file, "--no-content", "--", sys.executable, "-c", SHOW)
    seen = json.loads(done.stdout)
    assert seen["OTEL_TRACES_EXPORTER"] == "otlp" and seen["OTEL_EXPORTER_OTLP_ENDPOINT"] == receiver(file)
    assert not {"ENABLE_SENSITIVE_DATA", "OTEL_LOG_USER_PROMPTS", CAPTURE} & set(seen)
    assert seen["CLAUDE_CODE_ENABLE_TELEMETRY"] == "1", "telemetry without content is telemetry"
    assert seen["GEMINI_TELEMETRY_OTLP_ENDPOINT"] == receiver(file) and seen["GEMINI_TELEMETRY_LOG_PROMPTS"] == "false"
    certificate, key = Authority(tmp_path).issue("server")
    document = json.loads(file.read_text())
    document["receivers"]["otlp"]["tls"] = {"certificate": str(certificate), "key": str(key)}
    file.write_text(json.dumps(document))
    assert "set OTEL_EXPORTER_OTLP_CERTIFICATE" in run("exec", "--config", file, "--", "true").stderr
    done = run("exec", "--config", file, "--", "true", OTEL_EXPORTER_OTLP_CERTIFICATE="/authority.pem")
    assert "OTEL_EXPORTER_OTLP_CERTIFICATE" not in done.stderr
