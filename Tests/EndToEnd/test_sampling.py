"""Gateways that know nothing of each other sample the same traces, and what is counted downstream stays right."""

import json
import math

from conftest import otlp_exporter
from kit import otlp

TRACES = 100_000
LEVEL = 2**56


def sampling(exporters, **settings):
    """The sections of a pipeline that samples."""
    return {
        "processors": {"share": {"type": "sample"} | settings},
        "pipelines": {"traces": {"receivers": ["otlp"], "processors": ["share"], "exporters": exporters}},
    }


def post_all(gateway, traces, size):
    """A span of each trace, in requests of `size`."""
    for first in range(0, len(traces), size):
        message = otlp.ExportTraceServiceRequest()
        scope = message.resource_spans.add().scope_spans.add()
        for trace in traces[first : first + size]:
            span = scope.spans.add(trace_id=trace, span_id=trace[-8:], name="step", flags=0x203)
            span.start_time_unix_nano, span.end_time_unix_nano = 1_790_000_000_000_000_000, 1_790_000_000_000_000_001
        assert gateway.post(message.SerializeToString()).status_code == 200


def states(path):
    """{trace id: tracestate} of what a file exporter wrote."""
    return {
        bytes.fromhex(span["traceId"]): span["traceState"]
        for line in path.read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }


def threshold(state):
    assert state.startswith("ot=th:"), state
    return int(state.removeprefix("ot=th:").ljust(14, "0"), 16)


def near(count, share, traces=TRACES):
    """Whether a count is within five standard deviations of what is expected."""
    return abs(count - share * traces) <= 5 * math.sqrt(traces * share * (1 - share))


def test_two_gateways_keep_the_same_traces_and_a_chain_ends_with_the_right_counts(millrace, archives, tmp_path, seeded):
    after = millrace(
        {"end": archives("end")}, directory=tmp_path / "after", **sampling(["end"], ratio=0.5, mode="proportional")
    )
    left = millrace(
        {"left": archives("left"), "next": otlp_exporter(after)},
        directory=tmp_path / "first",
        **sampling(["left", "next"], ratio=0.1),
    )
    right = millrace({"right": archives("right")}, directory=tmp_path / "second", **sampling(["right"], ratio=0.1))
    traces = [seeded.randbytes(16) for _ in range(TRACES)]
    post_all(left, traces, 1000)
    post_all(right, seeded.sample(traces, TRACES), 777)
    ledgers = [gateway.settled(accepted=TRACES) for gateway in (left, right)]

    kept = states(tmp_path / "left.jsonl")
    assert kept == states(tmp_path / "right.jsonl") and set(kept.values()) == {"ot=th:e666"}
    assert near(len(kept), 0.1)
    for ledger, name in zip(ledgers, ("left", "right"), strict=True):
        row = ledger["destinations"][name]
        assert (row["delivered"], row["sampled_out"]) == (len(kept), TRACES - len(kept))

    after.settled(accepted=len(kept))
    end = states(tmp_path / "end.jsonl")
    (limit,) = {threshold(state) for state in end.values()}
    assert set(end) == {trace for trace in traces if int.from_bytes(trace[-7:]) >= limit}
    assert near(len(end), 0.05)
    # Each span left stands for twenty that there were.
    adjusted = LEVEL / (LEVEL - limit)
    assert abs(adjusted / 20 - 1) < 0.001
    assert near(adjusted * len(end) / 20, 0.05)
