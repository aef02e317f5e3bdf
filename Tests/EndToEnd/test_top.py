"""`millrace top`: a table of the running process, on a terminal as it changes."""

import re
import signal

import pytest

from conftest import AWAY
from kit.environments import BINARY
from kit.millrace import run
from kit.terminal import Terminal
from kit.waiting import eventually


@pytest.fixture
def gateway(millrace, archives):
    gateway = millrace({"archive": archives("archive"), "away": AWAY})
    gateway.send("shop", traces=20)
    return gateway


@pytest.fixture
def terminal(gateway, tmp_path):
    terminal = Terminal(tmp_path, BINARY, "top", "--config", gateway.file)
    yield terminal
    terminal.close()


def row(text, name):
    """The cells of a component's row."""
    lines = (line.strip() for line in text.splitlines())
    return next(re.split(r"\s{2,}", line) for line in lines if line.startswith(name))


def test_a_terminal_shows_the_table_as_it_changes_until_q(terminal, gateway):
    def shown():
        text = terminal.text
        assert text.startswith("millrace ") and "q ends" in text
        assert row(text, "otlp")[1:2] + row(text, "otlp")[3:4] == ["receiver", "100"]
        assert row(text, "archive")[-1] == "delivering"
        name, kind, rate, total, backlog, oldest, errors, *state = row(text, "away")
        assert (kind, total, backlog) == ("exporter", "0", "100") and int(errors) > 0
        assert "Could not connect" in text or "Couldn't connect" in text or "Failed to connect" in text
        return text

    eventually(shown, within=30, every=0.2)
    gateway.send("shop", traces=2)

    def grown():
        cells = row(terminal.text, "otlp")
        return cells[3] == "110" and cells[2] not in ("–", "0.0")

    eventually(grown, within=15, every=0.2)
    terminal.tmux("resize-window", "-x", "60", "-y", "12")
    eventually(lambda: all(len(line) <= 60 for line in terminal.text.splitlines()) and "…" in terminal.text, within=15, every=0.2)
    terminal.keys("q")
    eventually(lambda: "back at the shell" in terminal.text and "COMPONENT" not in terminal.text, within=15, every=0.2)
    assert terminal.ended.read_text() == "0\n"


def test_it_goes_on_through_a_restart_and_ends_by_ctrl_c(terminal, gateway):
    eventually(lambda: "COMPONENT" in terminal.text, within=30, every=0.2)
    gateway.stop()
    eventually(lambda: "no answer, retrying" in terminal.text, within=15, every=0.2)
    gateway.start()
    eventually(lambda: "q ends" in terminal.text and "away" in terminal.text, within=15, every=0.2)
    terminal.keys("C-c")
    eventually(lambda: terminal.ended.exists() and terminal.ended.read_text() == "0\n", within=15, every=0.2)


def test_elsewhere_it_prints_one_table_and_ends(gateway):
    done = run("top", "--config", gateway.file)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert row(done.stdout, "COMPONENT") == ["COMPONENT", "KIND", "PER S", "TOTAL", "BACKLOG", "OLDEST", "ERRORS", "STATE"]
    assert row(done.stdout, "map")[1] == "processor"
    assert row(done.stdout, "away")[4] == "100"


@pytest.mark.parametrize("key", ["q", "C-c"])
def test_a_process_that_hangs_keeps_nobody(terminal, gateway, key):
    eventually(lambda: "COMPONENT" in terminal.text, within=30, every=0.2)
    gateway.process.send(signal.SIGSTOP)
    try:
        eventually(lambda: "no answer, retrying" in terminal.text, within=20, every=0.2)
        terminal.keys(key)
        eventually(lambda: terminal.ended.exists() and terminal.ended.read_text() == "0\n", within=4, every=0.1)
    finally:
        gateway.process.send(signal.SIGCONT)
