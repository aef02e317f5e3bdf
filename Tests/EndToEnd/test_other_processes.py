"""What belongs to another process or user is left alone, with a word that says so."""

import os
import socket
import stat
from pathlib import Path

import pytest

from conftest import AWAY
from kit.millrace import run


def test_a_socket_that_another_process_listens_on_is_not_taken(millrace, archives, service, tmp_path):
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        gateway = millrace({"kept": archives("kept")}, starts=False, admin={"listen": f"unix:{path}"})
        done = run("run", "--config", gateway.file)
        assert done.returncode == 1
        assert str(path) in done.stderr and "use" in done.stderr
        assert stat.S_ISSOCK(path.stat().st_mode)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
def test_a_command_leaves_no_files_of_its_own_in_another_users_journal(millrace, archives, service):
    gateway = millrace({"kept": archives("kept"), "away": AWAY}, drain_timeout="200ms")
    gateway.send(service)
    gateway.delivered("kept", 20)
    gateway.stop()
    journal = Path(gateway.pipeline["journal"]["directory"])
    before = sorted(str(path) for path in journal.rglob("*"))
    os.chown(journal, 12345, 12345)
    for command in ("ledger", "dead-letters"):
        arguments = [command, *(["list"] if command == "dead-letters" else [])]
        done = run(*arguments, "--config", gateway.file)
        assert done.returncode == 1
        assert "12345" in done.stderr and str(journal) in done.stderr
    assert sorted(str(path) for path in journal.rglob("*")) == before
