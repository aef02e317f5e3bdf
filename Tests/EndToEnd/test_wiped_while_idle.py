"""MLflow comes back without its database while the gateway has nothing to send: ids mean other experiments now."""

from conftest import mlflow_exporter


def test_spans_after_a_wipe_that_nobody_noticed_go_where_they_belong(millrace, forgetful, service):
    first, second = f"{service}-first", f"{service}-second"
    gateway = millrace({"mlflow": mlflow_exporter(forgetful)})
    for name in (first, second):
        gateway.send(name)
        gateway.settled()
    forgetful.stop()
    forgetful.wipe()
    forgetful.start()
    forgetful.wait()
    forgetful.create_experiment(second)  # takes the id that the first one had
    sent = gateway.send(first)
    gateway.settled(within=90)
    assert forgetful.spans(second) == set()
    assert forgetful.spans(first) == sent
