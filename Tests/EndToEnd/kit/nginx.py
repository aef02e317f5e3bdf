"""Debian's nginx in front of a server, as operators put it there, with faults that a test turns on and off.

A fault is a file that nginx looks for at each request, so turning one needs no reload and is there at once.
"""

import contextlib

from kit.environments import clean_environment, free_port
from kit.processes import Process
from kit.waiting import listening

STATUSES = (502, 503, 504)
CONFIGURATION = """
user root;
daemon off; pid {directory}/nginx.pid; error_log {directory}/nginx-error.log warn; worker_processes 1;
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
events {{ worker_connections 1024; }}
http {{
  log_format answers '$request_method $uri $status $upstream_status $request_length';
  access_log {directory}/nginx-access.log answers;
  client_body_temp_path {directory}/nginx-body; proxy_temp_path {directory}/nginx-proxy;
  fastcgi_temp_path {directory}/nginx-fastcgi; uwsgi_temp_path {directory}/nginx-uwsgi;
  scgi_temp_path {directory}/nginx-scgi;
  client_max_body_size {max_body};
  proxy_set_header Host {upstream};
  proxy_read_timeout 300s; proxy_ignore_client_abort on;
  server {{
    listen 127.0.0.1:{port};
    {statuses}
    location / {{ proxy_pass http://{upstream}; }}
    location = /v1/traces {{
      if (-f {directory}/nginx-slow) {{ rewrite ^ /faults/slow last; }}
      if (-f {directory}/nginx-cut) {{ rewrite ^ /faults/cut last; }}
      proxy_pass http://{upstream};
    }}
    # Passed on after a while, whether or not the client still waits.
    location = /faults/slow {{
      internal;
      echo_read_request_body; echo_sleep {seconds}; echo_exec /faults/passed;
    }}
    # Passed on; then the answer, which is empty, announces a body, and the connection is closed.
    location = /faults/cut {{
      internal;
      add_header Content-Length 4096 always; keepalive_timeout 0;
      proxy_pass http://{upstream}/v1/traces;
    }}
    location = /faults/passed {{ internal; proxy_pass http://{upstream}/v1/traces; }}
  }}
}}
"""


class Nginx:
    """Faults: "502", "503", "504", "slow" (the answer comes `seconds` later), "cut" (it ends in the middle)."""

    def __init__(self, directory, upstream, max_body="0", seconds=3):
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.file = directory / "nginx.conf"
        self.file.write_text(
            CONFIGURATION.format(
                directory=directory,
                port=self.port,
                upstream=upstream.url.removeprefix("http://"),
                max_body=max_body,
                seconds=seconds,
                statuses="\n    ".join(
                    f"if (-f {directory}/nginx-{status}) {{ return {status}; }}" for status in STATUSES
                ),
            )
        )
        arguments = ["nginx", "-p", directory, "-c", self.file, "-e", directory / "nginx-error.log"]
        self.process = Process("nginx", arguments, directory, clean_environment())

    def start(self):
        self.process.start()
        listening(self.port, self.process)
        return self

    def close(self):
        self.process.end_group()

    @contextlib.contextmanager
    def fault(self, name):
        """Holds for the block."""
        switch = self.directory / f"nginx-{name}"
        switch.touch()
        try:
            yield
        finally:
            switch.unlink()

    def answers(self):
        """[(status to the client, status of the upstream or "-")] of the trace requests so far, in order."""
        paths = ("/v1/traces", "/faults/")
        return [(status, behind) for _, path, status, behind in self._log() if path.startswith(paths)]

    def failures(self, status):
        """How many requests of any kind got that status from nginx itself."""
        return sum((seen, behind) == (status, "-") for _, _, seen, behind in self._log())

    def _log(self):
        return [line.split()[:4] for line in (self.directory / "nginx-access.log").read_text().splitlines()]
