"""The same recorded spans, straight to MLflow and through Millrace, and what MLflow then shows of them."""

import json

import requests

from kit.captures import json_attributes
from kit.cells import ORIGINS, Place, Recorded, cells_of
from kit.millrace import QUICK_RETRY, Millrace, pipeline

THROUGH = "through Millrace"


class Ways:
    """`direct`, `through` and `old` are {place: {cell: value}}; `old` is MLflow 3.6.0 behind Millrace."""

    def __init__(self, title, directory, captures, newest, oldest):
        self.title = title
        self.captures = captures
        self.recorded = Recorded(captures)
        self.archive = directory / "archive.jsonl"
        self._send_directly(newest)
        self._send_through(directory, newest, oldest)
        self.direct = self._read(newest, "direct")
        self.through = self._read(newest, THROUGH)
        self.old = self._read(oldest, THROUGH)
        self.sent = self._sent_by_millrace()

    def _send_directly(self, server):
        headers = {"x-mlflow-experiment-id": server.create_experiment(self.experiment("direct"))}
        for capture in self.captures:
            answer = requests.post(
                server.url + "/v1/traces",
                data=capture.retraced("direct").encoded,
                headers={"content-type": capture.content_type} | capture.headers | headers,
                timeout=60,
            )
            assert answer.status_code == 200, f"{capture.name}: {answer.text}"

    def _send_through(self, directory, newest, oldest):
        """Into one experiment, whatever header or service a span has: experiments are another test's subject."""
        exporters = {
            "newest": {"type": "mlflow", "endpoint": newest.url, "retry": QUICK_RETRY},
            "oldest": {"type": "mlflow", "endpoint": oldest.url, "retry": QUICK_RETRY, "trace_names": "rest"},
            "archive": {"type": "file", "path": str(self.archive)},
        }
        route = {"type": "mlflow_experiment", "from": ["header"], "default": self.experiment(THROUGH)}
        file = pipeline(directory, exporters)
        file["processors"]["route"] = route
        gateway = Millrace(directory, file).start()
        try:
            for capture in self.captures:
                body = capture.retraced(THROUGH).encoded
                answer = gateway.post(body, content_type=capture.content_type, **capture.headers)
                assert answer.status_code == 200, f"{capture.name}: {answer.content}"
            gateway.settled(accepted=sum(len(capture.spans()) for capture in self.captures), within=120)
            gateway.stop()
        finally:
            gateway.process.end_group()

    def experiment(self, way):
        return f"{self.title} {way}"

    def _read(self, server, way):
        return cells_of(server.traces(self.experiment(way)), self.recorded.ids(self.captures, way))

    def _sent_by_millrace(self):
        """{place: attributes} as they left Millrace, so that its work and MLflow's can be told apart."""
        ids = self.recorded.ids(self.captures, THROUGH)
        return {
            Place(*ids[span["traceId"].lower()], span["spanId"].lower()): json_attributes(span)
            for line in self.archive.read_text().splitlines()
            for resource in json.loads(line)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        }

    def author(self, place, cell):
        """Who gave a cell its value on the way through Millrace: "app", "Millrace" or "MLflow"."""
        key = ORIGINS.get(cell)
        trace = place.whole
        for span in [place] if place.span else [span for span in self.sent if span.whole == trace]:
            value = self.sent.get(span, {}).get(key)
            if value is not None:
                return "app" if self.recorded.spans[span]["attributes"].get(key) == value else "Millrace"
        return "MLflow"
