"""Addresses that stand in for each other, what a destination takes, and which signals go there."""

import json
import pathlib
import time

import pytest

from conftest import QUICK_RETRY
from kit import otlp
from kit.millrace import all_signals, pipeline, run
from kit.sink import Sink
from kit.waiting import eventually

SECOND = 10**9


@pytest.fixture
def sinks():
    sinks = [Sink().start(), Sink().start()]
    yield sinks
    for sink in sinks:
        sink.close()


def status(gateway):
    """What the page draws."""
    token = (pathlib.Path(gateway.pipeline["journal"]["directory"]) / "admin-token").read_text()
    url = f"http://{gateway.pipeline['admin']['listen']}/api/status"
    return gateway.session.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10).json()


def in_use(gateway):
    """The addresses in use by the page's status, and by the metric."""
    (delivery,) = [row["delivery"] for row in status(gateway)["pipelines"][0]["destinations"]]
    return [endpoint["in_use"] for endpoint in delivery["endpoints"]], gateway.metric("millrace_exporter_endpoint_in_use", exporter="there")


def test_the_second_address_takes_over_and_gives_back(millrace, sinks, service):
    first, second = sinks
    exporter = {"type": "otlp_http", "endpoints": [first.url, second.url], "retry": QUICK_RETRY, "batch": {"spans": 5, "linger": "10ms"}}
    gateway = millrace({"there": exporter})
    sent = gateway.send(service)
    gateway.settled(accepted=20)
    assert first.spans == sent and not second.spans
    assert in_use(gateway) == ([True, False], 1)
    first.close()
    later = gateway.send(service)
    gateway.settled(accepted=40)
    assert second.spans == later, "what failed at the first goes to the second"
    assert in_use(gateway) == ([False, True], 2)
    assert gateway.metric("millrace_exporter_circuit_open", exporter="there") == 0
    first.start()
    probes = set()

    def is_back():
        probes.update(gateway.send(service, traces=1, spans=1))
        return in_use(gateway) == ([True, False], 1)

    eventually(is_back, within=20, every=0.1)
    gateway.settled(accepted=40 + len(probes))
    at_second = second.spans
    last = gateway.send(service)
    row = gateway.settled(accepted=60 + len(probes))["destinations"]["there"]
    assert last <= first.spans and second.spans == at_second
    assert row["delivered"] == row["accepted"] and row["dead_lettered"] == 0
    # A request that the first did not get to answer before it went was sent twice, and is at both.
    assert max(second.received.values()) == max(first.received[span] for span in last | sent) == 1
    kinds = [event["text"] for event in status(gateway)["events"] if event["kind"] == "endpoint_changed"]
    assert second.url in kinds[0] and first.url in kinds[-1]


def test_while_all_are_down_everything_waits(millrace, sinks, service):
    for sink in sinks:
        sink.close()
    gateway = millrace({"there": {"type": "otlp_http", "endpoints": [sink.url for sink in sinks], "retry": QUICK_RETRY}})
    sent = gateway.send(service)
    eventually(lambda: gateway.metric("millrace_exporter_circuit_open", exporter="there") == 1)
    eventually(lambda: in_use(gateway) == ([False, False], 0))
    assert gateway.row("there")["queued"] == len(sent)
    sinks[1].start()
    gateway.settled(accepted=len(sent))
    assert sinks[1].spans == sent
    assert in_use(gateway) == ([False, True], 2)


def test_spans_over_the_age_expire_and_the_others_go(millrace, sink, service):
    exporter = {"type": "otlp_http", "endpoint": sink.url, "limits": {"age": "60m"}, "retry": QUICK_RETRY}
    gateway = millrace({"there": exporter})
    mixed, old = otlp.request(service, spans=4), otlp.request(service, spans=2)
    for span in [*otlp.units_of("traces", mixed)[:3], *otlp.units_of("traces", old)]:
        span.start_time_unix_nano = span.end_time_unix_nano = time.time_ns() - 3700 * SECOND
    fresh = otlp.units_of("traces", mixed)[3]
    for message in mixed, old:
        assert gateway.post(message.SerializeToString()).status_code == 200
    row = gateway.settled(accepted=6)["destinations"]["there"]
    assert (row["delivered"], row["expired"]) == (1, 5)
    assert {span for _, span in sink.spans} in ({fresh.span_id}, {fresh.span_id.hex()})
    assert "ended more than 60m ago" in gateway.process.log or "ended more than 1h ago" in gateway.process.log
    assert gateway.metric("millrace_exporter_expired_spans_total", exporter="there") == 5


def test_no_request_is_over_the_limits(millrace, sink, service):
    """A trace that is larger is divided before it is refused."""
    sizes = []
    sink.admits = lambda path, headers, body: sizes.append(len(body))
    limits = {"bytes": "64KiB", "spans": 10}
    gateway = millrace({"there": {"type": "otlp_http", "endpoint": sink.url, "limits": limits, "compression": "none", "retry": QUICK_RETRY}})
    sent = gateway.send(service, traces=2, spans=40, padding=4000)
    gateway.settled(accepted=80)
    assert sink.spans == sent
    assert max(sizes) < 66 << 10 and max(spans for _, spans in sink.requests) <= 10


def test_signals_of_an_exporter(millrace, sink, service, archives):
    exporters = {"there": {"type": "otlp_http", "endpoint": sink.url, "signals": ["traces"], "retry": QUICK_RETRY}, "kept": archives("kept")}
    gateway = millrace(exporters, **all_signals(exporters))
    for signal in otlp.SIGNALS:
        assert gateway.post(otlp.request_of(signal, service).SerializeToString(), path=f"/v1/{signal}").status_code == 200
    eventually(lambda: len(sink.spans) == 5 and all(len(archives.items("kept", signal)) == 5 for signal in otlp.SIGNALS))
    assert len(sink.requests) == 1


@pytest.mark.parametrize(
    ("exporter", "pointer", "hint"),
    [
        ({"endpoints": []}, "", "is missing"),
        ({"endpoints": ["http://127.0.0.1:9"], "endpoint": "http://127.0.0.1:8"}, "/endpoints", '"endpoint" exclude'),
        ({"endpoints": ["http://127.0.0.1:9"], "logs_endpoint": "http://127.0.0.1:8"}, "/endpoints", '"logs_endpoint" exclude'),
        ({"endpoints": [f"http://127.0.0.1:{port}" for port in range(1, 18)]}, "/endpoints", "at most 16"),
        ({"endpoints": ["http://127.0.0.1:9", "http://127.0.0.1:9"]}, "/endpoints/1", "twice"),
        ({"endpoints": ["there"]}, "/endpoints/0", "http://"),
        ({"endpoints": ["http://{listen}", "http://127.0.0.1:9"]}, "/endpoints", "for ever"),
        ({"endpoint": "http://127.0.0.1:9", "signals": []}, "/signals", "empty"),
        ({"traces_endpoint": "http://127.0.0.1:9", "signals": ["traces", "logs"]}, "/signals", 'never takes "logs"'),
        ({"endpoint": "http://127.0.0.1:9", "limits": {"age": "1s"}}, "/limits/age", 'at least "1m"'),
    ],
    ids=["none", "endpoint too", "of a signal too", "many", "twice", "no address", "itself", "no signals", "other signals", "age"],
)
def test_what_makes_no_sense_is_refused(tmp_path, exporter, pointer, hint):
    file = pipeline(tmp_path, {"there": {"type": "otlp_http"} | exporter})
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(file).replace("{listen}", file["receivers"]["otlp"]["listen"]))
    done = run("validate", path)
    assert done.returncode == 78
    assert any(f"/exporters/there{pointer}: " in line and hint in line for line in done.stdout.splitlines()), done.stdout
