"""The console page over restarts of its process, and behind a window: what it says of both, in a real browser."""

import json
import pathlib
import re

import pytest

from conftest import AWAY
from kit.console_page import ConsolePage, Paged, genai_trace
from kit.millrace import QUICK_RETRY, pipeline
from kit.waiting import eventually

pytestmark = pytest.mark.skipif(
    not pathlib.Path("/usr/bin/chromium").exists(), reason="no Chromium: `make test` installs it where there is apt"
)


@pytest.fixture(scope="module")
def page():
    page = ConsolePage()
    yield page
    page.close()


@pytest.fixture
def windowed(tmp_path, sink):
    """One whose experiments are decided behind a window, as in the README's files."""
    processors = {
        "map": {"type": "mlflow_map"},
        "noise": {"type": "filter", "drop": {"name": {"glob": "GET /health*"}}},
        "whole": {"type": "assemble", "wait": "10m", "show_after": "0s"},
        "route": {"type": "mlflow_experiment", "map": {"shop-*": "Shop"}},
    }
    store = {"type": "otlp_http", "endpoint": sink.url, "retry": QUICK_RETRY}
    names = {"receivers": ["otlp"], "processors": list(processors), "exporters": ["store"]}
    gateway = Paged(tmp_path, pipeline(tmp_path, {"store": store}, processors=processors, pipelines={"traces": names}))
    yield gateway.start()
    gateway.stop()


def test_services_behind_a_window_have_the_experiment_tokens_and_cost_of_their_traces(page, windowed):
    page.open(windowed.page)
    page.show("services")
    page.says("No span has come yet")
    _, body = genai_trace("shop-open")
    spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"]
    root = spans.pop(0)
    post = lambda: windowed.post(json.dumps(body), content_type="application/json").status_code
    assert post() == 200
    page.says("Still in the window", "shop-open (1 span)")
    for number in range(4):
        windowed.post_genai(f"shop-{number % 2}", error=number == 0)
    windowed.delivered("store", 8)

    def rows():
        return {row.split("\t")[0]: row.split("\t")[1:] for row in page.rows("tbody tr")}

    def counted():
        experiment, _, spans, _, tokens, cost, errors, _ = rows()["shop-0"]
        return (experiment, spans, tokens, cost, errors) == ("Shop", "4", "240", "1.5000", "▲ 2 (50 %)")

    eventually(counted, every=0.1)
    assert rows()["shop-1"][5:7] == ["1.5000", "0"] and "Default" not in page.text
    page.says("Still in the window", "shop-open")
    # The window goes on where the killed process was: what it had decided counts no second time, what it had not counts now.
    windowed.kill()
    windowed.start()
    spans[:] = [root]
    assert post() == 200
    eventually(lambda: rows().get("shop-open", [""])[0] == "Shop", every=0.1)
    assert sum(row["spans"] for row in windowed.api("/api/services").json()["services"]) == 2
    assert windowed.settled()["destinations"]["store"]["delivered"] == 10
    assert "Still in the window" not in page.text


def test_an_app_behind_a_window_is_connected_with_its_first_span(page, windowed):
    page.open(windowed.page)
    page.show("connect")
    page.says("Waiting for the first span of an app")
    _, body = genai_trace("shop-new")
    spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"]
    root = spans.pop(0)
    for part in (spans, [root]):
        body["resourceSpans"][0]["scopeSpans"][0]["spans"] = part
        assert windowed.post(json.dumps(body), content_type="application/json").status_code == 200
        page.says("The first span has come", "from shop-new", *(["for experiment Shop"] if part == [root] else []))
    page.show("traces")
    page.type("Find a trace id", root["traceId"])
    page.says("decided by the window", "behind its window", "Shop", "store: settled")


def test_an_open_page_goes_on_after_a_restart_and_says_so(page, tmp_path):
    gateway = Paged(tmp_path, pipeline(tmp_path, {"away": AWAY})).start()
    try:
        gateway.send("shop")
        page.open(gateway.page)
        page.says("circuit opened traces/away")
        token = gateway.token
        gateway.kill()
        stale = lambda: page.driver.execute_script("return document.body.classList.contains('stale')")
        eventually(stale, every=0.1)
        eventually(lambda: re.search(r"no answer, the last (now|\d)", page.rows("#health")[0]), every=0.1)
        gateway.start()
        page.says("The process has been started again at ", "the process before was killed, crashed or ended with an error")
        assert gateway.token == token and not stale()
        page.press("Close")
        assert "The process has been started again" not in page.text
        events = page.rows(".events li")
        assert any("started again" in event for event in events) and any("circuit opened" in event for event in events[1:])
        gateway.stop()
        gateway.start()
        page.says("The process has been started again at ")
        kinds = [event["kind"] for event in gateway.api("/api/status").json()["events"]]
        assert [kind for kind in kinds if kind.startswith("st")] == ["started", "started_again", "stopping", "stopped", "started"]
    finally:
        gateway.stop()


def test_a_token_that_is_not_the_one_is_told_from_none(page, tmp_path):
    gateway = Paged(tmp_path, pipeline(tmp_path, {"none": {"type": "discard"}})).start()
    try:
        page.open(f"{gateway.origin}/#token={'f' * 64}")
        page.says("That token is not the one")
        page.driver.find_element("name", "token").send_keys(gateway.token)
        page.press("Open")
        page.says("Destinations")
        (tmp_path / "journal" / "admin-token").unlink()
        gateway.stop()
        gateway.start()
        page.says("The admin token is another one now")
        assert page.nameless() == []
    finally:
        gateway.stop()
