"""The proxies that are compared: how each is started in front of the sink."""

import json
import pathlib
import shutil
import subprocess
import time
import urllib.request

import machine

NGINX = """
daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log crit; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
access_log off; client_max_body_size 0; keepalive_requests 1000000000;
client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
upstream sink {{ server 127.0.0.1:{sink}; keepalive 256; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{port} backlog=1024; location / {{
    proxy_pass {scheme}://sink; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off;
    {more}
}} }} }}
"""


TOKEN = "a-token-of-the-benchmark"
# How nginx reaches a Millrace, and one that asks for TLS and a token.
PLAIN = "proxy_set_header Host localhost;"
SECURED = f'{PLAIN} proxy_set_header Authorization "Bearer {TOKEN}";'


class Server:
    """A process pinned to one CPU that listens on a port of its own."""

    cpu = 0

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.port = machine.free_port()
        self.ready_ms = None

    def start(self):
        with open(self.directory / "log", "wb") as log:
            started = time.monotonic()
            self.process = subprocess.Popen(
                ["taskset", "-c", str(self.cpu), *map(str, self.command())], stdout=log, stderr=log
            )
            while not self.answers():
                if self.process.poll() is not None or time.monotonic() > started + 20:
                    text = (self.directory / "log").read_text(errors="replace")
                    raise machine.Failed(f"{type(self).__name__} did not start: {text[-500:]}")
                time.sleep(0.001)
            self.ready_ms = (time.monotonic() - started) * 1000
        return self

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def pid(self):
        return self.process.pid


class Sink(Server):
    """Tests/Bench/sink.c, which counts the spans that reach it."""

    cpu = 1

    def __init__(self, directory, tools):
        super().__init__(directory)
        self.program = tools / "sink"

    def command(self):
        return [self.program, self.port]

    def answers(self):
        return machine.listens(self.port)

    def spans(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=60) as answer:
            return json.load(answer)["spans"]

    def wait_for(self, expected, patience=3):
        """Waits until so many spans have come, or none more for `patience` seconds: (spans, seconds since the last)."""
        last, since = self.spans(), time.monotonic()
        while last < expected and time.monotonic() < since + patience:
            time.sleep(0.02)
            if (spans := self.spans()) != last:
                last, since = spans, time.monotonic()
        return last, time.monotonic() - since


class Contender(Server):
    """A proxy, ready when it has answered one request of `first`, a body in protobuf, with 200."""

    first = None
    # Whether it is sent requests over gRPC, at the port `called`.
    calls = False

    def __init__(self, directory, sink, program):
        super().__init__(directory)
        self.sink = sink
        self.program = program

    def answers(self):
        return machine.status(self.port, self.first, "application/x-protobuf") == 200


class Nginx(Contender):
    """The reference: the same bytes passed on as they come, unparsed, with the buffers that nginx has by default."""

    name = "nginx"

    def command(self):
        return nginx_command(self.program, self.directory, self.port, self.sink.port)


class Rotel(Contender):
    """Cannot send without gzip in this release, and answers before it delivers."""

    name = "rotel (gzip out)"

    def command(self):
        return [
            *(self.program, "start", "--otlp-http-endpoint", f"127.0.0.1:{self.port}"),
            *("--otlp-grpc-endpoint", f"127.0.0.1:{machine.free_port()}"),
            *("--exporter", "otlp", "--otlp-exporter-protocol", "http"),
            *("--otlp-exporter-endpoint", f"http://127.0.0.1:{self.sink.port}"),
            *("--pid-file", self.directory / "pid", "--log-file", self.directory / "agent.log"),
        ]


class Millrace(Contender):
    """Mapped, routed, journaled with a sync before each answer, batched, forwarded in plaintext."""

    name = "millrace"
    sync = "batch"

    def command(self):
        file = self.directory / "pipeline.json"
        file.write_text(json.dumps(self.pipeline()))
        return [self.program, "run", "--config", file]

    def pipeline(self):
        journal = self.directory / "journal"
        return millrace_pipeline(self.port, machine.free_port(), self.sink.port, journal, self.sync)


class Called(Millrace):
    """The same, sent the same bodies over gRPC: HTTP/2 and its framing in place of HTTP/1.1."""

    name = "millrace, gRPC in"
    calls = True

    def pipeline(self):
        pipeline = super().pipeline()
        self.called = machine.free_port()
        pipeline["receivers"]["grpc"] = {"type": "otlp_grpc", "listen": f"127.0.0.1:{self.called}"}
        pipeline["pipelines"]["traces"]["receivers"].append("grpc")
        return pipeline


class Unsynced(Millrace):
    """The same, with the journal left to the operating system: what durability costs is the difference."""

    name = "millrace, sync never"
    sync = "never"


class Redacting(Millrace):
    """The same with `redact`, which finds nothing in these bodies: what looking costs is the difference."""

    name = "millrace, redact"

    def pipeline(self):
        return redacting(super().pipeline())


class Front(Server):
    """An nginx beside the load, which has neither TLS nor tokens."""

    cpu = 1

    def __init__(self, directory, port, is_secured):
        super().__init__(directory)
        self.behind = port
        self.way = ("https", SECURED) if is_secured else ("http", PLAIN)

    def command(self):
        return nginx_command(shutil.which("nginx"), self.directory, self.port, self.behind, *self.way)

    def answers(self):
        return machine.listens(self.port)


class Fronted(Millrace):
    """Behind the same nginx as the one below."""

    name = "millrace behind nginx, in plain text"
    is_secured = False

    def start(self):
        self.front = Front(self.directory / "front", self.port, self.is_secured).start()
        self.listens, self.port = self.port, self.front.port
        return super().start()

    def stop(self):
        self.front.stop()
        super().stop()

    def pipeline(self):
        pipeline = millrace_pipeline(self.listens, machine.free_port(), self.sink.port, self.directory / "journal")
        return secured(pipeline, self.directory) if self.is_secured else pipeline


class Secured(Fronted):
    """The same with TLS and tokens: what they cost is the difference."""

    name = "millrace behind nginx, TLS and token"
    is_secured = True


def nginx_command(program, directory, port, behind, scheme="http", more=""):
    """Writes its settings, and starts an nginx that passes bytes on unparsed."""
    file = directory / "nginx.conf"
    file.write_text(NGINX.format(directory=directory, port=port, sink=behind, scheme=scheme, more=more))
    return [program, "-c", file, "-p", directory, "-e", directory / "error.log"]


def secured(pipeline, directory):
    """The same with a certificate of its own, made in the directory, and a member with `TOKEN`."""
    key, certificate = directory / "tls.key", directory / "tls.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost".split()
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    pipeline["receivers"]["otlp"] |= {
        "tls": {"certificate": str(certificate), "key": str(key)},
        "auth": {"bearer": [{"name": "bench", "token": TOKEN}]},
    }
    return pipeline


def redacting(pipeline):
    """The same with every usual detector."""
    pipeline["processors"]["redact"] = {"type": "redact"}
    pipeline["pipelines"]["traces"]["processors"].insert(0, "redact")
    return pipeline


def millrace_pipeline(port, admin, sink, journal, sync="batch"):
    """The pipeline file of what is measured."""
    return {
        "receivers": {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{port}"}},
        "processors": {
            "map": {"type": "mlflow_map"},
            "route": {"type": "mlflow_experiment"},
            "batch": {"type": "batch"},
        },
        "exporters": {"sink": {"type": "otlp_http", "endpoint": f"http://127.0.0.1:{sink}", "compression": "none"}},
        "pipelines": {
            "traces": {"receivers": ["otlp"], "processors": ["map", "route", "batch"], "exporters": ["sink"]}
        },
        "journal": {"directory": str(journal), "sync": sync},
        "admin": {"listen": f"127.0.0.1:{admin}"},
    }
