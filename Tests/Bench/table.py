"""The measurements as tables in Markdown."""

import statistics

HEAD = [
    "case", "who", "CPU s per million spans, median (least)", "× nginx", "× rotel", "spans/s", "flat out p50 / p99 ms",
    "half load: requests/s, p50 / p99 ms", "refused", "accepted but not arrived", "peak / idle RSS MiB", "ready ms",
]  # fmt: skip


def write(document):
    """Prints the README's table, and what durability, TLS and gRPC cost."""
    print("| " + " | ".join(HEAD) + " |")
    print("|---" * len(HEAD) + "|")
    entries = document["forwarding"]
    for entry in entries:
        if reason := failure(entry):
            cells = [entry["case"], entry["who"], f"– ({reason})"] + ["–"] * (len(HEAD) - 3)
        else:
            cells = row(entry, entries)
        print("| " + " | ".join(cells) + " |")
    if document["durability"]:
        print("\n" + durability(document["durability"]))
    for plain, secured in zip(document["security"][::2], document["security"][1::2]):
        print("\n" + security(plain, secured))
    for plain, looked in zip(document["redaction"][::2], document["redaction"][1::2]):
        print("\n" + redaction(plain, looked))
    for plain, called in zip(document["calls"][::2], document["calls"][1::2]):
        print("\n" + calls(plain, called))
    for direct, edge, gateway in zip(*(document["hop"][part::3] for part in range(3))):
        print("\n" + hop(direct, edge, gateway))


def redaction(plain, looked):
    for entry in (plain, looked):
        if reason := failure(entry):
            return f"What `redact` costs was not measured: {entry['who']}: {reason}."
    before, after = median(plain, "cpu"), median(looked, "cpu")
    return (
        f"`redact` with every usual detector, {plain['case']}: {after:.2f} CPU s per million spans, {after / before:.2f} times "
        f"the {before:.2f} without it; {median(looked, 'rate'):,.0f} spans/s against {median(plain, 'rate'):,.0f}."
    )


def hop(direct, edge, gateway):
    for entry in (direct, edge, gateway):
        if reason := failure(entry):
            return f"What the hop over a stream costs was not measured: {entry['who']}: {reason}."
    whole, first, last = (median(entry, "cpu") for entry in (direct, edge, gateway))
    return (
        f"Over a stream of NATS, {direct['case']}: {first:.2f} CPU s per million spans at the edge and {last:.2f} at the gateway, "
        f"{(first + last) / whole:.2f} times the {whole:.2f} of one process; {median(edge, 'rate'):,.0f} and "
        f"{median(gateway, 'rate'):,.0f} spans/s where that half had a CPU of its own and all else the other one."
    )


def calls(plain, called):
    for entry in (plain, called):
        if reason := failure(entry):
            return f"What gRPC costs was not measured: {entry['who']}: {reason}."
    before, after = median(plain, "cpu"), median(called, "cpu")
    return (
        f"The same body over gRPC, {plain['case']}: {after:.2f} CPU s per million spans, {after / before:.2f} times the "
        f"{before:.2f} over HTTP; {median(called, 'rate'):,.0f} spans/s against {median(plain, 'rate'):,.0f}; "
        f"{max(row['missing'] for row in called['rounds']):.1%} of the calls were refused."
    )


def security(plain, secured):
    for entry in (plain, secured):
        if reason := failure(entry):
            return f"What TLS and a token cost was not measured: {entry['who']}: {reason}."
    before, after = median(plain, "cpu"), median(secured, "cpu")
    return (
        f"TLS and a token, {plain['case']}: {after:.2f} CPU s per million spans, {after / before:.2f} times the "
        f"{before:.2f} in plain text; latencies {median(secured, 'half_p50'):.2f} / {median(secured, 'half_p99'):.2f} ms "
        f"against {median(plain, 'half_p50'):.2f} / {median(plain, 'half_p99'):.2f}."
    )


def failure(entry):
    """Why an entry has no figures; nothing where it has."""
    if problem := entry.get("problem"):
        return problem.replace("\n", " ").replace("|", "/")[:200]
    return None if entry["rounds"] else "not run"


def median(entry, key):
    return statistics.median(row[key] for row in entry["rounds"])


def ratio(entry, entries, name):
    """The contender's cost to that of another one in the same case; a dash where that has none."""
    for other in entries:
        if other["case"] == entry["case"] and other["who"].startswith(name) and not failure(other):
            return f"{median(entry, 'cpu') / median(other, 'cpu'):.2f}"
    return "–"


def row(entry, entries):
    least = min(one["cpu"] for one in entry["rounds"])
    peak = max(one["peak"] for one in entry["rounds"])
    broken = sum(one["broken"] for one in entry["rounds"])
    return [
        entry["case"],
        entry["who"],
        f"{median(entry, 'cpu'):.2f} ({least:.2f})",
        ratio(entry, entries, "nginx"),
        ratio(entry, entries, "rotel"),
        f"{median(entry, 'rate'):,.0f}",
        f"{median(entry, 'p50'):.2f} / {median(entry, 'p99'):.2f}",
        f"{median(entry, 'half_rate'):,.0f}, {median(entry, 'half_p50'):.2f} / {median(entry, 'half_p99'):.2f}",
        f"{median(entry, 'refused'):.1%}" + (f", {broken} connections broke" if broken else ""),
        f"{max(one['missing'] for one in entry['rounds']):.1%}",
        f"{peak:.0f} / {median(entry, 'idle'):.0f}",
        f"{median(entry, 'ready'):.0f}",
    ]


def durability(entries):
    synced, unsynced = entries
    for entry in entries:
        if reason := failure(entry):
            return f"What a sync before each answer costs was not measured: {entry['who']}: {reason}."
    with_sync, without = median(synced, "rate"), median(unsynced, "rate")
    return (
        f"A sync before each answer, {synced['case']}: {with_sync:,.0f} spans/s, {with_sync / without:.2f} of the "
        f"{without:,.0f} without."
    )
