"""Arize Phoenix: an OTLP backend that is not MLflow."""

import requests

from kit.environments import clean_environment, free_port, program
from kit.processes import Process
from kit.waiting import eventually


class PhoenixServer:
    def __init__(self, directory):
        directory.mkdir(parents=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = Process(
            "phoenix",
            [program("phoenix", "phoenix"), "serve"],
            directory,
            clean_environment(
                PHOENIX_WORKING_DIR=str(directory),
                PHOENIX_HOST="127.0.0.1",
                PHOENIX_PORT=str(port),
                PHOENIX_GRPC_PORT=str(free_port()),
                PHOENIX_TELEMETRY_ENABLED="false",
            ),
        )

    def start(self):
        self.process.start()

    def wait(self, within=120):
        def healthy():
            self.process.expect_running()
            return requests.get(self.url + "/healthz", timeout=5).status_code == 200

        eventually(healthy, within=within, every=0.2)
        return self

    def close(self):
        self.process.end_group()

    def spans(self):
        """{(trace id, span id)} in hex, over all projects."""
        found = set()
        for project in self._pages("/v1/projects"):
            for span in self._pages(f"/v1/projects/{project['id']}/spans"):
                found.add((span["context"]["trace_id"], span["context"]["span_id"]))
        return found

    def _pages(self, path):
        cursor = None
        while True:
            page = requests.get(self.url + path, params={"limit": 1000, "cursor": cursor}, timeout=30)
            page.raise_for_status()
            yield from page.json()["data"]
            cursor = page.json()["next_cursor"]
            if cursor is None:
                return
