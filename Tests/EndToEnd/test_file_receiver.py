"""Files are replayed: in every form, from where they were read last, at a pace, and as they grow."""

import base64
import collections
import gzip
import json
import pty
import os
import shutil
import struct
import time

import pytest
from google.protobuf.json_format import MessageToDict

from kit import otlp
from kit.millrace import run
from kit.waiting import eventually


def requests_of(service, count):
    """So many requests of three spans, and their spans."""
    messages = [otlp.request(service, 3) for _ in range(count)]
    return messages, {span for message in messages for span in otlp.spans_of(message)}


def line(message):
    """A request as OTLP has it in JSON: ids in hexadecimal digits."""
    document = MessageToDict(message, use_integers_for_enums=True)
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64decode(span[name]).hex()
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def frame(message):
    body = message.SerializeToString()
    return struct.pack(">I", len(body)) + body


def replaying(millrace, archives, path, starts=True, **settings):
    """A gateway that reads these files into the archive `out`."""
    settings = {"type": "otlp_file", "path": str(path)} | settings
    gateway = millrace(
        {"out": archives("out")},
        receivers={"file": settings},
        processors={},
        pipelines={"traces": {"receivers": ["file"], "processors": [], "exporters": ["out"]}},
        starts=False,
    )
    return gateway.start() if starts else gateway


def test_every_form_is_read_once_also_after_a_restart(millrace, archives, service, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    sent = set()
    for number, (name, form, pack) in enumerate(
        [("a.jsonl", line, bytes), ("b.pb", frame, bytes), ("c.jsonl.gz", line, gzip.compress), ("d.pb.gz", frame, gzip.compress)]
    ):
        messages, spans = requests_of(service, 100 + number)
        (source / name).write_bytes(pack(b"".join(map(form, messages))))
        sent |= spans
    gateway = replaying(millrace, archives, source / "*")
    gateway.delivered("out", len(sent))
    assert archives.spans("out") == collections.Counter(sent)
    eventually(lambda: "the files are read" in gateway.process.log)
    assert gateway.metric("millrace_receiver_records_total", receiver="file", outcome="accepted") == 406
    assert gateway.metric("millrace_receiver_unread_bytes", receiver="file") == 0
    gateway.stop()

    messages, more = requests_of(service, 5)
    with open(source / "a.jsonl", "ab") as file:
        file.write(b"".join(map(line, messages)))
    gateway.start()
    gateway.delivered("out", len(sent | more))
    assert archives.spans("out") == collections.Counter(sent | more)


def test_wrong_records_are_told_with_their_place_and_keep_no_others_away(millrace, archives, service, tmp_path):
    messages, sent = requests_of(service, 3)
    lines = [line(message) for message in messages]
    more, spans = requests_of(service, 1)
    last = line(more[0])
    wrong = b'{"resourceSpans": [{]}\n'
    path = tmp_path / "in-a.jsonl"
    path.write_bytes(lines[0] + wrong + lines[1] + b'{"resourceLogs": []}\n' + lines[2] + last[:40])
    (tmp_path / "in-b.jsonl.gz").write_bytes(gzip.compress(lines[0])[:-4])
    gateway = replaying(millrace, archives, tmp_path / "in-*", max_body="1MiB")
    eventually(lambda: "the files are read" in gateway.process.log)
    gateway.delivered("out", len(sent))
    assert f"{path}, byte {len(lines[0])}" in gateway.process.log
    assert "it ends early" in gateway.process.log
    assert set(archives.spans("out")) == sent
    gateway.stop()

    # The line that was cut off is written to its end.
    with open(path, "ab") as file:
        file.write(last[40:])
    gateway.start()
    eventually(lambda: set(archives.spans("out")) == sent | spans)


def test_a_file_is_followed_through_rotation_truncation_and_kills(millrace, archives, service, tmp_path, at_some_moment):
    path = tmp_path / "app.jsonl"
    gateway = replaying(millrace, archives, tmp_path / "app*.jsonl", follow=True)
    sent = set()
    for step in range(6):
        messages, spans = requests_of(service, 20)
        text = b"".join(map(line, messages))
        sent |= spans
        with open(path, "ab") as file:
            file.write(text[:-30])
            file.flush()
            at_some_moment(0.4)
            file.write(text[-30:])
        if step == 1:
            os.rename(path, tmp_path / "app.1.jsonl")
        if step == 3:
            eventually(lambda: set(archives.spans("out")) == sent, within=30)
            os.truncate(path, 0)
        if step == 4:
            gateway.kill()
            gateway.start()
    eventually(lambda: set(archives.spans("out")) == sent, within=30)
    # What was taken within the second before the kill may come again, and what was written to the archive then.
    assert sum(archives.spans("out").values()) <= len(sent) + 120
    gateway.stop()


def test_the_pace_is_kept_and_a_stop_in_the_middle_goes_on_there(millrace, archives, service, tmp_path):
    messages, sent = requests_of(service, 200)
    (tmp_path / "in.jsonl").write_bytes(b"".join(map(line, messages)))
    gateway = replaying(millrace, archives, tmp_path / "in.jsonl", requests_per_second=50)
    gateway.delivered("out", 30)
    gateway.stop()
    assert len(archives.spans("out")) < len(sent)
    # A reload takes the limit away.
    gateway.start()
    del gateway.pipeline["receivers"]["file"]["requests_per_second"]
    gateway.save()
    done = run("reload", "--config", gateway.file)
    assert done.returncode == 0, done.stderr
    gateway.delivered("out", len(sent))
    assert archives.spans("out") == collections.Counter(sent)


def test_the_pace_is_kept_over_many_files(millrace, archives, service, tmp_path):
    messages, sent = requests_of(service, 40)
    for number, message in enumerate(messages):
        (tmp_path / f"in-{number:02}.jsonl").write_bytes(line(message))
    begin = time.monotonic()
    gateway = replaying(millrace, archives, tmp_path / "in-*.jsonl", requests_per_second=10)
    gateway.delivered("out", len(sent), within=30)
    assert time.monotonic() - begin > 3.5
    assert archives.spans("out") == collections.Counter(sent)


def test_what_rotation_by_copying_leaves_is_read_once(millrace, archives, service, tmp_path):
    path, sent = tmp_path / "app.jsonl", set()
    gateway = replaying(millrace, archives, tmp_path / "app*.jsonl", follow=True)
    for step in range(4):
        messages, spans = requests_of(service, 30)
        sent |= spans
        with open(path, "ab") as file:
            file.write(b"".join(map(line, messages)))
        if step:
            gateway.delivered("out", len(sent), within=30)
        if step < 3:
            shutil.copyfile(path, tmp_path / f"app.{step}.jsonl")
            os.truncate(path, 0)
    gateway.delivered("out", len(sent), within=30)
    assert archives.spans("out") == collections.Counter(sent)
    # One that is written anew with as many bytes is another one.
    size = path.stat().st_size
    messages, spans = requests_of(service, 30)
    text = b"".join(map(line, messages))
    path.write_bytes(text + b"\n" * (size - len(text)) if len(text) <= size else text)
    gateway.delivered("out", len(sent | spans), within=30)
    assert archives.spans("out") == collections.Counter(sent | spans)


def test_damaged_positions_hold_everything_until_they_are_gone(millrace, archives, service, tmp_path):
    messages, sent = requests_of(service, 3)
    (tmp_path / "in.jsonl").write_bytes(b"".join(map(line, messages)))
    gateway = replaying(millrace, archives, tmp_path / "in.jsonl", starts=False)
    positions = tmp_path / "journal/file.positions"
    positions.parent.mkdir(exist_ok=True)
    positions.write_text("{")
    gateway.start()
    eventually(lambda: "unknown how far files were read" in gateway.process.log)
    assert gateway.ledger()["accepted_spans"] == 0
    positions.unlink()
    gateway.delivered("out", len(sent))


def test_a_full_journal_holds_the_replay_back(millrace, archives, service, tmp_path):
    messages, sent = requests_of(service, 3000)
    (tmp_path / "in.jsonl").write_bytes(b"".join(map(line, messages)))
    gateway = replaying(millrace, archives, tmp_path / "in.jsonl", starts=False)
    gateway.pipeline["journal"]["max_bytes"] = "4MiB"
    gateway.save()
    gateway.start()
    gateway.delivered("out", len(sent), within=120)
    assert archives.spans("out") == collections.Counter(sent)


def test_a_bar_is_drawn_where_somebody_watches(millrace, archives, service, tmp_path):
    messages, sent = requests_of(service, 10)
    (tmp_path / "in.jsonl").write_bytes(b"".join(map(line, messages)))
    gateway = replaying(millrace, archives, tmp_path / "in.jsonl", starts=False)
    own, terminal = pty.openpty()
    pid = os.posix_spawn(
        shutil.which("env"),
        ["env", *map(str, gateway.process.arguments)],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, terminal, 1), (os.POSIX_SPAWN_DUP2, terminal, 2)],
    )
    os.close(terminal)
    text = b""
    deadline = time.monotonic() + 30
    while b"10 requests" not in text and time.monotonic() < deadline:
        text += os.read(own, 4096)
    os.kill(pid, 15)
    os.close(own)
    os.waitpid(pid, 0)
    assert "replay ██████████████████████████████ 100 % of".encode() in text and b"10 requests" in text, text


@pytest.mark.parametrize("path, fits", [("out.jsonl", True), ("*.1.jsonl", True), ("*.gz", False)])
def test_what_an_exporter_writes_is_not_read_again(archives, tmp_path, path, fits):
    document = {
        "receivers": {"file": {"type": "otlp_file", "path": str(tmp_path / path), "follow": True}},
        "exporters": {"out": archives("out")},
        "pipelines": {"traces": {"receivers": ["file"], "exporters": ["out"]}},
    }
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(document))
    done = run("validate", file)
    assert (done.returncode == 78) == fits, done.stderr
    assert ("read by /receivers/file" in done.stdout + done.stderr) == fits
