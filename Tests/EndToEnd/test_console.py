"""The console page in a real browser, on a gateway with real traffic and three destinations: one takes all, one is down, one is picky."""

import json
import os
import pathlib
import pty
import re
import subprocess

import pytest
import requests

from conftest import AWAY
from kit.console_page import ConsolePage, Paged, genai_trace
from kit.environments import free_port
from kit.millrace import QUICK_RETRY, Millrace, pipeline
from kit.sink import Sink
from kit.waiting import eventually

HOSTILE = '<img src=x onerror=alert(1)>"\'><script>alert(2)</script>'
SECRET = "Basic bWlsbHJhY2U6c2VjcmV0"
REASON = 'user.tier "<b>gold</b>" is not allowed'
VIEWS = ["flow", "services", "traces", "letters", "config", "connect"]

pytestmark = pytest.mark.skipif(
    not pathlib.Path("/usr/bin/chromium").exists(), reason="no Chromium: `make test` installs it where there is apt"
)


class Watched(Paged):
    """One with all that the page shows, and what was sent to it."""

    def __init__(self, directory, sink, picky):
        exporters = {
            "store": {"type": "otlp_http", "endpoint": sink.url, "headers": {"Authorization": SECRET}, "retry": QUICK_RETRY},
            "away": AWAY,
            "picky": {"type": "otlp_http", "endpoint": picky.url, "retry": QUICK_RETRY, "batch": {"spans": 1, "linger": "0s"}},
        }
        processors = {
            "private": {"type": "redact"},
            "map": {"type": "mlflow_map"},
            "route": {"type": "mlflow_experiment", "map": {"shop-*": "Shop"}},
            "noise": {"type": "filter", "drop": {"name": {"glob": "GET /health*"}}},
            "batch": {"type": "batch", "linger": "20ms"},
        }
        names = {"receivers": ["otlp"], "processors": list(processors), "exporters": list(exporters)}
        journal = {"directory": str(directory / "journal"), "min_free": "16MiB", "retain": "1h"}
        sections = {"processors": processors, "pipelines": {"traces": names}, "journal": journal}
        super().__init__(directory, pipeline(directory, exporters, **sections))
        self.picky = picky


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    sink, picky = Sink().start(), Sink().start()
    # What is poison to it fails alone.
    picky.refuses = lambda message: (
        (400, {"message": REASON})
        if any(span.name == "chat gold" for group in message.resource_spans for scope in group.scope_spans for span in scope.spans)
        else None
    )
    gateway = Watched(tmp_path_factory.mktemp("console"), sink, picky)
    gateway.start()
    for number in range(4):
        gateway.post_genai(f"shop-{number % 2}", error=number == 0, app__note="write to ada@example.com")
    gateway.post_genai(HOSTILE, name=f"chat {HOSTILE}")
    gateway.post_genai("gold-shop", name="chat gold")
    yield gateway
    gateway.stop()
    sink.close()
    picky.close()


@pytest.fixture(scope="module")
def browser():
    page = ConsolePage()
    yield page
    page.close()


@pytest.fixture
def page(browser, watched):
    """The page, opened with its token; after the test nothing on it was refused by the browser, and nothing is nameless."""
    browser.open(watched.page)
    yield browser
    assert browser.violations() == []
    assert browser.nameless() == []


def test_the_token_leaves_the_address_and_opens_the_page(page, watched, browser):
    page.says("Stream", "Destinations")
    assert watched.token not in browser.driver.current_url
    browser.driver.execute_script("sessionStorage.clear()")
    browser.open(watched.origin + "/")
    page.says("This page needs the admin token")
    browser.driver.find_element("name", "token").send_keys(watched.token)
    page.press("Open")
    page.says("Destinations")


def test_the_stream_is_drawn_with_what_each_processor_takes_out(page):
    page.says("otlp", "mlflow_experiment", "journal", "store", "away")
    page.press("As a table")
    # A third of what came was a health check.
    eventually(lambda: any("taken out: filtered" in row and "\t6\t" in row for row in page.rows(".beside tr")), every=0.1)
    drawing = page.driver.find_element("css selector", "svg.stream")
    assert "spans a second come in; store" in drawing.get_attribute("aria-label")
    watched_rate = lambda: page.driver.execute_script("return document.querySelector('.stream .removed').textContent")
    assert watched_rate().startswith("−")


def test_a_destination_shows_its_balance_backlog_and_last_error(page):
    def shown():
        store, away = page.panel("store"), page.panel("away")
        assert "delivered\t12" in store and "filtered\t6" in store and "✓ balances" in store and "No attempt has failed." in store, store
        assert re.search("queued\t1[2-8]", away) and "not draining" in away and "circuit open" in away, away
        assert "Failed to connect to 127.0.0.1:9" in away or "Couldn't connect" in away or "Could not connect" in away, away
        assert "next try" in away and "failed in a row" in away, away
        assert "dead letters\t1" in page.panel("picky")
        return True

    eventually(shown, within=30, every=0.2)


def test_what_a_window_takes_is_no_destination_that_is_gone(browser, tmp_path, sink):
    names = {"receivers": ["otlp"], "processors": ["whole"], "exporters": ["store"], "signals": ["traces", "logs"]}
    parts = {"processors": {"whole": {"type": "assemble"}}, "pipelines": {"traces": names}}
    gateway = Paged(tmp_path, pipeline(tmp_path, {"store": {"type": "mlflow", "endpoint": sink.url}}, **parts)).start()
    try:
        browser.open(gateway.page)
        browser.says("joined with spans", "assemble", "The window makes them content of the spans that they name.")
        assert "gone from the file" not in browser.text
    finally:
        gateway.stop()


def test_the_timeline_and_deviations_name_what_happened(page, watched):
    body = json.dumps(genai_trace("shop-0")[1]).replace('"name": "GET', '"kind": "SPAN_KIND_SERVER", "name": "GET')
    assert watched.post(body, content_type="application/json", user_agent="Odd/1 <b>").status_code == 200
    page.says("started", "circuit opened traces/away", "Odd/1 <b>", "enum name")


def test_a_destination_is_paused_and_goes_on(page, watched):
    page.press("Pause store")
    eventually(lambda: "paused" in page.panel("store"), every=0.1)
    delivered = watched.row("store")["delivered"]
    watched.post_genai("shop-1")
    eventually(lambda: watched.row("store")["queued"] >= 2, every=0.05)
    assert watched.row("store")["delivered"] == delivered
    page.press("Resume store")
    eventually(lambda: watched.row("store")["queued"] == 0 and watched.row("store")["delivered"] >= delivered + 2, every=0.05)
    page.says("resumed traces/store")


def test_services_by_experiment_with_tokens_cost_and_errors(page):
    page.show("services")
    page.says("shop-0", "Shop", HOSTILE)
    row = next(row.split("\t") for row in page.rows("tbody tr") if row.startswith("shop-0"))
    assert row[1] == "Shop" and "▲ 2 (" in row[7] and row[5] != "–" and float(row[6]) >= 1.5, row
    page.type("Filter by service", "gold")
    eventually(lambda: [row.split("\t")[0] for row in page.rows("tbody tr")] == ["gold-shop"], every=0.1)


def test_a_trace_is_found_with_its_outcome_at_each_destination(page, watched):
    trace = watched.post_genai("shop-1")
    watched.delivered("store", 1)
    page.show("traces")

    def found():
        page.type("Find a trace id", trace)
        return "store: settled" in page.says("store: ", "away: queued", "chat gpt-4o")

    eventually(found, within=20, every=0.3)
    page.type("Find a trace id", "f" * 32)
    page.says("The journal does not hold it any more")
    page.type("Find a trace id", "guess")
    page.says("a trace id has 32 hexadecimal digits")


def test_the_tail_shows_what_processors_change_by_which_rule_and_masks_secrets(page, watched):
    page.show("traces")
    page.says("Nothing came since this view was opened")

    def seen():
        watched.post_genai("shop-tail", name=f"chat {HOSTILE}", app__note="write to ada@example.com")
        return "shop-tail" in page.text

    eventually(seen, within=20, every=0.5)
    page.press("Show the trace invoke_agent")
    page.says("GET /healthz", "filtered by noise")
    page.press(f"▸ chat {HOSTILE}")
    text = page.says("mlflow.chat.tokenUsage", "by otel_genai.", "+ set", "app.note")
    assert "[redacted:email]" in text and "ada@example.com" not in page.driver.page_source
    page.press("Pause tail")
    before = page.text
    watched.post_genai("shop-paused")
    eventually(lambda: "0 requests left out" not in page.text, every=0.1)
    assert "shop-paused" not in page.text and "shop-tail" in before
    page.press("Go on")
    page.type("Service, span, error", "shop-wanted")
    page.says("Nothing came since this view was opened")

    def filtered():
        watched.post_genai("shop-other")
        watched.post_genai("shop-wanted")
        return "shop-wanted" in " ".join(page.rows(".tail tbody tr"))

    eventually(filtered, within=20, every=0.5)
    assert "shop-other" not in " ".join(page.rows(".tail tbody tr"))


def test_a_dead_letter_is_read_replayed_and_purged(page, watched):
    eventually(lambda: watched.row("picky")["dead_lettered"] == 1, every=0.1)
    page.show("letters")
    page.says(REASON, "gold-shop", "400")
    page.type("Filter by reason", "no such thing")
    page.says("None matches.")
    page.type("Filter by reason", "gold")
    letter = watched.dead_letters()["dead_letters"][0]["id"]
    page.press(f"Show {letter}")
    page.says("What the destination said", "What it was sent", '"name": "chat gold"')
    page.press(f"Replay {letter}")
    page.says("1 letter queued for delivery.")
    # It is refused again, and lies there under another number.
    again = eventually(lambda: next((each["id"] for each in watched.dead_letters()["dead_letters"] if each["id"] != letter), None))
    page.press("Look again")
    page.press(f"Purge {again}")
    page.press("Leave it")
    assert watched.row("picky")["dead_lettered"] == 1
    page.press(f"Purge {again}")
    page.press("Purge")
    page.says("No dead letters")
    assert watched.row("picky")["dead_lettered"] == 0 and watched.row("picky")["expired"] == 1


def test_the_configuration_has_defaults_and_no_secret(page):
    page.show("config")
    text = page.says("max_connections", "4096", "retain", "Authorization", "masked")
    assert SECRET not in text and SECRET not in page.driver.page_source
    page.type("Filter by setting", "linger")
    eventually(lambda: "max_connections" not in page.text and "20ms" in page.text, every=0.1)


def test_the_file_is_reloaded_and_a_bad_one_says_where(page, watched):
    page.show("config")
    page.press("Reload the file")
    page.says("The pipeline file is taken, hash ")
    good = watched.file.read_text()
    watched.file.write_text(good.replace('"redact"', '"redakt"'))
    try:
        page.press("Reload the file")
        page.says("Nothing has changed", "redakt")
    finally:
        watched.file.write_text(good)
    page.show("flow")
    page.says("configuration loaded", "configuration refused")


def test_an_app_is_connected_by_a_line_that_works_as_it_stands(page, watched, tmp_path):
    page.show("connect")
    page.says("Waiting for the first span of an app")
    page.press("Go")
    page.says("http:// in the variable is what makes it plain", "OTEL_EXPORTER_OTLP_ENDPOINT=" + watched.url)
    page.press("curl")
    line = next(text for text in page.rows("pre") if text.startswith("curl "))
    script = tmp_path / "line.sh"
    script.write_text(line)
    sent = subprocess.run(["bash", str(script)], capture_output=True, text=True, timeout=20)
    assert sent.returncode == 0 and "error" not in sent.stdout.lower(), sent
    page.says("The first span has come", "hello-millrace")


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_stands_on_every_screen(page, watched, view):
    page.says("Destinations")
    page.show(view)
    for width in (1440, 900, 390):
        page.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        )
        # Nothing but its own regions scrolls sideways.
        eventually(lambda: page.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), every=0.1)
        assert page.nameless() == []
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_can_stand_still(page, watched):
    page.says("Destinations")
    page.press("Pause page")
    standing = page.text
    watched.post_genai("shop-still")
    eventually(lambda: watched.ledger()["accepted_spans"] >= 3, every=0.1)
    assert page.text == standing
    page.press("Resume page")
    eventually(lambda: page.text != standing, every=0.1)


def test_the_status_says_what_the_ledger_says(watched):
    watched.delivered("store", 1)

    def same():
        (entry,) = watched.api("/api/status").json()["pipelines"]
        ledger = watched.ledger()
        assert entry["accepted"] == ledger["accepted_spans"] == entry["receivers"]["otlp"]["accepted"]
        for row in entry["destinations"]:
            outcomes = ledger["destinations"][row["name"]]
            assert {name: row[name] for name in outcomes if name != "oldest_queued_seconds"} == {
                name: count for name, count in outcomes.items() if name != "oldest_queued_seconds"
            }
            assert row["attempts"]["delivered"] == watched.metric(
                "millrace_exporter_attempts_total", exporter=row["name"], outcome="delivered"
            )
        return True

    eventually(same, every=0.1)
    spans = sum(row["spans"] for row in watched.api("/api/services").json()["services"])
    assert spans == watched.ledger()["accepted_spans"] - watched.metric("millrace_processor_filtered_spans_total")


def test_nobody_gets_in_without_the_token_by_another_name_or_by_a_form(watched):
    plain = requests.Session()
    plain.trust_env = False
    for path in ("/api/status", "/api/stream", "/api/config", "/api/services", "/api/traces?id=1", "/api/dead-letters/list"):
        assert plain.get(watched.origin + path).status_code == 401, path
        assert watched.api(path, host="evil.example").status_code == 403, path
        assert watched.api(path, origin="http://evil.example").status_code == 403, path
    assert watched.api("/", host="evil.example").status_code == 403
    for path in ("/api/dead-letters/purge", "/api/destinations/pause?exporter=store"):
        assert plain.post(watched.origin + path, json={}).status_code == 401
        assert watched.api(path, "POST", content_type="text/plain").status_code == 415
        assert watched.api(path, content_type="application/json").status_code == 405
    assert watched.api("/api/destinations/pause?exporter=nobody", "POST", content_type="application/json").status_code == 404
    headers = plain.get(watched.origin + "/").headers
    assert "require-trusted-types-for 'script'" in headers["content-security-policy"]
    assert watched.api("/api/status").headers["cache-control"] == "no-store"


def test_the_address_is_printed_where_a_terminal_is_and_nowhere_else(watched, tmp_path):
    assert watched.token not in watched.process.log
    directory = tmp_path / "terminal"
    directory.mkdir()
    gateway = Millrace(directory, pipeline(directory, {"none": {"type": "discard"}}, admin={"listen": f"127.0.0.1:{free_port()}"}))
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [*map(str, gateway.process.arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writer
    )
    try:
        os.close(writer)
        shown = b""
        while not (found := re.search(rb"look at it: (http://\S+)/#token=([0-9a-f]{64})", shown)):
            shown += os.read(reader, 4096)
        origin, token = (part.decode() for part in found.groups())
        assert requests.get(origin + "/api/status", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    finally:
        process.terminate()
        process.wait(15)
        os.close(reader)
