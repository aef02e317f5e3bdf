"""One noisy service does not take the room of the others while a destination is away."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from conftest import otlp_exporter
from kit import otlp
from kit.millrace import PROTOBUF
from kit.waiting import eventually

PADDING = 20_000  # five spans a request: about 100 KB


def test_a_noisy_service_gets_429_over_its_share_and_a_quiet_one_is_taken(millrace, sink, service, tmp_path):
    sink.close()
    gateway = millrace(
        {"sink": otlp_exporter(sink)},
        journal={"directory": str(tmp_path / "journal"), "min_free": "16MiB", "max_bytes": "16MiB", "segment": "1MiB"},
    )
    noisy, quiet = f"{service}-noisy", f"{service}-quiet"
    taken = gateway.send(quiet, traces=2)
    answers = []

    def over_its_share():
        answers.append(gateway.post_trace(noisy, padding=PADDING))
        return answers[-1].status_code == 429

    eventually(over_its_share, within=60, every=0)
    assert {answer.status_code for answer in answers[:-1]} == {200}
    refusal = answers[-1]
    assert int(refusal.headers["retry-after"]) > 0
    assert otlp.status_message(refusal)
    taken |= gateway.send(quiet, traces=20)

    mixed = otlp.request(quiet)
    mixed.MergeFrom(otlp.request(noisy, padding=PADDING))
    answer = gateway.post(mixed.SerializeToString())
    assert answer.status_code in (200, 429), "as a whole, because a partial success forbids to try again"
    if answer.status_code == 200:
        partial = ExportTraceServiceResponse.FromString(answer.content)
        assert answer.headers["content-type"] == PROTOBUF and not partial.HasField("partial_success")

    sink.start()
    eventually(lambda: gateway.post_trace(noisy, padding=PADDING).status_code == 200, within=60)
    row = gateway.settled(within=90)["destinations"]["sink"]
    assert row["delivered"] == row["accepted"]
    assert taken <= sink.spans
