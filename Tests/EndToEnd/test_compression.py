"""Compressed bodies on both sides, made and undone by the zstd and gzip commands' own libraries."""

import pytest
from conftest import otlp_exporter
from kit import otlp
from kit.sink import zstandard
from kit.waiting import eventually


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_destination_is_sent_what_was_accepted(millrace, sink, coding):
    seen = []
    sink.admits = lambda _, headers, body: seen.append((headers.get("content-encoding"), len(body))) or None
    gateway = millrace({"out": otlp_exporter(sink, compression=coding)})
    sent = gateway.send("shop", spans=50, padding=200)
    eventually(lambda: sent <= sink.spans)
    assert {name for name, _ in seen} == {coding}
    assert sum(size for _, size in seen) < 200 * len(sent) / 4
    assert gateway.failures("out") == 0


@pytest.mark.parametrize("options", [["-1"], ["-19"], ["--fast=5"], ["--no-check"], ["--stream-size=1000000"]])
def test_zstd_of_every_level_is_read(millrace, sink, options):
    gateway = millrace({"out": otlp_exporter(sink)})
    message = otlp.request("shop", spans=500, padding=100)
    body = message.SerializeToString()
    if options[0].startswith("--stream"):
        options = [f"--stream-size={len(body)}"]
    answer = gateway.post(zstandard(*options, data=body), content_encoding="zstd")
    assert answer.status_code == 200, answer.content
    eventually(lambda: set(otlp.spans_of(message)) <= sink.spans)


def test_a_window_over_the_limit_is_refused_with_words(millrace, sink):
    gateway = millrace({"out": otlp_exporter(sink)})
    body = otlp.request("shop", spans=3000, padding=9000).SerializeToString()
    answer = gateway.post(zstandard("--ultra", "-22", "--long=25", data=body), content_encoding="zstd")
    assert answer.status_code == 400
    assert "window is larger than 8 MiB" in otlp.status_message(answer)


def test_a_coding_by_another_name_is_taken_and_counted(millrace, sink):
    gateway = millrace({"out": otlp_exporter(sink)})
    message = otlp.request("shop")
    for name in ["x-zstd", "X-Zstd", "zstd"]:
        body = zstandard(data=message.SerializeToString())
        assert gateway.post(body, content_encoding=name, user_agent="till/1").status_code == 200
    assert gateway.metric("millrace_receiver_deviations_total", kind="x_zstd", client="till/1", signal="traces") == 2
    eventually(lambda: set(otlp.spans_of(message)) <= sink.spans)
