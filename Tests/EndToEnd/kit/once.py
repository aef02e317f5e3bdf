"""Clients that try once, as Go's exporter does when it is refused: what is not answered 200 is lost."""

import collections
import http.client
import select
import threading

from kit import otlp


class Once:
    """`with Once(address, service) as clients:` posts from two threads, one on kept connections, one on new ones.

    `sent` has the spans of every request, `lost` what became of the requests that were not answered 200.
    """

    def __init__(self, address, service, rate=20.0, spans=5):
        self.address = address
        self.service = service
        self.spans = spans
        self.pause = 1 / rate
        self.sent = set()
        self.lost = collections.Counter()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(kept,), daemon=True) for kept in (True, False)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self._threads)

    def _run(self, kept):
        connection = self._connection()
        while not self._ended.wait(self.pause):
            if not kept or has_ended(connection):
                connection.close()
                connection = self._connection()
            message = otlp.request(self.service, self.spans)
            try:
                connection.request(
                    "POST", "/v1/traces", message.SerializeToString(), {"content-type": "application/x-protobuf"}
                )
                response = connection.getresponse()
                response.read()
                outcome = response.status
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                outcome = type(error).__name__
            with self._lock:
                self.sent.update(otlp.spans_of(message))
                if outcome != 200:
                    self.lost[outcome] += 1

    def _connection(self):
        return http.client.HTTPConnection(*self.address, timeout=20)


def has_ended(connection):
    """Whether the other side has closed a connection on which nothing is expected; a client's loop sees that too."""
    return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])
