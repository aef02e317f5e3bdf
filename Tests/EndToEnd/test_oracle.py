"""No cell of MLflow's pages is worse behind Millrace than without it, for everything that was ever recorded.

MILLRACE_RECORD=1 rewrites golden/oracle*.txt: reasons stay, new differences wait under "REASON?" for a person. Reports
go to .build/reports: mapping-row-*.txt, and oracle-*.md with the source of each difference that has no reason.
"""

import json
import os
import pathlib

import pytest

from conftest import VERSIONS
from kit.captures import emitters, trace_captures
from kit.cells import differences, row, table
from kit.environments import CHECKOUT
from kit.golden import Golden, brief, kind
from kit.ways import Ways

GOLDENS = pathlib.Path(__file__).parent / "golden"
REPORTS = CHECKOUT / ".build/reports"
HEAD = "{}\nCells that are empty before are not listed. MILLRACE_RECORD=1 writes this file anew (see test_oracle.py)."
DIRECT = HEAD.format("What MLflow 3.17.2 shows of spans that came directly → of the same through Millrace.")
OLDER = HEAD.format("What MLflow 3.17.2 shows of spans that came through Millrace → what MLflow 3.6.0 shows of them.")
NOT_STORED = {"session", "user"}
CACHED = {"cache_read_input_tokens", "cache_creation_input_tokens"}


@pytest.fixture(scope="module", params=["captures", "emitters"])
def ways(request, servers, tmp_path_factory):
    bodies = list(trace_captures() if request.param == "captures" else emitters())
    assert bodies
    newest, oldest = (servers.mlflow[version].wait() for version in VERSIONS)
    return Ways(request.param, tmp_path_factory.mktemp("ways"), bodies, newest, oldest)


def test_every_span_arrives_by_every_way(ways):
    """But Logfire's copies of spans that were not finished, which it sends only for its own live view."""
    pending = {
        place
        for place, sent in ways.recorded.spans.items()
        if sent["attributes"].get("logfire.span_type") == "pending_span"
    }
    places = {*ways.recorded.spans, *ways.recorded.traces}
    assert set(ways.direct) == places
    assert set(ways.through) == set(ways.old) == places - pending


def test_no_cell_is_worse_than_without_millrace(ways):
    expect_explained(ways, differences(ways.direct, ways.through), "oracle", DIRECT)


def test_mlflow_3_6_0_shows_the_same(ways):
    """Session and user it stores for nobody who sends OTLP, and cached tokens are missing from a trace's sum."""
    stored = [place for place, cells in ways.old.items() if any(cells.get(cell) for cell in NOT_STORED)]
    assert not stored
    found = [
        (place, cell, new, old)
        for place, cell, new, old in differences(ways.through, ways.old)
        if cell not in NOT_STORED and as_old_keeps(cell, new) != as_old_keeps(cell, old)
    ]
    expect_explained(ways, found, "oracle-3.6.0", OLDER)


def test_every_trace_with_a_root_has_a_name(ways):
    rooted = {span.whole for span, sent in ways.recorded.spans.items() if not sent["parent"]}
    assert all(ways.through[trace]["name"] for trace in rooted)


def test_how_many_cells_are_filled(ways, report):
    """A table for people, by who filled them on the way through Millrace."""
    rows = [("direct", row(ways.direct)), ("through Millrace", row(ways.through))]
    for author in ("app", "Millrace", "MLflow"):
        own = row(ways.through, lambda place, cell: ways.author(place, cell) == author)
        rows.append((f"… set by {author}", own))
    rows.append(("on MLflow 3.6.0", row(ways.old)))
    text = f"{ways.title}\n{table(rows)}\n"
    save(f"mapping-row-{ways.title}.txt", text)
    report("\n    ".join(text.splitlines()))


def expect_explained(ways, found, name, head):
    """That each difference stands in a golden file under a reason, and nothing else does."""
    golden = Golden(GOLDENS / f"{name}.txt")
    lines = {}
    for difference in found:
        place, cell, before, after = difference
        lines[f"{ways.recorded.names[place]} | {cell} | {brief(before)} → {brief(after)}"] = difference
    kinds = {line: kind(*cells) for line, (_, *cells) in lines.items()}
    runs = {capture.run for capture in ways.captures}

    def covers(line):
        return line.split(" / ")[0] in runs

    if os.environ.get("MILLRACE_RECORD") == "1":
        golden.record(kinds, covers, head)
    unexplained, stale = golden.unexplained(kinds), golden.stale(kinds, covers)
    save(f"{name}-{ways.title}.md", "\n".join(finding(ways, *lines[line]) for line in unexplained))
    assert not unexplained, "differences without a reason (see .build/reports):\n" + "\n".join(unexplained)
    assert not stale, "no difference any more, MILLRACE_RECORD=1 removes them:\n" + "\n".join(stale)


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
