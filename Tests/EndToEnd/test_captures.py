"""Everything that real SDKs were seen to send, through one fan-out."""

import collections

import pytest

from conftest import mlflow_exporter
from kit import otlp
from kit.captures import trace_captures
from kit.environments import CAPTURES
from kit.millrace import QUICK_RETRY
from kit.waiting import eventually


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
    for capture in captures:
        answer = gateway.post(capture.encoded, content_type=capture.content_type, **capture.headers)
        assert (answer.status_code, answer.content) in [(200, b""), (200, b"{}")]
        for resource, spans in capture.resources():
            pairs = [(span["trace"], span["id"]) for span in spans]
            sent.update(pairs)
            experiments[resource.get("service.name") or "Default"].update(pairs)

    ledger = gateway.settled(accepted=sent.total(), within=90)
    assert ledger["refused_spans"] == 0
    for name, row in ledger["destinations"].items():
        assert (row["accepted"], row["delivered"]) == (sent.total(), sent.total()), name
    assert collections.Counter(otlp.spans_of_file(archive)) == sent
    for experiment, spans in experiments.items():
        assert spans <= mlflow.spans(experiment), f"missing in {experiment!r}"
    eventually(lambda: set(sent) <= phoenix.spans(), within=60, every=0.5)
