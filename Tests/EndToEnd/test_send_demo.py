"""`millrace send-demo`: one trace of three spans, and where it can be looked at."""

import re

import pytest

from conftest import AWAY, mlflow_exporter
from kit import traces
from kit.certificates import Authority
from kit.environments import free_port
from kit.load import Load
from kit.millrace import run


def test_the_trace_arrives_and_the_command_says_where_it_is_and_where_it_waits(millrace, mlflow, archives):
    gateway = millrace({"mlflow": mlflow_exporter(mlflow), "archive": archives("archive"), "away": AWAY})
    done = run("send-demo", "--config", gateway.file)
    assert (done.returncode, done.stderr) == (1, ""), "one of the destinations has not got it"
    sent, *lines = done.stdout.splitlines()
    trace_id = re.fullmatch(rf"sent 3 spans to {gateway.url}/v1/traces: trace ([0-9a-f]{{32}})", sent)[1]
    places = dict(line.split(None, 1) for line in lines[1:])
    assert places["console"] == f"page  http://{gateway.pipeline['admin']['listen']}/"
    experiment = re.search(r"experiments/(\d+)/", places["mlflow"])[1]
    assert places["mlflow"] == f'{mlflow.url}/#/experiments/{experiment}/traces, experiment "millrace-demo"  (delivered)'
    assert places["archive"].endswith("archive.jsonl  (delivered)")
    assert re.search(r"\(waits: .*9.*\)", places["away"]), "the reason is the destination's"

    found = [trace for trace in mlflow.expect_traces("millrace-demo", spans=3) if trace_id in trace["id"]]
    assert traces.tree(found[0]) == {
        "invoke_agent weather": None,
        "execute_tool get_weather": "invoke_agent weather",
        "chat gpt-4o-mini": "invoke_agent weather",
    }
    types = {span: traces.span(found[0], span)["type"] for span in traces.tree(found[0])}
    assert set(types.values()) == {"AGENT", "TOOL", "CHAT_MODEL"}
    assert found[0]["tokens"]["total_tokens"] == 111
    assert {span for span in archives.spans("archive")} and gateway.row("away")["queued"] == 3


def test_it_sends_what_the_variables_of_an_app_say(millrace, archives, tmp_path):
    receivers = {
        "otlp": {
            "type": "otlp_http", "listen": f"127.0.0.1:{free_port()}",
            "auth": {"bearer": [{"token": "a-token-of-thirty-two-characters", "name": "ada"}]},
        }
    }
    gateway = millrace({"archive": archives("archive")}, receivers=receivers)
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": gateway.url.replace("127.0.0.1", "localhost")}
    refused = run("send-demo", **settings)
    assert (refused.returncode, "status 401" in refused.stderr, "--header" in refused.stderr) == (1, True, True)
    settings["OTEL_EXPORTER_OTLP_HEADERS"] = "Authorization=Bearer%20a-token-of-thirty-two-characters"
    sent = run("send-demo", **settings)
    assert sent.returncode == 0, sent.stderr
    assert "--config FILE" in sent.stdout, "nothing is told of a process that is not known"
    gateway.settled(accepted=3)
    assert sum(archives.spans("archive").values()) == 3


def windowed(exporters, **window):
    """The sections of a pipeline whose traces are put together before they go out."""
    processors = {
        "map": {"type": "mlflow_map"}, "whole": {"type": "assemble"} | window,
        "route": {"type": "mlflow_experiment"}, "batch": {"type": "batch", "linger": "50ms"},
    }
    parts = {"receivers": ["otlp"], "processors": list(processors), "exporters": exporters, "signals": ["traces", "logs"]}
    return {"processors": processors, "pipelines": {"traces": parts}}


def told(gateway, *arguments, **settings):
    """The exit code of the command, and what it says of each destination."""
    done = run("send-demo", "--config", gateway.file, *arguments, **settings)
    lines = [line.split(None, 1) for line in done.stdout.splitlines()[2:]]
    return done.returncode, {name: text for name, text in lines if name != "console"}


@pytest.mark.parametrize("kind", ["assemble", "tail_sample"])
def test_what_a_window_gathers_is_waited_for_until_it_is_delivered(millrace, mlflow, kind):
    settings = {"policies": [{"name": "all", "ratio": 1}], "after_root": "1s"} if kind == "tail_sample" else {}
    gateway = millrace({"mlflow": mlflow_exporter(mlflow)}, **windowed(["mlflow"], type=kind, **settings))
    code, places = told(gateway)
    assert gateway.row("mlflow")["delivered"] == 3, "it is delivered when it is said to be"
    assert code == 0
    assert re.fullmatch(rf'{mlflow.url}/#/experiments/\d+/traces, experiment "millrace-demo"  \(delivered\)', places["mlflow"])


def test_what_waits_behind_a_window_or_in_it_is_not_done(millrace, tmp_path):
    down = {"type": "mlflow", "endpoint": "http://127.0.0.1:9", "retry": {"initial": "100ms", "max": "1s"}}
    code, places = told(millrace({"mlflow": down}, **windowed(["mlflow"])))
    assert (code, "(waits: Failed to connect" in places["mlflow"]) == (1, True)
    assert 'experiment "millrace-demo"' in places["mlflow"], "the record that waits names it"
    slow = millrace({"mlflow": down}, directory=tmp_path / "slow", **windowed(["mlflow"], after_root="50s"))
    code, places = told(slow)
    assert (code, places["mlflow"]) == (
        1, "http://127.0.0.1:9/#/experiments  (waits in the window whole, which closes 50s after the last span)"
    )


@pytest.mark.parametrize(
    ("processor", "word"),
    [
        ({"type": "sample", "ratio": 1e-9}, "sampled out"),
        ({"type": "filter", "drop": {"service": "millrace-demo"}}, "filtered"),
        (
            {"type": "tail_sample", "after_root": "1s", "policies": [{"name": "none", "drop": {"root": True}}]},
            "sampled out",
        ),
    ],
    ids=["sample", "filter", "tail_sample"],
)
def test_what_a_processor_takes_out_is_said_with_its_name(millrace, archives, processor, word):
    sections = {"processors": {"share": processor}, "pipelines": {
        "traces": {"receivers": ["otlp"], "processors": ["share"], "exporters": ["archive"]}
    }}
    gateway = millrace({"archive": archives("archive")}, **sections)
    code, places = told(gateway)
    assert (code, places["archive"].split("  ")[-1]) == (1, f"({word} by share)")


def test_destinations_are_those_of_the_process_whatever_the_file_says_by_now(millrace, archives, tmp_path):
    gateway = millrace({"archive": archives("archive")})
    gateway.change({"screen": {"type": "console"}})
    code, places = told(gateway)
    assert (code, list(places)) == (0, ["archive"])
    assert sum(archives.spans("archive").values()) == 3
    other = millrace({"archive": archives("other")}, directory=tmp_path / "other")
    # What others send to it meanwhile is not the demo's.
    with Load(gateway, "busy", rate=50):
        done = run("send-demo", "--config", gateway.file, "--endpoint", other.url)
    assert "what took it is not the process" in done.stdout, "another process has it"


def test_refused_by_the_destination_is_a_dead_letter_and_not_done(millrace, sink):
    sink.refuses = lambda request: (400, {"message": "no such span"})
    code, places = told(millrace({"sink": {"type": "otlp_http", "endpoint": sink.url}}))
    assert (code, "(a dead letter" in places["sink"]) == (1, True), places


def test_what_tls_wants_is_said(millrace, archives, tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    gateway = millrace({"archive": archives("archive")})
    plain = run("send-demo", "--endpoint", gateway.url.replace("http:", "https:"))
    assert (plain.returncode, "this port is plain: http://" in plain.stderr) == (1, True), plain.stderr
    secured = {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"}
    secured["tls"] = {"certificate": str(certificate), "key": str(key)}
    gateway = millrace({"archive": archives("secured")}, directory=tmp_path / "secured", receivers={"otlp": secured})
    unknown = run("send-demo", "--config", gateway.file)
    assert (unknown.returncode, "OTEL_EXPORTER_OTLP_CERTIFICATE=FILE" in unknown.stderr) == (1, True), unknown.stderr
    open_way = run("send-demo", "--endpoint", gateway.url.replace("https:", "http:"))
    assert (open_way.returncode, "use an address with https://" in open_way.stderr) == (1, True), open_way.stderr
    assert told(gateway, OTEL_EXPORTER_OTLP_CERTIFICATE=str(authority.certificate))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (["--endpoint", f"http://127.0.0.1:{free_port()}"], 1, "millrace run"),
        (["--endpoint", "127.0.0.1:4318"], 64, "http://127.0.0.1:4318"),
        (["--header", "nothing"], 64, "NAME:VALUE"),
        (["--config", "/nonexistent.json"], 78, "No such file"),
    ],
    ids=["nobody", "no scheme", "no header", "no file"],
)
def test_what_cannot_be_sent_is_said_with_what_would_do(arguments, code, hint):
    done = run("send-demo", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert hint in done.stderr
