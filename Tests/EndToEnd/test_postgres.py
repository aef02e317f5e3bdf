"""MLflow on PostgreSQL, as teams run it: the database goes away under load and comes back."""

import pytest

from conftest import mlflow_exporter
from kit.load import Load
from kit.mlflow_server import MLflowServer
from kit.postgres import Postgres
from kit.waiting import eventually


@pytest.fixture(scope="module")
def postgres():
    postgres = Postgres().start()
    yield postgres
    postgres.close()


@pytest.fixture(scope="module")
def mlflow(postgres, tmp_path_factory):
    server = MLflowServer("3.17.2", tmp_path_factory.mktemp("servers") / "mlflow-postgres", store=postgres.store)
    server.start()
    yield server.wait()
    server.close()


@pytest.mark.parametrize("how", [Postgres.FAST, Postgres.AT_ONCE], ids=["fast", "at-once"])
def test_a_database_stopped_and_started_under_load_costs_no_span(millrace, mlflow, postgres, service, how):
    gateway = millrace({"mlflow": mlflow_exporter(mlflow)})

    def delivered():
        return gateway.row("mlflow")["delivered"]

    with Load(gateway, service) as load:
        eventually(lambda: delivered() >= 50, within=60)
        postgres.stop(how)
        try:
            goal = gateway.failures("mlflow") + 4
            eventually(lambda: gateway.failures("mlflow") >= goal, within=90)
        finally:
            postgres.start()
        before = delivered()
        eventually(lambda: delivered() > before, within=90)
    assert (set(load.statuses), load.broken) == ({200}, 0)
    row = gateway.settled(accepted=len(load.acknowledged), within=120)["destinations"]["mlflow"]
    assert row["delivered"] == row["accepted"]
    assert mlflow.spans(service) == load.acknowledged
