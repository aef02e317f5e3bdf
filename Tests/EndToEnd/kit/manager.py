"""A service manager's part: a listening socket that outlives the processes it is handed to."""

import socket
import sys

LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


class Manager:
    def __init__(self, name="otlp"):
        self.name = name
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = self.socket.getsockname()

    def launch(self, gateway):
        """Hands the socket to a gateway at each of its next starts, and tells the tests where it listens."""
        process = gateway.process
        descriptor = self.socket.fileno()
        process.arguments = [sys.executable, "-c", LAUNCH, str(descriptor), self.name, *process.arguments]
        process.handed = (descriptor,)

    def close(self):
        self.socket.close()
