"""Everything that real SDKs were seen to send, through one fan-out."""

import collections
import gzip
import json
import zlib

import pytest

from conftest import mlflow_exporter
from kit import otlp
from kit.environments import CAPTURES
from kit.millrace import PROTOBUF, QUICK_RETRY
from kit.waiting import eventually
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ENCODERS = {"gzip": gzip.compress, "deflate": zlib.compress}
NOT_OTLP = {"mlflow-sdk-native-6.json"}  # a call of MLflow's own REST API


def trace_captures():
    """[(body, content type, content encoding or None)], as they were on the wire."""
    for path in sorted([*CAPTURES.glob("*.pb"), *CAPTURES.glob("*.json")]):
        if path.name.endswith((".meta.json", ".metrics.pb", ".logs.pb")) or path.name in NOT_OTLP:
            continue
        meta = json.loads(path.with_name(path.stem + ".meta.json").read_text())
        lower = {name.lower(): value for name, value in meta.items()}
        yield path.read_bytes(), lower.get("content-type", PROTOBUF), lower.get("content-encoding")


def contents(body, content_type):
    """[(service name or None, trace id, span id)]."""
    if content_type == PROTOBUF:
        message = ExportTraceServiceRequest.FromString(body)
        for resource in message.resource_spans:
            names = [entry.value.string_value for entry in resource.resource.attributes if entry.key == "service.name"]
            for pair in otlp.spans_of(ExportTraceServiceRequest(resource_spans=[resource])):
                yield (names[0] if names else None, *pair)
        return
    for resource in json.loads(body)["resourceSpans"]:
        attributes = {entry["key"]: entry["value"] for entry in resource["resource"]["attributes"]}
        for pair in otlp.spans_of_json({"resourceSpans": [resource]}):
            yield (attributes.get("service.name", {}).get("stringValue"), *pair)


@pytest.fixture
def captures():
    captures = list(trace_captures())
    assert len(captures) >= 30, f"{CAPTURES} holds {len(captures)} trace captures"
    return captures


def test_every_capture_reaches_mlflow_phoenix_and_a_file(millrace, mlflow, phoenix, captures, tmp_path):
    archive = tmp_path / "archive.jsonl"
    gateway = millrace(
        {
            "mlflow": mlflow_exporter(mlflow),
            "phoenix": {"type": "otlp_http", "endpoint": phoenix.url, "retry": QUICK_RETRY},
            "archive": {"type": "file", "path": str(archive)},
        }
    )
    sent, experiments = collections.Counter(), collections.defaultdict(set)
    for body, content_type, encoding in captures:
        headers = {"content-encoding": encoding} if encoding else {}
        encoded = ENCODERS[encoding](body) if encoding else body
        answer = gateway.post(encoded, content_type=content_type, **headers)
        assert (answer.status_code, answer.content) in [(200, b""), (200, b"{}")]
        for name, *pair in contents(body, content_type):
            sent[tuple(pair)] += 1
            experiments[name or "Default"].add(tuple(pair))

    ledger = gateway.settled(accepted=sent.total(), within=90)
    assert ledger["refused_spans"] == 0
    for name, row in ledger["destinations"].items():
        assert (row["accepted"], row["delivered"]) == (sent.total(), sent.total()), name
    assert collections.Counter(otlp.spans_of_file(archive)) == sent
    for experiment, spans in experiments.items():
        assert spans <= mlflow.spans(experiment), f"missing in {experiment!r}"
    eventually(lambda: set(sent) <= phoenix.spans(), within=60, every=0.5)
