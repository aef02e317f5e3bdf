"""`millrace journal`: what lies on the disk, and whether it is whole."""

import pytest

from conftest import AWAY
from kit import journal
from kit.millrace import run


@pytest.fixture
def gateway(millrace, service):
    """Has records for a destination that is away."""
    gateway = millrace({"away": AWAY}, drain_timeout="200ms")
    gateway.send(service, traces=4)
    return gateway


@pytest.fixture
def folder(gateway, tmp_path):
    """The journal of that gateway, which has ended."""
    gateway.stop()
    return tmp_path / "journal"


def test_inspect_tells_segments_records_and_cursors_of_a_stopped_and_of_a_running_process(gateway, tmp_path):
    for _ in range(2):
        done = run("journal", "inspect", tmp_path / "journal")
        assert done.returncode == 0, done.stderr
        for segment in journal.segments(tmp_path / "journal"):
            assert f"segment {int(segment.stem)}:" in done.stdout
        assert "4 records, 20 items" in done.stdout
        assert "away" in done.stdout and "queued 20" in done.stdout
        if gateway.process.running:
            gateway.stop()


def test_verify_says_where_a_checksum_fails(folder):
    assert run("journal", "verify", folder).returncode == 0
    first = next(record for segment in journal.segments(folder) for record in journal.records(segment))
    first.flip(8 * (first.length - 1))
    done = run("journal", "verify", folder)
    assert done.returncode == 1
    assert first.segment.name in done.stdout and str(first.offset) in done.stdout, done.stdout


def test_a_directory_without_a_journal_fails_with_a_message(tmp_path):
    done = run("journal", "verify", tmp_path / "nothing")
    assert done.returncode == 1 and "nothing" in done.stderr
