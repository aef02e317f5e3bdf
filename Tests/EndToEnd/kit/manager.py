"""A service manager's part: listening sockets that outlive the processes they are handed to."""

import fcntl
import os
import socket
import sys

LAUNCH = """
import os, sys
given = [int(number) for number in sys.argv[1].split(",")]
for number, descriptor in enumerate(given):
    os.dup2(descriptor, 3 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""
CLEAR_OF_THE_GIVEN = 100


class Manager:
    """A socket for each name; `address` is where the first one listens, `addresses` where all do."""

    def __init__(self, *names):
        self.names = names or ("otlp",)
        self.sockets = [socket.create_server(("127.0.0.1", 0), backlog=1024) for _ in self.names]
        self.addresses = dict(zip(self.names, (each.getsockname() for each in self.sockets)))
        self.address = self.addresses[self.names[0]]
        # Above the places that they are moved to.
        self._handed = tuple(
            fcntl.fcntl(each.fileno(), fcntl.F_DUPFD_CLOEXEC, CLEAR_OF_THE_GIVEN) for each in self.sockets
        )

    def launch(self, gateway):
        """Hands the sockets to a gateway at each of its next starts, which take the place of its `listen`."""
        process = gateway.process
        given = ",".join(map(str, self._handed))
        process.arguments = [sys.executable, "-c", LAUNCH, given, ":".join(self.names), *process.arguments]
        process.handed = self._handed

    def close(self):
        for each in self.sockets:
            each.close()
        for descriptor in self._handed:
            os.close(descriptor)
