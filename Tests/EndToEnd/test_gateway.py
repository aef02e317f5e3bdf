"""pipelines/gateway.json as the README starts it: two commands, then apps with tokens over TLS."""

import re
import shlex
import subprocess

import pytest
import requests
from kit import otlp
from kit.environments import BINARY, CHECKOUT, clean_environment, free_port
from kit.processes import Process
from kit.waiting import eventually

ERROR = 2
"""The status of spans that gateway.json's sampling keeps."""


def commands():
    """The README's lines that make certificate and token, and the settings and arguments of the one that starts it."""
    section = (CHECKOUT / "README.md").read_text().split("## A gateway on an open port")[1].split("\n## ")[0]
    *made, started = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    words = shlex.split(started)
    settings = dict(word.split("=", 1) for word in words if word.startswith("MILLRACE_"))
    assert words[len(settings) :] == ["make", "run", "CONFIG=pipelines/gateway.json"]
    return made, settings


@pytest.fixture
def gateway(tmp_path, mlflow):
    made, settings = commands()
    for command in made:
        subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True, timeout=30)
    listen, admin = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    environment = clean_environment(
        **settings, MLFLOW_TRACKING_URI=mlflow.url, MILLRACE_LISTEN=listen, MILLRACE_ADMIN=admin
    )
    arguments = [BINARY, "run", "--config", CHECKOUT / "pipelines/gateway.json"]
    process = Process("millrace", arguments, tmp_path, environment)
    process.url, process.admin = f"https://localhost:{listen.rsplit(':', 1)[1]}", f"http://{admin}"
    process.certificate = tmp_path / "etc/tls.pem"
    process.token = re.fullmatch(r"checkout ([0-9a-f]{64}) Checkout\n", (tmp_path / "etc/members").read_text())[1]
    process.start()
    eventually(lambda: requests.get(process.admin + "/readyz", timeout=10).status_code == 200)
    yield process
    process.end_group()


def post(gateway, service, token):
    """A trace that failed; the answer, and its spans."""
    message = otlp.request(service, spans=2)
    for span in otlp.each_span(message):
        span.status.code = ERROR
    answer = requests.post(
        gateway.url + "/v1/traces",
        data=message.SerializeToString(),
        headers={"content-type": "application/x-protobuf"} | ({"authorization": f"Bearer {token}"} if token else {}),
        verify=gateway.certificate,
        timeout=60,
    )
    return answer, set(otlp.spans_of(message))


def test_the_commands_of_the_readme_start_a_gateway_that_takes_what_a_token_allows(gateway, mlflow, run_app):
    answer, spans = post(gateway, "checkout-api", gateway.token)
    assert answer.status_code == 200
    eventually(lambda: spans <= mlflow.spans("Checkout"), within=60)
    assert post(gateway, "checkout-api", None)[0].status_code == 401
    assert post(gateway, "checkout-api", "a guess")[0].status_code == 401
    refused, _ = post(gateway, "search-api", gateway.token)
    assert (refused.status_code, "Search" in otlp.status_message(refused)) == (403, True)

    app = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": gateway.url,
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(gateway.certificate),
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{gateway.token}",
        "OTEL_SERVICE_NAME": "checkout-api",
    }
    run_app("shop.py", **app)
    (pipeline,) = requests.get(gateway.admin + "/ledger", timeout=10).json()["pipelines"].values()
    assert pipeline["accepted_spans"] == 2 + 4
    plain = gateway.url.replace("https", "http")
    assert requests.get(plain, timeout=10).status_code == 400
    assert gateway.token not in gateway.log
