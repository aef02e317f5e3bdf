"""Bodies that real SDKs and frameworks sent, as they were on the wire."""

import dataclasses
import gzip
import hashlib
import json
import pathlib
import re
import zlib

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from kit import otlp
from kit.environments import CAPTURES, CHECKOUT, DATA
from kit.millrace import PROTOBUF

ENCODERS = {"gzip": gzip.compress, "deflate": zlib.compress}
EMITTERS = CHECKOUT / "Tests/MLflowTests/Emitters"
NOT_OTLP = {"mlflow-sdk-native-6.json"}  # a call of MLflow's own REST API
NOT_SPANS = re.compile(r"\.meta\.json$|\.metrics\.pb$|\.logs\.pb$|-logs-\d+\.pb$")


@dataclasses.dataclass(frozen=True)
class Capture:
    """`body` is without its content encoding, which `encoded` applies again."""

    name: str
    body: bytes
    content_type: str = PROTOBUF
    encoding: str | None = None

    @property
    def headers(self):
        return {"content-encoding": self.encoding} if self.encoding else {}

    @property
    def encoded(self):
        return ENCODERS[self.encoding](self.body) if self.encoding else self.body

    def resources(self):
        """[(attributes, [span])], each span as {"trace", "id", "parent", "name", "attributes"}, ids in hex."""
        return _json_resources(self.body) if self.content_type != PROTOBUF else _protobuf_resources(self.body)

    def spans(self):
        return [span for _, spans in self.resources() for span in spans]

    @property
    def run(self):
        """The run of an app that this is one request of: the name without the request's number."""
        return re.sub(r"-\d+$", "", self.name)

    def retraced(self, way):
        """The same spans in traces of their own, so that one server can take them by several ways.

        An id is replaced where it stands, in raw and in hex, by one of the same length, so that nothing else moves.
        """
        body = self.body
        for trace in {span["trace"] for span in self.spans()}:
            ours = self.trace_id(way, trace)
            body = body.replace(bytes.fromhex(trace), bytes.fromhex(ours)).replace(trace.encode(), ours.encode())
        return dataclasses.replace(self, body=body)

    def trace_id(self, way, trace):
        """What `retraced` makes of a trace id: the same in all requests of a run."""
        return hashlib.md5(f"{way} {self.run} {trace}".encode()).hexdigest()


def trace_captures():
    """What is in Tests/Data/captures, other signals left out."""
    for path in sorted([*CAPTURES.glob("*.pb"), *CAPTURES.glob("*.json")]):
        if NOT_SPANS.search(path.name) or path.name in NOT_OTLP:
            continue
        meta = json.loads(path.with_name(path.stem + ".meta.json").read_text())
        lower = {name.lower(): value for name, value in meta.items()}
        yield Capture(
            path.stem, path.read_bytes(), lower.get("content-type", PROTOBUF), lower.get("content-encoding")
        )


def protobuf_bodies():
    """(name, signal, body) of everything recorded in protobuf, but of requests that hold nothing."""
    for path in sorted([*DATA.glob("c*/*.pb"), *EMITTERS.glob("*.pb")]):
        of = re.search(r"\.(metrics|logs)\.pb$|-(logs)-\d+\.pb$", path.name)
        signal = (of[1] or of[2]) if of else "traces"
        body = path.read_bytes()
        if otlp.units_of(signal, otlp.REQUESTS[signal].FromString(body)):
            yield path.name, signal, body


def named(path):
    """One body of any folder, without its content encoding."""
    return Capture(path.stem, path.read_bytes(), "application/json" if path.suffix == ".json" else PROTOBUF)


def emitters():
    """Bodies of the frameworks that the mapping's own tests read."""
    for path in sorted(EMITTERS.glob("*.pb")):
        if not NOT_SPANS.search(path.name):
            yield Capture(path.stem, path.read_bytes())


def _protobuf_resources(body):
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        spans = otlp.each_span(ExportTraceServiceRequest(resource_spans=[resource]))
        yield _plain(resource.resource.attributes), [_span(span) for span in spans]


def _span(span):
    trace, identifier = otlp.pair(span)
    return {
        "trace": trace,
        "id": identifier,
        "parent": span.parent_span_id.hex(),
        "name": span.name,
        "attributes": _plain(span.attributes),
    }


def _plain(attributes):
    return {entry.key: _value(entry.value) for entry in attributes}


def _value(value):
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return _plain(value.kvlist_value.values)
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


def _json_resources(body):
    for resource in json.loads(body)["resourceSpans"]:
        yield json_attributes(resource.get("resource", {})), [
            {
                "trace": span["traceId"].lower(),
                "id": span["spanId"].lower(),
                "parent": span.get("parentSpanId", "").lower(),
                "name": span["name"],
                "attributes": json_attributes(span),
            }
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


def json_attributes(holder):
    """The attributes of a span or a resource in OTLP/JSON, as plain values."""
    return {entry["key"]: _json_value(entry.get("value", {})) for entry in holder.get("attributes", [])}


def _json_value(value):
    for kind, content in value.items():
        if kind == "kvlistValue":
            return json_attributes({"attributes": content.get("values", [])})
        if kind == "arrayValue":
            return [_json_value(item) for item in content.get("values", [])]
        return int(content) if kind == "intValue" else content
    return None
