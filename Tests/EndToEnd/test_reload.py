"""Another pipeline file while requests come: everything acknowledged is delivered, and nobody is hung up on."""

import collections
import contextlib
import json
import signal
import threading

import pytest

from conftest import AWAY, otlp_exporter
from kit.environments import LONG
from kit.load import Load
from kit.millrace import run
from kit.waiting import eventually

RELOADS = 500 if LONG else 50


def reload(gateway, *more, expecting=0):
    """Saves the file and has the process take it; what the command prints."""
    gateway.save()
    done = run("reload", "--config", gateway.file, *more)
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


def exporter(gateway, number):
    gateway.pipeline["exporters"]["sink"] |= {"concurrency": 1 + number % 3, "headers": {"x-turn": str(number)}}


def another_exporter(gateway, number):
    """Comes at one turn and goes at the next."""
    exporters = gateway.pipeline["exporters"]
    if exporters.pop("extra", None) is None:
        exporters["extra"] = {"type": "discard"}
    gateway.pipeline["pipelines"]["traces"]["exporters"] = list(exporters)


CHANGES = [rules, exporter, route, another_exporter]


def test_reloads_under_load_lose_nothing_and_hang_up_on_nobody(millrace, sink, archives, service):
    gateway = millrace({"sink": otlp_exporter(sink), "archive": archives("archive")})
    with Load(gateway, service, threads=4, rate=20) as load:
        for number in range(RELOADS):
            CHANGES[number % len(CHANGES)](gateway, number)
            gateway.save()
            answer = post_reload(gateway)
            assert answer.status_code == 200, answer.text
            gateway.ledger()
            load.acknowledge(1)
    assert load.broken == 0
    assert set(load.statuses) == {200}
    ledger = gateway.settled(accepted=len(load.acknowledged))
    for name in ("sink", "archive"):
        assert ledger["destinations"][name]["delivered"] == len(load.acknowledged)
    assert sink.received == archives.spans("archive") == collections.Counter(load.acknowledged)
    assert gateway.metric("millrace_config_last_reload_success") == 1


def test_an_exporter_that_goes_delivers_what_was_there(millrace, sink, archives, service):
    """It stops taking at the reload, its row stays, and under its name again it continues its account."""
    held = threading.Event()
    sink.refuses = lambda _: held.wait(30) and None
    gateway = millrace({"sink": otlp_exporter(sink, concurrency=1), "archive": archives("archive")})
    before = gateway.send(service)
    kept = gateway.pipeline["exporters"].pop("sink")
    gateway.change(gateway.pipeline["exporters"])
    reload(gateway)
    after = gateway.send(service)
    gateway.delivered("archive", len(before) + len(after))
    row = gateway.row("sink")
    assert (row["accepted"], row["queued"]) == (len(before), len(before))
    gateway.change(gateway.pipeline["exporters"] | {"sink": kept})
    assert "still delivers" in reload(gateway, expecting=78)
    held.set()
    eventually(lambda: "has ended" in gateway.process.log)
    assert sink.received == collections.Counter(before)
    row = gateway.row("sink")
    assert (row["accepted"], row["delivered"], row["queued"]) == (len(before), len(before), 0)
    reload(gateway)
    last = gateway.send(service)
    gateway.settled(accepted=len(before | after | last))
    assert sink.received == collections.Counter(before | last)
    assert gateway.row("sink")["delivered"] == len(before) + len(last)


def test_an_exporter_that_is_down_may_go_only_when_it_is_given_up(millrace, archives, service):
    gateway = millrace({"away": AWAY, "archive": archives("archive")})
    sent = gateway.send(service)
    eventually(lambda: gateway.metric("millrace_exporter_circuit_open", exporter="away") == 1)
    gateway.pipeline["exporters"].pop("away")
    gateway.change(gateway.pipeline["exporters"])
    answer = reload(gateway, expecting=78)
    assert "/exporters: 20 spans wait for away" in answer and "--abandon away" in answer
    reload(gateway, "--abandon", "away")
    row = gateway.row("away")
    assert (row["accepted"], row["expired"], row["queued"]) == (len(sent), len(sent), 0)


def test_a_new_address_delivers_what_waited_for_the_old_one(millrace, sink, service):
    """The exporter keeps its place and its name; the circuit that was open for the old address is tried at once."""
    gateway = millrace({"sink": AWAY | {"retry": {"initial": "1h", "max": "1h"}}})
    sent = gateway.send(service)
    eventually(lambda: gateway.failures("sink") >= 1)
    gateway.pipeline["exporters"]["sink"]["endpoint"] = sink.url
    reload(gateway)
    gateway.settled(accepted=len(sent), within=10)
    assert sink.received == collections.Counter(sent)


def test_kill_right_after_a_reload_loses_nothing(millrace, sink, archives, service):
    gateway = millrace({"sink": otlp_exporter(sink), "archive": archives("archive")})
    with Load(gateway, service, threads=2, rate=20) as load:
        load.acknowledge(20)
        gateway.change({"sink": otlp_exporter(sink), "archive": archives("archive"), "new": archives("new")})
        reload(gateway)
        gateway.kill()
        gateway.start()
        load.acknowledge(20)
    ledger = gateway.settled()
    assert load.acknowledged <= sink.spans
    assert load.acknowledged <= set(archives.spans("archive"))
    assert ledger["destinations"]["new"]["accepted"] > 0


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
