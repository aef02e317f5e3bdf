"""Experiments that change under a running gateway: deleted by a person, or gone with the whole database."""

from conftest import mlflow_exporter
from kit.waiting import eventually


def test_a_deleted_experiment_is_restored_for_new_spans(millrace, mlflow, service):
    mlflow.create_experiment(service)
    mlflow.delete_experiment(service)
    gateway = millrace({"mlflow": mlflow_exporter(mlflow)})
    sent = gateway.send(service)
    gateway.settled(accepted=len(sent))
    assert service in mlflow.experiments()
    assert mlflow.spans(service) == sent


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

