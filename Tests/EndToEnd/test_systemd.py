"""The units of pipelines/deploy/systemd: what systemd says of them, and the shipped pipeline file behind their sockets."""

import json
import re
import shutil
import subprocess

import pytest
import requests

from kit import otlp
from kit.environments import BINARY, CHECKOUT, clean_environment, free_port
from kit.grpc_caller import Caller
from kit.manager import Manager
from kit.millrace import Millrace, run
from kit.once import Once
from kit.processes import Process
from kit.waiting import eventually

UNITS = CHECKOUT / "pipelines/deploy/systemd"
SERVICE = UNITS / "millrace.service"
SOCKETS = sorted(UNITS.glob("*.socket"))
EXPOSURE_MAX = 12  # in tenths; 100 is a service without any setting
AWAY = "http://127.0.0.1:9"

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")


def setting(unit, name):
    """The values of a setting of a unit, in order."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


def names():
    """{name of a socket: the address that systemd opens}."""
    return {setting(unit, "FileDescriptorName")[0]: setting(unit, "ListenStream")[0] for unit in SOCKETS}


@pytest.fixture
def shipped(tmp_path):
    """`shipped(**sections)`: a gateway with the pipeline file of the units and their environment."""
    pipeline = json.loads((UNITS / "pipeline.json").read_text())

    def gateway(**sections):
        admin = {"listen": f"127.0.0.1:{free_port()}"}
        (data,) = setting(SERVICE, "Environment")
        assert data == "MILLRACE_DATA=%S/millrace"
        settings = {"MILLRACE_DATA": str(tmp_path / "state"), "MLFLOW_TRACKING_URI": AWAY}
        return Millrace(tmp_path, pipeline | {"admin": admin} | sections, **settings)

    return gateway


def test_systemd_finds_nothing_wrong(tmp_path):
    placed = []
    for unit in (SERVICE, *SOCKETS):
        placed.append(tmp_path / unit.name)
        placed[-1].write_text(unit.read_text().replace("/usr/bin/millrace", str(BINARY)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *placed], capture_output=True, text=True, env=clean_environment()
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_service_is_locked_up():
    ask = ["systemd-analyze", "security", "--no-pager", "--offline=true", "--json=short"]
    done = subprocess.run([*ask, f"--threshold={EXPOSURE_MAX}", SERVICE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    # It talks to the network, reads the boot's id and keeps a journal below the host's root.
    assert {row["json_field"] for row in json.loads(done.stdout) if row["exposure"]} <= {
        "RootDirectoryOrRootImage",
        "PrivateNetwork",
        "IPAddressDeny",
        "DeviceAllow",
        "ProcSubset",
        "RestrictAddressFamilies_AF_INET_INET6",
        "RestrictAddressFamilies_AF_UNIX",
    }


def calls(group):
    """The system calls of one of systemd's groups."""
    done = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", group], capture_output=True, text=True)
    words = [line.strip() for line in done.stdout.splitlines()[1:] if not line.strip().startswith("#")]
    return {call for word in words for call in (calls(word) if word.startswith("@") else {word})}


@pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace here")
def test_it_makes_no_system_call_that_the_service_forbids(shipped, tmp_path, service):
    allowed, forbidden = (words.lstrip("~").split() for words in setting(SERVICE, "SystemCallFilter"))
    trace = tmp_path / "trace"
    gateway = shipped()
    # Its own addresses may be taken on this machine.
    for receiver in gateway.pipeline["receivers"].values():
        receiver["listen"] = f"127.0.0.1:{free_port()}"
    gateway.save()
    gateway.process.arguments[:0] = ["strace", "-D", "-f", "-qq", "-o", str(trace)]
    gateway.start()
    gateway.send(service)
    assert run("reload", "--config", gateway.file, **gateway.process.environment).returncode == 0
    gateway.stop()
    text = trace.read_text(errors="replace")
    assert "PROT_WRITE|PROT_EXEC" not in text, "memory that is written and run (MemoryDenyWriteExecute)"
    made = set(re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE))
    assert {"accept4", "fdatasync", "epoll_wait"} <= made
    assert not made - set().union(*map(calls, allowed))
    assert not made & set().union(*map(calls, forbidden))


def test_every_socket_is_a_receiver_at_its_own_address():
    receivers = json.loads((UNITS / "pipeline.json").read_text())["receivers"]
    assert names() == {name: receivers[name]["listen"] for name in names()}
    assert set(setting(SERVICE, "Sockets")[0].split()) == {unit.name for unit in SOCKETS}


def test_the_first_connection_starts_it_and_both_protocols_are_answered(shipped, tmp_path, service):
    """`systemd-socket-activate` opens the sockets, waits, and hands them over by their names."""
    gateway = shipped()
    ports = {name: free_port() for name in names()}
    listens = [f"--listen=127.0.0.1:{port}" for port in ports.values()]
    activate = Process(
        "activate",
        ["systemd-socket-activate", *listens, f"--fdname={':'.join(ports)}", *gateway.process.arguments],
        tmp_path,
        gateway.process.environment,
    )
    # What it does not pass on by itself.
    activate.arguments[1:1] = [f"--setenv={name}" for name in ("MILLRACE_DATA", "MLFLOW_TRACKING_URI", "PATH")]
    activate.start()
    try:
        message = otlp.request(service)
        url = f"http://127.0.0.1:{ports['otlp']}/v1/traces"
        headers = {"content-type": "application/x-protobuf"}
        answer = eventually(lambda: requests.post(url, message.SerializeToString(), headers=headers, timeout=30))
        assert answer.status_code == 200
        with Caller(f"127.0.0.1:{ports['grpc']}") as caller:
            _, error = caller.export(message.SerializeToString())
            assert error is None
        assert gateway.ledger()["accepted_spans"] == 2 * len(list(otlp.spans_of(message)))
    finally:
        activate.end_group()


def test_restarts_behind_the_sockets_refuse_nobody(shipped, service, report):
    manager = Manager(*names())
    gateway = shipped(drain_timeout="1s")
    manager.launch(gateway)
    gateway.start()
    with Once(manager.addresses["otlp"], service) as clients:
        for _ in range(3):
            before = len(clients.sent)
            gateway.stop()
            gateway.start()
            eventually(lambda before=before: len(clients.sent) > before + 50)
    report(f"3 restarts, {len(clients.sent)} spans")
    assert not clients.lost
    assert gateway.ledger()["accepted_spans"] == len(clients.sent)
    gateway.stop()
    manager.close()
