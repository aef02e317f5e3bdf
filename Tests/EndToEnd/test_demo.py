"""`make demo` as somebody sees it who tries Millrace for the first time, and leaves when it pleases them."""

import contextlib
import pathlib
import re
import signal
import sys

import psutil
import pytest

from conftest import VERSIONS
from demo import SERVICES
from kit.environments import clean_environment
from kit.mlflow_server import MLflowServer
from kit.processes import Process
from kit.waiting import eventually

DEMO = pathlib.Path(__file__).with_name("demo.py")


@pytest.fixture
def demo(tmp_path):
    """The demo, running; it writes nowhere but to `temporary`."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    demo = Process("demo", [sys.executable, DEMO], tmp_path, clean_environment(TMPDIR=str(temporary)))
    demo.temporary = temporary
    demo.start()
    yield demo
    demo.end_group()


def test_it_prints_the_page_to_open_and_the_traces_of_six_services(demo, tmp_path):
    port = int(printed(demo, r"MLflow: http://127\.0\.0\.1:(\d+)$"))
    mlflow = MLflowServer(VERSIONS[0], tmp_path / "reader", port=port)  # asked, not started
    try:
        shown = {service: mlflow.traces(service) for service, *_ in SERVICES}
    finally:
        mlflow.close()
    assert len(shown) == 6 and all(shown.values())
    for service, traces in shown.items():
        rows = re.findall(rf"^(.*?) +{service} +(\d+) +(\d+)$", demo.log, re.MULTILINE)
        assert sorted(rows) == sorted(
            (trace["name"], str(len(trace["spans"])), str((trace["tokens"] or {}).get("total_tokens", 0)))
            for trace in traces
        )
    assert len(started_by(demo)) > 2, "the check below would be in vain"
    leave(demo, signal.SIGINT)


def test_it_can_be_left_at_any_moment(demo, at_some_moment):
    printed(demo, "^(Starting)")
    at_some_moment(seconds=15)
    leave(demo, signal.SIGTERM)


def printed(demo, pattern):
    """What the pattern's group stands for, once the demo has printed such a line."""

    def found():
        demo.expect_running()
        return re.search(pattern, demo.log, re.MULTILINE)

    return eventually(found, within=180)[1]


def leave(demo, number):
    """A signal to the demo alone; it ends well, and so does everything that it started."""
    demo.send(number)
    assert demo.wait(30) == 0, demo.log
    eventually(lambda: not started_by(demo), within=5)
    assert not list(demo.temporary.iterdir())


def started_by(demo):
    """The processes that run in the demo's environment, itself included."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("TMPDIR") == str(demo.temporary):
                found.append(process)
    return found
