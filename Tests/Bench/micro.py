"""What a span costs in instructions outside the kernel, step by step and over the whole path, counted by callgrind.

Unlike times, these figures repeat to 1 % on any load, so that a change can be compared with them. What a step costs is the
difference between a run with twice the requests and one with them: start-up and end cancel out. `path` is the release
binary with `mlflow_map`, `mlflow_experiment` and batches of 500 spans between one client, which sends a request when the one
before is answered, and a sink; journal synced before each answer. `secured` is the same over TLS and with a token, `grpc` over
gRPC, sent by h2load, `redacted` with `redact` before the other processors. `edge` and `gateway` are the two halves of a hop over a
stream of NATS (hop.py), each by itself.

usage: micro.py MILLRACE BENCHMARKS TOOLS [--steps NAME,…] [--runs N] [--keep]
TOOLS is the folder with the library made of valgrind.c.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import counting
import hop
import machine
from contenders import TOKEN, millrace_pipeline, redacting, secured

HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PAYLOADS = CHECKOUT / "Tests/Data/payloads"
BASELINE = HERE / "micro-baseline.json"
REPORT = CHECKOUT / "reports/bench-micro.json"
SPANS = {"small": 10, "large": 512}

# Requests in the shorter run, of small and of large. Where 500 spans make a batch, 50 small requests fill one.
REQUESTS = {
    "receive": (500, 40),
    "index": (1000, 20),
    "redact": (1000, 20),
    "map": (1000, 20),
    "encode": (1000, 20),
    "append": (400, 20),
    "read": (400, 20),
    "merge": (500, 40),
    "send": (2000, 100),
    "path": (400, 16),
    "secured": (400, 16),
    "grpc": (400, 16),
    "redacted": (400, 16),
    "edge": (400, 16),
    "gateway": (400, 16),
}
# A step that is run after another one and holds its costs, too.
CONTAINS = {"redact": "index", "map": "index", "encode": "map", "read": "append"}
# The others run on one thread and give the same each time.
PATHS = ("path", "secured", "grpc", "redacted")
HALVES = ("edge", "gateway")
THREADED = ("receive", "append", "read", "send", *PATHS, *HALVES)


def main():
    arguments = parsed()
    kept = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    baseline, current = kept.get("figures", {}), conditions()
    other = [name for name in current if kept and kept["conditions"].get(name) != current[name]]
    if other:
        print(f"the baseline was taken with another choice of {', '.join(other)}: do not compare with it", file=sys.stderr)
    print("| step | payload | instructions a span, least | spread | against the baseline |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench-micro-") as directory:
        bench = Bench(arguments, pathlib.Path(directory))
        for step in arguments.steps:
            for payload in SPANS:
                row = bench.figure(step, payload)
                print(line(step, payload, row, baseline.get(step, {}).get(payload)), flush=True)
    document = {"unit": "instructions a span", "conditions": current, "figures": bench.figures}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(document, indent=2) + "\n")
    if bench.failed:
        sys.exit(f"not measured: {', '.join(bench.failed)}")
    if arguments.keep:
        BASELINE.write_text(json.dumps(document | {"figures": baseline | bench.figures}, indent=2) + "\n")


def parsed():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("benchmarks", type=pathlib.Path)
    parser.add_argument("tools", type=pathlib.Path)
    parser.add_argument("--steps", type=lambda text: text.split(","), default=list(REQUESTS))
    parser.add_argument("--runs", type=int, default=3, help="of steps that run on several threads")
    parser.add_argument("--keep", action="store_true", help="make the figures the baseline")
    arguments = parser.parse_args()
    if unknown := set(arguments.steps) - set(REQUESTS):
        parser.error(f"no step {', '.join(sorted(unknown))}; there are {', '.join(REQUESTS)}")
    return arguments


def line(step, payload, row, before):
    if row is None:
        return f"| {step} | {payload} | failed | – | – |"
    # What differs from run to run is added: threads that wake up once more, a socket that is full for a moment.
    figure, spread = row["least"], (row["most"] - row["least"]) / row["median"]
    change = f"{figure / before['least'] - 1:+.1%}" if before else "–"
    return f"| {step} | {payload} | {figure:,.0f} | {spread:.1%} | {change} |"


def conditions():
    return {
        "swift": first_line("swift", "--version"),
        "valgrind": first_line(*counting.valgrind(), "--version"),
        "address_randomisation": not counting.fixed_addresses(),
        "tunables": counting.TUNABLES,
        "requests": {step: dict(zip(SPANS, counts)) for step, counts in REQUESTS.items()},
    }


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.partition("\n")[0]


class Bench:
    """Takes the figures and keeps them."""

    def __init__(self, arguments, directory):
        self.binary = counting.without_debugging(arguments.binary, directory)
        self.benchmarks = counting.without_debugging(arguments.benchmarks, directory)
        self.preload = (arguments.tools / "valgrind.so").absolute()
        self.runs = arguments.runs
        self.directory = directory
        self.figures = {}
        self.failed = []
        self.whole = {}

    def figure(self, step, payload):
        """What the step costs, alone; None where it could not be measured."""
        try:
            values = self.samples(step, payload)
            if inner := CONTAINS.get(step):
                base = statistics.median(self.samples(inner, payload))
                values = [value - base for value in values]
        except machine.Failed as failure:
            print(f"{step}, {payload}: {failure}", file=sys.stderr)
            self.failed.append(f"{step} {payload}")
            return None
        row = {"median": statistics.median(values), "least": min(values), "most": max(values)}
        row = {name: round(value, 1) for name, value in row.items()}
        self.figures.setdefault(step, {})[payload] = row
        return row

    def samples(self, step, payload):
        """Instructions a span of the step and all that it contains, of each run."""
        if (step, payload) not in self.whole:
            runs = self.runs if step in THREADED else 1
            self.whole[step, payload] = [self.sample(step, payload) for _ in range(runs)]
        return self.whole[step, payload]

    def sample(self, step, payload):
        requests = REQUESTS[step][list(SPANS).index(payload)]
        count = self.path if step in PATHS else self.half if step in HALVES else self.step
        return (count(step, payload, 2 * requests) - count(step, payload, requests)) / (requests * SPANS[payload])

    def step(self, step, payload, requests):
        """All instructions of a run of the step."""
        sink = counting.Sink()
        try:
            command = [self.benchmarks, "--step", step, payload, requests, sink.port]
            counted = counting.Counted(command, self.directory, self.preload)
            total = counted.instructions()
            expected = f"spans {requests * SPANS[payload]}"
            if expected not in counted.text():
                raise machine.Failed(f"did not print “{expected}”: {counted.text()}")
            if step == "send" and sink.spans != requests * SPANS[payload]:
                raise machine.Failed(f"{sink.spans} of {requests * SPANS[payload]} spans reached the sink")
            return total
        finally:
            sink.close()

    def half(self, step, payload, requests):
        return hop.instructions(step, payload, requests, self.binary, self.preload, self.directory)

    def path(self, step, payload, requests):
        """All instructions of `millrace run` from its start to its end, with so many requests."""
        sink, port = counting.Sink(), machine.free_port()
        body = (PAYLOADS / f"{payload}.pb").read_bytes()
        with tempfile.TemporaryDirectory(dir=self.directory) as place:
            file = pathlib.Path(place) / "pipeline.json"
            pipeline = millrace_pipeline(port, machine.free_port(), sink.port, f"{place}/journal")
            # Batches go when they are full, not by the time that passed.
            pipeline["processors"]["batch"] |= {"spans": 500, "linger": "20s"}
            is_secured = step == "secured"
            if is_secured:
                pipeline = secured(pipeline, pathlib.Path(place))
            if step == "redacted":
                pipeline = redacting(pipeline)
            if step == "grpc":
                pipeline["receivers"]["otlp"]["type"] = "otlp_grpc"
            file.write_text(json.dumps(pipeline))
            counted = counting.Counted([self.binary, "run", "--config", file], f"{place}/run", self.preload)
            try:
                counting.wait_for(port, counted.process)
                if step == "grpc":
                    command = machine.calls(port, body, pathlib.Path(place), "--clients=1", f"--requests={requests}")
                    subprocess.run(command, check=True, capture_output=True, timeout=600)
                else:
                    client = counting.Client(port, body, TOKEN if is_secured else None)
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
        if sink.spans != requests * SPANS[payload]:
            raise machine.Failed(f"{sink.spans} of {requests * SPANS[payload]} spans reached the sink")
        return total


if __name__ == "__main__":
    main()
