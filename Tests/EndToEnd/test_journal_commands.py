"""`millrace journal`: what lies on the disk, and whether it is whole."""

import pytest

from conftest import AWAY
from kit import journal
from kit.millrace import run


@pytest.fixture
def folder(millrace, service, tmp_path):
    """The journal of a process that has ended, with records for a destination that was away."""
    gateway = millrace({"away": AWAY}, drain_timeout="200ms")
    gateway.send(service)
    gateway.stop()
    return tmp_path / "journal"


def test_inspect_names_segments_records_and_cursors(folder):
    done = run("journal", "inspect", folder)
    assert done.returncode == 0, done.stderr
    for segment in journal.segments(folder):
        assert segment.name in done.stdout
    assert "away" in done.stdout


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
