"""Web pages in a real browser: those that may send do, whatever they send with, and others leave nothing behind."""

import collections
import json
import pathlib

import pytest

from conftest import AWAY
from kit import otlp
from kit.environments import DATA, free_port
from kit.millrace import PROTOBUF
from kit.waiting import eventually
from kit.web_page import WebPage, bundled

JSON = "application/json"
TOKEN = "token-of-the-page"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
BODIES = {
    JSON: (DATA / "clients/browser-web-json-1.json").read_bytes(),
    PROTOBUF: (DATA / "clients/browser-web-proto-1.pb").read_bytes(),
}
REFUSED = "millrace_receiver_refused_origin_requests_total"

pytestmark = pytest.mark.skipif(
    not pathlib.Path("/usr/bin/chromium").exists(), reason="no Chromium: `make test` installs it where there is apt"
)


def spans(content_type):
    """Those of the body that a browser was seen to send."""
    if content_type == JSON:
        return collections.Counter(otlp.pairs_of_json("traces", json.loads(BODIES[JSON])))
    return collections.Counter(otlp.spans_of(otlp.ExportTraceServiceRequest.FromString(BODIES[PROTOBUF])))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    page = WebPage(bundled(tmp_path_factory.mktemp("web")))
    yield page
    page.close()


@pytest.fixture
def sdks(page):
    if page.script is None:
        pytest.skip("no npm, or no way to the packages of OpenTelemetry's web SDKs")


@pytest.fixture
def gateway(millrace, archives, page):
    """`gateway(**receiver)` starts one that takes spans of the first of the page's origins and writes them to "kept"."""

    def start(exporters=None, cors=True, sections=None, **receiver):
        settings = {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"} | receiver
        if cors:
            settings["cors"] = {"origins": [page.origins[0]]} | (cors if isinstance(cors, dict) else {})
        sections = {"receivers": {"otlp": settings}} | (sections or {})
        started = millrace(exporters or {"kept": archives("kept")}, **sections)
        started.traces = started.url + "/v1/traces"
        return started

    return start


def auth():
    return {"bearer": [{"name": "page", "token": TOKEN}]}


def answers(gateway, code):
    return gateway.metric("millrace_receiver_requests_total", code=str(code))


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
def test_a_page_sends_with_a_token_and_headers_of_its_own(gateway, page, archives, content_type):
    started = gateway(auth=auth(), cors={"headers": ["x-page"]})
    page.open(page.origins[0])
    headers = SHOWN | {"x-page": "1"}
    assert page.fetch(started.traces, content_type, BODIES[content_type], headers=headers)["status"] == 200
    assert page.xhr(started.traces, content_type, BODIES[content_type], **headers)["status"] == 200
    # One preflight is enough for both.
    assert answers(started, 204) == 1
    assert page.fetch(started.traces, content_type, BODIES[content_type], headers=headers | {"x-other": "1"})["status"] == 0
    eventually(lambda: "headers that cors does not allow" in started.process.log)
    started.settled()
    assert archives.spans("kept") == spans(content_type) + spans(content_type)


def test_a_page_sends_logs_where_a_pipeline_takes_them(gateway, page, tmp_path):
    pipelines = {"all": {"receivers": ["otlp"], "processors": [], "exporters": ["kept"], "signals": ["logs"]}}
    started = gateway(sections={"pipelines": pipelines, "processors": {}})
    page.open(page.origins[0])
    body = (DATA / "clients/browser-web-logs-1.logs.json").read_bytes()
    assert page.fetch(started.url + "/v1/logs", JSON, body)["status"] == 200
    eventually(lambda: "resourceLogs" in (tmp_path / "kept.jsonl").read_text())
    spans = page.fetch(started.traces, JSON, BODIES[JSON])
    assert spans["status"] == 404 and "takes traces, only logs" in spans["text"]
    started.stop()


def test_errors_can_be_read_by_the_page(gateway, page):
    started = gateway(auth=auth(), max_body="16KiB")
    page.open(page.origins[0])

    def fetch(content_type=JSON, body=BODIES[JSON], headers=SHOWN, path="/v1/traces"):
        return page.fetch(started.url + path, content_type, body, headers=headers)

    assert fetch(headers={"Authorization": "Bearer guess"})["status"] == 401
    assert fetch(headers={})["status"] == 401
    assert fetch(body=b"{")["status"] == 400
    assert fetch(body=b" " * 20_000)["status"] == 413
    assert fetch(content_type="text/plain")["status"] == 415
    logs = fetch(path="/v1/logs")
    assert logs["status"] == 404 and "no pipeline of this receiver takes logs" in logs["text"]
    throttled = [fetch(headers={"Authorization": f"Bearer guess-{number}"}) for number in range(20)]
    assert (throttled[-1]["status"], throttled[-1]["retryAfter"]) == (429, "3")


def test_a_page_reads_how_long_to_wait(gateway, page, tmp_path):
    journal = {"directory": str(tmp_path / "journal"), "min_free": "16MiB", "max_bytes": "16MiB", "segment": "1MiB"}
    started = gateway({"away": AWAY}, sections={"journal": journal}, hold="0s")
    page.open(page.origins[0])
    full = otlp.request("shop", spans=20, padding=50_000).SerializeToString()

    def refused():
        answer = page.fetch(started.traces, PROTOBUF, full)
        assert answer["status"] in (200, 503), answer
        return answer if answer["status"] == 503 else None

    answer = eventually(refused, every=0)
    assert 1 <= int(answer["retryAfter"]) <= 3
    started.kill()


@pytest.mark.parametrize("cors", [True, False])
def test_pages_of_other_origins_leave_nothing_behind(gateway, page, cors):
    started = gateway(cors=cors)
    # Without `cors` no page may send.
    page.open(page.origins[1] if cors else page.origins[0])
    for content_type, body in BODIES.items():
        assert page.fetch(started.traces, content_type, body)["status"] == 0
        page.beacon(started.traces, content_type, body)
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        # No cause for a preflight: it arrives, and is not taken.
        page.fetch(started.traces, content_type, BODIES[JSON], mode="no-cors")
        page.beacon(started.traces, content_type, BODIES[JSON])
    page.form(started.traces, BODIES[JSON].decode())
    code = 403 if cors else 415
    eventually(lambda: answers(started, code) >= 5)
    assert started.ledger()["accepted_spans"] == 0
    if cors:
        assert started.metric(REFUSED) >= 7
        assert started.process.log.count(f"origin={page.origins[1]}") == 1
    else:
        assert answers(started, 405) >= 2


def test_a_sandboxed_page_has_no_origin_and_is_refused_unless_null_is_listed(gateway, page):
    started = gateway()
    page.open(page.origins[0], path="/sandboxed")
    assert page.fetch(started.traces, JSON, BODIES[JSON])["status"] == 0
    assert started.metric(REFUSED) == 1
    started.stop()
    listed = gateway(cors={"origins": ["null"]})
    assert page.fetch(listed.traces, JSON, BODIES[JSON])["status"] == 200


def test_every_origin_is_answered_by_its_name(gateway, page, archives):
    started = gateway(cors={"origins": ["*"]})
    for origin in page.origins:
        page.open(origin)
        assert page.fetch(started.traces, JSON, BODIES[JSON], credentials="include")["status"] == 200
        assert page.beacon(started.traces, JSON, BODIES[JSON])
    started.settled(accepted=4 * spans(JSON).total())


@pytest.mark.parametrize(("way", "content_type"), [("fetch", PROTOBUF), ("fetch", JSON), ("beacon", JSON)])
def test_what_a_page_sends_when_it_closes_arrives(gateway, page, archives, way, content_type):
    started = gateway()
    page.open(page.origins[0])
    page.when_closed(way, started.traces, content_type, BODIES[content_type])
    page.leave()
    eventually(lambda: archives.spans("kept") == spans(content_type))


@pytest.mark.parametrize(
    ("kind", "headers"), [("json", SHOWN), ("protobuf", SHOWN), ("old", SHOWN), ("json", None), ("old", None)]
)
def test_the_web_sdks_send_each_span_once(sdks, gateway, page, archives, kind, headers):
    started = gateway(**({"auth": auth()} if headers else {}))
    page.open(page.origins[0])
    sent = page.sdk(kind, started.traces, headers)
    assert page.flush() == "flushed"
    eventually(lambda: set(archives.spans("kept")) == sent)
    started.settled()
    assert set(archives.spans("kept").values()) == {1}


@pytest.mark.parametrize(("kind", "headers"), [("json", SHOWN), ("protobuf", SHOWN), ("old", None)])
def test_spans_that_wait_in_a_web_sdk_leave_with_the_page(sdks, gateway, page, archives, kind, headers):
    started = gateway(**({"auth": auth()} if headers else {}))
    page.open(page.origins[0])
    sent = page.sdk(kind, started.traces, headers, spans=40)
    page.leave()
    eventually(lambda: set(archives.spans("kept")) == sent)
