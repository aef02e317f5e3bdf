"""Load balancers as operators put them before a server, each connection begun with a PROXY header."""

from kit.environments import clean_environment, free_port
from kit.processes import Process
from kit.waiting import listening

HAPROXY = """
global
  maxconn 200
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen front
  bind 127.0.0.1:{port}
  server gateway {upstream} send-proxy-v2 check inter 100ms
"""
NGINX = """
user root;
daemon off; pid {directory}/balancer.pid; worker_processes 1;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
events {{ worker_connections 256; }}
stream {{
  server {{ listen 127.0.0.1:{port}; proxy_pass {upstream}; proxy_protocol on; }}
}}
"""


class Balancer:
    """haproxy sends version 2 of the header, and looks every 100 ms whether the server is there; nginx sends version 1."""

    def __init__(self, directory, upstream, program):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        file = directory / f"{program}.conf"
        text = {"haproxy": HAPROXY, "nginx": NGINX}[program]
        file.write_text(text.format(directory=directory, port=self.port, upstream=upstream))
        arguments = {
            "haproxy": ["haproxy", "-db", "-f", file],
            "nginx": ["nginx", "-p", directory, "-c", file, "-e", directory / "balancer-error.log"],
        }[program]
        environment = clean_environment()
        environment["PATH"] += ":/usr/sbin"
        self.process = Process(f"balancer-{program}", arguments, directory, environment)

    def start(self):
        self.process.start()
        listening(self.port, self.process)
        return self

    def close(self):
        self.process.end_group()
