"""Another pipeline file while requests come: everything acknowledged is delivered, and nobody is hung up on."""

import collections
import contextlib
import json
import signal

import pytest

from conftest import otlp_exporter
from kit.environments import LONG
from kit.load import Load
from kit.millrace import run
from kit.waiting import eventually

RELOADS = 500 if LONG else 50


def reload(gateway, expecting=0):
    """Saves the file and has the process take it; what the command prints."""
    gateway.save()
    done = run("reload", "--config", gateway.file)
    assert done.returncode == expecting, done.stdout + done.stderr
    return done.stdout


def rules(gateway, number):
    gateway.pipeline["processors"]["mark"] = {
        "type": "attributes",
        "actions": [{"on": "span", "action": "upsert", "key": "turn", "value": str(number)}],
    }
    gateway.pipeline["pipelines"]["traces"]["processors"] = ["mark", "map", "route", "batch"]


def route(gateway, number):
    gateway.pipeline["processors"]["route"]["default"] = f"Default {number}"
    gateway.pipeline["processors"]["route"]["map"] = {f"other-{number}": "Other"}


CHANGES = [rules, route]


def test_reloads_under_load_lose_nothing_and_hang_up_on_nobody(millrace, sink, archives, service):
    gateway = millrace({"sink": otlp_exporter(sink), "archive": archives("archive")})
    with Load(gateway, service, threads=4, rate=20) as load:
        for number in range(RELOADS):
            CHANGES[number % len(CHANGES)](gateway, number)
            assert "taken" in reload(gateway)
            gateway.ledger()
            load.acknowledge(1)
    assert load.broken == 0
    assert set(load.statuses) == {200}
    ledger = gateway.settled(accepted=len(load.acknowledged))
    assert all(row["delivered"] == len(load.acknowledged) for row in ledger["destinations"].values())
    assert sink.received == archives.spans("archive") == collections.Counter(load.acknowledged)
    assert gateway.metric("millrace_config_last_reload_success") == 1


@pytest.mark.parametrize("ask", ["command", "signal", "page"])
def test_a_bad_file_changes_nothing_and_is_reported(millrace, archives, service, ask):
    gateway = millrace({"archive": archives("archive")})
    before = config_hash(gateway)
    gateway.pipeline["tests"] = [
        {"name": "maps", "input": {"resourceSpans": []}, "expect": {"kept": 1}},
    ]
    gateway.pipeline["journal"]["directory"] += "-elsewhere"
    gateway.save()
    asked = {"command": by_command, "signal": by_signal, "page": by_page}[ask](gateway)
    assert "/tests/0: the test" in asked and gateway.file.name in asked
    eventually(lambda: gateway.metric("millrace_config_last_reload_success") == 0)
    assert config_hash(gateway) == before
    del gateway.pipeline["tests"]
    gateway.save()
    assert "/journal/directory" in {"command": by_page, "signal": by_signal, "page": by_page}[ask](gateway)
    gateway.settled(accepted=len(gateway.send(service)))


def by_command(gateway):
    # The command finds the process by the journal's directory, so that one stays.
    file = gateway.pipeline["journal"]["directory"]
    gateway.pipeline["journal"]["directory"] = file.removesuffix("-elsewhere")
    answer = reload(gateway, expecting=78)
    gateway.pipeline["journal"]["directory"] = file
    return answer


def by_signal(gateway):
    lines = gateway.process.log.count("is not taken")
    gateway.process.send(signal.SIGHUP)
    eventually(lambda: gateway.process.log.count("is not taken") > lines)
    return gateway.process.log


def by_page(gateway):
    answer = post_reload(gateway)
    assert answer.status_code == 422
    return "\n".join(answer.json()["problems"])


def post_reload(gateway, **headers):
    directory = gateway.pipeline["journal"]["directory"].removesuffix("-elsewhere")
    with open(f"{directory}/admin-token") as file:
        shown = {"authorization": f"Bearer {file.read()}", "content-type": "application/json"}
    url = "http://" + gateway.pipeline["admin"]["listen"] + "/api/reload"
    return gateway.session.post(url, headers=shown | headers, timeout=30)


def config_hash(gateway):
    (line,) = [line for line in gateway.admin("/metrics").text.splitlines() if line.startswith("millrace_config_info{")]
    return line


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": None}, 401),
        ({"content-type": "text/plain"}, 415),
        ({"origin": "http://elsewhere.example"}, 403),
        ({"host": "elsewhere.example"}, 403),
        ({}, 200),
    ],
)
def test_the_page_is_asked_as_other_changes_are(millrace, archives, headers, status):
    gateway = millrace({"archive": archives("archive")})
    assert post_reload(gateway, **headers).status_code == status


def test_a_folder_whose_link_turns_is_watched(millrace, archives, tmp_path):
    """As Kubernetes changes a ConfigMap: the file is a link into a folder that is a link."""
    gateway = millrace({"archive": archives("archive")}, starts=False)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "pipeline.json").write_text(json.dumps(gateway.pipeline))
    rules(gateway, 1)
    (tmp_path / "two" / "pipeline.json").write_text(json.dumps(gateway.pipeline))
    (tmp_path / "..data").symlink_to("one")
    with contextlib.suppress(FileNotFoundError):
        gateway.file.unlink()
    gateway.file.symlink_to("..data/pipeline.json")
    gateway.start("--watch")
    before = config_hash(gateway)
    (tmp_path / "..new").symlink_to("two")
    (tmp_path / "..new").rename(tmp_path / "..data")
    eventually(lambda: config_hash(gateway) != before)
    assert gateway.process.log.count("is taken") == 1
