"""MLflow's list shows the question and the answer of every captured conversation that Tests/Data/pages.json says it shows.

The Swift tests work the same out for the mapping alone; here the real MLflow says what it shows.
"""

import json

import pytest

from conftest import mlflow_exporter
from kit.captures import named
from kit.environments import CHECKOUT, DATA

TITLE = "conversations"


@pytest.fixture(scope="module")
def pages():
    return json.loads((DATA / "pages.json").read_text())


def test_mlflows_list_shows_what_the_list_of_conversations_says(millrace, forgetful, pages, report):
    route = {"type": "mlflow_experiment", "from": ["header"], "default": TITLE}
    batch = {"type": "batch", "linger": "50ms"}
    gateway = millrace(
        {"mlflow": mlflow_exporter(forgetful)},
        processors={"map": {"type": "mlflow_map"}, "route": route, "batch": batch},
    )
    captures = [named(CHECKOUT / "Tests" / path) for path in sorted({path for page in pages for path in page["files"]})]
    for capture in captures:
        answer = gateway.post(capture.body, content_type=capture.content_type)
        assert answer.status_code == 200, f"{capture.name}: {answer.content}"
    gateway.settled(accepted=sum(len(capture.spans()) for capture in captures), within=120)

    shown = {trace["id"]: trace for trace in forgetful.traces(TITLE)}
    differences, figures = [], {"question": [], "answer": []}
    for page in pages:
        trace = shown.get(page["trace"], {})
        for side, preview in (("question", "request_preview"), ("answer", "response_preview")):
            cell = page[side]
            if "text" in cell:
                found = plain(trace.get(preview))
                if (found == cell["text"]) != cell["shown"]:
                    differences.append(f"{page['framework']} {page['trace']} {side}: {found!r}, listed {cell}")
            if "missing" not in cell:
                figures[side].append(cell["shown"])
    report(", ".join(f"{side} {sum(cells)} of {len(cells)}" for side, cells in figures.items()))
    assert not differences, "\n".join(differences)


def plain(preview):
    """What a person reads: a lone text is stored in the quotes of JSON."""
    try:
        value = json.loads(preview)
    except (TypeError, ValueError):
        return preview
    return value if isinstance(value, str) else preview
