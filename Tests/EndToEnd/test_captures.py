"""Everything that real SDKs were seen to send, through one fan-out, and by both protocols in and out."""

import collections
import gzip

import grpc
import pytest

from conftest import mlflow_exporter, otlp_exporter
from kit import otlp
from kit.captures import protobuf_bodies, trace_captures
from kit.environments import CAPTURES, free_port
from kit.grpc_caller import Caller
from kit.grpc_sink import GRPCSink
from kit.millrace import QUICK_RETRY, all_signals, by_signal
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


@pytest.fixture
def grpc_sink():
    sink = GRPCSink().start()
    yield sink
    sink.close()


def test_every_capture_of_every_signal_leaves_byte_for_byte_by_both_protocols(millrace, sink, grpc_sink):
    """Packed and not, without a processor, in batches that are larger than each request; the ledgers balance."""
    sink.bodies = []
    batch = {"spans": 1_000_000, "bytes": "32MiB", "linger": "1ms"}
    exporters = {
        "http": otlp_exporter(sink, batch=batch, compression="gzip"),
        "grpc": otlp_exporter(grpc_sink, type="otlp_grpc", batch=batch),
    }
    receivers = {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"}}
    receivers["grpc"] = {"type": "otlp_grpc", "listen": f"127.0.0.1:{free_port()}"}
    gateway = millrace(exporters, receivers=receivers, **all_signals(exporters, receivers=receivers))
    sent = collections.Counter()
    packings = [None, grpc.Compression.Gzip, grpc.Compression.Deflate]
    with Caller(receivers["grpc"]["listen"]) as client:
        for number, (name, signal, body) in enumerate(protobuf_bodies()):
            packed = number % 2 == 1
            headers = {"content-encoding": "gzip"} if packed else {}
            answer = gateway.post(gzip.compress(body) if packed else body, path=f"/v1/{signal}", **headers)
            assert (answer.status_code, answer.content) == (200, b""), name
            arrived(sink, grpc_sink, signal, body, name)
            assert client.export(body, signal, compression=packings[number % 3]) == (b"", None), name
            arrived(sink, grpc_sink, signal, body, name)
            sent[signal] += 2
    assert set(sent) == set(otlp.SIGNALS) and min(sent.values()) >= 30, sent
    for signal in otlp.SIGNALS:
        ledger = gateway.settled(signal=signal)
        for row in by_signal(gateway.ledger())[signal]["destinations"].values():
            assert row["delivered"] == row["accepted"] == ledger[f"accepted_{otlp.ITEMS[signal]}"]
    assert gateway.failures("http") == gateway.failures("grpc") == 0


def arrived(sink, grpc_sink, signal, body, name):
    """Waits until each destination has that very body; forgets it."""

    def there():
        over_http, over_grpc = list(sink.bodies), list(grpc_sink.bodies[signal])
        assert len(over_http) <= 1 and len(over_grpc) <= 1
        return over_http and over_grpc and (over_http == [(signal, body)] and over_grpc == [body] or "other bytes")

    assert eventually(there, every=0.002) is True, name
    sink.bodies.clear()
    grpc_sink.bodies[signal].clear()
