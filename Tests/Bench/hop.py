"""The hop over a stream: an edge that stores what it is sent in NATS, and a gateway that takes it from there and sends it on.

One of the two is measured, on CPU 0; the other one and the server, a real one, share CPU 1 with the load and the sink.
"""

import json
import os
import pathlib
import tempfile
import time
import urllib.request

import bodies
import counting
import machine
from contenders import Millrace, Server, millrace_pipeline

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


def nats_server():
    """The program, of the tests' virtual environment; None where that is not installed."""
    environments = pathlib.Path(os.environ.get("MILLRACE_VENVS", CHECKOUT / ".build/venvs"))
    return next(environments.glob("clients/bin/nats-server"), None)


class NATS(Server):
    """One server, which leaves its disk to the operating system: its cost is not looked at."""

    cpu = 1

    def command(self):
        file = self.directory / "nats.conf"
        store = f'jetstream {{ store_dir: "{self.directory}/store", max_file_store: 4GB }}'
        self.http = machine.free_port()
        file.write_text(f"listen: 127.0.0.1:{self.port}\nhttp: 127.0.0.1:{self.http}\nmax_payload: 8MB\n{store}\n")
        return [nats_server(), "-c", file]

    def messages(self):
        """How many are in the stream, once it is there."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/jsz?streams=1", timeout=20) as answer:
            accounts = json.load(answer).get("account_details", [])
        streams = [stream for account in accounts for stream in account.get("stream_detail", [])]
        return next((stream["state"]["messages"] for stream in streams if stream["name"] == "spans"), None)

    def answers(self):
        return machine.listens(self.port)


class Half(Server):
    """The half of the hop that is not measured."""

    cpu = 1

    def __init__(self, directory, program, pipeline):
        super().__init__(directory)
        self.program, self.pipeline = program, pipeline

    def command(self):
        file = self.directory / "pipeline.json"
        file.write_text(json.dumps(self.pipeline))
        return [self.program, "run", "--config", file]

    def answers(self):
        return machine.listens(int(self.pipeline["admin"]["listen"].rpartition(":")[2]))


def edge_pipeline(port, admin, nats, journal):
    """Takes OTLP/HTTP and stores it in the stream."""
    pipeline = millrace_pipeline(port, admin, 0, journal)
    pipeline["exporters"] = {"relay": stream(nats) | {"type": "jetstream", "replicas": 1}}
    pipeline["pipelines"] = {"traces": {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["relay"]}}
    del pipeline["processors"]["map"], pipeline["processors"]["route"]
    return pipeline


def gateway_pipeline(admin, nats, sink, journal):
    """Takes what is in the stream and forwards it."""
    pipeline = millrace_pipeline(0, admin, sink, journal)
    pipeline["receivers"] = {"stream": stream(nats) | {"type": "jetstream"}}
    pipeline["pipelines"]["traces"]["receivers"] = ["stream"]
    return pipeline


def stream(nats):
    return {"servers": [f"nats://127.0.0.1:{nats}"], "stream": "spans"}


class Hop(Millrace):
    """Both halves; which one is measured is said below."""

    def start(self):
        self.nats = NATS(self.directory / "nats").start()
        self.other = Half(self.directory / "other", self.program, self.other_pipeline()).start()
        super().start()
        # The stream is there once something is in it.
        self.sink.wait_for(bodies.SPANS["small"], patience=20)
        return self

    def stop(self):
        super().stop()
        for server in (self.other, self.nats):
            server.stop()


class Edge(Hop):
    name = "edge"

    def pipeline(self):
        return edge_pipeline(self.port, machine.free_port(), self.nats.port, self.directory / "journal")

    def other_pipeline(self):
        return gateway_pipeline(machine.free_port(), self.nats.port, self.sink.port, self.directory / "other/journal")


class Gateway(Hop):
    name = "gateway"

    def pipeline(self):
        return gateway_pipeline(machine.free_port(), self.nats.port, self.sink.port, self.directory / "journal")

    def other_pipeline(self):
        return edge_pipeline(self.port, machine.free_port(), self.nats.port, self.directory / "other/journal")


def instructions(step, payload, requests, binary, preload, directory):
    """All instructions of an edge or a gateway (`step`) from its start to its end, while so many requests go over the hop.

    The gateway is started once all of them are in the stream.
    """
    if not nats_server():
        raise machine.Failed("nats-server is not installed")
    place, spans = pathlib.Path(tempfile.mkdtemp(dir=directory)), requests * bodies.SPANS[payload]
    sink, nats, port = counting.Sink(), NATS(place / "nats").start(), machine.free_port()
    edge = edge_pipeline(port, machine.free_port(), nats.port, place / "edge-journal")
    gateway = gateway_pipeline(machine.free_port(), nats.port, sink.port, place / "gateway-journal")
    pipeline, other = (edge, gateway) if step == "edge" else (gateway, edge)
    # Batches go when they are full, not by the time that passed.
    pipeline["processors"]["batch"] |= {"spans": 500, "linger": "20s"}
    file = place / "pipeline.json"
    file.write_text(json.dumps(pipeline | {"drain_timeout": "60s"}))
    half, counted = Half(place / "other", binary, other).start(), None
    try:
        if step == "edge":
            counted = counting.Counted([binary, "run", "--config", file], place / "run", preload)
        send(port, counted or half, payload, requests)
        if step == "gateway":
            wait(lambda: queued(edge) == 0)
            counted = counting.Counted([binary, "run", "--config", file], place / "run", preload)
            wait(lambda: nats.messages() == 0)
        counted.stop()
        total = counted.instructions()
        wait(lambda: sink.spans == spans)
        return total
    finally:
        if counted and counted.process.poll() is None:
            counted.kill()
        for server in (half, nats):
            server.stop()
        sink.close()


def send(port, server, payload, requests):
    counting.wait_for(port, server.process)
    client = counting.Client(port, (bodies.PAYLOADS / f"{payload}.pb").read_bytes())
    client.send(requests)
    client.close()


def queued(pipeline):
    """Spans that a running process has not relayed."""
    with urllib.request.urlopen(f"http://{pipeline['admin']['listen']}/ledger", timeout=20) as answer:
        return json.load(answer)["pipelines"]["traces"]["destinations"]["relay"]["queued"]


def wait(condition, within=300):
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise machine.Failed(f"not all of it arrived within {within} s")
        time.sleep(0.1)
