"""`millrace explain` and `millrace test` on what real SDKs sent: the same as a gateway does with it."""

import gzip
import json

import pytest

from kit import otlp
from kit.captures import emitters, trace_captures
from kit.environments import CAPTURES, CHECKOUT, free_port
from kit.millrace import PROTOBUF, pipeline, run

SIDECAR = CHECKOUT / "pipelines/sidecar.json"
GENAI = (
    "gen_ai.", "openinference.span.kind", "traceloop.span.kind", "langfuse.observation.type", "langsmith.span.kind",
    "lmnr.span.type", "haystack.component.type", "haystack.agent", "lk.", "mcp.", "gcp.vertex.agent.",
)
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


def test_a_member_is_told_what_a_gateway_would_answer(millrace, tmp_path):
    (tmp_path / "members").write_text("ann a-token-of-twenty-bytes ann\nbob b-token-of-twenty-bytes team-b\n")
    listen = f"127.0.0.1:{free_port()}"
    gateway = millrace(
        {"archive": {"type": "file", "path": str(tmp_path / "archive.jsonl")}},
        receivers={
            "otlp": {
                "type": "otlp_http", "listen": listen, "auth": {"bearer": [{"file": str(tmp_path / "members")}]}
            }
        },
        processors={
            "map": {"type": "mlflow_map"}, "route": {"type": "mlflow_experiment", "from": ["auth"]},
            "batch": {"type": "batch"},
        },
    )  # fmt: skip
    body = CAPTURES / BODIES[0]
    for name, status in (("ann", 200), ("bob", 403)):
        answer = gateway.post(body.read_bytes(), Authorization=f"Bearer {name[0]}-token-of-twenty-bytes")
        assert answer.status_code == status
        done = run("explain", "--config", gateway.file, "--identity", name, body)
        assert done.returncode == 0, done.stderr
        assert f'experiment "{name}"   from auth' in done.stdout
        assert ("answered 403: " + otlp.status_message(answer) in done.stdout) == (status == 403)
    done = run("explain", "--config", gateway.file, "--identity", "eve", body)
    assert done.returncode == 1 and '"eve" is no member that sends to pipeline traces; allowed: ann, bob' in done.stderr


def test_a_gzipped_body_is_explained_like_its_content(tmp_path):
    zipped = tmp_path / "body.pb.gz"
    zipped.write_bytes(gzip.compress((CAPTURES / BODIES[0]).read_bytes()))
    assert explained(SIDECAR, zipped) == explained(SIDECAR, CAPTURES / BODIES[0])


@pytest.mark.parametrize("capture", [*trace_captures(), *emitters()], ids=lambda capture: capture.name)
def test_the_conventions_and_the_type_of_every_genai_span_are_told(tmp_path, capture):
    body = tmp_path / f"body.{'pb' if capture.content_type == PROTOBUF else 'json'}"
    body.write_bytes(capture.body)
    told = {(span["trace_id"], span["span_id"]): span for span in explained(SIDECAR, body)["spans"]}
    sent = {(span["trace"], span["id"]): span["attributes"] for span in capture.spans()}
    # A trace that never gets its root is given one.
    created = {place for place, span in told.items() if "millrace.created" in span["attributes"]}
    assert set(told) - created == set(sent)
    for place, attributes in sent.items():
        span = told[place]
        if span["dropped"] is False and any(key.startswith(GENAI) for key in attributes):
            assert span["conventions"], span["name"]
            assert span["attributes"].get("mlflow.spanType", "UNKNOWN") != "UNKNOWN", span["name"]


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
