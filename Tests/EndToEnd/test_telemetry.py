"""What Millrace sends about itself: spans of requests and deliveries, and its metrics, by OTLP to an exporter of its own."""

import grpc
import pytest
import requests
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from conftest import AWAY, otlp_exporter
from kit import otlp
from kit.environments import free_port
from kit.grpc_caller import Caller
from kit.grpc_sink import GRPCSink
from kit.millrace import run
from kit.waiting import eventually


@pytest.fixture
def watcher():
    """A gRPC server of the C core that takes what Millrace sends about itself."""
    watcher = GRPCSink().start()
    yield watcher
    watcher.close()


@pytest.fixture
def start(millrace):
    """`start(exporters, telemetry)`: a gateway for all exporters but `watch`."""

    def start(exporters, telemetry, signals=("traces",), **more):
        return millrace(
            exporters,
            receivers={
                "otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"} | more,
                "grpc": {"type": "otlp_grpc", "listen": f"127.0.0.1:{free_port()}"} | more,
            },
            processors={"batch": {"type": "batch", "linger": "50ms"}},
            pipelines={
                "all": {
                    "receivers": ["otlp", "grpc"],
                    "processors": ["batch"],
                    "exporters": [name for name in exporters if name != "watch"],
                    "signals": list(signals),
                }
            },
            telemetry=telemetry,
        )

    return start


def own_spans(watcher):
    """{name: [span]} of what was sent, after checking whose it says it is."""
    found = {}
    for body in list(watcher.bodies["traces"]):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            own = values(resource.resource.attributes)
            assert own["service.name"] == "millrace" and own["service.instance.id"]
            for span in resource.scope_spans[0].spans:
                found.setdefault(span.name, []).append(span)
    return found


def values(attributes):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}


def parent(trace, span, sampled=True):
    return f"00-{trace.hex()}-{span.hex()}-{'01' if sampled else '00'}"


def send(gateway, message, way, traceparent=None):
    body = message.SerializeToString()
    if way == "http":
        headers = {"content-type": "application/x-protobuf"} | ({"traceparent": traceparent} if traceparent else {})
        assert requests.post(gateway.url + "/v1/traces", data=body, headers=headers, timeout=30).status_code == 200
        return
    with Caller(gateway.pipeline["receivers"]["grpc"]["listen"]) as client:
        named = {"traceparent": traceparent} if traceparent else {}
        assert client.export(body, **named) == (b"", None)


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_spans_of_a_request_and_of_each_attempt_continue_the_clients_trace(start, sink, watcher, service, way):
    answers = iter([(503, {"message": "busy"})])
    sink.refuses = lambda message: next(answers, None)
    watch = {"type": "otlp_grpc", "endpoint": watcher.url}
    telemetry = {"traces": 1, "to": "watch", "interval": "1s"}
    gateway = start({"sink": otlp_exporter(sink), "watch": watch}, telemetry)
    trace, span = bytes(range(1, 17)), bytes(range(1, 9))
    send(gateway, otlp.request(service), way, parent(trace, span))
    gateway.settled(accepted=5)
    # A client that does not record its own trace gets no spans in it, and one without a trace begins one here.
    send(gateway, otlp.request(service), way, parent(bytes(range(2, 18)), span, sampled=False))
    send(gateway, otlp.request(service), way)
    gateway.settled(accepted=15)

    def arrived():
        spans = own_spans(watcher)
        assert (len(spans["receive traces"]), len(spans["deliver traces"])) == (2, 3)
        return spans

    spans = eventually(arrived)
    (received,) = [one for one in spans["receive traces"] if one.trace_id == trace]
    assert received.parent_span_id == span and received.kind == Span.SPAN_KIND_SERVER and received.flags == 0x301
    found = values(received.attributes)
    assert found["millrace.receiver"] == {"http": "otlp", "grpc": "grpc"}[way]
    assert (found["millrace.outcome"], found["millrace.items"]) == ("accepted", 5)
    assert found["millrace.bytes"] > 100 and 0 < found["millrace.journal_wait_seconds"] < 30
    attempts = [one for one in spans["deliver traces"] if one.trace_id == trace]
    assert [one.parent_span_id for one in attempts] == [received.span_id] * 2
    assert all(one.kind == Span.SPAN_KIND_CLIENT and one.flags == 0x101 for one in attempts)
    assert all(received.start_time_unix_nano <= one.start_time_unix_nano <= one.end_time_unix_nano for one in attempts)
    first, second = [values(one.attributes) for one in attempts]
    assert (first["millrace.attempt"], first["millrace.outcome"]) == (1, "unavailable")
    assert (second["millrace.attempt"], second["millrace.outcome"]) == (2, "delivered")
    for facts in first, second:
        assert (facts["millrace.exporter"], facts["millrace.pipeline"]) == ("sink", "all")
        assert (facts["millrace.route"], facts["millrace.items"]) == ("default", 5)
    assert attempts[0].status.code == Status.STATUS_CODE_ERROR and "503" in attempts[0].status.message
    (root,) = [one for one in spans["receive traces"] if one.trace_id != trace]
    (last,) = [one for one in spans["deliver traces"] if one.trace_id != trace]
    assert not root.parent_span_id and root.flags == 0x101
    assert (last.trace_id, last.parent_span_id) == (root.trace_id, root.span_id)
    # Nobody who gets this is to record it in turn.
    assert all(metadata["traceparent"].endswith("-00") for _, _, metadata in watcher.calls)


def test_requests_that_share_a_delivery_are_linked_also_after_a_crash(start, sink, watcher, service):
    sink.close()
    watch = {"type": "otlp_grpc", "endpoint": watcher.url}
    gateway = start({"sink": otlp_exporter(sink), "watch": watch}, {"traces": 1, "to": "watch", "interval": "1s"})
    for _ in range(3):
        send(gateway, otlp.request(service), "http")
    received = eventually(lambda: (found := own_spans(watcher)["receive traces"])[2] and found)
    gateway.kill()
    sink.start()
    gateway.start()
    gateway.settled(accepted=15)

    def delivered():
        return [one for one in own_spans(watcher)["deliver traces"] if values(one.attributes)["millrace.outcome"] == "delivered"]

    attempts = eventually(delivered)
    contexts = {(one.trace_id, one.parent_span_id) for one in attempts}
    contexts |= {(link.trace_id, link.span_id) for one in attempts for link in one.links}
    assert contexts == {(one.trace_id, one.span_id) for one in received}


def test_metrics_are_what_the_admin_endpoint_shows(start, sink, watcher, service):
    watch = {"type": "otlp_grpc", "endpoint": watcher.url}
    gateway = start({"sink": otlp_exporter(sink), "watch": watch}, {"to": "watch", "interval": "1s"})
    send(gateway, otlp.request(service), "http")
    gateway.settled(accepted=5)
    count = len(watcher.bodies["metrics"])
    eventually(lambda: len(watcher.bodies["metrics"]) > count + 1)
    shown = gateway.admin("/metrics").text
    (resource,) = ExportMetricsServiceRequest.FromString(watcher.bodies["metrics"][-1]).resource_metrics
    assert values(resource.resource.attributes)["service.name"] == "millrace"
    metrics = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    kinds = dict(line.split()[2:4] for line in shown.splitlines() if line.startswith("# TYPE"))
    forms = {"counter": "sum", "gauge": "gauge", "histogram": "histogram"}
    assert {name: metric.WhichOneof("data") for name, metric in metrics.items()} == {
        name: forms[kind] for name, kind in kinds.items()
    }
    accepted = metrics["millrace_receiver_accepted_spans_total"].sum
    assert accepted.is_monotonic and accepted.aggregation_temporality == 2
    points = {values(point.attributes)["receiver"]: point for point in accepted.data_points}
    assert points["otlp"].as_double == 5 and points["grpc"].as_double == 0
    assert values(points["otlp"].attributes)["pipeline"] == "all"
    assert 0 < points["otlp"].start_time_unix_nano < points["otlp"].time_unix_nano
    (attempts,) = metrics["millrace_exporter_attempt_seconds"].histogram.data_points
    assert attempts.count == sum(attempts.bucket_counts) == 1
    assert len(attempts.bucket_counts) == len(attempts.explicit_bounds) + 1
    assert metrics["millrace_exporter_attempt_seconds"].unit == "s"
    assert not watcher.bodies["traces"]


def test_millrace_that_sends_to_itself_makes_nothing_of_its_own_requests(start, archives, service):
    port = free_port()
    exporters = {"file": archives("file"), "watch": {"type": "otlp_http", "endpoint": f"http://127.0.0.1:{port}"}}
    telemetry = {"traces": 1, "to": "watch", "interval": "1s"}
    gateway = start(exporters, telemetry, signals=["traces", "metrics"])
    gateway.stop()
    gateway.pipeline["receivers"]["otlp"]["listen"] = f"127.0.0.1:{port}"
    gateway.save()
    gateway.start()
    send(gateway, otlp.request(service), "http")

    def requests_of(signal):
        return gateway.metric("millrace_receiver_requests_total", receiver="otlp", signal=signal, code="200")

    # The trace of five spans, the span of its request and that of its delivery: no more, however often metrics come by.
    eventually(lambda: gateway.metric("millrace_receiver_accepted_spans_total") == 7)
    seen = requests_of("metrics")
    eventually(lambda: requests_of("metrics") >= seen + 4)
    assert gateway.metric("millrace_receiver_accepted_spans_total") == 7
    assert gateway.metric("millrace_telemetry_dropped_spans_total") == 0


def test_two_that_send_to_each_other_make_nothing_of_what_comes_back(start, millrace, tmp_path, archives, service):
    port = free_port()
    exporters = {"file": archives("file"), "watch": {"type": "otlp_http", "endpoint": f"http://127.0.0.1:{port}"}}
    gateway = start(exporters, {"traces": 1, "to": "watch", "interval": "1s"}, signals=["traces", "metrics"])
    millrace(
        {"back": {"type": "otlp_http", "endpoint": gateway.url}},
        directory=tmp_path / "other",
        receivers={"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{port}"}},
        processors={"batch": {"type": "batch", "linger": "50ms"}},
        pipelines={
            "all": {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["back"], "signals": ["traces", "metrics"]},
        },
    )
    send(gateway, otlp.request(service), "http")

    def requests_of(signal):
        return gateway.metric("millrace_receiver_requests_total", receiver="otlp", signal=signal, code="200")

    # The trace of five spans, then the two spans about it.
    eventually(lambda: gateway.metric("millrace_receiver_accepted_spans_total") == 7)
    seen = requests_of("metrics")
    eventually(lambda: requests_of("metrics") >= seen + 4)
    assert gateway.metric("millrace_receiver_accepted_spans_total") == 7


def test_what_nobody_takes_is_bounded_and_costs_users_nothing(start, sink, service):
    gateway = start({"sink": otlp_exporter(sink), "watch": AWAY}, {"traces": 1, "to": "watch", "interval": "1s"})
    before = gateway.memory("VmRSS")
    sent = gateway.send(service, traces=2500, spans=1)
    gateway.settled(accepted=len(sent))
    assert sink.spans == sent
    dropped = gateway.metric("millrace_telemetry_dropped_spans_total")
    assert 400 <= dropped < 2 * len(sent)
    assert gateway.memory("VmRSS") - before < 64 << 20
    gateway.stop()


def test_a_file_without_an_exporter_for_it_is_refused(tmp_path):
    file = tmp_path / "pipeline.json"
    file.write_text(
        '{"receivers": {"in": {"type": "otlp_http"}}, "exporters": {"out": {"type": "discard"}},\n'
        '"pipelines": {"all": {"receivers": ["in"], "exporters": ["out"]}},\n'
        '"telemetry": {"traces": 1, "to": "our"}}'
    )
    done = run("validate", file)
    assert done.returncode == 78
    assert ':3:34: /telemetry/to: "our" is no exporter of this file; allowed: out; did you mean "out"?' in done.stderr + done.stdout
