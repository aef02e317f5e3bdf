"""Bodies that nobody should send: each gets the right status and message, and the process neither grows nor dies."""

import gzip
import json
import socket
import subprocess
import threading
import zlib

import pytest

from kit import otlp
from kit.environments import PAYLOADS, free_port
from kit.millrace import PROTOBUF
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

MIB = 1 << 20
MEMORY_LIMIT = 64 * MIB
MAX_BODY = 16 * MIB
JSON = "application/json"


@pytest.fixture
def gateway(millrace, tmp_path):
    """A gateway with little memory; afterwards it is alive, has not outgrown its limit, and takes a good request."""
    receiver = {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}", "max_body": f"{MAX_BODY // MIB}MiB"}
    gateway = millrace(
        {"archive": {"type": "file", "path": str(tmp_path / "archive.jsonl")}},
        receivers={"otlp": receiver},
        memory_limit=f"{MEMORY_LIMIT // MIB}MiB",
    )
    yield gateway
    message = otlp.request("well-behaved")
    assert gateway.post(message.SerializeToString()).status_code == 200
    gateway.settled()
    assert set(otlp.spans_of(message)) <= set(otlp.spans_of_file(tmp_path / "archive.jsonl"))
    peak = gateway.memory()
    assert peak <= MEMORY_LIMIT + 64 * MIB, f"peak of {peak // MIB} MiB"


REFUSED = {
    "garbage": (lambda: payload("bad_garbage.pb"), PROTOBUF, {}, 400),
    "truncated": (lambda: payload("bad_truncated.pb"), PROTOBUF, {}, 400),
    "not JSON": (lambda: b'{"resourceSpans": [', JSON, {}, 400),
    "JSON of another shape": (lambda: b'{"resourceSpans": 7}', JSON, {}, 400),
    "gzip announced, not sent": (lambda: payload("small.pb"), PROTOBUF, {"content-encoding": "gzip"}, 400),
    "gzip cut short": (lambda: payload("small.pb.gz")[:-200], PROTOBUF, {"content-encoding": "gzip"}, 400),
    "unknown encoding": (lambda: payload("small.pb"), PROTOBUF, {"content-encoding": "br"}, 415),
}


def payload(name):
    return (PAYLOADS / name).read_bytes()


@pytest.mark.parametrize("case", REFUSED)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole_with_a_status_in_its_own_encoding(gateway, case):
    body, content_type, headers, status = REFUSED[case]
    answer = gateway.post(body(), content_type=content_type, **headers)
    assert answer.status_code == status
    assert answer.headers["content-type"].split(";")[0] == content_type
    assert otlp.status_message(answer)


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "application/x-protobuf-not"])
def test_another_content_type_is_415_with_a_message(gateway, content_type):
    answer = gateway.post(payload("small.pb"), content_type=content_type)
    assert answer.status_code == 415
    assert otlp.status_message(answer)


def test_another_path_is_404_and_another_method_405(gateway):
    assert gateway.post(b"", path="/v1/elsewhere").status_code == 404
    for path in ("/v1/metrics", "/v1/logs"):
        answer = gateway.post(b"", path=path)
        assert answer.status_code == 404 and otlp.status_message(answer)
    assert gateway.session.get(gateway.url + "/v1/traces", timeout=10).status_code == 405


@pytest.mark.parametrize("name", ["bad_traceid5.pb", "bad_traceid0.pb"])
def test_one_invalid_span_is_refused_by_partial_success_and_the_others_are_taken(gateway, name):
    bad = ExportTraceServiceRequest.FromString(payload(name))
    good = otlp.request("valid-neighbours")
    good.resource_spans.extend(bad.resource_spans)
    answer = gateway.post(good.SerializeToString())
    assert answer.status_code == 200
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_spans == 1 and "trace" in partial.error_message.lower()
    ledger = gateway.settled()
    assert (ledger["accepted_spans"], ledger["refused_spans"]) == (5, 1)


def test_an_invalid_id_in_json_is_answered_in_json(gateway):
    answer = gateway.post(payload("bad_traceid.json"), content_type=JSON)
    assert answer.headers["content-type"].split(";")[0] == JSON
    if answer.status_code == 200:
        assert int(answer.json()["partialSuccess"]["rejectedSpans"]) == 1
        assert answer.json()["partialSuccess"]["errorMessage"]
    else:
        assert answer.status_code == 400 and answer.json()["message"]
    assert gateway.ledger()["accepted_spans"] == 0


@pytest.fixture(scope="module")
def bombs():
    """{encoding: 1 GiB of zeros in about 1 MiB}."""
    chunk = bytes(MIB)

    def deflated(bits):
        packer = zlib.compressobj(1, zlib.DEFLATED, bits)
        return b"".join([*(packer.compress(chunk) for _ in range(1024)), packer.flush()])

    return {"gzip": deflated(31), "deflate": deflated(15)}


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_gibibyte_of_zeros_is_413_without_being_held(gateway, bombs, encoding):
    before = gateway.memory("VmRSS")
    answer = gateway.post(bombs[encoding], **{"content-encoding": encoding})
    assert answer.status_code == 413
    assert otlp.status_message(answer)
    assert gateway.memory() <= before + 3 * MAX_BODY


def test_many_bombs_at_once_are_refused_within_the_memory_limit(gateway, bombs):
    statuses = []

    def throw():
        statuses.append(gateway.post(bombs["gzip"], **{"content-encoding": "gzip"}).status_code)

    threads = [threading.Thread(target=throw) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(statuses) == 12 and set(statuses) <= {413, 503}


def test_gzip_bombs_in_many_members_are_bounded_too(gateway):
    member = gzip.compress(bytes(MIB), 1)
    assert gateway.post(member * 64, **{"content-encoding": "gzip"}).status_code == 413


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_a_hundred_megabytes_are_413_and_the_answer_can_be_read(gateway, framing, tmp_path):
    large = tmp_path / "large.body"
    with open(large, "wb") as file:
        file.truncate(100_000_000)
    done = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--max-time", "60", "--http1.1", "--noproxy", "*"),
            *("--header", f"content-type: {JSON}", "--header", "expect:"),
            *(("--header", "transfer-encoding: chunked") if framing == "chunked" else ()),
            *("--data-binary", f"@{large}", "--write-out", "\n%{http_code}", gateway.url + "/v1/traces"),
        ],
        capture_output=True,
        text=True,
    )
    answer, _, status = done.stdout.rpartition("\n")
    assert status == "413", done.stderr
    assert json.loads(answer)["message"]


def test_a_client_that_waits_for_100_continue_gets_413_without_sending(gateway):
    head = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += "content-length: 100000000\r\nexpect: 100-continue\r\n\r\n"
    assert b" 413 " in exchange(gateway, head.encode()).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "bytes_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 100_000,
        b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        bytes(65536),
    ],
    ids=["tls", "endless-headers", "negative-length", "bad-chunk", "zeros"],
)
def test_what_is_not_http_is_answered_4xx_or_closed(gateway, bytes_):
    answer = exchange(gateway, bytes_)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.0 4"), answer[:80]


def test_a_client_that_leaves_in_the_middle_of_a_body_is_forgotten(gateway):
    for _ in range(50):
        with socket.create_connection(gateway.address, timeout=10) as client:
            client.sendall(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n")
            client.sendall(b"content-length: 8000000\r\n\r\n" + bytes(10_000))
    assert gateway.post(otlp.request("after-them").SerializeToString()).status_code == 200
    assert gateway.settled()["accepted_spans"] == 5


def exchange(gateway, bytes_):
    """Sends bytes on a connection of their own; everything that comes back until the other side closes or answers."""
    with socket.create_connection(gateway.address, timeout=15) as client:
        try:
            client.sendall(bytes_)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # closed on us already, which is an answer
        answer = b""
        try:
            while chunk := client.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
        return answer
