"""What is over a destination's limit even alone is set aside with the reason, and the limit is remembered."""

from conftest import mlflow_exporter
from kit import otlp
from kit.waiting import eventually

KIB = 1 << 10


def test_a_span_over_the_limit_of_the_proxy_is_set_aside_and_its_siblings_are_not(millrace, mlflow, nginx, service):
    front = nginx(mlflow, max_body="24k")
    gateway = millrace({"mlflow": mlflow_exporter(front, compression="none")})
    message = otlp.request(service, spans=6, padding=KIB)
    large = otlp.each_span(message)[3]
    large.attributes.add(key="scan").value.string_value = "x" * 32 * KIB
    assert gateway.post(message.SerializeToString()).status_code == 200
    row = gateway.settled(accepted=6, within=90)["destinations"]["mlflow"]
    assert (row["delivered"], row["dead_lettered"]) == (5, 1)
    there = set(otlp.spans_of(message)) - {otlp.pair(large)}
    assert mlflow.spans(service) == there

    (letter,) = gateway.dead_letters()["dead_letters"]
    assert (letter["status"], letter["trace_ids"]) == (413, [large.trace_id.hex()])
    assert "413" in letter["reason"]

    gateway.stop()
    gateway.change({"mlflow": mlflow_exporter(mlflow)})
    gateway.start()
    assert gateway.dead_letters("replay")["spans"] == 1
    row = gateway.settled(accepted=6, within=90)["destinations"]["mlflow"]
    assert (row["delivered"], row["dead_lettered"]) == (6, 0)
    assert mlflow.spans(service) == set(otlp.spans_of(message))


def test_a_limit_once_met_is_remembered(millrace, mlflow, nginx, service):
    front = nginx(mlflow, max_body="24k")
    gateway = millrace({"mlflow": mlflow_exporter(front, compression="none")})

    def send(traces):
        message = otlp.batch(service, traces, spans=4, padding=KIB)
        assert gateway.post(message.SerializeToString()).status_code == 200
        gateway.settled(within=90)
        return front.answers().count(("413", "-"))

    first = send(traces=20)
    assert first > 0
    eventually(lambda: front.answers().count(("200", "200")) > 0)
    assert send(traces=20) - first < first, "as many tries as before anything was known"
