"""OTLP's rules for everybody who takes requests and passes them on. Each test has the name of its rule (kit/conformance.py)."""

import pytest
from conftest import QUICK_RETRY, otlp_exporter
from kit import otlp, rich
from kit.environments import free_port
from kit.grpc_caller import Caller
from kit.millrace import PROTOBUF, all_signals
from kit.waiting import eventually

JSON = "application/json"
UNKNOWN = b"\xfa\x3f\x03new" + b"\xf0\x3f\x07" + b"\xf5\x3f\x01\x02\x03\x04"
"""Fields of the numbers 1023 and 1022 that no version of OTLP has: bytes, a number, four bytes."""


@pytest.fixture
def start(millrace, sink):
    """`start(signals, processors)`: OTLP/HTTP and gRPC in, and the destination `out`, whose bodies are kept."""

    def start(signals=otlp.SIGNALS, processors=(), **exporter):
        sink.bodies = []
        receivers = {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"}}
        receivers["grpc"] = {"type": "otlp_grpc", "listen": f"127.0.0.1:{free_port()}"}
        exporters = {"out": otlp_exporter(sink, batch={"linger": "1ms"}, **exporter)}
        return millrace(exporters, receivers=receivers, **all_signals(exporters, signals, processors, receivers))

    return start


def caller(gateway):
    return Caller(gateway.pipeline["receivers"]["grpc"]["listen"])


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_an_empty_request_is_success(start, signal):
    gateway = start()
    for body, content_type, answer in ((b"", PROTOBUF, b""), (b"{}", JSON, b"{}")):
        found = gateway.post(body, content_type, f"/v1/{signal}")
        assert (found.status_code, found.content) == (200, answer)
    with caller(gateway) as client:
        assert client.export(b"", signal) == (b"", None)


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_no_empty_request_is_sent(start, sink, signal):
    """Neither for a request without items nor for one that is empty once what a processor or a check removed is gone."""
    gateway = start([signal], [{"type": "sample", "ratio": 0}] if signal != "metrics" else [])
    groups, scopes, _ = otlp.GROUPS[signal]
    hollow = otlp.REQUESTS[signal]()
    getattr(getattr(hollow, groups).add(), scopes).add().scope.name = "hollow"
    for message in (otlp.REQUESTS[signal](), hollow):
        assert gateway.post(message.SerializeToString(), path=f"/v1/{signal}").status_code == 200
    if signal != "metrics":
        message = otlp.request_of(signal, "dropped")
        assert gateway.post(message.SerializeToString(), path=f"/v1/{signal}").status_code == 200
        assert gateway.settled(accepted=5, signal=signal)["destinations"]["out"]["sampled_out"] == 5
    gateway.stop()
    assert sink.requests == []


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_unknown_fields_are_ignored_and_passed_on(start, sink, signal):
    """In protobuf at every level, byte for byte, by both protocols."""
    gateway = start()
    groups, scopes, units = otlp.GROUPS[signal]
    bodies = []
    for _ in range(2):
        message = otlp.request_of(signal, "shop", items=1)
        (group,) = getattr(message, groups)
        (scope,) = getattr(group, scopes)
        (unit,) = getattr(scope, units)
        for place in (unit, scope.scope, scope, group.resource.attributes[0].value, group.resource, group, message):
            place.MergeFromString(UNKNOWN)
        bodies.append(message.SerializeToString())
    with caller(gateway) as client:
        assert gateway.post(bodies[0], path=f"/v1/{signal}").status_code == 200
        assert client.export(bodies[1], signal) == (b"", None)
    eventually(lambda: whole(sink, signal, bodies))


def whole(sink, signal, bodies):
    """Whether the resources of all bodies have arrived, each as it stands."""
    found = b"".join(body for name, body in list(sink.bodies) if name == signal)
    return len(found) == sum(map(len, bodies)) and all(body in found for body in bodies)


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_flags_are_copied(start, sink, signal):
    """Bits that OTLP keeps for later, of a span that a processor changes too."""
    change = {"on": "span" if signal == "traces" else "log", "action": "insert", "key": "new", "value": "1"}
    gateway = start([signal], [{"type": "attributes", "actions": [change]}])
    message = otlp.request_of(signal, "shop", items=1)
    (unit,) = otlp.units_of(signal, message)
    unit.flags = 0xFFFFFFFF
    if signal == "traces":
        unit.links.add(trace_id=b"t" * 16, span_id=b"s" * 8, flags=0xDEADBEEF)
    assert gateway.post(message.SerializeToString(), path=f"/v1/{signal}").status_code == 200
    ((_, body),) = eventually(lambda: list(sink.bodies))
    (found,) = otlp.units_of(signal, otlp.REQUESTS[signal].FromString(body))
    assert found.flags == 0xFFFFFFFF and "new" in {entry.key for entry in found.attributes}
    assert [link.flags for link in getattr(found, "links", [])] == ([0xDEADBEEF] if signal == "traces" else [])


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_values_of_every_kind_are_taken(start, sink, signal):
    gateway = start()
    message = rich.request(signal)
    body = message.SerializeToString()
    assert gateway.post(body, path=f"/v1/{signal}").content == b""
    assert eventually(lambda: list(sink.bodies)) == [(signal, body)]


def test_what_is_for_profiles_alone_is_passed_on(start, sink):
    """`key_strindex` and `string_value_strindex`: read as absent, left where they stand."""
    gateway = start()
    message = otlp.request("shop", spans=1)
    (span,) = otlp.each_span(message)
    span.attributes.add().MergeFromString(b"\x18\x05\x12\x02\x40\x06")
    body = message.SerializeToString()
    assert gateway.post(body).content == b""
    assert eventually(lambda: list(sink.bodies)) == [("traces", body)]


def test_keys_are_written_once(start, sink):
    """By processors, whatever is inserted, renamed and copied onto what is there."""
    actions = [
        {"on": "span", "action": "upsert", "key": "a", "value": "2"},
        {"on": "span", "action": "insert", "key": "b", "value": "2"},
        {"on": "span", "action": "rename", "key": "c", "to": "a"},
        {"on": "resource", "action": "upsert", "key": "service.name", "value": "till"},
    ]
    gateway = start(["traces"], [{"type": "attributes", "actions": actions}, {"type": "mlflow_map"}])
    message = otlp.request("shop", spans=1)
    for key in ("a", "b", "c", "gen_ai.request.model", "mlflow.llm.model"):
        otlp.each_span(message)[0].attributes.add(key=key).value.string_value = "1"
    assert gateway.post(message.SerializeToString()).status_code == 200
    ((_, body),) = eventually(lambda: list(sink.bodies))
    (group,) = otlp.REQUESTS["traces"].FromString(body).resource_spans
    for holder in (group.resource, group.scope_spans[0].spans[0]):
        keys = [entry.key for entry in holder.attributes]
        assert len(keys) == len(set(keys)), keys
