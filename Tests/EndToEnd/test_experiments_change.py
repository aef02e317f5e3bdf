"""Experiments that change under a running gateway: deleted by a person, or gone with the whole database."""

from conftest import mlflow_exporter
from kit.waiting import eventually


def routed(**route):
    return {
        "map": {"type": "mlflow_map"},
        "route": {"type": "mlflow_experiment"} | route,
        "batch": {"type": "batch", "linger": "50ms"},
    }


def test_a_deleted_experiment_of_the_pipeline_file_is_restored_for_new_spans(millrace, mlflow, service):
    mlflow.create_experiment(service)
    mlflow.delete_experiment(service)
    gateway = millrace({"mlflow": mlflow_exporter(mlflow)}, processors=routed(map={service: service}))
    sent = gateway.send(service)
    gateway.settled(accepted=len(sent))
    assert service in mlflow.experiments()
    assert mlflow.spans(service) == sent


def test_a_deleted_experiment_that_only_a_client_names_stays_deleted_and_stops_nobody(millrace, mlflow, service):
    mlflow.create_experiment(service)
    mlflow.delete_experiment(service)
    gateway = millrace({"mlflow": mlflow_exporter(mlflow)}, processors=routed())
    waiting = gateway.send(service)
    other = gateway.send(f"{service}-other")
    eventually(lambda: gateway.row("mlflow")["delivered"] == len(other))
    assert gateway.row("mlflow")["queued"] == len(waiting)
    assert service not in mlflow.experiments()
    assert mlflow.spans(f"{service}-other") == other


def test_after_a_wipe_that_gives_ids_to_other_experiments_spans_go_where_they_belong(millrace, forgetful, service):
    first, second = f"{service}-first", f"{service}-second"
    gateway = millrace({"mlflow": mlflow_exporter(forgetful)})
    for name in (first, second):
        gateway.send(name)
        gateway.settled()
    before = forgetful.experiments()

    forgetful.stop()
    forgetful.wipe()
    sent = gateway.send(first)
    eventually(lambda: gateway.failures("mlflow") > 0)
    forgetful.start()
    forgetful.wait()
    if second not in forgetful.experiments():
        forgetful.create_experiment(second)  # takes the id that the first one had
    sent |= gateway.send(first)
    gateway.settled(within=90)
    assert forgetful.spans(first) == sent
    assert forgetful.spans(second) == set()
    assert set(forgetful.experiments()) == set(before)

