"""Waiting for a condition, never for a time."""

import socket
import threading
import time


class Crowd:
    """Counts who is inside at once; `stay()` returns once `size` are, or after five seconds."""

    def __init__(self, size):
        self.size, self.peak = size, 0
        self._inside, self._full, self._lock = 0, threading.Event(), threading.Lock()

    def stay(self, *_):
        with self._lock:
            self._inside += 1
            self.peak = max(self.peak, self._inside)
            if self._inside == self.size:
                self._full.set()
        self._full.wait(5)
        with self._lock:
            self._inside -= 1


def eventually(probe, within=30.0, every=0.05):
    """The first truthy result of `probe`. Errors and false results mean "not yet" until `within` seconds are over."""
    deadline = time.monotonic() + within
    while True:
        reason = None
        try:
            result = probe()
            if result:
                return result
            reason = AssertionError(f"still {result!r} after {within} s")
        except Exception as error:
            reason = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {reason}") from reason
        time.sleep(every)


def listening(port, process, within=30.0):
    """Waits until `process` takes connections on a port of 127.0.0.1."""

    def connected():
        process.expect_running()
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return True

    eventually(connected, within=within, every=0.02)
