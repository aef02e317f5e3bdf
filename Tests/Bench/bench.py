"""What forwarding a span costs: Millrace beside nginx (the same bytes, unparsed) and rotel, all on CPU 0, while the load and the
sink share CPU 1. Rounds are interleaved, because only figures of one run can be compared.

Each contender gets each case from a fresh start: flat out, until every accepted span has reached the sink, and then half of the
rate that it reached. CPU time is of the first part, for the spans that the sink counted.

Then what durability costs, Millrace with a sync before each answer beside one that leaves its journal to the system, what
TLS and tokens cost, both sides behind an nginx on the load's CPU, what `redact` costs, what the same bodies cost over gRPC,
sent by h2load, and what an edge and a gateway cost with a stream of NATS between them (hop.py).

usage: bench.py MILLRACE TOOLS [--quick] [--rounds N] [--seconds N] [--cases TEXT]
TOOLS is the folder with the programs made of load.c and sink.c.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import bodies
import hop
import machine
import table
from bodies import Case
from contenders import Called, Contender, Fronted, Millrace, Nginx, Redacting, Rotel, Secured, Sink, Unsynced

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
CASES = [
    *(Case(payload, "protobuf", connections) for connections in (8, 64, 256) for payload in bodies.SPANS),
    *(Case(payload, form, 64) for form in ("gzip", "json") for payload in bodies.SPANS),
    *(Case(payload, "protobuf", 64, services=1000) for payload in bodies.SPANS),
]
DURABILITY = Case("large", "protobuf", 64)
SECURITY = [Case(payload, "protobuf", 8) for payload in bodies.SPANS]
REDACTION = [Case(payload, "protobuf", 8) for payload in bodies.SPANS]
CALLS = [Case(payload, "protobuf", 8) for payload in bodies.SPANS]
# Many traces, so that batches are spread over all partitions.
HOPS = [Case(payload, "protobuf", 8, services=1000) for payload in bodies.SPANS]


def main():
    arguments = parsed()
    needs = [tool for tool in ("nginx", "taskset", "h2load") if not shutil.which(tool)]
    if needs or len(os.sched_getaffinity(0)) < 2:
        sys.exit(f"missing: {', '.join(needs) or 'a second CPU'} (apt-get install nginx-light util-linux nghttp2-client)")
    os.sched_setaffinity(0, {1})
    Contender.first = Case("small", "protobuf", 1).path.read_bytes()
    contenders = [(Nginx, shutil.which("nginx")), (Millrace, arguments.binary.absolute())]
    if agent := rotel_agent():
        contenders.append((Rotel, agent))
    else:
        print("rotel is not installed: left out", file=sys.stderr)
    cases = [case for case in CASES if arguments.cases in str(case)]
    syncs = [(kind, arguments.binary.absolute()) for kind in (Millrace, Unsynced)]
    doors = [(kind, arguments.binary.absolute()) for kind in (Fronted, Secured)]
    looks = [(kind, arguments.binary.absolute()) for kind in (Millrace, Redacting)]
    hops = [(kind, arguments.binary.absolute()) for kind in (Millrace, hop.Edge, hop.Gateway)] if hop.nats_server() else []
    if not hops:
        print("nats-server is not installed: the hop over a stream is left out", file=sys.stderr)
    ways = [(kind, arguments.binary.absolute()) for kind in (Millrace, Called)]

    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.binary.absolute().parent) as directory:
        os.chmod(directory, 0o755)  # nginx started by root works as another user
        bench = Bench(arguments, pathlib.Path(directory))
        forwarding = bench.interleaved(contenders, cases)
        durability = [] if arguments.cases else bench.interleaved(syncs, [DURABILITY])
        security = [] if arguments.cases else bench.interleaved(doors, SECURITY)
        redaction = [] if arguments.cases not in ("", "redact") else bench.interleaved(looks, REDACTION)
        calls = [] if arguments.cases not in ("", "gRPC") else bench.interleaved(ways, CALLS)
        hopping = [] if arguments.cases not in ("", "hop") else bench.interleaved(hops, HOPS)
    document = {
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "took_seconds": round(time.monotonic() - started),
        "forwarding": forwarding,
        "durability": durability,
        "security": security,
        "redaction": redaction,
        "calls": calls,
        "hop": hopping,
    }
    folder = CHECKOUT / "reports"
    folder.mkdir(exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(document, indent=2) + "\n")
    table.write(document)


def parsed():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("tools", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="one round of one second: two minutes, to look at only")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="flat out; half load takes as long again, at most two seconds")
    parser.add_argument("--cases", default="", help="only cases whose name contains this, such as “large, gzip”, or gRPC, redact or hop")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    arguments.seconds = arguments.seconds or (1 if arguments.quick else 3)
    return arguments


def rotel_agent():
    environments = pathlib.Path(os.environ.get("MILLRACE_VENVS", CHECKOUT / ".build/venvs"))
    return next(environments.glob("rotel/lib/python*/site-packages/rotel/rotel-agent"), None)


class Bench:
    """Takes measurements one after the other, each from a fresh start."""

    def __init__(self, arguments, directory):
        self.tools = arguments.tools.absolute()
        self.rounds = arguments.rounds
        self.seconds = arguments.seconds
        self.directory = directory

    def interleaved(self, contenders, cases):
        """One entry for each case and contender, with the figures of each round, or why there are none."""
        entries = {}
        for number in range(self.rounds):
            for case in cases:
                for kind, program in contenders:
                    entry = entries.setdefault((case, kind), {"case": str(case), "who": kind.name, "rounds": []})
                    if "problem" in entry:
                        continue
                    place = self.directory / "running"
                    try:
                        row = self.measure(kind, program, case, place)
                        entry["rounds"].append(row)
                        outcome = f"{row['cpu']:.2f}"
                    except (machine.Failed, OSError, subprocess.SubprocessError) as failure:
                        outcome = entry["problem"] = str(failure)
                    print(f"round {number + 1}: {case}: {kind.name}: {outcome}", file=sys.stderr)
                    shutil.rmtree(place, ignore_errors=True)
        return list(entries.values())

    def measure(self, kind, program, case, place):
        sink = Sink(place / "sink", self.tools).start()
        server = kind(place / "server", sink, program)
        try:
            server.start()
            idle = machine.resident_mib(server.pid, "VmRSS")
            status = machine.status(server.port, case.path.read_bytes(), *case.content)
            if status != 200:
                raise machine.Failed(f"does not take it: answers {status}")
            before, _ = sink.wait_for(bodies.SPANS["small"] + case.spans)
            patches = bodies.write_patches(case, place / "patches") if case.services > 1 else None

            cpu, start = machine.cpu_seconds(server.pid), time.monotonic()
            flat_out = self.load(server, case, patches)
            expected = before + flat_out["accepted"] * case.spans
            spans, late = sink.wait_for(expected)
            took = time.monotonic() - start - (late if spans < expected else 0)
            used, arrived = machine.cpu_seconds(server.pid) - cpu, spans - before
            if flat_out["other"] or arrived <= 0:
                raise machine.Failed(f"{flat_out['other']} answers of another kind, {arrived} spans at the sink")
            half = self.load(server, case, patches, rate=flat_out["accepted"] / flat_out["seconds"] / 2)
            return {
                "cpu": used / arrived * 1e6,
                "rate": arrived / took,
                "accepted": flat_out["accepted"],
                "refused": flat_out["refused"] / flat_out["requests"],
                "broken": flat_out["broken"] + half["broken"],
                "missing": max(0, expected - spans) / max(1, expected - before),
                "p50": flat_out["p50_ms"],
                "p99": flat_out["p99_ms"],
                "half_rate": half["accepted"] / half["seconds"],
                "half_p50": half["p50_ms"],
                "half_p99": half["p99_ms"],
                "peak": machine.resident_mib(server.pid, "VmHWM"),
                "idle": idle,
                "ready": server.ready_ms,
            }
        finally:
            for process in (server, sink):
                if hasattr(process, "process"):
                    process.stop()

    def load(self, server, case, patches, rate=0):
        seconds = min(self.seconds, 2) if rate else self.seconds
        if server.calls:
            return self.call(server, case, seconds, rate)
        command = [self.tools / "load", server.port, case.path, *case.content, case.connections, seconds, rate]
        return json.loads(pinned(*command, *([patches] if patches else [])))

    def call(self, server, case, seconds, rate):
        """The same over gRPC; of the answers h2load knows the HTTP status alone, so that refusals count as accepted."""
        log = server.directory / "calls"
        log.unlink(missing_ok=True)
        options = [f"--clients={case.connections}", f"--duration={max(1, round(seconds))}", f"--log-file={log}"]
        options += [f"--rps={rate / case.connections:.2f}"] if rate else []
        text = pinned(*machine.calls(server.called, case.path.read_bytes(), server.directory, *options))
        rows = [line.split() for line in log.read_text().splitlines()]
        times = sorted(int(row[2]) / 1000 for row in rows if row[1] == "200")
        if not times:
            raise machine.Failed(f"no call was answered: {text[-300:]}")
        return {
            "requests": len(rows),
            "accepted": len(times),
            "refused": 0,
            "other": len(rows) - len(times),
            "broken": 0,
            "seconds": max(1, round(seconds)),
            "p50_ms": times[len(times) // 2],
            "p99_ms": times[len(times) * 99 // 100],
        }


def pinned(*command):
    """What a command on the load's CPU prints."""
    done = subprocess.run(["taskset", "-c", "1", *map(str, command)], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise machine.Failed(f"the load ended with {done.returncode}: {done.stderr[-300:]}")
    return done.stdout


if __name__ == "__main__":
    main()
