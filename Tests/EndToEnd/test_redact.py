"""Secrets of every kind in every text of every signal: found in no destination, journal, dead letter, log or console."""

import base64
import json
import random
import string
import zlib

import pytest

from conftest import mlflow_exporter, otlp_exporter
from kit import otlp
from kit.environments import LONG
from kit.millrace import run
from kit.waiting import eventually

MIXED = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
TRACE = "5f92f3577b34da6a3ce929d0e0e47361"


def letters(count, alphabet=MIXED, seed=1):
    return "".join(random.Random(seed).choices(alphabet, k=count))


def github():
    body = letters(30, seed=7)
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    rest, code = zlib.crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        code = alphabet[digit] + code
    return "ghp" + "_" + body + code


def web_token():
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    return f"{head}.{letters(60, seed=2)}.{letters(43, seed=3)}"


# Put together here, so that no scanner of repositories takes them for real ones: (what is sent, what must be nowhere).
KEY = "-----BEGIN PRIVATE" + " KEY-----\n" + "\n".join(letters(64, seed=s) for s in (4, 5)) + "\n-----END PRIVATE" + " KEY-----"
SECRETS = {
    "openai": "sk" + "-proj-" + letters(60) + "T3Blbk" + "FJ" + letters(60),
    "anthropic": "sk" + "-ant-api03-" + letters(93) + "AA",
    "llm_provider": "gsk" + "_" + letters(52),
    "google": "AI" + "za" + letters(35),
    "aws_key_id": "AK" + "IA" + letters(16, string.ascii_uppercase),
    "bedrock": "AB" + "SK" + letters(128),
    "github": github(),
    "gitlab": "glpat" + "-" + letters(20),
    "slack": "xox" + "b-" + letters(12, string.digits) + "-" + letters(24),
    "stripe": "sk" + "_live_" + letters(24),
    "databricks": "da" + "pi" + letters(32, HEX),
    "npm": "npm" + "_" + letters(36),
    "pypi": "pypi" + "-AgEIcHlwaS5vcmc" + letters(60),
    "azure": "abc8" + "Q~" + letters(34),
    "sendgrid": "SG" + "." + letters(22) + "." + letters(43),
    "jwt": web_token(),
    "private_key": KEY,
    "email": "ada.lovelace@mail.example.org",
    "card": "4111" + "111111111111",
    "iban": "GB82WEST12345698765432",
    "ssn": "536-90" + "-4399",
}
IN_CONTEXT = {
    "aws_secret": (f"aws_secret_access_key = {letters(40, seed=12)}", letters(40, seed=12)),
    "url_credentials": ("postgres://shop:hun" + "ter2x@db/till", "shop:hun" + "ter2x"),
    "authorization": (f"Authorization: Bearer {letters(30, seed=13)}", letters(30, seed=13)),
    "secret": (f"password: {letters(18, seed=14)}", letters(18, seed=14)),
    "national_id": ("NHS 943 476 5919", "943 476 5919"),
    "ticket": ("TICKET-77812", "TICKET-77812"),
}
# The same in other forms, and hidden names in what is no JSON; the last one has no end.
FORMS = [
    ("card 5555 5555 5555 4444 12/27", "5555 5555 5555 4444"),
    ("卡号：4242424242424242", "4242424242424242"),
    ("postgres://app:Xk9&mQ2;vL7z@db/till", "mQ2;vL7z"),
    (f"https://aws:{letters(1500, seed=15)}@registry/x", letters(1500, seed=15)),
    (f"**Password:** {letters(16, seed=16)}", letters(16, seed=16)),
    ("password: Tr0ub4dor&3", "Tr0ub4dor"),
    (f"https://app/login/{web_token()}x", web_token()),
    (f"authorization: Bearer {letters(4000, seed=17)}", letters(4000, seed=17)),
    ("https://app/x?mail=grace%40navy.example&y=1", "grace%40navy"),
    ("C:\\keys\\npm" + "_" + letters(36, seed=18), letters(36, seed=18)),
    ('call {"score": NaN, "patient.name": "Molly-1"}', "Molly-1"),
    ('data: {"patient.name": {"first": "Molly-2"}}', "Molly-2"),
    ('```json\n{"patient.name": "Molly-3"}\n```', "Molly-3"),
    ("call {'patient.name': 'Molly-4'}", "Molly-4"),
    ('cut {"n":1,"patient.name":"Molly-5', "Molly-5"),
]
TEXTS = list(SECRETS.values()) + [text for text, _ in [*IN_CONTEXT.values(), *FORMS]]
NEEDLES = [needle for secret in SECRETS.values() for needle in secret.split("\n") if "-----" not in needle]
NEEDLES += [needle for _, needle in [*IN_CONTEXT.values(), *FORMS]]
ALL = "\n".join(TEXTS)
HIDE = {"type": "redact", "patterns": [{"name": "ticket", "match": "TICKET-[0-9]+"}], "keys": ["patient.*"]}


def text(value):
    return {"stringValue": value}


def pairs(**values):
    return [{"key": key.replace("__", "."), "value": value} for key, value in values.items()]


def everywhere(with_bytes=False):
    """Attributes of every kind with all secrets in them, in JSON in JSON in JSON with escapes too.

    MLflow takes no bytes in events.
    """
    escaped = json.dumps({"deep": ALL}).replace("A", "\\u0041").replace("/", "\\/")
    arguments = json.dumps({"arguments": escaped, "n": [1, 2.5, None, True]})
    return pairs(
        flat=text(ALL),
        list={"arrayValue": {"values": [text(one) for one in TEXTS]}},
        map={"kvlistValue": {"values": pairs(deep=text(ALL))}},
        json=text(json.dumps([{"tool_calls": [{"function": {"arguments": arguments}}]}])),
        patient__age={"intValue": "775533"},
        **({"bytes": {"bytesValue": base64.b64encode(ALL.encode()).decode()}} if with_bytes else {}),
    )


def messages():
    call = {"id": "1", "type": "function", "function": {"name": "charge", "arguments": json.dumps({"card": SECRETS["card"]})}}
    return json.dumps(
        [{"role": "user", "content": f"Charge my card please, I am {SECRETS['email']}"}, {"role": "assistant", "tool_calls": [call]}]
    )


def requests(service):
    head = {
        "resource": {"attributes": pairs(service__name=text(service)) + everywhere()},
        "schemaUrl": f"https://ada:{letters(18, seed=14)}@example.org/",
    }
    scope = {"scope": {"name": f"scope {ALL}", "attributes": everywhere()}}
    span = {
        "traceId": TRACE, "spanId": "00f067aa0ba90201", "name": f"chat {SECRETS['email']}", "kind": 3,
        "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000",
        "attributes": everywhere() + pairs(
            gen_ai__operation__name=text("chat"), gen_ai__request__model=text("gpt-4o"),
            gen_ai__input__messages=text(messages()),
            gen_ai__output__messages=text(json.dumps([{"role": "assistant", "content": "Done, all charged."}])),
        ),
        "events": [{"name": f"event {ALL}", "timeUnixNano": "1790000000500000000", "attributes": everywhere()}],
        "links": [{"traceId": TRACE, "spanId": "00f067aa0ba90209", "attributes": everywhere()}],
        "status": {"code": 2, "message": ALL},
    }
    record = {
        "timeUnixNano": "1790000000000000000", "severityText": f"INFO {SECRETS['email']}",
        "body": {"kvlistValue": {"values": everywhere(True)}}, "attributes": everywhere(True),
    }
    point = {
        "asInt": "1", "timeUnixNano": "1790000000000000000", "attributes": everywhere(True),
        "exemplars": [{"asInt": "1", "timeUnixNano": "1790000000000000000", "filteredAttributes": everywhere()}],
    }
    metric = {"name": "calls", "description": ALL, "sum": {"dataPoints": [point], "aggregationTemporality": 2}}
    return {
        "traces": {"resourceSpans": [head | {"scopeSpans": [scope | {"spans": [span]}]}]},
        "logs": {"resourceLogs": [head | {"scopeLogs": [scope | {"logRecords": [record]}]}]},
        "metrics": {"resourceMetrics": [head | {"scopeMetrics": [scope | {"metrics": [metric]}]}]},
    }


def found(content):
    """Which of the secrets stand in bytes, as they are, in base64 or in the escapes of JSON."""
    return [needle for needle in NEEDLES + ["775533"] if needle.encode() in content]


def found_below(directory):
    return {str(path): hits for path in directory.rglob("*") if path.is_file() and (hits := found(path.read_bytes()))}


@pytest.fixture
def hiding(millrace, sink, archives, tmp_path):
    """`hiding(signals, processors, exporters)` is a gateway with these exporters and some that every signal goes to."""
    sink.admits = lambda path, *_: (400, {"message": "no"}) if path.startswith("/refused") else None
    sink.bodies = []

    def start(signals, processors, **exporters):
        exporters |= {
            "sink": otlp_exporter(sink), "json": archives("json"), "console": {"type": "console"},
            # Takes nothing, so that all of it lies in dead letters.
            "refusing": otlp_exporter(sink) | {"endpoint": f"{sink.url}/refused"},
        }
        parts = {"receivers": ["otlp"], "processors": list(processors), "exporters": list(exporters), "signals": signals}
        return millrace(
            exporters, tmp_path / "gateway", processors=processors, pipelines={"all": parts}, log={"level": "debug"}
        )

    return start


def post(gateway, service, signal):
    body = json.dumps(requests(service)[signal])
    # A search finds what is there.
    assert len(found(body.encode().replace(b"\\n", b"\n"))) == len(NEEDLES) + 1
    answer = gateway.post(body, content_type="application/json", path=f"/v1/{signal}")
    assert (answer.status_code, answer.json().get("partialSuccess")) == (200, None), answer.content


def expect_nothing(gateway, sink, directory, signals):
    """Waits until everything has arrived or lies in dead letters; then none of the secrets is anywhere."""
    eventually(lambda: {signal for signal, _ in sink.bodies} == set(signals), within=30)
    for signal in signals:
        ledger = gateway.settled(signal=signal)
        assert ledger["destinations"]["refusing"]["dead_lettered"] == 1
        assert all(row["delivered"] == 1 for name, row in ledger["destinations"].items() if name != "refusing")
    for detector in [*SECRETS, *IN_CONTEXT, "key"]:
        assert gateway.metric("millrace_processor_redacted_total", detector=detector) > 0, detector
    assert found(gateway.admin("/metrics").content) == []
    assert found(json.dumps(gateway.dead_letters()).encode()) == []
    for _, body in sink.bodies:
        assert found(body) == []
    # Every text that was JSON still is.
    for line in (directory / "json.jsonl").read_text().splitlines():
        parsed(json.loads(line))
    gateway.stop()
    assert (directory / "gateway/journal").is_dir()
    assert found_below(directory) == {}
    assert "[redacted:email]" in gateway.process.log


def test_secrets_of_spans_are_nowhere_and_the_conversation_is_in_mlflow(hiding, mlflow, sink, archives, service, tmp_path):
    # It works before the others, wherever it stands.
    processors = {"map": {"type": "mlflow_map"}, "route": {"type": "mlflow_experiment"}, "hide": HIDE}
    raw = archives("raw", format="protobuf")
    gateway = hiding(["traces"], processors, mlflow=mlflow_exporter(mlflow), raw=raw)
    post(gateway, service, "traces")
    (trace,) = mlflow.expect_traces(service, 1)
    shown = json.dumps(trace)
    assert "Charge my card please, I am [redacted:email]" in shown and "Done, all charged." in shown
    assert found(shown.encode()) == []
    expect_nothing(gateway, sink, tmp_path, ["traces"])


def test_secrets_of_logs_and_metrics_are_nowhere(hiding, sink, service, tmp_path):
    gateway = hiding(["logs", "metrics"], {"hide": HIDE})
    for signal in ("logs", "metrics"):
        post(gateway, service, signal)
    expect_nothing(gateway, sink, tmp_path, ["logs", "metrics"])


def parsed(value):
    """Reads all JSON in texts, which fails where it is broken."""
    if isinstance(value, dict):
        for one in value.values():
            parsed(one)
    elif isinstance(value, list):
        for one in value:
            parsed(one)
    elif isinstance(value, str) and value[:1] in ("{", "["):
        if not value.startswith("[redacted:"):
            parsed(json.loads(value))


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_explain_says_where_and_which_but_not_what(tmp_path, form):
    file, body = tmp_path / "pipeline.json", tmp_path / "body.json"
    file.write_text(json.dumps({
        "receivers": {"otlp": {"type": "otlp_http"}},
        "processors": {"map": {"type": "mlflow_map"}, "hide": HIDE},
        "exporters": {"out": {"type": "discard"}},
        "pipelines": {"traces": {"receivers": ["otlp"], "processors": ["map", "hide"], "exporters": ["out"]}},
    }))
    body.write_text(json.dumps(requests("shop")["traces"]))
    done = run("explain", "--config", file, *form, body)
    assert done.returncode == 0, done.stderr
    assert found((done.stdout + done.stderr).encode()) == []
    for detector in [*SECRETS, *IN_CONTEXT, "key"]:
        assert detector in done.stdout
    for place in ("span_name", "attribute", "event", "link", "status", "resource", "scope"):
        assert place in done.stdout


# What nearly every detector looks for, without what makes it one.
NEAR_MISSES = [
    "sk" + "-proj-", "AK" + "IA", "gh" + "p_", "eyJ", "-----BEGIN " + "PRIVATE KEY-----", "x://a:b@", "x://a:$b@", "a@b.", "a%40", "a@b-",
    "4111 ", "4111-", "DE89 ", "123-45-", "Authorization: Bearer ", "token=", "**Password:** a1", "nhs 1234567890 ", "::",
    "data:image/png;base64,", "\\u0061", '{"patient.x":', '"patient.x": ', "'patient.x': [", '{"a":', '{"a":1} ', '["', "TICKET-",
]


@pytest.mark.skipif(not LONG, reason="searches 64 MiB")
def test_64_mib_of_near_misses_are_answered_within_what_a_request_may_cost(millrace, archives):
    hide = HIDE | {"detectors": {"phone": True, "ip": True}}
    parts = {"receivers": ["otlp"], "processors": ["hide"], "exporters": ["archive"]}
    gateway = millrace({"archive": archives("json")}, processors={"hide": hide}, pipelines={"traces": parts})
    message = otlp.request("near-misses", spans=1)
    (span,) = otlp.each_span(message)
    for number in range(63):
        miss = NEAR_MISSES[number % len(NEAR_MISSES)]
        span.attributes.add(key=f"miss.{number}").value.string_value = miss * ((1 << 20) // len(miss))
    body = message.SerializeToString()
    assert 62 << 20 < len(body) < 64 << 20
    headers = {"content-type": "application/x-protobuf"}
    assert gateway.session.post(f"{gateway.url}/v1/traces", data=body, headers=headers, timeout=900).status_code == 200
    assert gateway.post(otlp.request("after").SerializeToString()).status_code == 200
    gateway.settled(within=300)
