"""A headless Chromium that reaches nothing but this machine, and MLflow's trace page in it as a person sees it."""

import json
import os

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from kit.environments import clean_environment
from kit.waiting import eventually

OUTSIDE = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
OPTIONS = ("headless=new", "window-size=1600,1400", f"host-resolver-rules={OUTSIDE}", "disable-dev-shm-usage")


class Browser:
    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for option in [*OPTIONS, *(["no-sandbox"] if os.geteuid() == 0 else [])]:
            options.add_argument(f"--{option}")
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        # Debian's driver by its path, else selenium looks for one on the net.
        self.driver = webdriver.Chrome(options, Service("/usr/bin/chromedriver", env=clean_environment()))

    def close(self):
        self.driver.quit()


class TracePage(Browser):
    def open(self, server, experiment, trace, span):
        """Shows a span of a trace, once the page has it in its tree."""
        self.driver.get(f"{server.url}/#/experiments/{experiment}/traces?selectedEvaluationId=tr-{trace}")
        self.driver.refresh()  # an address that differs only after the # is no new page
        node = eventually(lambda: self.find(f"timeline-tree-node-{span}"), every=0.1)
        self.driver.execute_script("arguments[0].click()", node)

    def find(self, test_id):
        """The element that MLflow's own tests know by this name."""
        return self.driver.find_element(By.CSS_SELECTOR, f'[data-testid="{test_id}"]')

    def sections(self):
        """({what stands under Inputs}, {what stands under Outputs}), line by line; None until both are drawn."""
        lines = self.find("model-trace-explorer-default-span-view").text.splitlines()
        if not {"Inputs", "Outputs"} <= set(lines):
            return None
        start, middle = lines.index("Inputs"), lines.index("Outputs")
        parts = (lines[start + 1 : middle], lines[middle + 1 :])
        return [[line for line in part if line != "Pretty"] for part in parts]

    def documents(self):
        """[[text, metadata…]] of a retriever's document cards."""
        cards = self.find("model-trace-explorer-retriever-field-renderer").find_elements(By.CSS_SELECTOR, "[role=button]")
        return [card.text.splitlines() for card in cards]

    def exception(self):
        """What the page says of a failure, or None where it knows of none."""
        try:
            toggle = self.find("model-trace-explorer-exception-section-toggle")
        except NoSuchElementException:
            return None
        return toggle.find_element(By.XPATH, "ancestor::*[@role='tabpanel'][1]").text

    def colour(self, span):
        """Of a span's name in the tree."""
        title = self.find(f"span-title-row-{span}").find_element(By.TAG_NAME, "span")
        return title.value_of_css_property("color")

    def picture(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(path))

    def addresses(self):
        """Every host and port that the browser asked for something since this was last called."""
        asked = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            url = message.get("params", {}).get("request", {}).get("url", "")
            if message["method"] == "Network.requestWillBeSent" and url.startswith(("http:", "https:", "ws:", "wss:")):
                asked.add(url.split("/")[2])
        return asked
