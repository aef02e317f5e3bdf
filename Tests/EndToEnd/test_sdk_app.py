"""An app with the unmodified OpenTelemetry SDK, which knows nothing of Millrace but its address."""

import pytest

from kit import traces

TRANSPORTS = {
    "protobuf": ([], {}),
    "gzip": ([], {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}),
    "json": (["json"], {}),
    "json-gzip": (["json"], {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}),
}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_sdk_app_appears_whole_in_the_experiment_of_its_service(gateway, each_mlflow, run_app, service, transport):
    arguments, settings = TRANSPORTS[transport]
    assert service not in each_mlflow.experiments()
    run_app(
        "shop.py", *arguments, OTEL_EXPORTER_OTLP_ENDPOINT=gateway.url, OTEL_SERVICE_NAME=service, **settings
    )
    gateway.settled(accepted=4)
    (trace,) = each_mlflow.expect_traces(service, spans=4)

    root = "POST /checkout"
    assert traces.tree(trace) == {root: None, "reserve stock": root, "chat gpt-4o-mini": root, "charge card": root}
    assert trace["state"] == "OK"
    assert traces.span(trace, "reserve stock")["attributes"] | {"items": 3, "weights": [0.5, 1.5], "gift": True} == (
        traces.span(trace, "reserve stock")["attributes"]
    )
    failed = traces.span(trace, "charge card")
    assert (failed["status"], failed["status_message"]) == ("ERROR", "ValueError: card refused")
    assert failed["events"] == ["exception"]

    chat = traces.span(trace, "chat gpt-4o-mini")
    assert chat["type"] == "CHAT_MODEL"
    assert traces.asked(chat) == [("user", "Which gift? Ünï 🎁")]
    assert traces.text(traces.answered(chat)["content"]) == "A kite."
    assert traces.usage(chat) == (11, 7, 18)
    assert trace["tokens"]["total_tokens"] == 18
    if each_mlflow.version != "3.6.0":  # 3.6.0 keeps no names and no sessions of traces that come by OTLP
        assert trace["name"] == "POST /checkout"  # a route says something; nothing below it is an agent or a workflow
        assert trace["session"] == "conversation-7"
