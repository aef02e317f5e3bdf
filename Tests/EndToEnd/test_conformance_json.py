"""OTLP's rules for JSON, read strictly where Millrace writes and loosely where it reads. Each test has the name of its rule."""

import base64
import json
import re

import pytest
from conftest import otlp_exporter
from kit import otlp, rich
from kit.millrace import all_signals
from kit.sink import Sink
from kit.waiting import eventually

JSON = "application/json"


@pytest.fixture
def relay(millrace, sink, tmp_path):
    """`relay(signal, document)`: what a destination gets for a document in JSON, as a message."""
    sink.bodies = []
    exporters = {"out": otlp_exporter(sink, batch={"linger": "1ms"})}
    relay = millrace(exporters, tmp_path / "relay", **all_signals(exporters))

    def send(signal, document):
        text = document if isinstance(document, str) else json.dumps(document)
        answer = relay.post(text.encode(), JSON, f"/v1/{signal}")
        assert (answer.status_code, answer.content) == (200, b"{}")
        ((_, body),) = eventually(lambda: list(sink.bodies))
        sink.bodies.clear()
        return otlp.REQUESTS[signal].FromString(body)

    send.gateway = relay
    return send


@pytest.fixture
def written(millrace, tmp_path):
    """`written(signal, message)`: the document that a destination gets for a message in protobuf."""
    seen, sink = [], Sink().start()
    sink.admits = lambda path, headers, body: seen.append(body) or (200, {})
    exporters = {"out": otlp_exporter(sink, encoding="json", compression="none", batch={"linger": "1ms"})}
    gateway = millrace(exporters, tmp_path / "writer", **all_signals(exporters))

    def send(signal, message):
        assert gateway.post(message.SerializeToString(), path=f"/v1/{signal}").content == b""
        (body,) = eventually(lambda: list(seen))
        seen.clear()
        return json.loads(body)

    yield send
    sink.close()


def span(**members):
    """A request of one span, with more or other members."""
    whole = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "chat"} | members
    return {"resourceSpans": [{"scopeSpans": [{"spans": [whole]}]}]}


def first(message):
    return otlp.each_span(message)[0]


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_every_field_is_read(relay, signal):
    message = rich.request(signal)
    assert relay(signal, rich.to_json(message)) == message


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_every_field_is_written(written, signal):
    message = rich.request(signal)
    assert rich.from_json(signal, written(signal, message)) == message


def test_names_are_in_camel_case(written, relay):
    names = rich.names(written("metrics", rich.request("metrics")))
    assert {"resourceMetrics", "dataPoints", "timeUnixNano"} <= set(names)
    assert not [name for name in names if "_" in name]
    document = json.dumps(span(startTimeUnixNano="7")).replace("startTimeUnixNano", "start_time_unix_nano")
    assert first(relay("traces", document)).start_time_unix_nano == 7
    assert relay.gateway.metric("millrace_receiver_deviations_total", kind="snake_case") == 1


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_ids_are_hexadecimal_in_either_case(written, relay, signal):
    """Of spans, links, log records and exemplars."""
    message = rich.request(signal)
    document = written(signal, message)
    found = re.findall(r'"(?:traceId|spanId|parentSpanId)": "([^"]*)"', json.dumps(document))
    assert len(found) >= 4 and all(re.fullmatch("[0-9a-f]{16}|[0-9a-f]{32}", text) for text in found)
    upper = json.dumps(document)
    for text in found:
        upper = upper.replace(text, text.upper())
    assert relay(signal, upper) == message


def test_enums_are_integers(written, relay):
    message = otlp.request("shop", spans=1)
    first(message).kind, first(message).status.code = 3, 2
    (group,) = written("traces", message)["resourceSpans"]
    found = group["scopeSpans"][0]["spans"][0]
    assert (found["kind"], found["status"]["code"]) == (3, 2)
    named = first(relay("traces", span(kind="SPAN_KIND_CLIENT", status={"code": "STATUS_CODE_ERROR"})))
    assert (named.kind, named.status.code) == (3, 2)
    assert relay.gateway.metric("millrace_receiver_deviations_total", kind="enum_name") == 2


def test_integers_of_64_bits_are_written_as_strings_and_read_as_either(written, relay):
    message = otlp.request("shop", spans=1)
    first(message).start_time_unix_nano = 2**63 + 1
    first(message).attributes.add(key="n").value.int_value = -(2**53) - 1
    (group,) = written("traces", message)["resourceSpans"]
    found = group["scopeSpans"][0]["spans"][0]
    assert found["startTimeUnixNano"] == str(2**63 + 1)
    assert found["attributes"] == [{"key": "n", "value": {"intValue": str(-(2**53) - 1)}}]
    for number in (str(2**53 + 1), 2**53 + 1):
        attributes = [{"key": "n", "value": {"intValue": number}}]
        read = first(relay("traces", span(startTimeUnixNano=number, attributes=attributes)))
        assert (read.start_time_unix_nano, read.attributes[0].value.int_value) == (2**53 + 1, 2**53 + 1)


def test_deviations_are_read_and_counted_by_client(relay):
    """Ids in base64, integers that no 64 bits hold; `snake_case` and `enum_name` are looked at where their rules are."""
    ids = {"traceId": base64.b64encode(b"t" * 16).decode(), "spanId": base64.b64encode(b"s" * 8).decode()}
    wide = [{"key": "n", "value": {"intValue": 1e21}}, {"key": "n", "value": {"intValue": 0.5}}]
    found = first(relay("traces", span(**ids, attributes=wide)))
    assert (found.trace_id, found.span_id) == (b"t" * 16, b"s" * 8)
    assert [entry.value.double_value for entry in found.attributes] == [1e21, 0.5]
    for kind in ("base64_id", "wide_integer"):
        client = relay.gateway.session.headers["user-agent"]
        assert relay.gateway.metric("millrace_receiver_deviations_total", kind=kind, client=client) == 2
        assert f"client={client} kind={kind}" in relay.gateway.process.log


def test_bytes_are_in_base64(written, relay):
    content = bytes(range(256))
    message = otlp.request("shop", spans=1)
    first(message).attributes.add(key="b").value.bytes_value = content
    (group,) = written("traces", message)["resourceSpans"]
    (entry,) = group["scopeSpans"][0]["spans"][0]["attributes"]
    assert entry["value"] == {"bytesValue": base64.b64encode(content).decode()}
    assert first(relay("traces", span(attributes=[entry]))).attributes[0].value.bytes_value == content


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_unknown_names_are_ignored(relay, signal):
    def with_more(node):
        if isinstance(node, dict):
            return {"newName": {"a": [1, None, "x"]}} | {key: with_more(value) for key, value in node.items()} | {"zz": 1}
        return [with_more(value) for value in node] if isinstance(node, list) else node

    message = otlp.request_of(signal, "shop")
    assert relay(signal, with_more(rich.to_json(message))) == message


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_doubles_that_are_no_numbers_have_names(written, relay, text):
    message = otlp.request("shop", spans=1)
    first(message).attributes.add(key="d").value.double_value = float(text)
    (group,) = written("traces", message)["resourceSpans"]
    (entry,) = group["scopeSpans"][0]["spans"][0]["attributes"]
    assert entry["value"] == {"doubleValue": text}
    assert repr(first(relay("traces", span(attributes=[entry]))).attributes[0].value.double_value) == repr(float(text))


def test_null_is_the_default(relay):
    nothing = dict.fromkeys(["kind", "parentSpanId", "startTimeUnixNano", "status", "events", "links", "traceState", "flags"])
    assert first(relay("traces", span(**nothing))) == first(relay("traces", span()))


def test_a_file_has_one_document_a_line(millrace, archives, tmp_path):
    """Each of one signal, and readable on its own."""
    exporters = {"file": archives("file")}
    gateway = millrace(exporters, **all_signals(exporters))
    sent = {signal: rich.request(signal) for signal in otlp.SIGNALS}
    for signal, message in sent.items():
        assert gateway.post(message.SerializeToString(), path=f"/v1/{signal}").status_code == 200
    file = tmp_path / "file.jsonl"
    eventually(lambda: file.exists() and file.read_text().count("\n") == 3)
    for line in file.read_text().split("\n")[:-1]:
        (name,) = json.loads(line)
        signal = next(signal for signal in sent if otlp.camel(otlp.GROUPS[signal][0]) == name)
        assert rich.from_json(signal, json.loads(line)) == sent[signal]
