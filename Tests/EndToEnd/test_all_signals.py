"""Log records and metrics go the same way as spans: taken, journaled, delivered, refused, counted in their own words."""

import contextlib
import gzip
import json
import pathlib
import threading

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from kit.environments import APPS, CAPTURES, DATA, free_port
from kit.millrace import QUICK_RETRY, by_signal
from kit.running import run_to_end
from kit.waiting import eventually

SIGNALS = ["traces", "metrics", "logs"]
ITEMS = {"traces": "spans", "metrics": "data_points", "logs": "log_records"}
EMPTY = {"go-docker-grpc-2.metrics.pb"}
"""Requests with a resource and nothing of it, which are taken and leave nothing."""
BODIES = sorted(DATA.glob("c*/*.logs.pb")) + sorted(DATA.glob("c*/*.metrics.pb"))


def whole(exporters, signals=SIGNALS, processors=()):
    return {"all": {"receivers": ["otlp"], "processors": processors, "exporters": list(exporters), "signals": signals}}


def rows(gateway):
    """{signal: its ledger}, each row of which balances."""
    return by_signal(gateway.ledger())


def delivered(gateway, destination, **items):
    """Waits until a destination has so many items of each signal, and the ledger says so."""

    def arrived():
        gateway.process.expect_running()
        ledgers = rows(gateway)
        found = {signal: ledgers[signal]["destinations"][destination]["delivered"] for signal in items}
        assert found == items
        assert all(ledgers[signal][f"accepted_{ITEMS[signal]}"] >= count for signal, count in items.items())
        return True

    eventually(arrived, within=60)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextlib.contextmanager
def settled_at_end(gateway):
    yield gateway
    gateway.stop()


def test_an_sdk_sends_all_signals_over_two_gateways_to_a_file(millrace, archives, tmp_path):
    last = millrace({"far": archives("far")}, tmp_path / "last", pipelines=whole(["far"]), processors={})
    exporters = {"near": archives("near"), "next": {"type": "otlp_http", "endpoint": last.url, "retry": QUICK_RETRY}}
    first = millrace(exporters, tmp_path / "first", pipelines=whole(exporters), processors={})
    run_to_end(
        APPS / "all_signals.py",
        "http",
        OTEL_EXPORTER_OTLP_ENDPOINT=first.url,
        OTEL_SERVICE_NAME="till",
    )
    counts = {"traces": 1, "metrics": 2, "logs": 1}
    for gateway, destination in ((first, "near"), (first, "next"), (last, "far")):
        delivered(gateway, destination, **counts)
    near, far = (lines(tmp_path / f"{name}.jsonl") for name in ("near", "far"))
    for line in far:
        assert line in near
    text = (tmp_path / "far.jsonl").read_text()
    assert "only 2 kites left" in text and "till.wait" in text and '"sell"' in text
    (logs,) = [line["resourceLogs"] for line in far if "resourceLogs" in line]
    (spans,) = [line["resourceSpans"] for line in far if "resourceSpans" in line]
    record, span = logs[0]["scopeLogs"][0]["logRecords"][0], spans[0]["scopeSpans"][0]["spans"][0]
    assert (record["traceId"], record["spanId"]) == (span["traceId"], span["spanId"])
    assert last.metric("millrace_receiver_requests_total", signal="logs", code="200") >= 1


@pytest.mark.parametrize("signal", ["logs", "metrics"])
def test_what_clients_sent_leaves_byte_for_byte(millrace, archives, tmp_path, signal):
    """Requests are joined by putting their resources one behind the other, in any order; nothing else changes."""
    ours = [body for body in BODIES if body.name.endswith(f".{signal}.pb") and body.name not in EMPTY]
    bodies = [body.read_bytes() for body in ours]
    assert len(bodies) >= 8
    raw = {"raw": archives("raw", format="protobuf")}
    with settled_at_end(millrace(raw, pipelines=whole(raw, [signal]), processors={})) as gateway:
        for number, body in enumerate(bodies):
            packed = {"content-encoding": "gzip"} if number % 2 else {}
            answer = gateway.post(gzip.compress(body) if packed else body, path=f"/v1/{signal}", **packed)
            assert (answer.status_code, answer.content) == (200, b"")
        accepted = rows(gateway)[signal][f"accepted_{ITEMS[signal]}"]
        delivered(gateway, "raw", **{signal: accepted})
    written = sorted(resources(messages((tmp_path / "raw.jsonl").read_bytes())))
    assert written == sorted(resources(b"".join(bodies)))


def messages(file):
    """The messages of a file with a length before each, joined."""
    found = b""
    while file:
        size = int.from_bytes(file[:4], "big")
        found, file = found + file[4 : 4 + size], file[4 + size :]
    return found


def resources(body):
    """The fields of a request, each as it stands."""
    found = []
    while body:
        assert body[0] == 0x0A, "a request has resources alone"
        size, shift, end = 0, 0, 1
        while True:
            size |= (body[end] & 0x7F) << shift
            shift, end = shift + 7, end + 1
            if body[end - 1] < 0x80:
                break
        found.append(body[: end + size])
        body = body[end + size :]
    return found


def logs(service, count=3):
    message = ExportLogsServiceRequest()
    resource = message.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    scope = resource.scope_logs.add()
    for number in range(count):
        scope.log_records.add(time_unix_nano=1, severity_text="INFO").body.string_value = f"{service} {number}"
    return message.SerializeToString()


def metrics(service, points=3):
    message = ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name=service)
    for number in range(points):
        metric.gauge.data_points.add(time_unix_nano=1, as_int=number)
    return message.SerializeToString()


def test_a_pipeline_takes_what_it_says_and_the_rest_is_told(millrace, archives):
    gateway = millrace({"a": archives("a")}, pipelines=whole(["a"], ["logs"]), processors={})
    refused = gateway.post(metrics("m"), path="/v1/metrics")
    assert refused.status_code == 404 and b"no pipeline of this receiver takes metrics, only logs" in refused.content
    assert gateway.post_trace("s").status_code == 404
    assert gateway.post(logs("l"), path="/v1/logs").status_code == 200
    delivered(gateway, "a", logs=3)


def test_kill_9_and_an_outage_lose_no_log_record_and_no_data_point(millrace, archives, tmp_path):
    port = free_port()
    exporters = {
        "away": {"type": "otlp_http", "endpoint": f"http://127.0.0.1:{port}", "retry": QUICK_RETRY},
        "file": archives("file"),
    }
    gateway = millrace(exporters, tmp_path / "first", pipelines=whole(exporters), processors={})
    acknowledged = set()
    for restart in range(3):
        threads = [threading.Thread(target=load, args=(gateway, acknowledged, n, restart)) for n in range(4)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(acknowledged) >= 40 * (restart + 1), within=30)
        gateway.kill()
        for thread in threads:
            thread.join()
        gateway.start()
    receiver = {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{port}"}}
    last = millrace({"far": archives("far")}, tmp_path / "last", receivers=receiver, pipelines=whole(["far"]), processors={})

    def arrived():
        for path in (tmp_path / "far.jsonl", tmp_path / "file.jsonl"):
            text = path.read_text()
            assert not [name for name in acknowledged if f'"{name}' not in text]
        for ledger in rows(gateway).values():
            assert not any(row["queued"] or row["lost"] for row in ledger["destinations"].values())
        return True

    eventually(arrived, within=60)
    assert rows(last)["logs"]["accepted_log_records"] and rows(last)["metrics"]["accepted_data_points"]


def load(gateway, acknowledged, number, restart):
    """Sends until the gateway dies; what was answered 200 is noted."""
    for count in range(10_000):
        for path, body in (("/v1/logs", logs), ("/v1/metrics", metrics)):
            name = f"{path[4:]}-{restart}-{number}-{count}"
            try:
                answer = gateway.session.post(
                    gateway.url + path, data=body(name), headers={"content-type": "application/x-protobuf"}, timeout=5
                )
            except OSError:
                return
            if answer.status_code == 200:
                acknowledged.add(name)


def test_refused_log_records_are_dead_letters_in_their_own_words(millrace, tmp_path, sink):
    sink.answer = lambda *_: (400, {"code": 3, "message": "no logs today"})
    exporters = {"away": {"type": "otlp_http", "endpoint": sink.url, "retry": QUICK_RETRY}}
    gateway = millrace(exporters, pipelines=whole(exporters, ["logs"]), processors={})
    assert gateway.post(logs("shop", 2), path="/v1/logs").status_code == 200

    def letters():
        (letter, *more) = gateway.dead_letters()["dead_letters"]
        assert sum(each["log_records"] for each in (letter, *more)) == 2
        return letter

    letter = eventually(letters, within=30)
    assert letter["signal"] == "logs" and letter["services"] == ["shop"] and letter["reason"]
    shown = gateway.dead_letters("show", "--id", letter["id"])["dead_letters"][0]
    assert "shop 0" in json.dumps(shown["request"]) or "shop 1" in json.dumps(shown["request"])
    sink.answer = lambda *_: (200, {})
    assert gateway.dead_letters("replay")["log_records"] == 2
    delivered(gateway, "away", logs=2)


def test_invalid_metrics_are_told_from_valid_ones(millrace, archives):
    gateway = millrace({"a": archives("a")}, pipelines=whole(["a"], ["metrics"]), processors={})
    good = metrics("fine", 2)
    broken = b"\x0a\x08\x12\x06\x12\x04\x0a\x02\xff\xfe"  # a metric whose name is no UTF-8
    answer = gateway.post(good + broken, path="/v1/metrics")
    assert answer.status_code == 200 and b"metric 1" in answer.content, answer.content
    delivered(gateway, "a", metrics=2)


def test_the_captures_are_all_here():
    assert {pathlib.Path(body).parent.name for body in BODIES} == {CAPTURES.name, "clients"}
