"""The three ways in which MLflow announced its OpenTelemetry support, with Millrace's address in place of MLflow's."""

from kit import traces

HEADER = "x-mlflow-experiment-id"


def test_the_exporter_with_endpoint_and_experiment_header_in_code(gateway, each_mlflow, run_app, service):
    experiment = each_mlflow.create_experiment(f"{service}-by-id")
    run_app("exporter_in_code.py", f"{gateway.url}/v1/traces", experiment, OTEL_SERVICE_NAME=service)
    (trace,) = each_mlflow.expect_traces(f"{service}-by-id", spans=2)
    assert traces.tree(trace) == {"outer": None, "inner": "outer"}
    assert service not in each_mlflow.experiments()


def test_the_endpoint_and_experiment_header_in_the_environment(gateway, each_mlflow, run_app, service):
    experiment = each_mlflow.create_experiment(f"{service}-by-id")
    run_app(
        "shop.py",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{gateway.url}/v1/traces",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS=f"{HEADER}={experiment}",
        OTEL_SERVICE_NAME=service,
    )
    (trace,) = each_mlflow.expect_traces(f"{service}-by-id", spans=4)
    assert traces.tree(trace)["charge card"] == "POST /checkout"
    assert service not in each_mlflow.experiments()


def test_the_header_may_name_the_experiment_which_is_then_created(gateway, each_mlflow, run_app, service):
    run_app(
        "shop.py",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{gateway.url}/v1/traces",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS=f"{HEADER}={service}-by-name",
        OTEL_SERVICE_NAME=service,
    )
    each_mlflow.expect_traces(f"{service}-by-name", spans=4)
    assert service not in each_mlflow.experiments()


def test_fastapi_mlflow_decorator_and_openai_autologging_form_one_trace(
    gateway, each_mlflow, run_app, service, fake_openai
):
    experiment = each_mlflow.create_experiment(f"{service}-by-id")
    run_app(
        "unified_fastapi.py",
        fake_openai.url,
        MLFLOW_USE_DEFAULT_TRACER_PROVIDER="false",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{gateway.url}/v1/traces",
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS=f"{HEADER}={experiment}",
        OTEL_SERVICE_NAME=service,
    )
    (trace,) = each_mlflow.expect_traces(f"{service}-by-id", spans=3)
    assert traces.tree(trace) == {"POST /ask": None, "answer": "POST /ask", "Completions": "answer"}
    assert len(trace["id"]) == 32, "3.6.0 files a trace under the client's own id unless that is removed"

    agent = traces.span(trace, "answer")
    assert (agent["type"], agent["status"]) == ("AGENT", "OK")
    assert agent["inputs"] == {"question": "Weather in Paris?"}
    assert agent["outputs"] == "It is sunny in Paris."

    chat = traces.span(trace, "Completions")
    assert chat["type"] == "CHAT_MODEL"
    assert traces.asked(chat) == [("user", "Weather in Paris?")]
    assert traces.answered(chat)["content"] == "It is sunny in Paris."
    assert traces.usage(chat) == (11, 7, 18)
    assert trace["tokens"]["total_tokens"] == 18
    assert service not in each_mlflow.experiments()
