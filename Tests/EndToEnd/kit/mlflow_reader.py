"""Answers questions about an MLflow server by MLflow's own client: one JSON object a line in, one out.

Runs by the interpreter of the server's environment, so that client and server are of one version.
"""

import json
import os
import sys

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever a library prints must not stand between the answers

from mlflow import MlflowClient  # noqa: E402

client = MlflowClient(tracking_uri=sys.argv[1])


def create_experiment(name):
    return client.create_experiment(name)


def delete_experiment(name):
    client.delete_experiment(client.get_experiment_by_name(name).experiment_id)


def experiments():
    return [experiment.name for experiment in client.search_experiments(max_results=1000)]


def traces(experiment):
    return [whole(trace) for trace in found(experiment)]


def spans(experiment):
    names = experiments() if experiment is None else [experiment]
    traces = (trace for name in names for trace in found(name))
    return [(bare(trace.info.trace_id), span.span_id) for trace in traces for span in trace.data.spans]


def found(name):
    experiment = client.get_experiment_by_name(name)
    token = None
    while experiment is not None:
        page = client.search_traces(locations=[experiment.experiment_id], max_results=500, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def bare(trace_id):
    return trace_id.removeprefix("tr-")


def whole(trace):
    info = trace.info
    return {
        "id": bare(info.trace_id),
        "state": info.state.value,
        "name": info.tags.get("mlflow.traceName"),
        "session": info.trace_metadata.get("mlflow.trace.session"),
        "user": info.trace_metadata.get("mlflow.trace.user"),
        "tokens": json.loads(info.trace_metadata.get("mlflow.trace.tokenUsage") or "null"),
        "request_preview": info.request_preview,
        "response_preview": info.response_preview,
        "tags": info.tags,
        "spans": [
            {
                "id": span.span_id,
                "parent": span.parent_id,
                "name": span.name,
                "type": span.span_type,
                "status": span.status.status_code.value,
                "status_message": span.status.description,
                "inputs": span.inputs,
                "outputs": span.outputs,
                "attributes": span.attributes,
                "events": [event.name for event in span.events],
            }
            for span in trace.data.spans
        ],
    }


QUESTIONS = {
    question.__name__: question for question in (create_experiment, delete_experiment, experiments, traces, spans)
}

for line in sys.stdin:
    arguments = json.loads(line)
    try:
        answer = {"result": QUESTIONS[arguments.pop("question")](**arguments)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=str), file=answers, flush=True)
