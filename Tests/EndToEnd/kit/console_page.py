"""The console page in a real browser: its views, what stands in them, and what the browser had to refuse."""

import json
import pathlib
import uuid

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from kit.browser import Browser
from kit.millrace import Millrace
from kit.waiting import eventually

CONTROLS = {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "DisclosureTriangle", "img", "region", "article"}
NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event => violations.push(event.violatedDirective + " " + event.blockedURI));
window.alert = text => violations.push("alert " + text);
"""


class ConsolePage(Browser):
    def __init__(self):
        super().__init__()
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NOTE_VIOLATIONS})

    def open(self, address):
        self.driver.get("about:blank")
        self.driver.get(address)

    def show(self, view):
        """Goes to a view by its link, as a person does."""
        eventually(lambda: self.driver.find_element(By.CSS_SELECTOR, f'nav a[href="#/{view}"]').click() or True, every=0.1)

    @property
    def text(self):
        return self.driver.find_element(By.TAG_NAME, "main").text

    def says(self, *words, within=30):
        """Waits until all of that stands in the view; the view's text then."""

        def found():
            text = self.text
            missing = [word for word in words if word not in text]
            assert not missing, f"missing {missing} in:\n{text}"
            return text

        return eventually(found, within=within, every=0.1)

    def rows(self, selector):
        """The texts of elements."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(each => each.innerText)", selector
        )

    def panel(self, destination):
        """What the panel of a destination says, title first."""
        return next((text for text in self.rows(".destination") if text.split("\n")[0].strip() == destination), "")

    def press(self, name, within=10):
        """Presses the button that assistive technology knows by this name."""

        def pressed():
            places = "button, summary" if not self.driver.find_elements(By.CSS_SELECTOR, "dialog[open]") else "dialog button"
            for button in self.driver.find_elements(By.CSS_SELECTOR, places):
                if button.is_displayed() and name in (button.accessible_name, button.text):
                    button.click()
                    return True
            return False

        eventually(pressed, within=within, every=0.1)

    def type(self, label, text):
        field = eventually(lambda: self.driver.find_element(By.CSS_SELECTOR, f'[placeholder^="{label}"]'), every=0.1)
        field.clear()
        field.send_keys(text + "\n")

    def select(self, text):
        Select(self.driver.find_element(By.TAG_NAME, "select")).select_by_visible_text(text)

    def nameless(self):
        """Controls, drawings and regions without a name in the accessibility tree."""
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [
            node["role"]["value"] + " " + str(node.get("backendDOMNodeId"))
            for node in nodes
            if not node.get("ignored") and node["role"]["value"] in CONTROLS and not node.get("name", {}).get("value", "").strip()
        ]

    def violations(self):
        return self.driver.execute_script("return window.violations")


class Paged(Millrace):
    """A gateway whose page is looked at."""

    @property
    def token(self):
        return (pathlib.Path(self.pipeline["journal"]["directory"]) / "admin-token").read_text()

    @property
    def origin(self):
        return "http://" + self.pipeline["admin"]["listen"]

    @property
    def page(self):
        return f"{self.origin}/#token={self.token}"

    def post_genai(self, service, agent="OTel-OTLP-Exporter-Test/1", **more):
        """The id of a trace of three spans that was sent."""
        trace, body = genai_trace(service, **more)
        answer = self.post(json.dumps(body), content_type="application/json", user_agent=agent)
        assert answer.status_code == 200, answer.content
        return trace

    def api(self, path, method="GET", **headers):
        shown = {"Authorization": f"Bearer {self.token}"} | {name.replace("_", "-"): text for name, text in headers.items()}
        return self.session.request(method, self.origin + path, headers=shown, timeout=10)


def attribute(key, value):
    kind = "stringValue" if isinstance(value, str) else "doubleValue" if isinstance(value, float) else "intValue"
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def genai_trace(service, name="chat gpt-4o", error=False, **more):
    """(trace id, OTLP JSON) of an agent's span, a model call with tokens and cost, and a span of a health check."""
    trace, root, now = uuid.uuid4().hex, uuid.uuid4().hex[:16], 1_790_000_000_000_000_000

    def span(name, first, last, parent="", **attributes):
        made = {
            "traceId": trace, "spanId": uuid.uuid4().hex[:16] if parent else root, "parentSpanId": parent, "name": name,
            "startTimeUnixNano": str(now + first), "endTimeUnixNano": str(now + last),
            "attributes": [attribute(key.replace("__", "."), value) for key, value in attributes.items()],
        }  # fmt: skip
        return made | ({"status": {"code": 2, "message": "rate limited"}} if error else {})

    spans = [
        span("invoke_agent", 0, 2_000_000_000, gen_ai__operation__name="invoke_agent"),
        span(
            name, 100_000_000, 1_500_000_000, root, gen_ai__operation__name="chat", gen_ai__request__model="gpt-4o",
            gen_ai__usage__input_tokens=100, gen_ai__usage__output_tokens=20, gen_ai__cost__input_cost=0.25,
            gen_ai__cost__output_cost=0.5, **more,
        ),
        span("GET /healthz", 1_600_000_000, 1_700_000_000, root),
    ]  # fmt: skip
    resource = {"attributes": [attribute("service.name", service)]}
    return trace, {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
