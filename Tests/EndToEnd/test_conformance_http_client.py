"""OTLP's rules for HTTP clients, kept by the otlp_http exporter. Each test has the name of its rule (kit/conformance.py)."""

import re
import time

import pytest
from conftest import otlp_exporter
from kit import otlp
from kit.millrace import PROTOBUF, QUICK_RETRY, all_signals
from kit.sink import Sink
from kit.waiting import Crowd, eventually

MIB = 1 << 20
PASSES = [429, 502, 503, 504]
"""Statuses that a client tries again after."""
FINAL = [400, 406, 409, 411, 412, 414, 416, 417, 418, 421, 422, 423, 424, 425, 426, 428, 431, 451, 499]
"""Statuses after which no gateway can do better than to keep what was refused."""
OURS = [301, 302, 307, 401, 402, 403, 404, 405, 407, 408, 410, 415, 500, 501, 505, 507, 599]
"""Statuses after which a client may drop what it has, and a gateway may not."""


@pytest.fixture
def sinks():
    """`sinks(count)` starts some."""
    started = []

    def start(count):
        started.extend(Sink().start() for _ in range(count))
        return started[-count:]

    yield start
    for sink in started:
        sink.close()


def out(millrace, sink, **settings):
    """A gateway for all signals with one exporter, which sends each request as it is."""
    exporters = {"out": otlp_exporter(sink, **{"batch": {"linger": "1ms"}} | settings)}
    return millrace(exporters, **all_signals(exporters))


def post(gateway, signal="traces", items=1, padding=0):
    message = otlp.request_of(signal, "shop", items, padding)
    assert gateway.post(message.SerializeToString(), path=f"/v1/{signal}").status_code == 200
    return set(otlp.pairs_of(signal, message))


def started_again(gateway, destinations):
    """Once all destinations take everything; a start asks at once what else would be asked again within a minute."""
    gateway.stop()
    for sink in destinations.values():
        sink.refuses = None
    gateway.start()


def posts_to_each(millrace, sinks, statuses):
    """A gateway that sends one span to a destination for each status, which answers it until `refuses` is None."""
    destinations = dict(zip(map(str, statuses), sinks(len(statuses))))
    for name, sink in destinations.items():
        sink.refuses = lambda _, status=int(name): (status, {"message": "so it is"})
    exporters = {name: otlp_exporter(sink) for name, sink in destinations.items()}
    gateway = millrace(exporters, drain_timeout="0s", **all_signals(exporters))
    return gateway, destinations, post(gateway)


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_requests_name_their_content_type_and_coding(millrace, sink, signal):
    seen = []
    sink.admits = lambda path, headers, body: seen.append((path, headers["content-type"], headers["content-encoding"])) or None
    gateway = out(millrace, sink, compression="gzip")
    for items in (1, 200):  # short bodies are not compressed
        sent = post(gateway, signal, items)
        eventually(lambda sent=sent: sent <= sink.spans)
    assert seen == [(f"/v1/{signal}", PROTOBUF, None), (f"/v1/{signal}", PROTOBUF, "gzip")]


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_requests_are_limited_before_compression(millrace, sink, signal):
    """By dividing them: between traces, and one metric between its data points."""
    sizes = []
    sink.admits = lambda _, headers, body: sizes.append(len(body)) or None
    gateway = out(millrace, sink, compression="none", batch={"linger": "1ms", "bytes": "64KiB"})
    message = otlp.REQUESTS[signal]()
    for _ in range(1 if signal == "metrics" else 40):
        message.MergeFrom(otlp.request_of(signal, "shop", items=200 if signal == "metrics" else 5, padding=2000))
    assert gateway.post(message.SerializeToString(), path=f"/v1/{signal}").status_code == 200
    sent = set(otlp.pairs_of(signal, message))
    eventually(lambda: sink.spans == sent)
    assert len(sizes) >= 6 and max(sizes) <= 72 << 10


def test_an_answer_over_4_mib_is_not_retryable_and_recorded(millrace, sink):
    sink.refuses = lambda _: (200, b" " * (4 * MIB + 1))
    gateway = out(millrace, sink)
    post(gateway)
    eventually(lambda: gateway.row("out")["dead_lettered"] == 1)
    assert len(sink.requests) == 1
    (letter,) = gateway.dead_letters()["dead_letters"]
    assert "over the limit of 4 MiB" in letter["reason"]


def test_what_passes_is_tried_again(millrace, sinks):
    gateway, destinations, sent = posts_to_each(millrace, sinks, PASSES)
    for name, sink in destinations.items():
        eventually(lambda name=name: gateway.failures(name) >= 2)
        sink.refuses = None
        eventually(lambda sink=sink: sink.spans == sent)


def test_what_does_not_pass_is_not_tried_again(millrace, sinks):
    gateway, destinations, _ = posts_to_each(millrace, sinks, FINAL)
    for name, sink in destinations.items():
        eventually(lambda name=name: gateway.row(name)["dead_lettered"] == 1)
        assert sink.requests == [(int(name), 1)]


def test_what_somebody_can_mend_is_kept(millrace, sinks):
    """The deviation of the rule before: nothing is dropped, and all arrives once the destination takes it."""
    gateway, destinations, sent = posts_to_each(millrace, sinks, OURS)
    for name in destinations:
        eventually(lambda name=name: gateway.failures(name) >= 1)
        assert not any(gateway.row(name)[outcome] for outcome in ("rejected", "expired", "lost"))
    started_again(gateway, destinations)
    for name, sink in destinations.items():
        if gateway.row(name)["dead_lettered"]:
            assert gateway.dead_letters("replay", "--exporter", name)["letters"] == 1
        eventually(lambda sink=sink: sink.spans == sent)


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_after_partial_success_nothing_is_sent_again(millrace, sink, signal):
    partial = {f"rejected{otlp.camel('_' + otlp.ITEMS[signal])}": "2", "errorMessage": "two are odd"}
    sink.refuses = lambda _: (200, {"partialSuccess": partial})
    gateway = out(millrace, sink)
    post(gateway, signal, items=5)
    row = gateway.settled(accepted=5, signal=signal)["destinations"]["out"]
    assert (row["delivered"], row["rejected"], len(sink.requests)) == (3, 2, 1)
    assert "two are odd" in gateway.process.log


def test_a_destination_that_names_a_pause_gets_it(millrace, sink):
    for status in (429, 503):
        times = []

        def refuses(_, status=status, times=times):
            times.append(time.monotonic())
            return (status, {}, {"retry-after": "2"}) if len(times) == 1 else None

        sink.refuses = refuses
        gateway = out(millrace, sink) if status == 429 else gateway
        sent = post(gateway)
        eventually(lambda sent=sent: sent <= sink.spans)
        assert times[1] - times[0] >= 2


def test_pauses_grow_and_differ(millrace, sinks):
    """Exponential backoff with jitter: of several exporters with the same settings no two keep the same pauses."""
    waits = {"initial": "200ms", "max": "10s"}
    times = {sink: [] for sink in sinks(6)}
    for sink, calls in times.items():
        sink.refuses = lambda _, calls=calls: calls.append(time.monotonic()) or (503, {})
    exporters = {f"out{number}": otlp_exporter(sink, retry=waits) for number, sink in enumerate(times)}
    gateway = millrace(exporters, drain_timeout="0s", **all_signals(exporters))
    post(gateway)
    eventually(lambda: all(len(calls) >= 6 for calls in times.values()), within=60)
    pauses = [[later - sooner for sooner, later in zip(calls, calls[1:6])] for calls in times.values()]
    assert len({round(pause, 2) for each in pauses for pause in each}) >= 15
    mean = [sum(column) / len(pauses) for column in zip(*pauses)]
    assert mean[3] + mean[4] > 2 * (mean[0] + mean[1]), mean


def test_a_connection_that_ends_without_an_answer_means_again(millrace, sink):
    """And one that cannot be opened too."""
    calls = []

    def breaks(*_):
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionAbortedError

    sink.admits = breaks
    gateway = out(millrace, sink)
    sent = post(gateway)
    eventually(lambda: sink.spans == sent)
    sink.close()
    sent |= post(gateway)
    eventually(lambda: gateway.failures("out") >= 4)
    sink.start()
    eventually(lambda: sink.spans == sent)


def test_connections_are_kept(millrace, sink):
    gateway = out(millrace, sink)
    for number in range(5):
        post(gateway)
        gateway.delivered("out", number + 1)  # the answer has come, so that the connection is free
    assert (sink.connections, len(sink.requests)) == (1, 5)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_how_many_requests_at_once_is_a_setting(millrace, sink, concurrency):
    gateway = out(millrace, sink, concurrency=concurrency, batch={"linger": "1ms", "spans": 5})
    for _ in range(20):  # the more are answered, the more go at once
        sent = post(gateway, items=5)
        eventually(lambda sent=sent: sent <= sink.spans)
    crowd = Crowd(concurrency)
    sink.admits = crowd.stay
    sent = set()
    for _ in range(8):
        sent |= post(gateway, items=5)
    eventually(lambda: sent <= sink.spans)
    assert crowd.peak == concurrency


def test_requests_say_who_sends_them(millrace, sink):
    """A distribution's own product, then the exporter's."""
    seen = []
    sink.admits = lambda _, headers, body: seen.append(headers["user-agent"]) or None
    gateway = out(millrace, sink)
    post(gateway)
    (agent,) = eventually(lambda: list(seen))
    assert re.fullmatch(r"Millrace/\d+\.\d+\.\d+\S* OTel-OTLP-Exporter-Swift/\d+\.\d+\.\d+\S*", agent), agent


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_what_was_not_taken_is_counted(millrace, sink, signal):
    sink.refuses = lambda _: (400, {"message": "no"})
    gateway = out(millrace, sink)
    post(gateway, signal)
    assert gateway.settled(accepted=1, signal=signal)["destinations"]["out"]["dead_lettered"] == 1
    assert gateway.metric(f"millrace_exporter_dead_lettered_{otlp.ITEMS[signal]}_total", signal=signal) == 1


def test_the_wait_at_the_end_is_a_setting(millrace, sink):
    sink.close()
    exporters = {"out": otlp_exporter(sink, retry=QUICK_RETRY)}
    gateway = millrace(exporters, drain_timeout="0s", **all_signals(exporters))
    post(gateway)
    start = time.monotonic()
    gateway.stop()
    assert time.monotonic() - start < 3
    sink.start()
    gateway.start()
    eventually(lambda: len(sink.spans) == 1)
