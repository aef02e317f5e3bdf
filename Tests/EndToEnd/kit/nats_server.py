"""Real servers of NATS with JetStream, one or a cluster of three, and what lies in their streams."""

import asyncio
import json
import signal
import urllib.request

import nats

from kit.environments import clean_environment, free_port, program
from kit.processes import Process
from kit.waiting import eventually


class Node:
    def __init__(self, directory, name, extra="", port=0):
        self.name = name
        self.client, self.http, self.route = free_port(port), free_port(), free_port()
        self.directory = directory / name
        self.directory.mkdir(parents=True)
        self.file = self.directory / "nats.conf"
        self.extra = extra
        self.process = Process(name, [program("clients", "nats-server"), "-c", self.file], self.directory, clean_environment())

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.client}"

    def write(self, routes, limit, store):
        lines = [
            f"server_name: {self.name}",
            f"listen: 127.0.0.1:{self.client}",
            f"http: 127.0.0.1:{self.http}",
            f"max_payload: {limit}",
            f'jetstream {{ store_dir: "{self.directory}/store", max_file_store: {store}, sync_interval: always }}',
            self.extra,
        ]
        if routes:
            nodes = ", ".join(f"nats-route://127.0.0.1:{port}" for port in routes)
            lines.append(f"cluster {{ name: mr, listen: 127.0.0.1:{self.route}, routes: [{nodes}] }}")
        self.file.write_text("\n".join(lines) + "\n")

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=5) as answer:
            return json.load(answer)

    def kill(self):
        """kill -9."""
        if self.process.running:
            self.process.send(signal.SIGKILL)
            self.process.wait(10)


class NATS:
    """`size` servers; the stream's leader and what is in it, by the servers' own words."""

    def __init__(self, directory, size=1, extra="", port=0, limit="8MB", store="256MB"):
        """The servers listen on `port` and the next ones where these are free."""
        numbers = range(1, size + 1)
        self.nodes = [Node(directory, f"n{number}", extra, port and port + number - 1) for number in numbers]
        for node in self.nodes:
            node.write([node.route for node in self.nodes] if size > 1 else [], limit, store)

    def start(self):
        for node in self.nodes:
            if not node.process.running:
                node.process.start()
        eventually(self.healthy, within=60, every=0.1)
        return self

    def healthy(self):
        for node in self.nodes:
            node.process.expect_running()
            assert node.ask("/healthz")["status"] == "ok"
        return True

    @property
    def urls(self):
        return [node.url for node in self.nodes]

    def close(self):
        for node in self.nodes:
            if node.process.running:
                node.process.send(signal.SIGCONT)
            node.process.end_group(signal.SIGKILL)

    def stream(self, name):
        """What one of the servers says of a stream; None where there is none."""
        for node in self.nodes:
            try:
                accounts = node.ask("/jsz?streams=1&consumers=1&config=1")["account_details"]
            except OSError:
                continue
            for account in accounts:
                for stream in account.get("stream_detail", []):
                    if stream["name"] == name:
                        return stream
        return None

    def messages(self, name):
        """How many messages a stream holds, as its leader says: another server may count one a while longer that was taken."""
        return self.call(lambda client: client.jetstream().stream_info(name)).state.messages

    def leader(self, name):
        """The server that leads a stream."""
        leader = self.stream(name)["cluster"]["leader"]
        return next(node for node in self.nodes if node.name == leader)

    def call(self, body, **options):
        """Runs `await body(client)` with a client of its own, by another implementation."""

        async def run():
            client = await nats.connect(self.urls, connect_timeout=5, max_reconnect_attempts=3, **options)
            try:
                return await body(client)
            finally:
                await client.close()

        return asyncio.run(run())
