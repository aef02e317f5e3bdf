"""Clients that mean harm with well-formed input: `python hostile.py HOST:PORT ADMIN-HOST:PORT SECONDS CLIENTS`.

Each client is a thread with a source address of its own and one way to harm, which it repeats until the time is over. The
last line of the output is one JSON document: answers by way and status.
"""

import collections
import gzip
import http.client
import json
import random
import socket
import sys
import threading
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KIB = 1 << 10
MIB = 1 << 20
POST = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n"


def spans(message, count, service="hostile", trace=None, root=False):
    """Adds `count` spans of a resource of their own; the resource and the spans."""
    resource = message.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    scope = resource.scope_spans.add()
    made = []
    for _ in range(count):
        span = scope.spans.add(trace_id=trace or random.randbytes(16), span_id=random.randbytes(8), name="hostile")
        span.start_time_unix_nano, span.end_time_unix_nano = time.time_ns(), time.time_ns() + 1
        if not root:
            span.parent_span_id = random.randbytes(8)
        made.append(span)
    return resource.resource, made


def one(count=1, **named):
    message = ExportTraceServiceRequest()
    return (message, *spans(message, count, **named))


def large_resource():
    message, resource, _ = one(400)
    resource.attributes.add(key="ballast").value.string_value = "r" * 512 * KIB
    return message.SerializeToString()


def large_resource_of_many_routes():
    """A resource that is repeated for each of many services, which the roots of its traces name elsewhere."""
    message, resource, made = one(48)
    resource.attributes.add(key="ballast").value.string_value = "r" * MIB
    for number, span in enumerate(made):
        spans(message, 1, service=f"hostile-{number}", trace=span.trace_id, root=True)
    return message.SerializeToString()


def many_services():
    message = ExportTraceServiceRequest()
    for number in range(200):
        spans(message, 1, service=f"hostile-{number}")
    return message.SerializeToString() + b"\xfa\x3f\x80\x80\x20" + b"u" * 512 * KIB  # an unknown top-level field


def many_roots():
    message, _, made = one(2000, trace=random.randbytes(16), root=True)
    tags = json.dumps([f"tag-{number}" for number in range(5000)])
    for span in made[:50]:
        span.attributes.add(key="langfuse.trace.tags").value.string_value = tags[: 4 * KIB]
    made[0].attributes.add(key="langfuse.trace.tags").value.string_value = tags
    return message.SerializeToString()


def long_name():
    return one(service="n" * 256 * KIB)[0].SerializeToString()


def new_names():
    message = ExportTraceServiceRequest()
    for _ in range(40):
        spans(message, 1, service=f"hostile-{random.getrandbits(64):x}")
    return message.SerializeToString()


def growing_tool_calls():
    message, _, (span,) = one()
    calls = '[{"role":"assistant","tool_calls":[' + ",".join(["{}"] * (64 * KIB)) + "]}]"
    span.attributes.add(key="gen_ai.input.messages").value.string_value = calls
    span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
    return message.SerializeToString()


def many_attributes():
    message, resource, _ = one(2000)
    for number in range(20_000):
        resource.attributes.add(key=f"key.{number}").value.int_value = number
    return message.SerializeToString()


def repeated_content():
    message, _, (span,) = one()
    text = json.dumps([{"role": "user", "content": "x" * 100}] * 200)
    for _ in range(20):
        span.attributes.add(key="gen_ai.input.messages").value.string_value = text
    return message.SerializeToString()


def long_text_for_patterns():
    message, _, (span,) = one()
    span.attributes.add(key="note").value.string_value = "error" * 50 * KIB
    return message.SerializeToString()


def control_characters():
    return one(service="\x1b[2J\r\nERROR forged \u202e\x00")[0].SerializeToString()


def deep_values():
    message, _, (span,) = one()
    value = span.attributes.add(key="deep").value
    for _ in range(90):
        value = value.array_value.values.add()
    return message.SerializeToString()


def larger_than_the_journal():
    message, _, (span,) = one()
    span.attributes.add(key="ballast").value.string_value = "b" * 15 * MIB
    return message.SerializeToString()


BODIES = [
    large_resource,
    large_resource_of_many_routes,
    many_services,
    many_roots,
    long_name,
    new_names,
    growing_tool_calls,
    many_attributes,
    repeated_content,
    long_text_for_patterns,
    control_characters,
    deep_values,
    larger_than_the_journal,
]


class Client(threading.Thread):
    def __init__(self, number, way, address, admin, pause, answers, ended):
        super().__init__(daemon=True)
        self.source = (f"127.0.{1 + number // 250}.{1 + number % 250}", 0)
        self.way, self.address, self.admin, self.pause = way, address, admin, pause
        self.answers, self.ended = answers, ended

    def run(self):
        act = post_bodies(self.way) if self.way in BODIES else self.way
        while not self.ended.is_set():
            try:
                outcome = act(self)
            except (OSError, http.client.HTTPException) as error:
                outcome = type(error).__name__
            self.answers[f"{self.way.__name__}: {outcome}"] += 1
            self.ended.wait(self.pause)

    def connect(self, address=None):
        return socket.create_connection(address or self.address, timeout=30, source_address=self.source)

    def post(self, body, **headers):
        connection = http.client.HTTPConnection(*self.address, timeout=60, source_address=self.source)
        try:
            headers = {"content-type": "application/x-protobuf"} | headers
            connection.request("POST", "/v1/traces", body, headers)
            return connection.getresponse().status
        finally:
            connection.close()


def post_bodies(make):
    made = [make() for _ in range(4)]
    return lambda client: client.post(random.choice(made))


def bombs(client):
    return client.post(BOMB, **{"content-encoding": "gzip"})


def new_headers(client):
    return client.post(one()[0].SerializeToString(), **{"x-tenant": f"{random.getrandbits(64):x}" * 100})


def other_hosts(client):
    return client.post(b"", host="rebound.example")


def silent_bodies(client):
    """Sends a quarter of what it announced, and nothing more."""
    with client.connect() as connection:
        connection.sendall(POST.format(16 * MIB).encode() + bytes(4 * MIB))
        return answered(connection, client, within=5)


def slow_heads(client):
    with client.connect() as connection:
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nhost: loc")
        return answered(connection, client, within=5)


def idle_connections(client):
    connections = [client.connect() for _ in range(40)]
    client.ended.wait(3)
    for connection in connections:
        connection.close()
    return "closed"


def slow_admin(client):
    connections = [client.connect(client.admin) for _ in range(20)]
    for connection in connections:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nho")
    client.ended.wait(3)
    for connection in connections:
        connection.close()
    return "closed"


def unread_answers(client):
    """Pipelines requests without reading an answer."""
    body = one()[0].SerializeToString()
    with client.connect() as connection:
        connection.settimeout(3)
        connection.sendall((POST.format(len(body)).encode() + body) * 5000)
        return "sent"


def silent_compressed_bodies(client):
    """Announces compressed bodies and sends nothing of them."""
    connections = [client.connect() for _ in range(40)]
    head = POST.format(1000).replace("\r\n\r\n", "\r\ncontent-encoding: gzip\r\n\r\n").encode()
    for connection in connections:
        connection.sendall(head)
    client.ended.wait(3)
    for connection in connections:
        connection.close()
    return "closed"


def answered(connection, client, within):
    connection.settimeout(within)
    try:
        return connection.recv(64).split(b" ")[1].decode() if not client.ended.is_set() else "ended"
    except (TimeoutError, IndexError):
        return "nothing"


BOMB = gzip.compress(bytes(128 * MIB), 1)
WAYS = [
    *BODIES,
    bombs,
    new_headers,
    other_hosts,
    silent_bodies,
    silent_compressed_bodies,
    slow_heads,
    idle_connections,
    slow_admin,
    unread_answers,
]


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def main(receiver, admin, seconds, clients, pause):
    answers, ended = collections.Counter(), threading.Event()
    ways = [WAYS[number % len(WAYS)] for number in range(int(clients))]
    threads = [
        Client(number, way, address(receiver), address(admin), float(pause), answers, ended)
        for number, way in enumerate(ways)
    ]
    for thread in threads:
        thread.start()
    ended.wait(float(seconds))
    ended.set()
    for thread in threads:
        thread.join(70)
    print(json.dumps(dict(sorted(answers.items()))))


if __name__ == "__main__":
    main(*sys.argv[1:])
