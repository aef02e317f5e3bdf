"""A listener that greets as NATS does and then does only what a test tells it; it keeps what it is sent."""

import contextlib
import json
import socket
import threading

INFO = {"server_id": "X", "server_name": "fake", "version": "2.12.0", "proto": 1, "headers": True, "max_payload": 1_048_576}


class FakeNATS:
    """`then(connection, count)` is called for each connection, with how many there were; `info` is added to what it greets with.

    With an `ssl.SSLContext` it goes on in TLS behind that.
    """

    def __init__(self, then=lambda connection, count: None, tls=None, **info):
        self.info, self.then, self.tls = INFO | info, then, tls
        self.received = bytearray()
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.greet, args=(connection, self.connections), daemon=True).start()

    def greet(self, connection, count):
        with contextlib.suppress(OSError), connection:
            connection.sendall(f"INFO {json.dumps(self.info)}\r\n".encode())
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            opening = b""
            while b"PING\r\n" not in opening:
                piece = connection.recv(65536)
                if not piece:
                    return
                opening += piece
                self.received += piece
            connection.sendall(b"PONG\r\n")
            self.then(connection, count)
            while piece := connection.recv(65536):
                self.received += piece

    def close(self):
        self.listener.close()
