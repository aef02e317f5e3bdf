"""`millrace tap`: spans as they come, and what it left out."""

import contextlib
import json
import select
import signal
import subprocess

import pytest

from kit import otlp
from kit.environments import BINARY, clean_environment
from kit.millrace import run
from kit.waiting import eventually


@pytest.fixture
def gateway(millrace, archives):
    """Two exporters behind two pipelines; what is called `noise` does not go to one of them."""
    sections = {
        "processors": {
            "map": {"type": "mlflow_map"},
            "quiet": {"type": "filter", "drop": {"service": "noise"}},
        },
        "pipelines": {
            "traces": {"receivers": ["otlp"], "processors": ["map"], "exporters": ["all"]},
            "picked": {"receivers": ["otlp"], "processors": ["map", "quiet"], "exporters": ["some"]},
        },
    }
    return millrace({"all": archives("all"), "some": archives("some")}, **sections)


@contextlib.contextmanager
def tapping(gateway, *arguments):
    child = subprocess.Popen(
        [str(BINARY), "tap", "--config", str(gateway.file), *arguments], env=clean_environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def sent_until_shown(gateway, child, *services):
    """Posts a trace of each service until the tap, which takes a moment to look, has shown something."""
    while not select.select([child.stdout], [], [], 0.2)[0]:
        assert child.poll() is None, child.stderr.read()
        for service in services:
            assert gateway.post(otlp.request(service).SerializeToString()).status_code == 200


def test_spans_are_shown_as_they_are_behind_the_processors_until_there_are_enough(gateway):
    with tapping(gateway, "--limit", "3", "--json") as child:
        sent_until_shown(gateway, child, "shop")
        output, errors = child.communicate(timeout=20)
    spans = [json.loads(line) for line in output.splitlines()]
    assert (len(spans), child.returncode) == (3, 0)
    assert {span["service"] for span in spans} == {"shop"} and all(span["trace_id"] for span in spans)
    assert {span["pipeline"] for span in spans} <= {"traces", "picked"}
    assert "3 spans shown, nothing left out" in errors


@pytest.mark.parametrize(
    ("arguments", "pipelines"),
    [
        (["--exporter", "some"], {"picked"}),
        (["--where", '{"service": "shop"}', "--exporter", "all"], {"traces"}),
        (["--where", '{"all": [{"service": {"glob": "sh*"}}, {"duration": {"over": "0s"}}]}'], {"traces", "picked"}),
    ],
    ids=["exporter", "both", "condition"],
)
def test_only_what_is_asked_for_is_shown(gateway, arguments, pipelines):
    with tapping(gateway, "--json", "--limit", "20", *arguments) as child:
        sent_until_shown(gateway, child, "noise", "shop")
        shown = [child.stdout.readline()]
        while len(shown) < 20:
            if select.select([child.stdout], [], [], 0.2)[0]:
                shown.append(child.stdout.readline())
            else:
                gateway.post(otlp.request("noise").SerializeToString())
                gateway.post(otlp.request("shop").SerializeToString())
    spans = [json.loads(line) for line in shown]
    assert {span["service"] for span in spans} == {"shop"}
    assert {span["pipeline"] for span in spans} == pipelines


def test_what_comes_too_fast_is_left_out_and_counted_until_it_is_ended(gateway):
    with tapping(gateway) as child:
        sent_until_shown(gateway, child, "shop")
        body = otlp.request("shop").SerializeToString()
        for _ in range(100):
            assert gateway.post(body).status_code == 200
        line = child.stdout.readline()
        assert "of shop" in line and "trace " in line
        # Counts come with the next look, behind what they count.
        while "left out: " not in child.stderr.readline():
            pass
        child.send_signal(signal.SIGINT)
        output, errors = child.communicate(timeout=20)
    assert child.returncode == 0
    assert "requests left out" in errors.splitlines()[-1]


def test_it_ends_with_who_reads_it(gateway):
    command = f"'{BINARY}' tap --config '{gateway.file}' | head -1"
    child = subprocess.Popen(["bash", "-c", command], env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:

        def ended():
            gateway.post(otlp.request("shop").SerializeToString())
            return child.poll() is not None

        eventually(ended, within=20, every=0.2)
        assert "of shop" in child.stdout.read()
    finally:
        child.kill()
        child.communicate()


def test_what_a_reload_takes_out_is_not_shown_any_more(gateway):
    with tapping(gateway, "--json", "--exporter", "all") as child:
        sent_until_shown(gateway, child, "shop")
        assert "padding" not in json.loads(child.stdout.readline())["attributes"]
        hide = {"type": "attributes", "actions": [{"on": "span", "action": "delete", "key": "padding"}, {"on": "span", "action": "insert", "key": "seen", "value": "later"}]}
        gateway.pipeline["processors"]["hide"] = hide
        gateway.pipeline["pipelines"]["traces"]["processors"].append("hide")
        gateway.save()
        assert run("reload", "--config", gateway.file).returncode == 0

        def shown():
            gateway.post(otlp.request("late", padding=50).SerializeToString())
            while select.select([child.stdout], [], [], 0.5)[0]:
                span = json.loads(child.stdout.readline())
                if span["service"] == "late":
                    return span

        attributes = eventually(shown, within=20, every=0.1)["attributes"]
        assert attributes["seen"] == "later" and "padding" not in attributes


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--where", '{"statsu": "error"}'], "status"), (["--where", "status=error"], "JSON"),
        (["--exporter", "al"], "only all, some"), (["--limit", "0"], "1 and more"),
    ],
    ids=["unknown subject", "no JSON", "no exporter", "no limit"],
)
def test_what_cannot_be_asked_for_is_said(gateway, arguments, hint):
    done = run("tap", "--config", gateway.file, *arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert hint in done.stderr


def test_where_no_process_runs_it_says_so(gateway):
    gateway.stop()
    for command in ("tap", "top"):
        done = run(command, "--config", gateway.file)
        assert (done.returncode, done.stdout) == (1, "")
        assert "no process has the journal" in done.stderr
