"""A disk filled to the brim under load and freed: refusals that say when to come back in between, and nothing else."""

import pytest

from conftest import otlp_exporter
from kit import otlp
from kit.disk import files_limited
from kit.load import Load
from kit.millrace import all_signals

MIB = 1 << 20
JOURNAL = {"segment": "1MiB", "min_free": "64KiB"}


@pytest.fixture
def load(service):
    """Apps that send about 10 MiB a second."""

    def load(gateway, signal):
        return Load(gateway, service, threads=4, rate=25, spans=5, padding=20_000, signal=signal)

    return load


def expect_nothing_lost(gateway, sink, load, pid):
    """The process is the one that was started, and everything it acknowledged arrives."""
    assert (gateway.process.running, gateway.process.pid, load.broken) == (True, pid, 0)
    assert set(load.statuses) <= {200, 429, 503}
    assert load.unadvised == 0
    ledger = gateway.settled(accepted=len(load.acknowledged), within=120, signal=load.signal)
    row = ledger["destinations"]["sink"]
    assert row["delivered"] == row["accepted"] == len(load.acknowledged)
    assert ledger[f"refused_{otlp.ITEMS[load.signal]}"] == 5 * sum(count for status, count in load.statuses.items() if status != 200)
    assert sink.spans == load.acknowledged


def start(millrace, sink, signal, directory):
    """Spans with the usual processors, other signals with none."""
    exporters = {"sink": otlp_exporter(sink)}
    sections = {} if signal == "traces" else all_signals(exporters, [signal])
    return millrace(exporters, journal=JOURNAL | {"directory": str(directory / "journal")}, **sections)


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_a_full_disk_refuses_until_there_is_room_again(small_disk, millrace, sink, load, signal):
    gateway = start(millrace, sink, signal, small_disk.directory)
    pid = gateway.process.pid
    sink.close()
    with load(gateway, signal) as load:
        load.acknowledge(50)
        with small_disk.taken():  # by somebody else
            load.refused()
        load.acknowledge(50)
        load.refused()  # by the journal itself
        assert small_disk.free < 2 * MIB
        sink.start()
        load.acknowledge(50)
    expect_nothing_lost(gateway, sink, load, pid)


@pytest.mark.parametrize("signal", otlp.SIGNALS)
def test_files_that_may_not_grow_refuse_until_they_may(millrace, sink, load, tmp_path, signal):
    gateway = start(millrace, sink, signal, tmp_path)
    pid = gateway.process.pid
    sink.close()
    with load(gateway, signal) as load:
        load.acknowledge(50)
        with files_limited(pid, 64 << 10):
            load.refused()
        load.acknowledge(50)
        sink.start()
    expect_nothing_lost(gateway, sink, load, pid)
