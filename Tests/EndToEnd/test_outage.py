"""What is accepted arrives, whatever dies: MLflow for a while, or Millrace by `kill -9`."""

import os
import threading

from conftest import mlflow_exporter
from kit import otlp
from kit.environments import LONG
from kit.load import Load
from kit.waiting import eventually

OUTAGE = float(os.environ.get("MILLRACE_OUTAGE_SECONDS", 60 if LONG else 15))


def test_mlflow_away_under_load_is_not_felt_by_apps_and_loses_nothing(millrace, mlflow, service):
    gateway = millrace({"mlflow": mlflow_exporter(mlflow)})
    with Load(gateway, service) as load:
        load.acknowledge(100)
        eventually(lambda: gateway.ledger()["destinations"]["mlflow"]["delivered"] > 0)
        mlflow.stop()
        try:
            threading.Event().wait(OUTAGE)
            assert gateway.ledger()["destinations"]["mlflow"]["queued"] > 0
        finally:
            mlflow.start()
            mlflow.wait()
        load.acknowledge(100)
    assert (set(load.statuses), load.broken) == ({200}, 0)
    ledger = gateway.settled(accepted=len(load.acknowledged), within=90)
    assert ledger["destinations"]["mlflow"]["delivered"] == len(load.acknowledged)
    assert mlflow.spans(service) == load.acknowledged


def test_killed_under_load_and_started_again_keeps_every_acknowledged_span(millrace, mlflow, service, tmp_path):
    archive = tmp_path / "archive.jsonl"
    gateway = millrace({"mlflow": mlflow_exporter(mlflow), "archive": {"type": "file", "path": str(archive)}})
    with Load(gateway, service) as load:
        for _ in range(3):
            load.acknowledge(150)
            gateway.kill()
            gateway.start()
        load.acknowledge(50)
    assert set(load.statuses) == {200}
    ledger = gateway.settled(within=90)
    assert ledger["accepted_spans"] >= len(load.acknowledged)
    for name, row in ledger["destinations"].items():
        assert row["delivered"] == ledger["accepted_spans"], name
    assert load.acknowledged <= set(otlp.spans_of_file(archive))
    assert load.acknowledged <= mlflow.spans(service)


def test_an_end_by_sigterm_with_a_dead_destination_keeps_the_rest_for_the_next_start(millrace, mlflow, service):
    mlflow_away = {"type": "mlflow", "endpoint": "http://127.0.0.1:9", "retry": {"initial": "100ms", "max": "1s"}}
    gateway = millrace({"mlflow": mlflow_away}, drain_timeout="1s")
    message = otlp.request(service)
    assert gateway.post(message.SerializeToString()).status_code == 200
    gateway.stop()

    gateway.pipeline["exporters"]["mlflow"] = mlflow_exporter(mlflow)
    gateway.save()
    gateway.start()
    assert gateway.settled(accepted=5)["destinations"]["mlflow"]["delivered"] == 5
    assert mlflow.spans(service) == set(otlp.spans_of(message))
