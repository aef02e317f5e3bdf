"""OTLP bodies: built, read back, and told apart by (trace id, span id)."""

import json
import random
import time

from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ids = random.Random()
SIGNALS = ["traces", "metrics", "logs"]
REQUESTS = {
    "traces": ExportTraceServiceRequest, "metrics": metrics.ExportMetricsServiceRequest, "logs": logs.ExportLogsServiceRequest
}  # fmt: skip
RESPONSES = {
    "traces": traces.ExportTraceServiceResponse, "metrics": metrics.ExportMetricsServiceResponse,
    "logs": logs.ExportLogsServiceResponse,
}  # fmt: skip
ITEMS = {"traces": "spans", "metrics": "data_points", "logs": "log_records"}
GROUPS = {
    "traces": ("resource_spans", "scope_spans", "spans"), "metrics": ("resource_metrics", "scope_metrics", "metrics"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
}  # fmt: skip
"""The names of resources, scopes and units."""
POINTS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def request_of(signal, service, items=5, padding=0):
    """A request of any signal; its items have pairs of ids of their own, as `pairs_of` reads them."""
    if signal == "traces":
        return request(service, items, padding)
    message = REQUESTS[signal]()
    group, inner, _ = GROUPS[signal]
    resource = getattr(message, group).add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    scope, trace, now = getattr(resource, inner).add(), ids.randbytes(16), time.time_ns()
    metric = scope.metrics.add(name=trace.hex()) if signal == "metrics" else None
    for number in range(items):
        identifier = ids.randbytes(8)
        if signal == "logs":
            item = scope.log_records.add(trace_id=trace, span_id=identifier, time_unix_nano=now + number)
            item.body.string_value = f"step {number} of {service}"
        else:
            item = metric.gauge.data_points.add(time_unix_nano=now + number, as_int=number)
            item.attributes.add(key="id").value.string_value = identifier.hex()
        if padding:
            item.attributes.add(key="padding").value.string_value = "x" * padding
    return message


def units_of(signal, message):
    """The spans, log records or metrics of a request."""
    groups, scopes, units = GROUPS[signal]
    return [unit for group in getattr(message, groups) for scope in getattr(group, scopes) for unit in getattr(scope, units)]


def points_of(metric):
    """The data points of a metric."""
    kind = metric.WhichOneof("data")
    return getattr(metric, kind).data_points if kind else []


def pairs_of(signal, message):
    """[(trace id, span id)] in hex of every item: of a data point, its metric's name and its attribute `id`."""
    if signal != "metrics":
        return [pair(unit) for unit in units_of(signal, message)]
    return [
        (metric.name, point.attributes[0].value.string_value)
        for metric in units_of(signal, message)
        for point in points_of(metric)
    ]


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


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def pairs_of_json(signal, document):
    """The same as `pairs_of` of a request in OTLP/JSON."""
    groups, scopes, units = map(camel, GROUPS[signal])
    found = [u for group in document.get(groups, []) for scope in group.get(scopes, []) for u in scope.get(units, [])]
    if signal != "metrics":
        return [(unit["traceId"].lower(), unit["spanId"].lower()) for unit in found]
    return [
        (metric["name"], point["attributes"][0]["value"]["stringValue"])
        for metric in found
        for point in metric["gauge"]["dataPoints"]
    ]


def spans_of_file(path, signal="traces"):
    """Every span, log record or data point of a JSON-lines file, in order; each line must be whole."""
    if not path.exists():
        return []
    text = path.read_text()
    assert text == "" or text.endswith("\n"), "torn last line"
    return [pair for line in text.splitlines() for pair in pairs_of_json(signal, json.loads(line))]


def newer_spans_of_file(path, position):
    """The spans behind a position in a JSON-lines file, of whole lines alone, and the position behind these."""
    if not path.exists():
        return [], position
    with path.open("rb") as file:
        file.seek(position)
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    spans = [pair for line in whole.splitlines() for pair in pairs_of_json("traces", json.loads(line))]
    return spans, position + len(whole)


def status_of(response):
    """The google.rpc.Status of an answer, decoded by the answer's own content type."""
    kind = response.headers["content-type"].split(";")[0]
    if kind == "application/json":
        return json_format.Parse(response.content, Status())
    assert kind == "application/x-protobuf", f"content type {kind}"
    return Status.FromString(response.content)


def status_message(response):
    return status_of(response).message
