"""What MLflow shows of spans and traces, cell by cell, under names that do not depend on the way they came."""

import collections
import dataclasses

SPAN_ATTRIBUTES = {
    "usage": "mlflow.chat.tokenUsage",
    "model": "mlflow.llm.model",
    "provider": "mlflow.llm.provider",
    "format": "mlflow.message.format",
    "tools": "mlflow.chat.tools",
}
SPAN_CELLS = ("type", "inputs", "outputs", *SPAN_ATTRIBUTES)
TRACE_CELLS = ("name", "session", "user", "tokens", "request_preview", "response_preview", "state")
ORIGINS = SPAN_ATTRIBUTES | {
    "type": "mlflow.spanType",
    "inputs": "mlflow.spanInputs",
    "outputs": "mlflow.spanOutputs",
    "name": "mlflow.traceTag.mlflow.traceName",
    "session": "session.id",
    "user": "user.id",
}
"""The attributes that say where a cell came from; cells without one are MLflow's own work."""


@dataclasses.dataclass(frozen=True, order=True)
class Place:
    """A span of a run, or with `span` None a whole trace of it, by its ids as they were recorded."""

    run: str
    trace: str
    span: str | None = None

    @property
    def whole(self):
        """The trace of a span."""
        return Place(self.run, self.trace)


class Recorded:
    """The spans of many captures as their apps sent them: by place, with names that a person can find again."""

    def __init__(self, captures):
        self.spans, self.traces = {}, {}
        for capture in captures:
            for span in capture.spans():
                self.spans.setdefault(Place(capture.run, span["trace"], span["id"]), span)
                self.traces.setdefault(Place(capture.run, span["trace"]), []).append(span)
        self.names = self._names()

    def _names(self):
        """{place: "run / span name"}, numbered in the order of recording where a run has several of one name."""
        count = collections.Counter((place.run, span["name"]) for place, span in self.spans.items())
        seen, names = collections.Counter(), {}
        for place, span in self.spans.items():
            key = (place.run, span["name"])
            seen[key] += 1
            names[place] = f"{place.run} / {span['name']}" + (f" #{seen[key]}" if count[key] > 1 else "")
        many = collections.Counter(place.run for place in self.traces)
        for place in self.traces:
            seen[place.run] += 1
            names[place] = f"{place.run} / trace" + (f" #{seen[place.run]}" if many[place.run] > 1 else "")
        return names

    def ids(self, captures, way):
        """{trace id on that way: (run, recorded trace id)}."""
        return {
            capture.trace_id(way, span["trace"]): (capture.run, span["trace"])
            for capture in captures
            for span in capture.spans()
        }


def cells_of(traces, ids):
    """{place: {cell: value}} of what MLflow's client read; what a page shows as empty is None."""
    found = {}
    for trace in traces:
        run, recorded = ids[trace["id"]]
        found[Place(run, recorded)] = {cell: meaning(trace[cell]) for cell in TRACE_CELLS}
        for span in trace["spans"]:
            found[Place(run, recorded, span["id"])] = span_cells(span)
    return found


def span_cells(span):
    cells = {cell: meaning(span["attributes"].get(name)) for cell, name in SPAN_ATTRIBUTES.items()}
    for cell in ("inputs", "outputs"):
        cells[cell] = meaning(span[cell])
    cells["type"] = None if span["type"] in (None, "", "UNKNOWN") else span["type"]
    return cells


def meaning(value):
    return None if value in (None, "", {}, []) else value


def row(cells, own=lambda place, cell: True):
    """How many places have each cell, as far as `own` lets them count."""
    count = collections.Counter()
    for place, values in cells.items():
        count["traces" if place.span is None else "spans"] += 1
        count.update(cell for cell, value in values.items() if value is not None and own(place, cell))
    return count


def table(rows):
    """[(title, row)] as text, a line each."""
    heads = ["spans", *SPAN_CELLS, "traces", *TRACE_CELLS[:-1]]
    lines = [["", *heads], *([title, *(str(count[head]) for head in heads)] for title, count in rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines)


def differences(before, after):
    """[(place, cell, before, after)] where `before` shows something and `after` shows something else or nothing."""
    for place, cells in before.items():
        for cell, value in cells.items():
            now = after.get(place, {}).get(cell)
            if value is not None and value != now:
                yield place, cell, value, now
