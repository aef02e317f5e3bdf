"""A restart refuses nobody: clients that lose a batch at a refused connection lose nothing."""

import json
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import otlp_exporter
from kit import otlp
from kit.environments import APPS, LONG
from kit.manager import Manager
from kit.millrace import Millrace, pipeline
from kit.once import Once
from kit.waiting import eventually

RESTARTS = 10 if LONG else 3
SLOW = {"concurrency": 1, "batch": {"spans": 40, "linger": "50ms"}}


class Slow:
    """Takes everything, a quarter of a second for each request, until it is told to hurry."""

    def __init__(self, pause=0.25):
        self.pause = pause
        self.hurry = threading.Event()

    def __call__(self, message):
        self.hurry.wait(self.pause)


@pytest.fixture
def manager():
    manager = Manager()
    yield manager
    manager.close()


@pytest.fixture
def handed(tmp_path, manager):
    """`handed(exporters, **sections)` starts a gateway on the manager's socket."""
    started = []

    def start(exporters, **sections):
        gateway = Millrace(tmp_path, pipeline(tmp_path, exporters, **sections))
        manager.launch(gateway)
        started.append(gateway)
        return gateway.start()

    yield start
    for gateway in started:
        if gateway.process.running:
            gateway.stop()


@pytest.fixture(scope="session")
def go_client(tmp_path_factory):
    """The built program; nil where there is no Go, or no way to its modules."""
    go = shutil.which("go")
    program = tmp_path_factory.mktemp("go") / "client"
    if not go:
        return None
    built = subprocess.run([go, "build", "-o", program, "."], cwd=APPS / "go-client", capture_output=True, timeout=300)
    return program if built.returncode == 0 else None


class GoClient:
    """OpenTelemetry's own Go SDK at 200 spans a second, until it is told to end."""

    def __init__(self, program, address):
        host, port = address
        self.child = subprocess.Popen(
            [program, f"http://{host}:{port}", "200"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def end(self):
        """{"ended": spans, "failures": [what the SDK says it lost]}."""
        answer, _ = self.child.communicate(timeout=60)
        return json.loads(answer)


def test_with_sockets_that_stay_open_nothing_is_refused_and_nothing_lost(
    handed, manager, sink, service, go_client, report
):
    sink.refuses = slow = Slow()
    gateway = handed({"sink": otlp_exporter(sink, **SLOW)}, drain_timeout="1s")
    with Once(manager.address, service) as clients:
        go = GoClient(go_client, manager.address) if go_client else None
        eventually(lambda: gateway.row("sink")["queued"] > 100)
        for _ in range(RESTARTS):
            before = len(clients.sent)
            gateway.stop()
            gateway.start()
            eventually(lambda before=before: len(clients.sent) > before + 50)
    told = go.end() if go else {"ended": 0, "failures": []}
    report(f"{RESTARTS} restarts: {len(clients.sent)} spans of clients that try once, {told['ended']} of Go's SDK")
    assert not clients.lost
    assert not told["failures"]
    slow.hurry.set()
    gateway.settled(accepted=len(clients.sent) + told["ended"])
    assert clients.sent <= sink.spans
    assert len(sink.spans) == len(clients.sent) + told["ended"]


def test_without_such_a_parent_the_gap_is_short(millrace, sink, service, report):
    sink.refuses = Slow()
    gateway = millrace({"sink": otlp_exporter(sink, **SLOW)}, drain_timeout="500ms")
    gateway.send(service, traces=60)
    gaps = []
    for _ in range(RESTARTS):
        with Knocking(gateway.address) as knocking:
            gateway.stop()
            gateway.start()
            eventually(lambda knocking=knocking: knocking.gap)
        gaps.append(knocking.gap)
    report("nobody listens for " + ", ".join(f"{gap * 1000:.0f} ms" for gap in gaps))
    assert min(gaps) < 2


class Knocking:
    """Connects all the time; `gap` is how long nobody listened, once somebody does again."""

    def __init__(self, address):
        self.address = address
        self.gap = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(10)

    def _run(self):
        refused = None
        while not self._ended.wait(0.001):
            try:
                with socket.create_connection(self.address, timeout=5):
                    if refused:
                        self.gap = time.monotonic() - refused
                        return
            except OSError:
                refused = refused or time.monotonic()


def test_a_gateway_that_stops_goes_on_taking_and_delivers_what_it_had(millrace, sink, service):
    sink.refuses = Slow()
    gateway = millrace({"sink": otlp_exporter(sink, **SLOW)}, drain_timeout="5s")
    before = gateway.send(service, traces=60)
    gateway.process.send(signal.SIGTERM)
    eventually(lambda: gateway.admin("/readyz").status_code == 503, every=0.01)
    message = otlp.request(service)
    answer = gateway.post(message.SerializeToString())
    assert answer.status_code == 200 and answer.headers["connection"] == "close"
    assert gateway.process.wait(10) == 0
    assert before <= sink.spans
    later = set(otlp.spans_of(message))
    assert not later & sink.spans
    gateway.start()
    gateway.settled()
    assert later <= sink.spans


def test_in_memory_what_is_acknowledged_is_delivered_and_the_rest_refused(millrace, sink, service, tmp_path):
    sink.refuses = Slow()
    journal = {"directory": str(tmp_path / "journal"), "storage": "memory"}
    gateway = millrace({"sink": otlp_exporter(sink, **SLOW)}, journal=journal)
    before = gateway.send(service, traces=60)
    gateway.process.send(signal.SIGTERM)
    eventually(lambda: gateway.admin("/readyz").status_code == 503, every=0.01)
    answer = gateway.post_trace(service)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1" and answer.headers["connection"] == "close"
    assert gateway.process.wait(10) == 0
    assert sink.spans == before


def test_where_every_destination_is_down_it_ends_at_once(millrace, sink, service, report):
    sink.close()
    gateway = millrace({"sink": otlp_exporter(sink)}, drain_timeout="9s")
    gateway.send(service, traces=3)
    eventually(lambda: gateway.metric("millrace_exporter_circuit_open", exporter="sink") == 1)
    start = time.monotonic()
    gateway.stop()
    took = time.monotonic() - start
    report(f"stopped within {took * 1000:.0f} ms")
    assert took < 3


def test_a_socket_with_an_unknown_name_is_wrong_configuration(tmp_path, sink):
    manager = Manager("oltp")
    gateway = Millrace(tmp_path, pipeline(tmp_path, {"sink": otlp_exporter(sink)}))
    manager.launch(gateway)
    gateway.process.start()
    assert gateway.process.wait(15) == 78
    assert '"oltp"; allowed are "otlp", "admin"' in gateway.process.log
    manager.close()
