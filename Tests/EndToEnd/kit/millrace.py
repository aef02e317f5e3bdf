"""The gateway under test: its pipeline file, its process, its admin endpoint."""

import contextlib
import json
import signal
import subprocess

import requests

from kit import otlp
from kit.environments import BINARY, clean_environment, free_port
from kit.processes import Process
from kit.waiting import eventually

OUTCOMES = ("delivered", "filtered", "sampled_out", "rejected", "dead_lettered", "expired", "lost", "queued")
PROTOBUF = "application/x-protobuf"
QUICK_RETRY = {"initial": "100ms", "max": "1s"}


def pipeline(directory, exporters, **top):
    """A pipeline file: OTLP/HTTP in, mapped and routed, short batches, the given exporters; `top` replaces sections."""
    return {
        "receivers": {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"}},
        "processors": {
            "map": {"type": "mlflow_map"},
            "route": {"type": "mlflow_experiment"},
            "batch": {"type": "batch", "linger": "50ms"},
        },
        "exporters": exporters,
        "pipelines": {
            "traces": {"receivers": ["otlp"], "processors": ["map", "route", "batch"], "exporters": list(exporters)}
        },
        "journal": {"directory": str(directory / "journal"), "min_free": "16MiB"},
        "admin": {"listen": f"127.0.0.1:{free_port()}"},
    } | top


def all_signals(exporters, signals=("traces", "metrics", "logs"), processors=(), receivers=("otlp",)):
    """The sections `pipelines` and `processors` of one pipeline that takes these signals; processors by their settings."""
    processors = {f"p{number}": settings for number, settings in enumerate(processors)}
    parts = {"receivers": list(receivers), "processors": list(processors), "exporters": list(exporters)}
    return {"pipelines": {"all": parts | {"signals": list(signals)}}, "processors": processors}


def run(*arguments, within=30, **settings):
    """Runs one command to its end; the completed process with `stdout` and `stderr` as text."""
    return subprocess.run(
        [str(BINARY), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=within,
        env=clean_environment(**settings),
    )


class Millrace:
    def __init__(self, directory, pipeline, **settings):
        self.pipeline = pipeline
        self.file = directory / "pipeline.json"
        self.save()
        self.process = Process(
            "millrace", [BINARY, "run", "--config", self.file], directory, clean_environment(**settings)
        )
        self.session = requests.Session()
        self.session.trust_env = False

    def save(self):
        """Writes the pipeline file; the next start reads it."""
        self.file.write_text(json.dumps(self.pipeline, indent=2))

    def change(self, exporters):
        """Writes a pipeline file with these exporters; the next start reads it."""
        self.pipeline["exporters"] = exporters
        self.pipeline["pipelines"]["traces"]["exporters"] = list(exporters)
        self.save()

    @property
    def url(self):
        return address(self.pipeline["receivers"]["otlp"])

    @property
    def address(self):
        host, port = self.pipeline["receivers"]["otlp"]["listen"].rsplit(":", 1)
        return host, int(port)

    def admin(self, path):
        return self.session.get(address(self.pipeline["admin"]) + path, timeout=10)

    def start(self, *more):
        self.process.start(*more)

        def ready():
            self.process.expect_running()
            return self.admin("/readyz").status_code == 200

        eventually(ready, within=15, every=0.01)
        return self

    @contextlib.contextmanager
    def later(self, shift):
        """Runs for the block with its clock moved by, say, "+8d"; ends by `kill -9`, since nothing hands signals on."""
        arguments = self.process.arguments
        self.process.arguments = ["faketime", "-m", "--exclude-monotonic", "-f", shift, *arguments]
        try:
            yield self.start()
        finally:
            self.process.end_group(signal.SIGKILL)
            self.process.arguments = arguments

    def stop(self, within=15):
        """SIGTERM; the drain ends with exit code 0."""
        self.process.expect_running()
        self.process.send(signal.SIGTERM)
        code = self.process.wait(within)
        assert code == 0, f"exit {code} after SIGTERM:\n{self.process.log[-4000:]}"

    def kill(self):
        self.process.send(signal.SIGKILL)
        assert self.process.wait(10) == -signal.SIGKILL

    def post(self, body, content_type=PROTOBUF, path="/v1/traces", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.post(
            self.url + path, data=body, headers={"content-type": content_type} | named, timeout=60
        )

    def post_trace(self, service, spans=5, padding=0):
        """Posts one trace; the answer."""
        return self.post(otlp.request(service, spans, padding).SerializeToString())

    def send(self, service, traces=4, spans=5, padding=0):
        """Posts so many traces, each in a request of its own that must be taken; {(trace id, span id)}."""
        messages = [otlp.request(service, spans, padding) for _ in range(traces)]
        for message in messages:
            answer = self.post(message.SerializeToString())
            assert answer.status_code == 200, answer.content
        return {span for message in messages for span in otlp.spans_of(message)}

    def ledger(self):
        """The ledger's one pipeline; that every destination balances is checked on every reading."""
        return checked(self.admin("/ledger").json())

    def balanced(self):
        """The parts of all pipelines in the ledger, after checking that each of their rows balances."""
        pipelines = self.admin("/ledger").json()["pipelines"]
        for part in pipelines.values():
            checked({"pipelines": {"one": part}})
        return pipelines

    def delivered(self, destination, spans, within=60):
        """Waits until a destination has been delivered so many spans."""

        eventually(lambda: self.row(destination)["delivered"] >= spans, within=within, every=0.005)

    def printed_ledger(self):
        """The same by the command, from the running process or from the journal."""
        done = run("ledger", "--config", self.file)
        assert done.returncode == 0, done.stderr
        return checked(json.loads(done.stdout))

    def row(self, destination, signal="traces"):
        """A destination's row of the ledger."""
        self.process.expect_running()
        return by_signal(self.ledger())[signal]["destinations"][destination]

    def dead_letters(self, action="list", *more):
        """What `millrace dead-letters` prints as JSON, from the running process or from the disk."""
        done = run("dead-letters", action, "--config", self.file, "--json", *more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def settled(self, accepted=None, within=60, signal="traces"):
        """Waits until nothing is queued anywhere (and `accepted` items were taken); the signal's ledger then."""

        def empty():
            self.process.expect_running()
            ledger = by_signal(self.ledger())[signal]
            queued = {name: row["queued"] for name, row in ledger["destinations"].items()}
            assert not any(queued.values()), f"queued: {queued}"
            taken = ledger[f"accepted_{otlp.ITEMS[signal]}"]
            assert accepted in (None, taken), f"accepted {taken}, not {accepted}"
            return ledger

        return eventually(empty, within=within, every=0.1)

    def metric(self, name, **labels):
        """The sum over a metric's samples that carry `labels`."""
        return self.sum(self.admin("/metrics").text, name, **labels)

    @staticmethod
    def sum(metrics, name, **labels):
        """The same over what was read already."""
        total = 0.0
        for line in metrics.splitlines():
            head, _, value = line.rpartition(" ")
            wanted = (f'{label}="{text}"' for label, text in labels.items())
            if head.split("{")[0] == name and all(label in head for label in wanted):
                total += float(value)
        return total

    def failures(self, exporter):
        """How many requests of an exporter were not delivered."""
        metrics, name = self.admin("/metrics").text, "millrace_exporter_attempts_total"
        return self.sum(metrics, name, exporter=exporter) - self.sum(metrics, name, exporter=exporter, outcome="delivered")

    def memory(self, field="VmHWM"):
        """Bytes: the peak (VmHWM) or present (VmRSS) resident size."""
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
        raise AssertionError(f"no {field}")


def address(server):
    """The address of a receiver or the admin endpoint, by its settings."""
    return ("https://" if "tls" in server else "http://") + server["listen"]


def checked(ledger):
    """One pipeline's ledger out of the whole answer, after checking that each of its rows balances, of every signal."""
    (pipeline,) = ledger["pipelines"].values()
    for signal, entry in by_signal(pipeline).items():
        for name, row in entry["destinations"].items():
            total = sum(row[outcome] for outcome in OUTCOMES) + row.get("joined", 0)
            assert total == row["accepted"] + row.get("created", 0), f"ledger of {name} does not balance for {signal}: {row}"
    return pipeline


def by_signal(pipeline):
    """{signal: its part} of a pipeline's ledger, where traces have no object of their own."""
    return pipeline.get("signals", {}) | ({"traces": pipeline} if "accepted_spans" in pipeline else {})
