"""A destination that is down is asked by one request at a time; one that is back gets everything."""

import threading

from conftest import otlp_exporter
from kit.waiting import eventually

TRACES = 60


class Down:
    """Answers 503 after a moment; counts how many requests were under way at once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.under_way = self.most = self.answered = 0

    def __call__(self, message):
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        threading.Event().wait(0.1)  # long enough for others to come, if they do
        with self.lock:
            self.under_way -= 1
            self.answered += 1
        return 503, {"message": "down"}


def test_one_request_at_a_time_asks_a_destination_that_is_down(millrace, sink, service):
    sink.close()
    gateway = millrace({"sink": otlp_exporter(sink, concurrency=8, batch={"spans": 5, "linger": "10ms"})})
    sent = gateway.send(service, traces=TRACES)

    def is_open():
        return gateway.metric("millrace_exporter_circuit_open", exporter="sink") == 1

    eventually(is_open)
    sink.refuses = down = Down()
    sink.start()
    eventually(lambda: down.answered >= 5)
    assert down.most == 1
    assert is_open() and gateway.row("sink")["queued"] == len(sent)
    sink.refuses = None
    row = gateway.settled(accepted=len(sent))["destinations"]["sink"]
    assert row["delivered"] == len(sent)
    assert sink.spans == sent
    assert not is_open()
