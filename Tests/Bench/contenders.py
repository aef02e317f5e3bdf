"""The proxies that are compared: how each is started in front of the sink, and how much of what it took has arrived."""

import json
import pathlib
import subprocess
import time
import urllib.request

import machine

NGINX_COMMON = """
daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log crit; worker_processes 1;
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
events {{ worker_connections 1024; }}
"""
NGINX_HTTP = """
client_max_body_size 0; {keep}
keepalive_requests 1000000000;
client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
"""
SINK = """
http {{ {http}
access_log {directory}/sink.log combined buffer=16k flush=100ms; client_body_buffer_size 16m;
server {{ listen 127.0.0.1:{port}; location / {{
    default_type application/x-protobuf; echo_read_request_body; echo_status 200; echo -n "";
}} }} }}
"""
PROXY = """
http {{ {http}
access_log off;
upstream sink {{ server 127.0.0.1:{sink}; keepalive 16; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://sink; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off;
}} }} }}
"""


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
            while not self.ready():
                if self.process.poll() is not None or time.monotonic() > started + 20:
                    text = (self.directory / "log").read_text(errors="replace")
                    raise machine.Failed(f"{type(self).__name__} did not start: {text[-500:]}")
            self.ready_ms = (time.monotonic() - started) * 1000
        return self

    def ready(self):
        return machine.listens(self.port)

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
    """nginx that reads every body whole and answers 200 (a bare `return` would not read it)."""

    cpu = 1

    def __init__(self, directory, keeps_bodies):
        super().__init__(directory)
        self.keeps_bodies = keeps_bodies

    def command(self):
        return nginx(self.directory, SINK, keep=self.keeps_bodies, port=self.port)

    def settled(self):
        """Waits until half a second passes without a request more; returns how long ago the last one was."""
        size, since = -1, time.monotonic()
        while time.monotonic() - since < 0.5:
            now = (self.directory / "sink.log").stat().st_size
            if now != size:
                size, since = now, time.monotonic()
            time.sleep(0.05)
        return time.monotonic() - since

    def kept_spans(self):
        """The spans in the bodies kept since the last call, which are removed."""
        total = 0
        for path in (self.directory / "body").iterdir():
            total += machine.spans_in(path.read_bytes())
            path.unlink()
        return total


class Nginx(Server):
    """The reference: the same bytes passed on as they come, unparsed, with the buffers that nginx has by default."""

    name = "nginx"
    needs_bodies = False

    def __init__(self, directory, sink, _):
        super().__init__(directory)
        self.sink = sink

    def command(self):
        return nginx(self.directory, PROXY, port=self.port, sink=self.sink.port)

    def delivered(self, accepted, spans):
        """Waits for the last of `accepted` requests of `spans` spans: (spans that arrived since the last call, seconds
        that the waiting itself took too long)."""
        return accepted * spans, 0.0


class Rotel(Server):
    """Cannot send without gzip in this release, and answers before it delivers; so what arrived is counted."""

    name = "rotel (gzip out)"
    needs_bodies = True

    def __init__(self, directory, sink, agent):
        super().__init__(directory)
        self.sink = sink
        self.agent = agent

    def command(self):
        return [
            *(self.agent, "start", "--otlp-http-endpoint", f"127.0.0.1:{self.port}"),
            *("--otlp-grpc-endpoint", f"127.0.0.1:{machine.free_port()}"),
            *("--exporter", "otlp", "--otlp-exporter-protocol", "http"),
            *("--otlp-exporter-endpoint", f"http://127.0.0.1:{self.sink.port}"),
            *("--pid-file", self.directory / "pid", "--log-file", self.directory / "agent.log"),
        ]

    def delivered(self, accepted, spans):
        idle = self.sink.settled()
        return self.sink.kept_spans(), idle


class Millrace(Server):
    """Mapped, routed, journaled with a sync before each answer, batched, forwarded in plaintext."""

    name = "millrace"
    needs_bodies = False
    sync = "batch"

    def __init__(self, directory, sink, binary):
        super().__init__(directory)
        self.binary = binary
        self.seen = 0
        self.admin = machine.free_port()
        self.file = self.directory / "pipeline.json"
        pipeline = {
            "receivers": {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{self.port}"}},
            "processors": {
                "map": {"type": "mlflow_map"},
                "route": {"type": "mlflow_experiment"},
                "batch": {"type": "batch"},
            },
            "exporters": {
                "sink": {"type": "otlp_http", "endpoint": f"http://127.0.0.1:{sink.port}", "compression": "none"}
            },
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": ["map", "route", "batch"], "exporters": ["sink"]}
            },
            "journal": {"directory": str(self.directory / "journal"), "sync": self.sync},
            "admin": {"listen": f"127.0.0.1:{self.admin}"},
        }
        self.file.write_text(json.dumps(pipeline))

    def command(self):
        return [self.binary, "run", "--config", self.file]

    def ready(self):
        return machine.listens(self.port) and machine.listens(self.admin)

    def delivered(self, accepted, spans):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/ledger", timeout=10) as answer:
                row = json.load(answer)["pipelines"]["traces"]["destinations"]["sink"]
            if row["queued"] == 0:
                new = row["delivered"] - self.seen
                self.seen = row["delivered"]
                return new, 0.0
            time.sleep(0.02)
        raise machine.Failed(f"not delivered within a minute: {row}")


def nginx(directory, http, keep=False, **values):
    file = directory / "nginx.conf"
    common = NGINX_HTTP.format(directory=directory, keep="client_body_in_file_only on;" if keep else "")
    file.write_text(NGINX_COMMON.format(directory=directory) + http.format(http=common, directory=directory, **values))
    return ["nginx", "-c", file, "-p", directory, "-e", directory / "error.log"]


class Unsynced(Millrace):
    """The same, with the journal left to the operating system: what durability costs is the difference."""

    name = "millrace, sync never"
    sync = "never"
