"""Waiting for a condition, never for a time."""

import socket
import time


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
