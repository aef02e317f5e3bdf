"""The real parts: servers of every kind, started once, all at once, when a test first asks for one of them."""

import collections
import os
import random
import threading
import time
import uuid

import pytest

from kit import otlp
from kit.disk import SmallDisk
from kit.environments import APPS, BINARY, free_port
from kit.fake_openai import FakeOpenAI
from kit.lossy_way import LossyWay
from kit.millrace import QUICK_RETRY, Millrace, pipeline
from kit.mlflow_server import MLflowServer
from kit.nats_server import NATS
from kit.nginx import Nginx
from kit.phoenix_server import PhoenixServer
from kit.running import run_to_end
from kit.sink import Sink

VERSIONS = ("3.17.2", "3.6.0")


def pytest_sessionstart(session):
    if not session.config.option.collectonly and not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: run `make test`, or set MILLRACE_BINARY", returncode=2)


class Servers:
    def __init__(self, directory):
        self.phoenix = PhoenixServer(directory / "phoenix")
        self.mlflow = {version: MLflowServer(version, directory / f"mlflow-{version}") for version in VERSIONS}
        self.all = [*self.mlflow.values(), self.phoenix]


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    servers = Servers(tmp_path_factory.mktemp("servers"))
    for server in servers.all:
        server.start()
    yield servers
    for server in servers.all:
        server.close()


@pytest.fixture(scope="session")
def mlflow(servers):
    """MLflow's newest version."""
    return servers.mlflow[VERSIONS[0]].wait()


@pytest.fixture
def forgetful(tmp_path):
    """An MLflow of its own, which may be wiped."""
    server = MLflowServer(VERSIONS[0], tmp_path / "forgetful")
    server.start()
    yield server.wait()
    server.close()


@pytest.fixture(scope="session", params=VERSIONS)
def each_mlflow(request, servers):
    """Each version in turn."""
    return servers.mlflow[request.param].wait()


@pytest.fixture(scope="session")
def phoenix(servers):
    return servers.phoenix.wait()


@pytest.fixture(scope="session")
def fake_openai():
    server = FakeOpenAI().start()
    yield server
    server.close()


@pytest.fixture
def millrace(tmp_path):
    """`millrace(exporters, **sections)` starts one; the test ends with SIGTERM, exit code 0, a balanced ledger."""
    started = []

    def start(exporters, directory=tmp_path, starts=True, **sections):
        directory.mkdir(exist_ok=True)
        gateway = Millrace(directory, pipeline(directory, exporters, **sections))
        started.append(gateway)
        return gateway.start() if starts else gateway

    yield start
    for gateway in started:
        if gateway.process.running:
            gateway.balanced()
            gateway.stop()


@pytest.fixture
def nginx(tmp_path):
    """`nginx(server, **settings)` starts one in front of a server."""
    started = []

    def start(server, **settings):
        started.append(Nginx(tmp_path, server, **settings))
        return started[-1].start()

    yield start
    for front in started:
        front.close()


@pytest.fixture
def sink():
    """A destination that keeps what it is sent."""
    sink = Sink().start()
    yield sink
    sink.close()


@pytest.fixture
def archives(tmp_path):
    """`archives(name)` is a file exporter, `archives.spans(name)` what it wrote, each span counted."""

    def exporter(name, **settings):
        return {"type": "file", "path": str(tmp_path / f"{name}.jsonl")} | settings

    exporter.items = lambda name, signal: otlp.spans_of_file(tmp_path / f"{name}.jsonl", signal)
    exporter.newer = lambda name, position: otlp.newer_spans_of_file(tmp_path / f"{name}.jsonl", position)
    exporter.spans = lambda name: collections.Counter(exporter.items(name, "traces"))
    return exporter


@pytest.fixture
def small_disk(tmp_path):
    """32 MiB; comes before `millrace` in a test's arguments, so that it goes after it."""
    disk = SmallDisk(tmp_path / "small", size="32m")
    yield disk
    disk.close()


@pytest.fixture
def gateway(millrace, each_mlflow):
    """A gateway in front of each MLflow version in turn."""
    return millrace({"mlflow": mlflow_exporter(each_mlflow)})


def mlflow_exporter(server, **settings):
    return {"type": "mlflow", "endpoint": server.url, "retry": QUICK_RETRY} | settings


def otlp_exporter(server, **settings):
    return {"type": "otlp_http", "endpoint": server.url, "retry": QUICK_RETRY} | settings


def relay(servers, **settings):
    return {"type": "jetstream", "servers": servers, "stream": "spans", "retry": QUICK_RETRY} | settings


AWAY = {"type": "otlp_http", "endpoint": "http://127.0.0.1:9", "retry": QUICK_RETRY}
"""An exporter whose destination is down."""


@pytest.fixture
def nats_server(tmp_path):
    """`nats_server(size)` starts one server or a cluster."""
    started = []

    def start(size=1, **settings):
        started.append(NATS(tmp_path / "nats", size, **settings))
        return started[-1].start()

    yield start
    for server in started:
        server.close()


@pytest.fixture
def lossy_way():
    """`lossy_way(port)` listens for clients of a server on that port; `rate` makes it slow."""
    ways = []

    def start(port, **settings):
        ways.append(LossyWay(port, **settings))
        return ways[-1]

    yield start
    for way in ways:
        way.close()


@pytest.fixture
def edge(millrace, tmp_path):
    """`edge(nats)` takes OTLP and stores it in the stream; `parts` are those of its pipeline."""

    def start(nats, parts={}, name="edge", **settings):
        whole = {"receivers": ["otlp"], "processors": ["map", "route", "batch"], "exporters": ["relay"]} | parts
        exporters = {"relay": relay(nats.urls, replicas=len(nats.nodes)) | settings}
        return millrace(exporters, directory=tmp_path / name, pipelines={"traces": whole})

    return start


@pytest.fixture
def centre(millrace, tmp_path):
    """`centre(nats, exporters)` takes what lies in the stream; `parts` are those of its pipeline."""

    def start(nats, exporters, name="centre", receiver={}, parts={}, **sections):
        receivers = {
            "stream": {"type": "jetstream", "servers": nats.urls, "stream": "spans"} | receiver,
            "otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"},
        }
        whole = {"receivers": ["stream", "otlp"], "processors": ["batch"], "exporters": list(exporters)} | parts
        processors = {"batch": {"type": "batch", "linger": "50ms"}}
        sections = {"receivers": receivers, "pipelines": {"traces": whole}, "processors": processors} | sections
        return millrace(exporters, directory=tmp_path / name, **sections)

    return start


@pytest.fixture
def report(capsys):
    """Prints a figure that nothing is asserted about where a person sees it."""

    def report(line):
        with capsys.disabled():
            print(f"\n    {line}")

    return report


@pytest.fixture
def seeded(report):
    """Random numbers that MILLRACE_SEED repeats."""
    seed = int(os.environ.get("MILLRACE_SEED", time.time_ns() % 1_000_000))
    report(f"MILLRACE_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def at_some_moment(seeded):
    """`at_some_moment(seconds)` lets up to so many seconds pass: the moment is what is drawn, nothing is waited for."""
    return lambda seconds: threading.Event().wait(seeded.uniform(0, seconds))


@pytest.fixture
def service():
    """A service name that no other test has."""
    return f"service-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def run_app():
    """Runs an app of apps/ in the clients' environment, configured by nothing but its arguments and `settings`."""
    return lambda app, *arguments, **settings: run_to_end(APPS / app, *arguments, **settings)
