"""No cell of MLflow's pages is worse behind Millrace than without it, for everything that was ever recorded.

MILLRACE_RECORD=1 rewrites golden/oracle.txt: reasons stay, new differences wait under "REASON?" for a person. Reports
go to .build/reports: mapping-row-*.txt, and mapping-findings-*.md with the source of each difference without a reason.
"""

import json
import os
import pathlib

import pytest

from conftest import VERSIONS
from kit.captures import emitters, trace_captures
from kit.cells import differences, row, table
from kit.environments import CHECKOUT
from kit.golden import Golden, brief, shape
from kit.ways import Ways

GOLDEN = Golden(pathlib.Path(__file__).parent / "golden/oracle.txt")
REPORTS = CHECKOUT / ".build/reports"
HEAD = """What MLflow 3.17.2 shows of a span that came to it directly → what it shows when the span came through Millrace.
A cell that direct spans lack is not listed. MILLRACE_RECORD=1 writes this file anew (see test_oracle.py)."""
NOT_STORED = {"session", "user"}
CACHED = {"cache_read_input_tokens", "cache_creation_input_tokens"}


@pytest.fixture(scope="module", params=["captures", "emitters"])
def ways(request, servers, tmp_path_factory):
    bodies = list(trace_captures() if request.param == "captures" else emitters())
    if not bodies:
        pytest.skip(f"no {request.param} are there")
    newest, oldest = (servers.mlflow[version].wait() for version in VERSIONS)
    return Ways(request.param, tmp_path_factory.mktemp("ways"), bodies, newest, oldest)


def test_every_span_arrives_by_every_way(ways):
    places = {*ways.recorded.spans, *ways.recorded.traces}
    assert set(ways.direct) == set(ways.through) == set(ways.old) == places


def test_no_cell_is_worse_than_without_millrace(ways):
    found = {}
    for difference in differences(ways.direct, ways.through):
        place, cell, before, after = difference
        found[f"{ways.recorded.names[place]} | {cell} | {brief(before)} → {brief(after)}"] = difference
    kinds = {line: f"{cell}: {shape(before)} → {shape(after)}" for line, (_, cell, before, after) in found.items()}
    runs = {capture.run for capture in ways.captures}

    def covers(line):
        return line.split(" / ")[0] in runs

    if os.environ.get("MILLRACE_RECORD") == "1":
        GOLDEN.record(kinds, covers, HEAD)
    unexplained, stale = GOLDEN.unexplained(kinds), GOLDEN.stale(kinds, covers)
    save(f"mapping-findings-{ways.title}.md", "\n".join(finding(ways, *found[line]) for line in unexplained))
    assert not unexplained, "differences without a reason (see .build/reports):\n" + "\n".join(unexplained)
    assert not stale, "no difference any more, MILLRACE_RECORD=1 removes them:\n" + "\n".join(stale)


def test_mlflow_3_6_0_shows_the_same(ways):
    """Session and user it stores for nobody who sends OTLP; cached tokens it leaves out of a trace's sum."""
    wrong = []
    for place, cell, new, old in differences(ways.through, ways.old):
        if cell in NOT_STORED:
            wrong += [(place, cell, new, old)] if old is not None else []
        elif as_old_keeps(cell, new) != as_old_keeps(cell, old):
            wrong.append((place, cell, new, old))
    lines = [f"{ways.recorded.names[place]} | {cell} | {brief(new)} → {brief(old)}" for place, cell, new, old in wrong]
    assert not lines, "\n".join(lines)


def test_every_column_is_at_least_as_full(ways, report):
    rows = [("direct", row(ways.direct)), ("through Millrace", row(ways.through))]
    for author in ("app", "Millrace", "MLflow"):
        own = row(ways.through, lambda place, cell: ways.author(place, cell) == author)
        rows.append((f"… set by {author}", own))
    rows.append(("on MLflow 3.6.0", row(ways.old)))
    text = f"{ways.title}\n{table(rows)}\n"
    save(f"mapping-row-{ways.title}.txt", text)
    report("\n    ".join(text.splitlines()))
    (_, direct), (_, through), *_ = rows
    assert all(through[cell] >= count for cell, count in direct.items())
    rooted = {span.whole for span, sent in ways.recorded.spans.items() if not sent["parent"]}
    assert all(ways.through[trace]["name"] for trace in rooted)


def as_old_keeps(cell, value):
    """3.6.0 reads an empty list or map inside an attribute as null, and knows no cached tokens of a trace."""
    if isinstance(value, dict):
        skipped = CACHED if cell == "tokens" else ()
        return {key: as_old_keeps(cell, item) for key, item in value.items() if key not in skipped} or None
    if isinstance(value, list):
        return [as_old_keeps(cell, item) for item in value] or None
    return value


def finding(ways, place, cell, before, after):
    """A difference for whoever works on the mapping: in full, with what the app sent."""
    lines = [f"## {ways.recorded.names[place]}: {cell}", "", f"- direct: `{text(before)}`", f"- through: `{text(after)}`"]
    lines += [f"- set by: {ways.author(place, cell)}", "", "Source:", ""]
    spans = [place] if place.span else [span for span in ways.recorded.spans if span.whole == place]
    for span in spans:
        sent = ways.recorded.spans[span]
        lines += [f"- span `{sent['name']}`, parent {sent['parent'] or 'none'}"]
        lines += [f"    - `{key}` = `{text(value)}`" for key, value in sent["attributes"].items()]
    return "\n".join(lines) + "\n"


def text(value, limit=700):
    whole = json.dumps(value, ensure_ascii=False, default=repr)
    return whole if len(whole) <= limit else f"{whole[:limit]}… ({len(whole)})"


def save(name, content):
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / name).write_text(content)
