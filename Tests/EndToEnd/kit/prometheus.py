"""A Prometheus of its own that scrapes gateways each second, and promtool."""

import json
import shutil
import subprocess

import requests

from kit.environments import clean_environment, free_port
from kit.processes import Process
from kit.waiting import eventually

PROGRAM = shutil.which("prometheus")


class Prometheus:
    def __init__(self, directory, scrape_configs, rules):
        self.file = directory / "prometheus.json"
        shared = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        self.file.write_text(json.dumps({"global": shared, "scrape_configs": scrape_configs, "rule_files": [str(rules)]}))
        self.url = f"http://127.0.0.1:{free_port()}"
        arguments = [
            *("--config.file", self.file, "--storage.tsdb.path", directory / "prometheus"),
            *("--web.listen-address", self.url.removeprefix("http://"), "--log.level", "warn"),
        ]
        self.process = Process("prometheus", [PROGRAM, *arguments], directory, clean_environment())

    def start(self):
        self.process.start()

        def ready():
            self.process.expect_running()
            return requests.get(f"{self.url}/-/ready", timeout=5).status_code == 200

        eventually(ready)
        return self

    def ask(self, path, **parameters):
        """The data of an answer; what Prometheus says is wrong is an AssertionError."""
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=10).json()
        assert answer["status"] == "success", f"{parameters}: {answer.get('error')}"
        return answer["data"]

    def query(self, expression):
        """The series of an instant query."""
        return self.ask("query", query=expression)["result"]

    def scrapes(self):
        """How often it has read what there is to scrape."""
        return sum(int(series["value"][1]) for series in self.query("count_over_time(up[1h])"))

    def close(self):
        self.process.end_group()


def promtool(*arguments):
    """The completed process with its text."""
    command = [shutil.which("promtool"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment())
