"""The dashboard, the alerts and the runbooks: every query on a real Prometheus that scrapes a gateway in which everything happens."""

import json
import re
import types

import pytest
import requests

from conftest import AWAY, otlp_exporter
from kit import otlp
from kit.certificates import Authority
from kit.environments import CHECKOUT, free_port
from kit.millrace import Millrace
from kit.prometheus import PROGRAM, Prometheus, promtool
from kit.sink import Sink
from kit.waiting import eventually

pytestmark = pytest.mark.skipif(not PROGRAM, reason="there is no Prometheus here")

DEPLOY = CHECKOUT / "pipelines/deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/millrace.json").read_text())
ALERTS = DEPLOY / "prometheus/alerts.json"
RULES = {rule["alert"]: rule for group in json.loads(ALERTS.read_text())["groups"] for rule in group["rules"]}
RUNBOOKS = CHECKOUT / "pipelines/docs/runbooks.md"

LEFT_OUT = {}
"""{metric: why neither the dashboard nor an alert has it}; none is now."""

SILENT = {
    "millrace_receiver_records_total": "needs a receiver of type otlp_file",
    "millrace_receiver_unread_bytes": "needs a receiver of type otlp_file",
    "millrace_exporter_endpoint_in_use": "needs an exporter with endpoints",
    "millrace_processor_unmapped_spans_total": "needs a span that grows by more than 64 KiB and three times its size",
    "millrace_processor_forgotten_routes_total": "needs more than max_routes routes and an idle hour",
}
"""{metric: why it has no series here}"""

FIRING = {
    "MillraceDown": ['up{job="millrace"}', "1x9 0x30"],
    "MillraceRestarts": ["millrace_process_start_seconds", "0x9 1 1 2 2 3 3 4 4 5x20"],
    "MillraceDestinationDown": ["millrace_exporter_circuit_open", "0x9 1x30"],
    "MillraceDeliveryLate": ["millrace_exporter_oldest_queued_seconds", "0x9 901x30"],
    "MillraceJournalFillsUp": ["millrace_journal_room_bytes", "900x9 900-10x80", "millrace_journal_bytes", "100x9 100+10x80"],
    "MillraceTurnsAway": ['millrace_receiver_refused_spans_total{reason="journal_full"}', "0x9 0+1x30"],
    "MillraceJournalFails": ['millrace_receiver_refused_log_records_total{reason="journal_failed"}', "0x9 0+1x30"],
    "MillraceSlowSync": [
        *('millrace_journal_sync_seconds_bucket{le="0.5"}', "0+10x9 90+1x30"),
        *('millrace_journal_sync_seconds_bucket{le="1"}', "0+10x9 90+10x30"),
        *('millrace_journal_sync_seconds_bucket{le="+Inf"}', "0+10x9 90+10x30"),
    ],
    "MillraceDataLost": ["millrace_journal_lost_spans_total", "2x9 2 3x30"],
    "MillraceExpired": ["millrace_exporter_expired_data_points_total", "2x9 2 3x30"],
    "MillraceDeadLetters": ["millrace_exporter_dead_lettered_spans_total", "2x9 2 3x30"],
    "MillraceRejected": ["millrace_exporter_rejected_log_records_total", "2x9 2 3x30"],
    "MillraceParked": ['millrace_exporter_attempts_total{outcome="parked"}', "2x9 2+1x30"],
    "MillraceTracesCutShort": ['millrace_window_decided_traces_total{reason="memory"}', "0x9 0+1x50"],
    "MillraceRequestsFail": [
        *('millrace_receiver_requests_total{code="503"}', "0x9 0+1x30"),
        *('millrace_receiver_requests_total{code="200"}', "0+10x40"),
    ],
    "MillraceDenied": ['millrace_receiver_denied_requests_total{reason="wrong"}', "0x9 0+60x50"],
    "MillraceReloadFailed": ["millrace_config_last_reload_success", "1x9 0x30"],
    "MillraceMemberFilesWrong": ["millrace_receiver_member_files_valid", "1x9 0x30"],
    "MillraceCertificateExpires": ["millrace_tls_certificate_expiry_timestamp_seconds", "900000x9 600000x90"],
    "MillraceCertificateNotTaken": ["millrace_tls_last_reload_success", "1x9 0x30"],
    "MillracePartitionsUnserved": ["millrace_receiver_partitions", "16x9 0x30"],
    "MillraceMessagesRefused": ['millrace_receiver_messages_total{outcome="refused"}', "2x9 2 3x30"],
}
"""{alert: names of series and their values, a minute apart}: good for nine minutes, then bad."""
LATE = ("MillraceJournalFillsUp", "MillraceCertificateExpires")
"""Those that wait for longer than half an hour."""


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def dashboard_queries():
    """{where: expression}, with what Grafana puts in place of its variables."""
    found = {f"{panel['title']} {target['refId']}": target["expr"] for panel in panels() for target in panel["targets"]}
    found |= {f"annotation {each['name']}": each["expr"] for each in DASHBOARD["annotations"]["list"]}
    values = {"$__rate_interval": "30s", "$job": "millrace", "$instance": ".*"}
    for name, value in values.items():
        found = {where: query.replace(name, value) for where, query in found.items()}
    assert not [query for query in found.values() if "$" in query]
    return found


def is_asked(metric, query):
    """Whether a query selects a metric; a histogram by any of its series."""
    patterns = re.findall(r'__name__=~"([^"]+)"', query)
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"millrace_[a-z_]+", query)}
    return metric in names or any(re.fullmatch(pattern, metric) for pattern in patterns)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A gateway with every component, after traffic that makes it count what it can, and the Prometheus that has seen it."""
    directory = tmp_path_factory.mktemp("watched")
    authority = Authority(directory)
    certificate, key = authority.issue("server")
    members = directory / "members"
    token = "0123456789abcdef" * 2
    members.write_text(f"checkout {token} Checkout\n")
    members.chmod(0o600)
    sink = Sink().start()
    secured = {"tls": {"certificate": str(certificate), "key": str(key)}, "auth": {"bearer": [{"file": str(members)}]}}
    receivers = {
        "otlp": {"type": "otlp_http", "cors": {"origins": ["https://app.example.com"]}, "limits": {"connections": 100}},
        "secured": {"type": "otlp_http"} | secured,
        "balanced": {"type": "otlp_http", "proxy_protocol": ["10.0.0.0/8"]},
    }
    for receiver in receivers.values():
        receiver["listen"] = f"127.0.0.1:{free_port()}"
    receivers["stream"] = {"type": "jetstream", "servers": ["nats://127.0.0.1:9"], "stream": "spans"}
    error = {"name": "errors", "keep": {"status": "error"}}
    processors = {
        "redact": {"type": "redact"},
        "truncate": {"type": "truncate", "max_value": "1KiB"},
        "filter": {"type": "filter", "drop": {"name": "noise"}},
        "map": {"type": "mlflow_map"},
        "whole": {"type": "tail_sample", "after_root": "100ms", "policies": [error, {"name": "some", "ratio": 0.01}]},
        "route": {"type": "mlflow_experiment", "max_routes": 1},
        "batch": {"type": "batch", "linger": "50ms"},
    }
    exporters = {
        "archive": {"type": "file", "path": str(directory / "archive.jsonl")},
        "sink": otlp_exporter(sink),
        "away": AWAY,
        "watch": otlp_exporter(sink),
    }
    settings = {
        "receivers": receivers,
        "processors": processors | {"plain": {"type": "mlflow_experiment", "from": ["resource.service.name"], "max_routes": 1}},
        "exporters": exporters,
        "pipelines": {
            "traces": {
                "receivers": ["otlp", "stream", "secured", "balanced"],
                "processors": list(processors),
                "exporters": ["archive", "sink", "away"],
                "signals": ["traces", "logs"],
            },
            "others": {"receivers": ["otlp"], "processors": ["plain"], "exporters": ["archive"], "signals": otlp.SIGNALS},
        },
        "journal": {"directory": str(directory / "journal"), "min_free": "16MiB"},
        "admin": {"listen": f"127.0.0.1:{free_port()}"},
        "telemetry": {"traces": 0.5, "to": "watch"},
    }
    gateway = Millrace(directory, settings).start()
    (scrape,) = json.loads((DEPLOY / "prometheus/scrape.json").read_text())["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": ["127.0.0.1:13133"]}]
    target = scrape | {"static_configs": [{"targets": [settings["admin"]["listen"]]}]}
    prometheus = Prometheus(directory, [target], ALERTS).start()
    try:
        make_it_count(gateway, token, authority)
        before = prometheus.scrapes()
        eventually(lambda: prometheus.scrapes() >= before + 3)
        yield types.SimpleNamespace(gateway=gateway, prometheus=prometheus)
        gateway.stop()
    finally:
        prometheus.close()
        gateway.process.end_group()
        sink.close()


def chat(service):
    """A failed chat with tokens, a secret, a long text and a session that MLflow would refuse, beside a span to filter."""
    message = otlp.request(service, spans=2)
    first, second = otlp.each_span(message)
    second.name = "noise"
    first.status.code = 2
    values = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "note": "AKIAIOSFODNN7EXAMPLE",
        "long": "x" * 5000,
        "session.id": "s" * 300,
    }
    for name, value in values.items():
        first.attributes.add(key=name).value.string_value = value
    for name in ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"):
        first.attributes.add(key=name).value.int_value = 1000
    return message


def make_it_count(gateway, token, authority):
    for number in range(3):
        assert gateway.post(chat(f"shop-{number}").SerializeToString()).status_code == 200
    gateway.send("kept-rarely", traces=20)
    for signal in ("metrics", "logs"):
        body = otlp.request_of(signal, "shop").SerializeToString()
        assert gateway.post(body, path=f"/v1/{signal}").status_code == 200
    gateway.post(b"\xff\xff")
    snake = {"resource_spans": [{"scope_spans": [{"spans": [{"trace_id": "ab" * 16, "span_id": "cd" * 8, "name": "a"}]}]}]}
    assert gateway.post(json.dumps(snake).encode(), "application/json").status_code == 200
    secured = "https://" + gateway.pipeline["receivers"]["secured"]["listen"] + "/v1/traces"
    invalid = otlp.request("Checkout")
    next(iter(otlp.each_span(invalid))).trace_id = bytes(16)
    for shown, message, code in ((token, invalid, 200), ("wrong", invalid, 401)):
        headers = {"authorization": f"Bearer {shown}", "content-type": "application/x-protobuf"}
        body = message.SerializeToString()
        answer = requests.post(secured, body, headers=headers, verify=str(authority.certificate), timeout=10)
        assert answer.status_code == code
    eventually(lambda: gateway.metric("millrace_window_seen_tokens_total"))


def test_every_query_of_the_dashboard_shows_something(watched):
    empty = []
    for where, query in dashboard_queries().items():
        is_silent = any(is_asked(metric, query) for metric in SILENT)
        found = watched.prometheus.query(query)
        if not found and not where.startswith("annotation") and not is_silent:
            empty.append(f"{where}: {query}")
    assert not empty, "\n".join(empty)
    for metric in SILENT:
        assert not watched.prometheus.query(metric), f"{metric} has series here: it is not silent"


def test_the_variables_of_the_dashboard_have_values(watched):
    for variable in DASHBOARD["templating"]["list"][1:]:
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]).groups()
        values = watched.prometheus.ask(f"label/{label}/values", **{"match[]": selector.replace("$job", ".*")})
        assert values, variable["name"]


def test_every_alert_is_evaluated_and_watches_what_there_is(watched):
    def evaluated():
        groups = watched.prometheus.ask("rules")["groups"]
        rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
        assert set(rules) == set(RULES)
        assert all(rule["health"] == "ok" for rule in rules.values()), [rule.get("lastError") for rule in rules.values()]
        assert rules["MillraceDestinationDown"]["state"] == "pending", "one destination is away"
        return rules

    assert eventually(evaluated)["MillraceDown"]["state"] == "inactive"
    for name, rule in RULES.items():
        for selector in re.findall(r"(?:millrace_\w+|\bup)?(?:\{[^}]*\})?", rule["expr"]):
            if selector.startswith(("millrace", "up", "{__name__")):
                # Every other value that a label may have is there from the start.
                bare = re.sub(r'code=~"[^"]*"', 'code!=""', selector)
                assert watched.prometheus.query(bare), f"{name}: nothing is selected by {bare}"


def test_every_metric_is_shown_or_left_out_for_a_reason(watched):
    exposed = set(re.findall(r"^# TYPE (\S+)", watched.gateway.admin("/metrics").text, re.MULTILINE))
    queries = [*dashboard_queries().values(), *(rule["expr"] for rule in RULES.values())]
    missing = {metric for metric in exposed - set(LEFT_OUT) if not any(is_asked(metric, query) for query in queries)}
    assert not missing, f"in neither the dashboard nor an alert: {sorted(missing)}; add them, or say in LEFT_OUT why not"
    assert not set(LEFT_OUT) - exposed
    asked = {name for query in queries for name in re.findall(r"millrace_[a-z_]+", query) if "(" not in name}
    known = exposed | {name + part for name in exposed for part in ("_bucket",)} | set(SILENT)
    prefixes = {name for query in queries for name in re.findall(r'__name__=~"(millrace_[a-z_]+)\(', query)}
    assert asked - known - prefixes == set()


def test_every_alert_fires_when_it_should_and_not_before(tmp_path):
    assert set(FIRING) == set(RULES)
    tests = []
    for alert, series in FIRING.items():
        fires = {"expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'}
        tests.append(
            {
                "name": alert,
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": values} for name, values in zip(series[::2], series[1::2], strict=True)
                ],
                "promql_expr_test": [
                    fires | {"eval_time": "9m", "exp_samples": []},
                    fires | {"eval_time": "80m" if alert in LATE else "35m", "exp_samples": [{"labels": "{}", "value": 1}]},
                ],
            }
        )
    file = tmp_path / "alerts.test.json"
    file.write_text(json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}))
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_what_to_do():
    headings = re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(RULES)
    for name, rule in RULES.items():
        assert rule["annotations"]["runbook_url"] == f"pipelines/docs/runbooks.md#{name.lower()}"
        assert rule["labels"]["severity"] in ("warning", "critical")
    links = re.findall(r"\]\(#(\w+)\)", RUNBOOKS.read_text())
    assert set(links) <= {heading.lower() for heading in headings}


def test_panels_lie_beside_each_other():
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
