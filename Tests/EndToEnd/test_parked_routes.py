"""An experiment that does not exist keeps nothing from the others, and gets its spans once it does."""

import time

from conftest import mlflow_exporter
from kit import otlp
from kit.environments import LONG
from kit.waiting import eventually

REQUESTS = 10_000 if LONG else 3_000
EVERY = 100  # so many of them for each that can be delivered
SPANS = 2
MEMORY = 192 << 20


def send(gateway, service, spans):
    body = otlp.request(service, spans).SerializeToString()
    assert gateway.post(body).status_code == 200


def test_requests_for_a_missing_experiment_hold_up_no_others_and_arrive_when_it_is_made(
    millrace, mlflow, service, tmp_path, report
):
    present, missing = f"{service}-present", f"{service}-missing"
    mlflow.create_experiment(present)
    gateway = millrace(
        {"mlflow": mlflow_exporter(mlflow)},
        processors={
            "map": {"type": "mlflow_map"},
            "route": {"type": "mlflow_experiment", "create": False},
            "batch": {"type": "batch", "linger": "50ms"},
        },
        journal={"directory": str(tmp_path / "journal"), "min_free": "16MiB", "segment": "1MiB"},
        drain_timeout="2s",
    )
    waits, delivered = [], 0
    for number in range(REQUESTS):
        send(gateway, missing, SPANS)
        if number % EVERY == EVERY - 1:
            send(gateway, present, SPANS)
            delivered += SPANS
            start = time.monotonic()
            gateway.delivered("mlflow", delivered)
            waits.append(time.monotonic() - start)
    report(f"beside {REQUESTS} requests for a missing experiment: {max(waits):.2f} s at most until delivery")
    assert gateway.memory() < MEMORY
    row = gateway.row("mlflow")
    assert row["queued"] == REQUESTS * SPANS and row["dead_lettered"] == 0

    gateway.stop()
    gateway.start()
    send(gateway, present, SPANS)
    gateway.delivered("mlflow", delivered + SPANS)
    assert gateway.row("mlflow")["queued"] == REQUESTS * SPANS

    mlflow.create_experiment(missing)
    row = gateway.settled(within=150)["destinations"]["mlflow"]
    assert row["delivered"] == row["accepted"] == REQUESTS * SPANS + delivered + SPANS
    eventually(lambda: len(mlflow.spans(missing)) == REQUESTS * SPANS, within=60)
