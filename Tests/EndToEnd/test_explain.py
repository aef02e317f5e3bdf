"""`millrace explain` and `millrace test` on what real SDKs sent: the same as a gateway does with it."""

import gzip
import json

import pytest

from kit.environments import CAPTURES, CHECKOUT
from kit.millrace import pipeline, run

SIDECAR = CHECKOUT / "pipelines/sidecar.json"
BODIES = ["openinference-openai-1.pb", "openllmetry-openai-1.pb", "otel-openai-v2-1.pb", "otel-sdk-json-1.json"]


def explained(config, body, *options):
    done = run("explain", "--config", config, "--json", *options, body)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["pipelines"][0]


@pytest.mark.parametrize("name", BODIES)
def test_what_is_explained_is_what_is_delivered(millrace, tmp_path, name):
    gateway = millrace({"archive": {"type": "file", "path": str(tmp_path / "archive.jsonl")}})
    body = (CAPTURES / name).read_bytes()
    kind = "application/json" if name.endswith(".json") else "application/x-protobuf"
    assert gateway.post(body, kind).status_code == 200
    spans = explained(gateway.file, CAPTURES / name)["spans"]
    assert spans and all(span["dropped"] is False for span in spans)
    gateway.settled(accepted=len(spans))
    delivered = {}
    for line in (tmp_path / "archive.jsonl").read_text().splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    keys = [attribute["key"] for attribute in span.get("attributes", [])]
                    delivered[span["traceId"], span["spanId"]] = sorted(set(keys))
    assert delivered == {
        (span["trace_id"], span["span_id"]): sorted(span["attributes"]) for span in spans
    }


def test_a_gzipped_body_is_explained_like_its_content(tmp_path):
    zipped = tmp_path / "body.pb.gz"
    zipped.write_bytes(gzip.compress((CAPTURES / BODIES[0]).read_bytes()))
    assert explained(SIDECAR, zipped) == explained(SIDECAR, CAPTURES / BODIES[0])


def test_every_capture_of_traces_is_explained():
    for path in sorted(CAPTURES.glob("*.pb")):
        if path.name.endswith((".metrics.pb", ".logs.pb")) or "deflate" in path.name:
            continue
        done = run("explain", "--config", SIDECAR, path)
        assert done.returncode == 0, f"{path.name}: {done.stderr}"
        assert "pipeline traces: " in done.stdout.splitlines()[-1]


def test_a_capture_is_tested_beside_the_file(tmp_path):
    document = pipeline(tmp_path, {"archive": {"type": "file", "path": str(tmp_path / "archive.jsonl")}})
    (tmp_path / "chat.pb").write_bytes((CAPTURES / "openinference-openai-1.pb").read_bytes())
    wanted = {"name": "ChatCompletion", "attributes": {"mlflow.spanType": "LLM"}, "experiment": "openinference-openai"}
    document["tests"] = [{"name": "chat", "input_file": "chat.pb", "expect": {"spans": [wanted], "kept": 7}}]
    path = tmp_path / "tested.json"
    path.write_text(json.dumps(document))
    passed = run("test", path)
    assert (passed.returncode, passed.stdout) == (0, "ok chat\n1 test, 0 failed\n")

    wanted["attributes"]["mlflow.spanType"] = "TOOL"
    path.write_text(json.dumps(document))
    failed = run("test", path)
    assert failed.returncode == 1
    assert 'mlflow.spanType: expected "TOOL", found "LLM"' in failed.stdout
    assert failed.stdout.endswith("1 test, 1 failed\n")
