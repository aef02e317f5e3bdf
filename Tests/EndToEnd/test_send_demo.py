"""`millrace send-demo`: one trace of three spans, and where it can be looked at."""

import re

import pytest

from conftest import AWAY, mlflow_exporter
from kit import traces
from kit.environments import free_port
from kit.millrace import run


def test_the_trace_arrives_and_the_command_says_where_it_is_and_where_it_waits(millrace, mlflow, archives):
    gateway = millrace({"mlflow": mlflow_exporter(mlflow), "archive": archives("archive"), "away": AWAY})
    done = run("send-demo", "--config", gateway.file)
    assert done.returncode == 0, done.stderr
    sent, *lines = done.stdout.splitlines()
    trace_id = re.fullmatch(rf"sent 3 spans to {gateway.url}/v1/traces: trace ([0-9a-f]{{32}})", sent)[1]
    places = dict(line.split(None, 1) for line in lines[1:])
    assert places["console"] == f"page  http://{gateway.pipeline['admin']['listen']}/"
    experiment = re.search(r"experiments/(\d+)/", places["mlflow"])[1]
    assert places["mlflow"] == f'{mlflow.url}/#/experiments/{experiment}/traces, experiment "millrace-demo"  (nothing waits)'
    assert places["archive"].endswith("archive.jsonl  (nothing waits)")
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
