"""OTLP's rules for HTTP servers. Each test has the name of its rule (kit/conformance.py)."""

import http.client
import json

import pytest
from google.rpc.error_details_pb2 import BadRequest
from kit import otlp, rich
from kit.environments import free_port
from kit.millrace import PROTOBUF, all_signals, run

JSON = "application/json"
MIB = 1 << 20
ENCODINGS = [PROTOBUF, JSON]
DISCARD = {"out": {"type": "discard"}}


@pytest.fixture
def gateway(millrace):
    return millrace(DISCARD, **all_signals(DISCARD))


def encoded(message, content_type):
    return json.dumps(rich.to_json(message)).encode() if content_type == JSON else message.SerializeToString()


def response_of(signal, answer):
    """The `Export…ServiceResponse` of an answer, read by its own content type."""
    assert answer.status_code == 200, answer.content
    empty = otlp.RESPONSES[signal]()
    if answer.headers["content-type"] == JSON:
        return otlp.json_format.Parse(answer.content, empty)
    assert answer.headers["content-type"] == PROTOBUF
    return type(empty).FromString(answer.content)


def broken(signal, count=1, name="odd"):
    """A request with one good item and some that are invalid: trace ids of five bytes, of exemplars for metrics."""
    message = otlp.request_of(signal, "shop", items=1)
    good, *_ = otlp.units_of(signal, message)
    groups, scopes, units = otlp.GROUPS[signal]
    scope = getattr(getattr(message, groups)[0], scopes)[0]
    for _ in range(count):
        if signal == "metrics":
            scope.metrics.add(name=name).gauge.data_points.add().exemplars.add(trace_id=b"short")
        else:
            unit = getattr(scope, units).add(span_id=b"s" * 8, trace_id=b"short")
            if signal == "traces":
                unit.name = name
    return message


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_requests_are_posts_to_the_path_of_their_signal(gateway, signal):
    body = otlp.request_of(signal, "shop").SerializeToString()
    assert gateway.post(body, path=f"/v1/{signal}").status_code == 200
    for method in ("get", "put", "delete"):
        assert getattr(gateway.session, method)(f"{gateway.url}/v1/{signal}", timeout=10).status_code == 405


def test_ports_are_4318_and_4317_by_default(tmp_path):
    receivers = {"http": {"type": "otlp_http"}, "grpc": {"type": "otlp_grpc"}}
    file = tmp_path / "defaults.json"
    file.write_text(json.dumps({"receivers": receivers, "exporters": DISCARD} | all_signals(DISCARD, receivers=receivers)))
    printed = json.loads(run("validate", file, "--print").stdout)["receivers"]
    assert [printed[name]["listen"].rsplit(":", 1)[1] for name in receivers] == ["4318", "4317"]


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_both_encodings_are_taken_on_one_port(gateway, signal):
    message = otlp.request_of(signal, "shop")
    for content_type in (PROTOBUF, JSON, "application/json; charset=utf-8", "APPLICATION/X-PROTOBUF"):
        body = encoded(message, JSON if "json" in content_type else PROTOBUF)
        assert gateway.post(body, content_type, f"/v1/{signal}").status_code == 200, content_type


@pytest.mark.parametrize("content_type", ENCODINGS)
@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_the_answer_has_the_content_type_of_the_request(gateway, signal, content_type):
    good = encoded(otlp.request_of(signal, "shop"), content_type)
    for body, path, status in ((good, signal, 200), (b"\xff", signal, 400), (good, "elsewhere", 404)):
        answer = gateway.post(body, content_type, f"/v1/{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (status, content_type)


def test_the_limit_of_bodies_is_64_mib_by_default_and_a_setting(millrace, tmp_path):
    receivers = {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"}}
    for settings, limit in (({}, 64 * MIB), ({"max_body": "1MiB"}, MIB)):
        receivers["otlp"] |= settings
        gateway = millrace(DISCARD, tmp_path / str(limit), receivers=receivers)
        assert [asked(gateway, limit), asked(gateway, limit + 1)] == [100, 413]
        gateway.stop()


def asked(gateway, length):
    """The status for a client that announces a body and waits."""
    connection = http.client.HTTPConnection(*gateway.address, timeout=20)
    connection.putrequest("POST", "/v1/traces")
    for name, value in (("content-type", PROTOBUF), ("content-length", length), ("expect", "100-continue")):
        connection.putheader(name, str(value))
    connection.endheaders()
    line = connection.sock.recv(65536).split(b"\r\n")[0]
    connection.close()
    return int(line.split()[1])


@pytest.mark.parametrize("content_type", ENCODINGS)
@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_full_success_is_200_without_partial_success(gateway, signal, content_type):
    answer = gateway.post(encoded(otlp.request_of(signal, "shop"), content_type), content_type, f"/v1/{signal}")
    assert not response_of(signal, answer).HasField("partial_success")
    assert answer.content == (b"{}" if content_type == JSON else b"")


@pytest.mark.parametrize("content_type", ENCODINGS)
@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_partial_success_is_200_and_counts_what_was_rejected(gateway, signal, content_type):
    """And says why."""
    answer = gateway.post(encoded(broken(signal, 2), content_type), content_type, f"/v1/{signal}")
    partial = response_of(signal, answer).partial_success
    assert getattr(partial, f"rejected_{otlp.ITEMS[signal]}") == 2
    assert "1" in partial.error_message


@pytest.mark.parametrize("content_type", ENCODINGS)
def test_failure_is_a_status_in_the_encoding_of_the_request(millrace, content_type):
    """With a message, whatever the reason."""
    receivers = {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}", "max_body": "1MiB"}}
    gateway = millrace(DISCARD, receivers=receivers)
    good = encoded(otlp.request("shop"), content_type)
    for status, body, path, headers in (
        (400, b"\xff", "/v1/traces", {}),
        (404, good, "/v1/elsewhere", {}),
        (404, good, "/v1/logs", {}),
        (413, bytes(2 * MIB), "/v1/traces", {}),
        (415, good, "/v1/traces", {"content-encoding": "br"}),
        (403, good, "/v1/traces", {"host": "elsewhere.example"}),
    ):
        answer = gateway.post(body, content_type, path, **headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, content_type)
        assert otlp.status_of(answer).message


@pytest.mark.parametrize("content_type", ENCODINGS)
@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_a_bad_request_is_described_in_the_details(gateway, signal, content_type):
    answer = gateway.post(b"\x0a\xff", content_type, f"/v1/{signal}")
    status = otlp.status_of(answer)
    (detail,) = status.details
    bad = BadRequest()
    assert answer.status_code == 400 and detail.Unpack(bad)
    assert [violation.description for violation in bad.field_violations] == [status.message]


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_what_cannot_be_decoded_is_400(gateway, signal):
    good = otlp.request_of(signal, "shop")
    for body, content_type in (
        (good.SerializeToString()[:-3], PROTOBUF),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", PROTOBUF),
        (encoded(good, JSON)[:-3], JSON),
        (good.SerializeToString(), JSON),
        (b"[]", JSON),
    ):
        assert gateway.post(body, content_type, f"/v1/{signal}").status_code == 400, body[:20]


@pytest.mark.parametrize("content_type", ENCODINGS)
def test_answers_are_far_below_4_mib(gateway, content_type):
    message = broken("traces", 20_000, "n" * 200)
    answer = gateway.post(encoded(message, content_type), content_type)
    assert response_of("traces", answer).partial_success.rejected_spans == 20_000
    assert len(answer.content) < 32 << 10


def test_http_1_1_is_spoken(gateway):
    connection = http.client.HTTPConnection(*gateway.address, timeout=20)
    for _ in range(2):  # on one connection
        connection.request("POST", "/v1/traces", otlp.request("shop").SerializeToString(), {"content-type": PROTOBUF})
        answer = connection.getresponse()
        assert (answer.version, answer.status, answer.read()) == (11, 200, b"")
