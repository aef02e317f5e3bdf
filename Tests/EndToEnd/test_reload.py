"""Another pipeline file while requests come: everything acknowledged is delivered, and nobody is hung up on."""

import collections
import contextlib
import json
import signal
import socket
import threading

import pytest

from conftest import AWAY, otlp_exporter
from kit import otlp
from kit.environments import LONG, free_port
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
    gateway.pipeline["pipelines"]["traces"]["exporters"] = [name for name in exporters if name != "copy"]


def another_listener(gateway, number):
    """Comes at one turn and goes at the next."""
    receivers = gateway.pipeline["receivers"]
    if receivers.pop("extra", None) is None:
        receivers["extra"] = {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"}
    gateway.pipeline["pipelines"]["traces"]["receivers"] = list(receivers)


def listener(gateway, number):
    gateway.pipeline["receivers"]["otlp"] |= {"max_body": f"{1 + number % 7}MiB", "aliases": [f"/turn/{number}"]}


def another_pipeline(gateway, number):
    """Comes at one turn and goes at the next; it delivers what it acknowledged."""
    pipelines = gateway.pipeline["pipelines"]
    if pipelines.pop("copy", None) is None:
        pipelines["copy"] = {"receivers": ["otlp"], "exporters": ["copy"]}
        gateway.pipeline["exporters"]["copy"] = {"type": "file", "path": str(gateway.file.parent / f"copy-{number}.jsonl")}
    else:
        gateway.pipeline["exporters"].pop("copy")


CHANGES = [rules, exporter, another_listener, route, another_exporter, listener, another_pipeline]


def settled(gateway):
    """The ledger's pipelines once nothing is queued anywhere."""
    pipelines = gateway.balanced()
    rows = [row for part in pipelines.values() for row in part["destinations"].values()]
    assert not any(row["queued"] for row in rows)
    return pipelines


def test_reloads_under_load_lose_nothing_and_hang_up_on_nobody(millrace, sink, archives, service):
    gateway = millrace({"sink": otlp_exporter(sink), "archive": archives("archive")})
    with Load(gateway, service, threads=4, rate=20) as load:
        for number in range(RELOADS):
            CHANGES[number % len(CHANGES)](gateway, number)
            gateway.save()
            answer = post_reload(gateway)
            assert answer.status_code == 200, answer.text
            gateway.balanced()
            load.acknowledge(1)
    assert load.broken == 0
    assert set(load.statuses) == {200}
    rows = eventually(lambda: settled(gateway))
    for name in ("sink", "archive"):
        assert rows["traces"]["destinations"][name]["delivered"] == len(load.acknowledged)
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


def test_members_count_at_once_on_connections_that_are_open(millrace, archives, service):
    gateway = millrace({"archive": archives("archive")})
    assert gateway.post_trace(service).status_code == 200
    gateway.pipeline["receivers"]["otlp"]["auth"] = {"bearer": [{"name": "ann", "token": "a-token-of-ann-16"}]}
    reload(gateway)
    body = otlp.request(service, 5).SerializeToString()
    assert gateway.post(body).status_code == 401
    assert gateway.post(body, authorization="Bearer a-token-of-ann-16").status_code == 200
    gateway.pipeline["receivers"]["otlp"]["auth"]["bearer"][0]["token"] = "another-token-of-ann"
    reload(gateway)
    assert gateway.post(body, authorization="Bearer a-token-of-ann-16").status_code == 401
    assert gateway.post(body, authorization="Bearer another-token-of-ann").status_code == 200
    gateway.pipeline["receivers"]["otlp"] |= {"max_body": "1KiB", "limits": {"requests_per_second": 1000}}
    reload(gateway)
    large = otlp.request(service, 50).SerializeToString()
    assert gateway.post(large, authorization="Bearer another-token-of-ann").status_code == 413
    gateway.settled(accepted=15)


def test_identities_with_series_of_their_own_are_256_over_all_files(millrace, archives, service):
    gateway = millrace({"archive": archives("archive")})
    body = otlp.request(service, 1).SerializeToString()
    for turn in range(2):
        names = [f"member-{turn}-{number}" for number in range(200)]
        members = [{"name": name, "token": f"the-token-of-{name}"} for name in names]
        gateway.pipeline["receivers"]["otlp"]["auth"] = {"bearer": members}
        reload(gateway)
        for name in names:
            assert gateway.post(body, authorization=f"Bearer the-token-of-{name}").status_code == 200
    metric = "millrace_receiver_identity_accepted_spans_total"
    lines = [line for line in gateway.admin("/metrics").text.splitlines() if line.startswith(metric + "{")]
    assert sum('identity="' in line for line in lines) == 256
    assert gateway.metric(metric, overflow="true") == 144
    gateway.settled(accepted=400)


def test_a_listener_moves_and_one_that_cannot_changes_nothing(millrace, archives, service):
    gateway = millrace({"archive": archives("archive")})
    old = gateway.address
    with socket.create_server(("127.0.0.1", 0)) as taken, Load(gateway, service, threads=2, rate=20) as load:
        gateway.pipeline["receivers"]["otlp"]["listen"] = f"127.0.0.1:{taken.getsockname()[1]}"
        answer = reload(gateway, expecting=78)
        assert "/receivers/otlp/listen" in answer and "in use" in answer
        load.acknowledge(10)
        gateway.pipeline["receivers"]["otlp"]["listen"] = f"127.0.0.1:{free_port()}"
        reload(gateway)
    assert set(load.statuses) == {200}
    more = gateway.send(service)
    gateway.settled(accepted=len(load.acknowledged | more))
    eventually(lambda: refuses(old))


def refuses(address):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5).close()
    return True


def test_what_is_held_may_change(millrace, archives, service):
    gateway = millrace({"archive": archives("archive")})
    gateway.pipeline["receivers"]["otlp"]["max_body"] = "8MiB"
    gateway.pipeline |= {"memory_limit": "32MiB", "drain_timeout": "1s", "log": {"level": "debug"}}
    gateway.pipeline["journal"] |= {"max_bytes": "64MiB", "max_age": "1h", "retain": "10m"}
    gateway.pipeline["admin"]["token"] = "a-token-of-sixteen-bytes"
    gateway.save()
    # The command would show the new token to a process that knows the old one.
    gateway.process.send(signal.SIGHUP)
    eventually(lambda: "is taken" in gateway.process.log)
    assert post_reload(gateway, authorization="Bearer a-token-of-sixteen-bytes").status_code == 200
    assert post_reload(gateway, authorization="Bearer another-token-of-16").status_code == 401
    gateway.settled(accepted=len(gateway.send(service)))


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
    done = run("reload", "--config", gateway.file)
    assert done.returncode == 1 and 'started with another "directory" cannot be found by this file' in done.stderr
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
    shown = {"content-type": "application/json"}
    if "authorization" not in headers:
        with open(f"{directory}/admin-token") as file:
            shown["authorization"] = f"Bearer {file.read()}"
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
    eventually(lambda: gateway.process.log.count("is taken") == 1)
