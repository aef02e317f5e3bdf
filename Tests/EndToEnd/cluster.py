"""`make cluster`: three servers of NATS, two edges, two gateways and MLflow on this machine, with traffic through all of them.

The edges and gateways run pipelines/edge.json and pipelines/centre.json. Ctrl-C or SIGTERM ends everything and removes what
was written; with a number of seconds as its argument it ends by itself once everything sent then has arrived.
"""

import contextlib
import json
import pathlib
import signal
import sys
import tempfile
import time

from demo import Ended, end, end_children, say

from kit.environments import CHECKOUT, free_port
from kit.load import Load
from kit.millrace import Millrace
from kit.mlflow_server import MLflowServer
from kit.nats_server import NATS
from kit.processes import ProcessEnded
from kit.waiting import eventually

ROW = "{:12}{:>12}{:>12}{:>12}{:>12}  {}".format


def main():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with contextlib.suppress(Ended), contextlib.ExitStack() as stack:
        stack.callback(end_children)
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="millrace-cluster-")))
        show(directory, stack, float(sys.argv[1]) if len(sys.argv) > 1 else None)


class Member(Millrace):
    """One that runs a file of pipelines/."""

    def __init__(self, name, example, directory, settings):
        directory = directory / name
        directory.mkdir()
        pipeline = json.loads((CHECKOUT / f"pipelines/{example}.json").read_text())
        del pipeline["$schema"]
        super().__init__(directory, pipeline, **settings)
        self.name = name
        self.pipeline["admin"]["listen"] = settings["MILLRACE_ADMIN"]
        if "MILLRACE_LISTEN" in settings:
            self.pipeline["receivers"]["otlp"]["listen"] = settings["MILLRACE_LISTEN"]


def show(directory, stack, seconds):
    say("Starting three servers of NATS, MLflow, two edges and two gateways…")
    nats = NATS(directory / "nats", 3, port=4221, store="20GB")
    stack.callback(nats.close)
    mlflow = MLflowServer("3.17.2", directory / "mlflow", port=free_port(5000))
    stack.callback(mlflow.close)
    mlflow.start()
    nats.start()
    mlflow.wait()
    common = {f"NATS_{number}": node.url for number, node in enumerate(nats.nodes, 1)} | {"MLFLOW_TRACKING_URI": mlflow.url}

    def member(name, example, **more):
        admin = f"127.0.0.1:{free_port()}"
        settings = common | {"MILLRACE_ADMIN": admin, "MILLRACE_DATA": str(directory / name / "data")} | more
        started = Member(name, example, directory, settings)
        stack.callback(started.process.end_group)
        return started.start()

    edges = [
        member(f"edge-{n}", "edge", MILLRACE_LISTEN=f"127.0.0.1:{free_port()}", MILLRACE_LISTEN_GRPC=f"127.0.0.1:{free_port()}")
        for n in (1, 2)
    ]
    gateways = [member(f"centre-{n}", "centre") for n in (1, 2)]
    say("\n" + "\n".join(f"{edge.name}: {edge.url}, for any app of yours (OTEL_EXPORTER_OTLP_ENDPOINT)" for edge in edges))
    for gateway in gateways:
        say(f"{gateway.name}: http://{gateway.pipeline['admin']['listen']}/metrics and /ledger")
    for node in nats.nodes:
        say(f"{node.name}: {node.url}, http://127.0.0.1:{node.http}/jsz?streams=1, process {node.process.pid}")
    say(f"MLflow: {mlflow.url}\n\nEnd any of these processes and look what happens. Ctrl-C ends all.\n")
    since = time.monotonic()
    with Load(edges[0], "checkout", threads=1, rate=4) as one, Load(edges[1], "search", threads=1, rate=4) as other:
        while seconds is None or time.monotonic() < since + seconds:
            print_rows(nats, edges, gateways)
            time.sleep(5)
    sent = len(one.acknowledged | other.acknowledged)
    eventually(lambda: sum(delivered(gateway, "mlflow") for gateway in gateways) >= sent, within=60)
    print_rows(nats, edges, gateways)
    say(f"{sent} spans sent, and all of them delivered.")


def delivered(member, exporter):
    return member.row(exporter)["delivered"]


def print_rows(nats, edges, gateways):
    say(ROW("", "accepted", "delivered", "queued", "redelivered", ""))
    for member, exporter in [*((edge, "relay") for edge in edges), *((gateway, "mlflow") for gateway in gateways)]:
        try:
            row = member.row(exporter)
            again = int(member.metric("millrace_receiver_redelivered_spans_total"))
            parts = int(member.metric("millrace_receiver_partitions"))
        except (OSError, ProcessEnded):
            say(ROW(member.name, "-", "-", "-", "-", "does not answer"))
            continue
        note = f"{parts} partitions" if exporter == "mlflow" else ""
        say(ROW(member.name, row["accepted"], row["delivered"], row["queued"], again, note))
    stream = nats.stream("spans")
    if stream:
        leader = stream.get("cluster", {}).get("leader", "none")
        say(f"stream: {stream['state']['messages']} messages waiting, leader {leader}\n")


if __name__ == "__main__":
    main()
