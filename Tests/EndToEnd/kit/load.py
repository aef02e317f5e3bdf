"""Apps under way: threads that post traces, log records or metrics at a steady rate, and remember which of them were answered 200."""

import collections
import http.client
import threading

from kit import otlp
from kit.waiting import eventually


class Load:
    """`with Load(millrace, service) as load:` posts from `threads` threads, each `rate` requests a second.

    A connection that breaks is opened again and the request is sent again, as SDKs do; it counts as `broken`. What is
    refused is given up; `unadvised` counts refusals that do not say when to come back.
    """

    def __init__(self, millrace, service, threads=4, rate=8.0, spans=5, padding=0, signal="traces"):
        self.address = millrace.address
        self.service = service
        self.spans = spans
        self.padding = padding
        self.signal = signal
        self.pause = 1 / rate
        self.acknowledged = set()
        self.statuses = collections.Counter()
        self.broken = 0
        self.unadvised = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self._threads)

    def acknowledge(self, count, within=60):
        """Waits until `count` spans more have been answered 200."""
        goal = len(self.acknowledged) + count
        eventually(lambda: len(self.acknowledged) >= goal, within=within)

    def refused(self, within=60):
        """Waits until requests are refused."""
        before = self._refusals
        eventually(lambda: self._refusals >= before + 10, within=within)

    @property
    def _refusals(self):
        return sum(count for status, count in self.statuses.items() if status != 200)

    def _run(self):
        connection = self._connection()
        while not self._ended.is_set():
            message = otlp.request_of(self.signal, self.service, self.spans, self.padding)
            body, spans = message.SerializeToString(), otlp.pairs_of(self.signal, message)
            while not self._ended.is_set():
                try:
                    connection.request("POST", f"/v1/{self.signal}", body, {"content-type": "application/x-protobuf"})
                    response = connection.getresponse()
                    response.read()
                except (OSError, http.client.HTTPException):
                    with self._lock:
                        self.broken += 1
                    connection.close()
                    connection = self._connection()
                    self._ended.wait(self.pause)
                    continue
                with self._lock:
                    self.statuses[response.status] += 1
                    if response.status == 200:
                        self.acknowledged.update(spans)
                    elif not response.headers["retry-after"]:
                        self.unadvised += 1
                break
            self._ended.wait(self.pause)

    def _connection(self):
        return http.client.HTTPConnection(*self.address, timeout=20)
