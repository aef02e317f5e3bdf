"""MLflow behind a reverse proxy that answers in its place: too large, away, slow, cut off. Everything arrives."""

import pytest

from conftest import mlflow_exporter
from kit import otlp
from kit.load import Load
from kit.waiting import eventually

KIB = 1 << 10


def expect_all_delivered(gateway, mlflow, service, load):
    """What a proxy does in front of MLflow is not felt by apps, and loses nothing."""
    assert (set(load.statuses), load.broken) == ({200}, 0)
    row = gateway.settled(accepted=len(load.acknowledged), within=120)["destinations"]["mlflow"]
    assert row["delivered"] == row["accepted"]
    assert mlflow.spans(service) == load.acknowledged


def test_a_batch_over_the_limit_of_the_proxy_is_split_by_trace_and_then_by_span(millrace, mlflow, nginx, service):
    front = nginx(mlflow, max_body="24k")
    gateway = millrace({"mlflow": mlflow_exporter(front, compression="none")})
    message = otlp.batch(service, traces=12, spans=4, padding=KIB)
    long_trace = otlp.request(service, spans=40, padding=KIB)
    message.MergeFrom(long_trace)
    assert len(long_trace.SerializeToString()) > 24 * KIB
    assert gateway.post(message.SerializeToString()).status_code == 200

    gateway.settled(accepted=12 * 4 + 40, within=90)
    traces = mlflow.expect_traces(service, spans=12 * 4 + 40)
    assert len(traces) == 13
    assert mlflow.spans(service) == set(otlp.spans_of(message))
    answers = front.answers()
    assert ("413", "-") in answers
    assert set(answers) == {("413", "-"), ("200", "200")}


@pytest.mark.parametrize("status", ["502", "503", "504"])
def test_a_proxy_that_answers_for_a_server_that_is_away_is_tried_until_it_is_back(
    millrace, mlflow, nginx, service, status
):
    front = nginx(mlflow)
    gateway = millrace({"mlflow": mlflow_exporter(front)})
    with Load(gateway, service) as load:
        load.acknowledge(50)
        eventually(lambda: ("200", "200") in front.answers(), within=60)
        with front.fault(status):
            eventually(lambda: front.failures(status) >= 4, within=60)
            assert gateway.ledger()["destinations"]["mlflow"]["queued"] > 0
        load.acknowledge(50)
    expect_all_delivered(gateway, mlflow, service, load)


def test_answers_that_come_too_late_are_time_outs_and_the_resent_spans_are_there_once(
    millrace, mlflow, nginx, service
):
    front = nginx(mlflow, seconds=4)
    gateway = millrace({"mlflow": mlflow_exporter(front, timeout="2s", batch={"spans": 100, "linger": "50ms"})})
    with Load(gateway, service) as load:
        with front.fault("slow"):
            eventually(lambda: gateway.failures("mlflow") >= 2, within=60)
        load.acknowledge(50)
    expect_all_delivered(gateway, mlflow, service, load)
    traces = mlflow.traces(service)
    assert sum(len(trace["spans"]) for trace in traces) == len(load.acknowledged)


def test_answers_that_end_in_the_middle_are_asked_for_again(millrace, mlflow, nginx, service):
    front = nginx(mlflow)
    gateway = millrace({"mlflow": mlflow_exporter(front)})
    with Load(gateway, service) as load:
        with front.fault("cut"):
            eventually(lambda: gateway.failures("mlflow") >= 4, within=60)
        load.acknowledge(50)
    expect_all_delivered(gateway, mlflow, service, load)
