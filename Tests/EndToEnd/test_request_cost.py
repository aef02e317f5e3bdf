"""What one request may cost: half of what is allowed by default is enough for everything that real programs send."""

import json

import pytest

from kit import otlp
from kit.captures import trace_captures
from kit.environments import PAYLOADS
from kit.millrace import PROTOBUF

HALF = {"held_per_byte": 4, "written_per_byte": 2, "steps_per_byte": 32}


@pytest.fixture
def thrifty(millrace, archives):
    """A gateway that allows half; afterwards no span was left unmapped."""
    gateway = millrace({"archive": archives("archive")}, request_cost=HALF)
    yield gateway
    assert gateway.metric("millrace_processor_unmapped_spans_total") == 0


def test_no_recorded_request_meets_a_limit(thrifty):
    for capture in trace_captures():
        answer = thrifty.post(capture.encoded, content_type=capture.content_type, **capture.headers)
        assert answer.status_code == 200, (capture.name, answer.content)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("small.pb", PROTOBUF), ("large.pb", PROTOBUF), ("small.json", "application/json"), ("large.json", "application/json")],
)
def test_no_benchmark_body_meets_a_limit(thrifty, name, content_type):
    answer = thrifty.post((PAYLOADS / name).read_bytes(), content_type=content_type)
    assert answer.status_code == 200, answer.content


def test_a_conversation_of_ten_megabytes_meets_no_limit(thrifty, service, archives):
    message = otlp.request(service, spans=1)
    (span,) = otlp.each_span(message)
    turns = [{"role": ("user", "assistant")[turn % 2], "content": f"turn {turn} " + "word " * 100} for turn in range(20_000)]
    span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
    span.attributes.add(key="gen_ai.input.messages").value.string_value = json.dumps(turns)
    body = message.SerializeToString()
    assert len(body) > 10_000_000
    answer = thrifty.post(body)
    assert answer.status_code == 200, answer.content
    thrifty.settled()
    assert set(archives.spans("archive")) == set(otlp.spans_of(message))


def test_ten_thousand_spans_of_a_hundred_services_meet_no_limit(thrifty, service):
    message = otlp.request(f"{service}-0", spans=100)
    for number in range(1, 100):
        message.MergeFrom(otlp.request(f"{service}-{number}", spans=100))
    answer = thrifty.post(message.SerializeToString())
    assert answer.status_code == 200, answer.content
    assert thrifty.settled()["accepted_spans"] == 10_000
