"""A way to a server over TCP that can lose what clients send, be slow with it, and be cut."""

import contextlib
import socket
import threading
import time


class LossyWay:
    def __init__(self, port, rate=None):
        """`rate` is how many bytes of clients pass in a second; None for all."""
        self.port, self.rate = port, rate
        self.loses = False
        """Whether what clients send is thrown away."""
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        if rate:
            # As much as a slow way holds, and not what this machine would.
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.port))
                except OSError:
                    client.close()
                    continue
                self.sockets |= {client, server}
                threading.Thread(target=self.carry, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self.carry, args=(server, client, False), daemon=True).start()

    def carry(self, source, target, is_lossy):
        with contextlib.suppress(OSError):
            while piece := source.recv(16384):
                if is_lossy and self.rate:
                    time.sleep(len(piece) / self.rate)
                if not (is_lossy and self.loses):
                    target.sendall(piece)
        self.end({source, target})

    def end(self, sockets):
        for end in sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Ends all connections; new ones lose nothing."""
        self.end(self.sockets)
        self.loses = False

    def close(self):
        self.end(self.sockets)
        self.listener.close()
        for end in self.sockets:
            end.close()
