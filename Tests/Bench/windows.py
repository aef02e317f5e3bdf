"""What `assemble` costs: instructions of the whole path with it and without, and the memory of traces that stay open.

`path` is that of micro.py: one client, a journal synced before each answer, batches of 500 spans, a sink. Every request has
traces of its own; `agents` is what SDKs send of agents, 20 traces of 5 spans with prompts of 1.5 KB in a request. `open` is
1 million spans in 200,000 traces whose roots are missing: resident memory and CPU time beside those of the same pipeline
without `assemble`, and what `millrace_window_bytes` says.

usage: windows.py MILLRACE TOOLS [--payloads NAME,…] [--rounds N] [--traces N]
TOOLS is the folder with the library made of valgrind.c.
"""

import argparse
import json
import pathlib
import random
import re
import statistics
import subprocess
import tempfile
import time
import urllib.request

import bodies
import counting
import machine
from contenders import millrace_pipeline

REPORT = pathlib.Path(__file__).resolve().parents[2] / "reports/bench-windows.json"
# Requests in the shorter run.
REQUESTS = {"small": 400, "large": 16, "agents": 60}
OPEN_SPANS = 5
TRACES_IN_REQUEST = 2000


def main():
    arguments = parsed()
    report = {"instructions a span": {}}
    print("| payload | without | with assemble | ratio | ratios |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench-windows-") as directory:
        directory = pathlib.Path(directory)
        binary = counting.without_debugging(arguments.binary, directory)
        preload = (arguments.tools / "valgrind.so").absolute()
        for payload in arguments.payloads:
            rounds = [
                [instructions(binary, payload, windowed, directory, preload) for windowed in (False, True)]
                for _ in range(arguments.rounds)
            ]
            ratios = sorted(after / before for before, after in rounds)
            before, after = (statistics.median(column) for column in zip(*rounds))
            shown = " ".join(f"{ratio:.2f}" for ratio in ratios)
            print(f"| {payload} | {before:,.0f} | {after:,.0f} | {statistics.median(ratios):.2f} | {shown} |", flush=True)
            report["instructions a span"][payload] = {"without": before, "with": after, "ratios": ratios}
        if arguments.traces:
            report["open"] = {"spans": arguments.traces * OPEN_SPANS, "traces": arguments.traces}
            print("\n| open traces | resident before | after | CPU | window_bytes | decided early |\n|---|---|---|---|---|---|")
            for name, windowed in (("without", False), ("with assemble", True)):
                row = report["open"][name] = held(arguments.binary, windowed, directory, arguments.traces)
                numbers = f"{row['before']:.1f} MiB | {row['after']:.1f} MiB | {row['cpu']:.1f} s"
                print(f"| {name} | {numbers} | {row['window_bytes']:.1f} MiB | {row['decided']:.0f} |", flush=True)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n")


def parsed():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("tools", type=pathlib.Path)
    parser.add_argument("--payloads", type=lambda text: [name for name in text.split(",") if name], default=list(REQUESTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--traces", type=int, default=200_000, help="that stay open; 0 for none")
    return parser.parse_args()


def pipeline_with(windowed, port, admin, sink, journal):
    pipeline = millrace_pipeline(port, admin, sink, journal)
    if windowed:
        pipeline["processors"]["whole"] = {"type": "assemble"}
        pipeline["pipelines"]["traces"]["processors"] = ["map", "whole", "route", "batch"]
    return pipeline


# What one payload costs.


def instructions(binary, payload, windowed, directory, preload):
    requests = REQUESTS[payload]
    body = agents() if payload == "agents" else (bodies.PAYLOADS / f"{payload}.pb").read_bytes()
    total = [path(binary, body, windowed, count, directory, preload) for count in (requests, 2 * requests)]
    return (total[1] - total[0]) / (requests * machine.spans_in(body))


def path(binary, body, windowed, requests, directory, preload):
    """All instructions of `millrace run` from its start to its end, with so many requests of traces of their own."""
    sink, port = counting.Sink(), machine.free_port()
    with tempfile.TemporaryDirectory(dir=directory) as place:
        file = pathlib.Path(place) / "pipeline.json"
        pipeline = pipeline_with(windowed, port, machine.free_port(), sink.port, f"{place}/journal")
        pipeline["processors"]["batch"] |= {"spans": 500, "linger": "20s"}
        file.write_text(json.dumps(pipeline | {"drain_timeout": "120s"}))
        counted = counting.Counted([binary, "run", "--config", file], f"{place}/run", preload)
        try:
            counting.wait_for(port, counted.process)
            client = Client(port, body)
            client.send(requests)
            client.close()
            counted.stop()
            total = counted.instructions()
        except OSError as error:
            raise machine.Failed(f"{error}: {counted.text()}") from error
        finally:
            if counted.process.poll() is None:
                counted.kill()
            sink.close()
    if sink.spans != requests * machine.spans_in(body):
        raise machine.Failed(f"{sink.spans} of {requests * machine.spans_in(body)} spans reached the sink")
    return total


class Client(counting.Client):
    """Gives the traces of each request other ids, the same in each run."""

    def __init__(self, port, body):
        super().__init__(port, body)
        self.request = bytearray(self.request)
        head = len(self.request) - len(body)
        numbers = {}
        self.ids = [(head + at, numbers.setdefault(body[at : at + 16], len(numbers))) for at in bodies.trace_ids(body)]
        self.traces = len(numbers)
        self.random = random.Random(bodies.SEED)

    def send(self, count):
        for _ in range(count):
            ids = [self.random.randbytes(16) for _ in range(self.traces)]
            for at, number in self.ids:
                self.request[at : at + 16] = ids[number]
            super().send(1)


# What open traces hold.


def held(binary, windowed, directory, traces):
    """Resident memory, CPU time and the gauge of a process that takes traces whose roots do not come."""
    port, admin = machine.free_port(), machine.free_port()
    with tempfile.TemporaryDirectory(dir=directory) as place:
        file = pathlib.Path(place) / "pipeline.json"
        pipeline = pipeline_with(windowed, port, admin, 1, f"{place}/journal")
        pipeline["exporters"] = {"sink": {"type": "discard"}}
        file.write_text(json.dumps(pipeline))
        with open(f"{place}/log", "wb") as log:
            process = subprocess.Popen([binary, "run", "--config", file], stdout=log, stderr=log)
        try:
            counting.wait_for(port, process)
            # What a pipeline needs to run at all is not what traces need.
            send_open(port, 1)
            before, cpu = machine.resident_mib(process.pid, "VmRSS"), machine.cpu_seconds(process.pid)
            send_open(port, traces - 1)
            if windowed:
                wait_for(lambda: gauge(admin, "millrace_window_traces") + decided(admin) == traces)
            return {
                "before": before,
                "after": machine.resident_mib(process.pid, "VmRSS"),
                "cpu": machine.cpu_seconds(process.pid) - cpu,
                "window_bytes": gauge(admin, "millrace_window_bytes") / 2**20,
                "decided": decided(admin),
            }
        finally:
            process.kill()
            process.wait()


def send_open(port, traces):
    generator = random.Random(traces)
    for start in range(0, traces, TRACES_IN_REQUEST):
        count = min(TRACES_IN_REQUEST, traces - start)
        spans = b"".join(field(2, span) for _ in range(count) for span in open_trace(generator))
        status = machine.status(port, request(spans), "application/x-protobuf")
        if status != 200:
            raise machine.Failed(f"open traces were answered {status}")


def open_trace(generator):
    trace, root = generator.randbytes(16), generator.randbytes(8)
    for _ in range(OPEN_SPANS):
        yield span(trace, generator.randbytes(8), root, b"call", [])


def gauge(admin, name):
    """The sum of all series of a metric."""
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=60) as answer:
        found = re.findall(rf"^{name}{{[^}}]*}} (\S+)", answer.read().decode(), re.MULTILINE)
    return sum(map(float, found))


def decided(admin):
    return gauge(admin, "millrace_window_decided_traces_total")


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise machine.Failed("the window does not hold all traces")
        time.sleep(0.2)


# Requests in wire form.


def agents(traces=20, prompt=1500):
    """An agent, and four calls of a model with a prompt each."""
    generator, spans = random.Random(bodies.SEED), b""
    question = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "word " * (prompt // 5)}]}])
    answer = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "An answer."}]}])
    call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": question,
        "gen_ai.output.messages": answer,
    }
    for _ in range(traces):
        trace, root = generator.randbytes(16), generator.randbytes(8)
        spans += field(2, span(trace, root, b"", b"agent", [("user.id", "u1"), ("session.id", "s1")]))
        for _ in range(4):
            spans += field(2, span(trace, generator.randbytes(8), root, b"chat", call.items()))
    return request(spans)


def span(trace, number, parent, name, attributes):
    start = 1_764_000_000_000_000_000
    head = field(1, trace) + field(2, number) + (field(4, parent) if parent else b"") + field(5, name)
    times = b"\x30\x01" + fixed(7, start) + fixed(8, start + 1_000_000_000)
    return head + times + b"".join(field(9, attribute(key, value)) for key, value in attributes)


def request(spans):
    resource = {
        "service.name": "chat-gateway",
        "service.version": "1.2.3",
        "deployment.environment": "production",
        "host.name": "node-1.example",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.30.0",
    }
    attributes = b"".join(field(1, attribute(key, value)) for key, value in resource.items())
    scope = field(1, field(1, b"opentelemetry.instrumentation.openai_v2") + field(2, b"2.0"))
    return field(1, field(1, attributes) + field(2, scope + spans))


def attribute(key, value):
    return field(1, key.encode()) + field(2, field(1, value.encode()))


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def fixed(number, value):
    return varint(number << 3 | 1) + value.to_bytes(8, "little")


def varint(value):
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes(encoded + bytes([value]))


if __name__ == "__main__":
    main()
