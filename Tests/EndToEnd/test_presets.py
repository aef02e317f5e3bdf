"""Destinations known by name: addresses, headers and limits, against servers that behave as what is known of them says."""

import json
import socket

import pytest

from conftest import QUICK_RETRY
from kit import otlp
from kit.environments import CHECKOUT
from kit.millrace import Millrace, all_signals, pipeline, run
from kit.sink import DECODERS, Sink
from kit.waiting import eventually

MB = 1_000_000
PROTOBUF = "application/x-protobuf"


class Facts:
    """What is known of one destination; `headers` are those that a request must show."""

    def __init__(self, variables, headers, *, regions=None, address=None, limit=None, answer=200, protobuf=False):
        self.variables, self.headers = variables, headers
        self.addresses = regions or {None: address}
        self.limit, self.answer, self.protobuf = limit, answer, protobuf


KEY = "a-key"
FACTS = {
    "langfuse": Facts(
        {"LANGFUSE_AUTH": "cGs6c2s="}, {"authorization": "Basic cGs6c2s=", "x-langfuse-ingestion-version": "4"},
        regions={region or "eu": f"https://{region and region + '.'}cloud.langfuse.com/api/public/otel" for region in ("", "us", "jp", "hipaa")},
    ),
    "phoenix": Facts(
        {"PHOENIX_API_KEY": KEY, "PHOENIX_PROJECT_NAME": "shop"}, {"authorization": f"Bearer {KEY}", "x-project-name": "shop"},
        address="http://127.0.0.1:6006", protobuf=True,
    ),
    "langsmith": Facts(
        {"LANGSMITH_API_KEY": KEY, "LANGSMITH_PROJECT": "shop"}, {"x-api-key": KEY, "langsmith-project": "shop"},
        regions={region or "us": f"https://{region and region + '.'}api.smith.langchain.com/otel" for region in ("", "eu", "apac", "aws")},
    ),
    "braintrust": Facts(
        {"BRAINTRUST_API_KEY": KEY, "BRAINTRUST_PARENT": "project_name:shop"},
        {"authorization": f"Bearer {KEY}", "x-bt-parent": "project_name:shop"},
        regions={"us": "https://api.braintrust.dev/otel", "eu": "https://api-eu.braintrust.dev/otel"}, protobuf=True,
    ),
    "opik": Facts(
        {"OPIK_API_KEY": KEY, "OPIK_WORKSPACE": "team", "OPIK_PROJECT_NAME": "shop"},
        {"authorization": KEY, "comet-workspace": "team", "projectname": "shop"},
        address="https://www.comet.com/opik/api/v1/private/otel",
    ),
    "weave": Facts({"WANDB_API_KEY": KEY}, {"wandb-api-key": KEY}, address="https://trace.wandb.ai/otel", protobuf=True),
    "datadog": Facts(
        {"DD_API_KEY": KEY, "DD_SITE": "datadoghq.eu"}, {"dd-api-key": KEY}, address="https://otlp.datadoghq.eu",
        limit=3.2 * MB, answer=202,
    ),
    "newrelic": Facts(
        {"NEW_RELIC_LICENSE_KEY": KEY}, {"api-key": KEY},
        regions={"us": "https://otlp.nr-data.net", "eu": "https://otlp.eu01.nr-data.net"}, limit=MB,
    ),
    "grafana_cloud": Facts(
        {"GRAFANA_CLOUD_ZONE": "prod-eu-west-2", "GRAFANA_CLOUD_AUTH": "MTp0"}, {"authorization": "Basic MTp0"},
        address="https://otlp-gateway-prod-eu-west-2.grafana.net/otlp",
    ),
    "elastic": Facts(
        {"ELASTIC_OTLP_ENDPOINT": "https://p.ingest.elastic.cloud", "ELASTIC_API_KEY": KEY}, {"authorization": f"ApiKey {KEY}"},
        address="https://p.ingest.elastic.cloud",
    ),
    "dynatrace": Facts(
        {"DT_ENVIRONMENT": "abc12345", "DT_API_TOKEN": KEY}, {"authorization": f"Api-Token {KEY}"},
        address="https://abc12345.live.dynatrace.com/api/v2/otlp", limit=8 * MB, protobuf=True,
    ),
    "betterstack": Facts(
        {"BETTERSTACK_ENDPOINT": "https://s1.eu.betterstackdata.com", "BETTERSTACK_TOKEN": KEY}, {"authorization": f"Bearer {KEY}"},
        address="https://s1.eu.betterstackdata.com",
    ),
    "gcp": Facts({"GCP_ACCESS_TOKEN": KEY}, {"authorization": f"Bearer {KEY}"}, address="https://telemetry.googleapis.com"),
    "aws_xray": Facts(
        {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": KEY},
        {"authorization": "AWS4-HMAC-SHA256 Credential=AKID/*/eu-west-1/xray/aws4_request,*"},
        address="https://xray.eu-west-1.amazonaws.com", limit=5 * MB,
    ),
}


def shows(headers, expected):
    """Whether a request has these headers; a star stands for anything."""
    for name, value in expected.items():
        parts, rest = value.split("*"), headers.get(name, "")
        if not rest.startswith(parts[0]) or any(part not in rest for part in parts):
            return False
    return True


def test_every_preset_is_known_here():
    listed = run("presets")
    assert listed.returncode == 0
    assert {line.split()[0] for line in listed.stdout.splitlines()} == set(FACTS)


@pytest.mark.parametrize("name", FACTS)
def test_the_address_is_that_of_the_region_and_what_is_needed_is_told(name, tmp_path):
    facts = FACTS[name]
    told = run("presets", name).stdout
    assert all(variable in told for variable in facts.variables) and "Source: https://" in told
    path = tmp_path / "pipeline.json"
    for region, address in facts.addresses.items():
        exporter = {"type": "otlp_http", "preset": name} | ({"region": region} if region else {})
        path.write_text(json.dumps(pipeline(tmp_path, {"there": exporter})))
        printed = run("validate", path, "--print", **facts.variables)
        assert printed.returncode == 0, printed.stdout + printed.stderr
        assert json.loads(printed.stdout)["exporters"]["there"]["endpoint"] == address
        assert KEY not in printed.stdout
    always = told.split("\nwhere ")[0]
    required = [variable for variable in facts.variables if f"${{env:{variable}}}" in always]
    unset = run("validate", path)
    assert unset.returncode == (78 if required else 0)
    for variable in required:
        assert f'"{variable}" is not set' in unset.stdout


@pytest.mark.parametrize("name", FACTS)
def test_a_server_that_behaves_as_is_known_gets_everything(name, tmp_path):
    """It wants its headers and content type, says 429 at first, and refuses what is over its limit."""
    facts, sink, refusals = FACTS[name], Sink(), []

    def admits(path, headers, body):
        undo = DECODERS.get(headers.get("content-encoding"))
        size = len(undo(body) if undo else body)
        if path != "/base/v1/traces":
            answer = 404, {}
        elif not shows(headers, facts.headers):
            answer = 401, {}
        elif facts.protobuf and headers["content-type"] != PROTOBUF:
            answer = 415, {}
        elif facts.limit and size > facts.limit:
            answer = 413, {}
        elif not refusals:
            answer = 429, {"message": "slow down"}, {"retry-after": "1"}
        else:
            return None if facts.answer == 200 else accepted(undo(body) if undo else body)
        refusals.append(answer[0])
        return answer

    def accepted(body):
        sink.answer(body)
        return facts.answer, {}

    sink.admits = admits
    sink.start()
    exporter = {"type": "otlp_http", "preset": name, "endpoint": sink.url + "/base", "retry": QUICK_RETRY}
    gateway = Millrace(tmp_path, pipeline(tmp_path, {"there": exporter}), **facts.variables)
    try:
        gateway.start()
        padding = int((facts.limit or MB) // 20)
        spans = gateway.send("shop", traces=50, spans=1, padding=padding)
        gateway.settled(accepted=50)
        assert sink.spans == spans
        assert refusals == [429], "limits are known, and not found out"
        gateway.stop()
    finally:
        gateway.process.end_group()
        sink.close()


def test_one_bad_id_does_not_cost_the_others_at_langfuse(tmp_path, sink):
    """Where the file has a header of the preset, its own counts, alone."""
    bad = otlp.request("shop", spans=1)
    (bad_span,) = otlp.spans_of(bad)

    def refuses(message):
        return (400, {"error": "invalid id"}) if bad_span in set(otlp.spans_of(message)) else None

    sink.refuses = refuses
    headers = {"Authorization": "Basic ${env:MILLRACE_TEST_AUTH}"}
    exporter = {"type": "otlp_http", "preset": "langfuse", "endpoint": sink.url, "headers": headers, "retry": QUICK_RETRY}
    gateway = Millrace(tmp_path, pipeline(tmp_path, {"there": exporter}), LANGFUSE_AUTH="unused", MILLRACE_TEST_AUTH="cGs6c2s=")
    sink.admits = lambda path, headers, body: None if headers.get_all("authorization") == ["Basic cGs6c2s="] else (401, {})
    try:
        gateway.start()
        assert gateway.post(bad.SerializeToString()).status_code == 200
        spans = gateway.send("shop", traces=10, spans=2)
        row = gateway.settled(accepted=21)["destinations"]["there"]
        assert (row["delivered"], row["dead_lettered"]) == (20, 1)
        assert sink.spans == spans
        gateway.stop()
    finally:
        gateway.process.end_group()


@pytest.mark.parametrize("name", ["braintrust", "phoenix"])
def test_what_a_destination_never_takes_is_not_sent_there(name, tmp_path, sink):
    """Only spans go to one that takes nothing else; no credentials where none are set; `endpoints` win over the preset's address."""
    seen = []
    sink.admits = lambda path, headers, body: seen.append((path, headers.get("authorization")))
    exporters = {"there": {"type": "otlp_http", "preset": name, "endpoints": [sink.url], "retry": QUICK_RETRY}, "here": {"type": "discard"}}
    key = {"BRAINTRUST_API_KEY": KEY, "BRAINTRUST_PARENT": "project_name:shop"} if name == "braintrust" else {}
    gateway = Millrace(tmp_path, pipeline(tmp_path, exporters, **all_signals(exporters, ("traces", "logs"))), **key)
    try:
        gateway.start()
        for signal in "logs", "traces":
            assert gateway.post(otlp.request_of(signal, "shop").SerializeToString(), path=f"/v1/{signal}").status_code == 200
        authorization, paths = (f"Bearer {KEY}", {"/v1/traces"}) if key else (None, {"/v1/traces", "/v1/logs"})
        eventually(lambda: {path for path, _ in seen} == paths)
        gateway.stop()
    finally:
        gateway.process.end_group()
    assert {given for _, given in seen} == {authorization} and {path for path, _ in seen} == paths


def test_an_encoding_that_is_never_taken_is_warned_of(tmp_path):
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(pipeline(tmp_path, {"there": {"type": "otlp_http", "preset": "phoenix", "encoding": "json"}})))
    done = run("validate", path)
    assert done.returncode == 0 and "/exporters/there/encoding: warning: Arize Phoenix takes protobuf alone" in done.stdout + done.stderr


def test_phoenix_itself_takes_spans(tmp_path, phoenix):
    exporter = {"type": "otlp_http", "preset": "phoenix", "retry": QUICK_RETRY}
    gateway = Millrace(tmp_path, pipeline(tmp_path, {"phoenix": exporter}), PHOENIX_COLLECTOR_ENDPOINT=phoenix.url)
    try:
        gateway.start()
        spans = gateway.send("shop", traces=3)
        gateway.settled(accepted=15)
        expected = {(trace.hex(), span.hex()) if isinstance(trace, bytes) else (trace, span) for trace, span in spans}
        eventually(lambda: expected <= phoenix.spans(), within=60, every=0.5)
        gateway.stop()
    finally:
        gateway.process.end_group()


@pytest.mark.parametrize(
    ("exporter", "pointer", "hint"),
    [
        ({"preset": "langfuze"}, "/preset", 'did you mean "langfuse"'),
        ({"preset": "langfuse", "region": "mars"}, "/region", "allowed: eu, us, jp, hipaa"),
        ({"preset": "weave", "region": "eu"}, "/region", "one address"),
        ({"endpoint": "http://127.0.0.1:9", "region": "eu"}, "/region", "preset"),
    ],
    ids=["unknown", "no such region", "no regions", "no preset"],
)
def test_what_is_not_known_is_named_with_what_is(tmp_path, exporter, pointer, hint):
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(pipeline(tmp_path, {"there": {"type": "otlp_http"} | exporter}), indent=2))
    done = run("validate", path, LANGFUSE_AUTH="x", WANDB_API_KEY="x")
    assert done.returncode == 78
    (line,) = done.stdout.splitlines()
    assert f"/exporters/there{pointer}: " in line and hint in line
    assert run("presets", "langfuze").returncode == 64


class TestInit:
    """`millrace init`."""

    def test_a_file_is_written_once_its_destination_has_answered(self, tmp_path, phoenix):
        path = tmp_path / "pipeline.json"
        done = run("init", "--preset", "phoenix", "--output", path, PHOENIX_COLLECTOR_ENDPOINT=phoenix.url)
        assert done.returncode == 0, done.stderr
        assert "phoenix: answers" in done.stderr and f"millrace run --config {path}" in done.stdout
        assert run("validate", path, PHOENIX_COLLECTOR_ENDPOINT=phoenix.url).returncode == 0
        assert json.loads(path.read_text())["exporters"] == {"phoenix": {"type": "otlp_http", "preset": "phoenix"}}
        again = run("init", "--preset", "phoenix", "--output", path, PHOENIX_COLLECTOR_ENDPOINT=phoenix.url)
        assert again.returncode == 1 and "is there already" in again.stderr

    @pytest.mark.parametrize(
        ("preset", "status", "variables", "reason"),
        [
            ("phoenix", 401, {}, "status 401"), ("phoenix", 404, {}, "status 404"), ("phoenix", 503, {}, "status 503"),
            ("phoenix", None, {}, "connect"), ("weave", 200, {}, "weave needs WANDB_API_KEY"),
        ],
        ids=["refuses", "wrong path", "busy", "away", "no key"],
    )
    def test_nothing_is_written_otherwise(self, tmp_path, sink, preset, status, variables, reason):
        sink.admits = lambda path, headers, body: (status, {})
        if status is None:
            sink.close()
        path = tmp_path / "pipeline.json"
        done = run("init", "--preset", preset, "--output", path, PHOENIX_COLLECTOR_ENDPOINT=sink.url, **variables)
        assert (done.returncode, done.stdout) == (1, "")
        assert reason in done.stderr, done.stderr
        assert not path.exists()

    def test_a_server_that_is_found_is_taken_where_that_is_said(self, tmp_path, sink):
        sink.close()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", 5000))
            except OSError:
                pytest.skip("port 5000 is taken on this machine")
        sink.port = 5000
        sink.start()
        path = tmp_path / "pipeline.json"
        asked = run("init", "--output", path)
        assert asked.returncode == 1 and "--yes accepts it" in asked.stderr and not path.exists()
        done = run("init", "--yes", "--output", path)
        assert done.returncode == 0, done.stderr
        assert "mlflow" in json.loads(path.read_text())["exporters"]

    @pytest.mark.parametrize("given", ["variable", "option"])
    def test_mlflow_is_looked_for_where_the_variable_says_and_gets_the_file_of_a_sidecar(self, tmp_path, sink, given):
        path = tmp_path / "pipeline.json"
        found = given == "variable"
        how, settings = (["--yes"], {"MLFLOW_TRACKING_URI": sink.url}) if found else (["--mlflow", sink.url], {})
        done = run("init", *how, "--preset", "phoenix", "--output", path, PHOENIX_COLLECTOR_ENDPOINT=sink.url, **settings)
        assert done.returncode == 0, done.stderr
        written, sidecar = json.loads(path.read_text()), json.loads((CHECKOUT / "pipelines/sidecar.json").read_text())
        assert written["receivers"] == sidecar["receivers"]
        assert written["exporters"]["mlflow"]["endpoint"] == ("${env:MLFLOW_TRACKING_URI:-" + sink.url + "}" if found else sink.url)
        assert written["exporters"]["phoenix"]["signals"] == ["traces"], "log records are taken for MLflow's traces alone"
        shape = ("receivers", "processors", "signals")
        assert [written["pipelines"]["traces"][key] for key in shape] == [sidecar["pipelines"]["traces"][key] for key in shape]
        assert {key: value["type"] for key, value in written["processors"].items()} == {
            key: value["type"] for key, value in sidecar["processors"].items()
        }
        assert run("validate", path).returncode == 0

    def test_mlflow_s_credentials_are_named_and_none_in_an_address_is_printed(self, tmp_path, sink):
        path = tmp_path / "pipeline.json"
        sink.admits = lambda path, headers, body: None if headers.get("authorization") == "Bearer a-token" else (401, {})
        assert run("init", "--mlflow", sink.url, "--output", path).returncode == 1
        done = run("init", "--mlflow", sink.url, "--output", path, MLFLOW_TRACKING_TOKEN="a-token")
        assert done.returncode == 0, done.stderr
        assert json.loads(path.read_text())["exporters"]["mlflow"]["token"] == "${env:MLFLOW_TRACKING_TOKEN}"
        secret = sink.url.replace("//", "//ada:open-sesame@")
        for arguments, settings in [([], {"MLFLOW_TRACKING_URI": secret}), (["--mlflow", secret], {})]:
            done = run("init", "--yes", "--output", tmp_path / "other.json", *arguments, **settings)
            assert done.returncode in (1, 64) and "MLFLOW_TRACKING_PASSWORD" in done.stderr
            assert "sesame" not in done.stdout + done.stderr

    def test_what_was_looked_for_in_vain_is_said(self, tmp_path):
        settings = {"MLFLOW_TRACKING_URI": "databricks", "PHOENIX_COLLECTOR_ENDPOINT": "phoenix:6006"}
        done = run("init", "--output", tmp_path / "x.json", **settings)
        assert done.returncode == 1
        assert all(word in done.stderr for word in ["MLFLOW_TRACKING_URI names no server", "PHOENIX_COLLECTOR_ENDPOINT", "--mlflow URL"])

    def test_a_name_given_twice_is_one_and_only_mlflow_gets_what_is_mapped_for_it(self, tmp_path, sink):
        path = tmp_path / "pipeline.json"
        done = run("init", "--preset", "phoenix", "--preset", "phoenix", "--output", path, PHOENIX_COLLECTOR_ENDPOINT=sink.url)
        assert done.returncode == 0, done.stderr
        written = json.loads(path.read_text())
        assert list(written["exporters"]) == ["phoenix"] and written["pipelines"]["traces"]["processors"] == []

    def test_a_server_that_a_variable_names_is_offered(self, tmp_path, sink):
        path = tmp_path / "pipeline.json"
        asked = run("init", "--output", path, PHOENIX_COLLECTOR_ENDPOINT=sink.url)
        assert asked.returncode == 1 and f"PHOENIX_COLLECTOR_ENDPOINT names Phoenix at {sink.url}" in asked.stderr
        assert run("init", "--yes", "--output", path, PHOENIX_COLLECTOR_ENDPOINT=sink.url).returncode == 0
        assert "phoenix" in json.loads(path.read_text())["exporters"]

    def test_unknown_presets_and_no_destination_are_said(self, tmp_path):
        assert run("init", "--preset", "nothing", "--output", tmp_path / "x.json").returncode == 64
