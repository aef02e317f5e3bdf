"""What forwarding a span costs: Millrace beside nginx (the same bytes, unparsed) and rotel, all on CPU 0, while the
load and the sink share CPU 1. Rounds are interleaved, because only figures of one run can be compared.

Then what durability costs: Millrace with a sync before each answer beside one that leaves its journal to the system,
under many clients that send large bodies at once.

usage: bench.py MILLRACE [--rounds N] [--seconds N]
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import machine
from contenders import Millrace, Nginx, Rotel, Sink, Unsynced

HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PAYLOADS = CHECKOUT / "Tests/Data/payloads"
SPANS = {"small": 10, "large": 512}
CONNECTIONS = 8
SYNC_CONNECTIONS = 16


def main():
    arguments = parsed()
    needs = [tool for tool in ("nginx", "wrk", "taskset") if not shutil.which(tool)]
    if needs or os.cpu_count() < 2:
        sys.exit(f"missing: {', '.join(needs) or 'a second CPU'} (apt-get install nginx-light wrk)")
    os.sched_setaffinity(0, {1})
    contenders = [(Nginx, None), (Millrace, arguments.binary.absolute())]
    if agent := rotel_agent():
        contenders.append((Rotel, agent))
    else:
        print("rotel is not installed: left out", file=sys.stderr)

    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.binary.absolute().parent) as directory:
        os.chmod(directory, 0o755)  # nginx started by root works as another user
        results = interleaved(contenders, SPANS, CONNECTIONS, pathlib.Path(directory), arguments)
        syncs = [(kind, arguments.binary.absolute()) for kind in (Millrace, Unsynced)]
        durability = interleaved(syncs, ["large"], SYNC_CONNECTIONS, pathlib.Path(directory), arguments)
    report(results, durability)


def interleaved(contenders, payloads, connections, directory, arguments):
    """{(payload, contender's name): [figures of each round]}."""
    results = {}
    for number in range(arguments.rounds):
        for payload in payloads:
            for kind, program in contenders:
                place = directory / f"{number}-{payload}-{kind.__name__}"
                try:
                    row = measure(kind, program, payload, place, arguments.seconds, connections)
                except machine.Failed as failure:
                    print(f"{kind.name}, {payload}: {failure}", file=sys.stderr)
                    continue
                results.setdefault((payload, kind.name), []).append(row)
                print(f"round {number + 1}, {payload}, {kind.name}: {row['cpu']:.2f}", file=sys.stderr)
                shutil.rmtree(place, ignore_errors=True)
    return results


def parsed():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    return parser.parse_args()


def rotel_agent():
    environments = pathlib.Path(os.environ.get("MILLRACE_VENVS", CHECKOUT / ".build/venvs"))
    return next(environments.glob("rotel/lib/python*/site-packages/rotel/rotel-agent"), None)


def measure(kind, program, payload, place, seconds, connections):
    """One contender under one payload, from a fresh start."""
    body = (PAYLOADS / f"{payload}.pb").read_bytes()
    sink = Sink(place / "sink", keeps_bodies=kind.needs_bodies).start()
    server = kind(place / "server", sink, program)
    try:
        server.start()
        idle = machine.resident_mib(server.pid, "VmRSS")
        steady = machine.steady_latencies(server.port, body) if payload == "small" else (None, None)
        server.delivered(0, SPANS[payload])
        cpu, start = machine.cpu_seconds(server.pid), time.monotonic()
        load = wrk(server.port, payload, seconds, connections)
        accepted = load["requests"] - load["refused"]
        spans, late = server.delivered(accepted, SPANS[payload])
        took = time.monotonic() - start - late
        used = machine.cpu_seconds(server.pid) - cpu
        if spans <= 0:
            raise machine.Failed("nothing reached the sink")
        return {
            "cpu": used / spans * 1e6,
            "rate": spans / took,
            "refused": load["refused"] / max(1, load["requests"]),
            "broken": load["broken"],
            "p50": load["p50_ms"],
            "p99": load["p99_ms"],
            "steady_p50": steady[0],
            "steady_p99": steady[1],
            "peak": machine.resident_mib(server.pid, "VmHWM"),
            "idle": idle,
            "ready": server.ready_ms,
        }
    finally:
        if hasattr(server, "process"):
            server.stop()
        sink.stop()


def wrk(port, payload, seconds, connections):
    done = subprocess.run(
        [
            *("taskset", "-c", "1", "wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{seconds}s", "--timeout", "30s", "--script", str(HERE / "post.lua")),
            f"http://127.0.0.1:{port}/v1/traces",
        ],
        env=os.environ | {"BENCH_BODY": str(PAYLOADS / f"{payload}.pb")},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def report(results, durability):
    """The README's table and what durability costs on stdout, everything measured in reports/bench.json."""
    folder = CHECKOUT / "reports"
    folder.mkdir(exist_ok=True)
    sections = {"forwarding": results, "durability": durability}
    everything = {
        section: {f"{payload} {name}": rows for (payload, name), rows in measured.items()}
        for section, measured in sections.items()
    }
    (folder / "bench.json").write_text(json.dumps(everything, indent=2))
    print("| payload | who | CPU s per million spans, median (least) | × nginx | spans/s | flat out p50 / p99 ms |"
          " at 300/s p50 / p99 ms | answered 503 | peak RSS MiB | idle RSS MiB | ready ms |")
    print("|---" * 11 + "|")
    for (payload, name), rows in results.items():
        def median(key):
            return statistics.median(row[key] for row in rows)

        reference = results.get((payload, "nginx"))
        ratio = median("cpu") / statistics.median(row["cpu"] for row in reference) if reference else float("nan")
        steady = f"{median('steady_p50'):.2f} / {median('steady_p99'):.2f}" if payload == "small" else "–"
        print(
            f"| {payload} | {name} | {median('cpu'):.2f} ({min(row['cpu'] for row in rows):.2f}) | {ratio:.2f} "
            f"| {median('rate'):,.0f} | {median('p50'):.2f} / {median('p99'):.2f} | {steady} "
            f"| {median('refused'):.1%} | {max(row['peak'] for row in rows):.0f} | {median('idle'):.0f} "
            f"| {median('ready'):.0f} |"
        )
    if len(durability) == 2:
        rates = {name: statistics.median(row["rate"] for row in rows) for (_, name), rows in durability.items()}
        synced, unsynced = rates[Millrace.name], rates[Unsynced.name]
        print(
            f"\nA sync before each answer, {SYNC_CONNECTIONS} clients, bodies of {SPANS['large']} spans: {synced:,.0f} "
            f"spans/s, {synced / unsynced:.2f} of the {unsynced:,.0f} without."
        )


if __name__ == "__main__":
    main()
