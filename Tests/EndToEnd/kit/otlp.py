"""OTLP bodies: built, read back, and told apart by (trace id, span id)."""

import json
import random
import time

from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ids = random.Random()


def request(service, spans=5, padding=0):
    """One trace of `spans` spans, a root and its children, with ids of its own."""
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    scope = resource.scope_spans.add()
    trace, root, now = ids.randbytes(16), ids.randbytes(8), time.time_ns()
    for number in range(spans):
        span = scope.spans.add(trace_id=trace, span_id=ids.randbytes(8) if number else root)
        span.name = f"step {number}" if number else "root"
        span.parent_span_id = root if number else b""
        span.start_time_unix_nano, span.end_time_unix_nano = now + number, now + 1_000_000 + number
        if padding:
            span.attributes.add(key="padding").value.string_value = "x" * padding
    return message


def batch(service, traces, spans=1, padding=0):
    """One request of several traces, each in a ResourceSpans of its own."""
    message = ExportTraceServiceRequest()
    for _ in range(traces):
        message.MergeFrom(request(service, spans, padding))
    return message


def each_span(message):
    return [span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans]


def pair(span):
    """(trace id, span id) in hex."""
    return span.trace_id.hex(), span.span_id.hex()


def spans_of(message):
    """[(trace id, span id)] in hex, in order."""
    return [pair(span) for span in each_span(message)]


def spans_of_json(document):
    return [
        (span["traceId"].lower(), span["spanId"].lower())
        for resource in document.get("resourceSpans", [])
        for scope in resource.get("scopeSpans", [])
        for span in scope.get("spans", [])
    ]


def spans_of_file(path):
    """Every span of a JSON-lines file, in order; each line must be whole."""
    if not path.exists():
        return []
    text = path.read_text()
    assert text == "" or text.endswith("\n"), "torn last line"
    return [pair for line in text.splitlines() for pair in spans_of_json(json.loads(line))]


def status_message(response):
    """The message of a google.rpc.Status, decoded by the answer's own content type."""
    kind = response.headers["content-type"].split(";")[0]
    if kind == "application/json":
        return response.json()["message"]
    assert kind == "application/x-protobuf", f"content type {kind}"
    return Status.FromString(response.content).message
