"""The Dockerfile's last stage as it stands, built by buildah over a Debian of debootstrap, run as its user with its health check.

Takes minutes, rights and the network: a variant for MILLRACE_LONG=1.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest
import requests

from kit import otlp
from kit.environments import BINARY, CHECKOUT, LONG
from kit.waiting import eventually

MISSING = [program for program in ("buildah", "debootstrap") if not shutil.which(program)]
pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(not LONG, reason="MILLRACE_LONG=1 builds an image"),
    pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} are not here"),
    pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap needs root"),
]

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
FINAL_STAGE = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
BASE = "docker.io/library/debian:bookworm-slim"
PORTS = (4317, 4318, 13133)
"""Those that the image has fixed; without a network of its own the container takes the machine's."""


class Buildah:
    """Its storage lies in a directory of its own; containers are run in a changed root, which works within containers, too."""

    def __init__(self, directory):
        self.options = ["--root", directory / "storage", "--runroot", directory / "run", "--storage-driver", "vfs"]
        self.environment = os.environ | {"BUILDAH_ISOLATION": "chroot", "TMPDIR": str(directory)}

    def command(self, *arguments):
        return ["buildah", *map(str, [*self.options, *arguments])]

    def __call__(self, *arguments):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, env=self.environment, timeout=900)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout.strip()


def foreign():
    """What the binary is linked with that no package of this Debian has; nothing for one that was built on it."""
    linked = subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout
    paths = re.findall(r"(?:=> )?(/\S+) (?:=> /\S+ )?\(0x", linked)
    return [path for path in paths if not path.startswith(("/lib", "/usr/lib"))]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    directory = tmp_path_factory.mktemp("image")
    base, buildah = directory / "base", Buildah(directory)
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", base], check=True, capture_output=True, timeout=900)
    for path in foreign():
        (base / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, base / path[1:])
    for name in ("sources.list", "sources.list.d", "apt.conf.d", "trusted.gpg.d"):
        if name != "sources.list" and os.path.isdir(f"/etc/apt/{name}"):
            shutil.copytree(f"/etc/apt/{name}", base / "etc/apt" / name, dirs_exist_ok=True)
    empty = buildah("from", "scratch")
    buildah("add", empty, base, "/")
    buildah("commit", "--rm", empty, BASE)
    context = directory / "context"
    context.mkdir()
    shutil.copytree(CHECKOUT / "pipelines", context / "pipelines")
    shutil.copy(BINARY, context / "millrace")
    (context / "Dockerfile").write_text("FROM scratch AS builder\nCOPY millrace /out/millrace\n" + FINAL_STAGE)
    buildah("build", "--format", "docker", "--pull-never", "--network", "host", "--tag", "millrace", context)
    yield buildah
    buildah("rm", "--all")
    buildah("rmi", "--all", "--force")


def test_the_image_runs_as_its_user_is_healthy_and_ends_well(image, tmp_path):
    for port in PORTS:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)), f"somebody listens on port {port}"
    settings = json.loads(image("inspect", "--type", "image", "millrace"))["Docker"]["config"]
    kind, check = settings["Healthcheck"]["Test"]
    assert kind == "CMD-SHELL" and settings["User"] == "millrace"
    container = image("from", "--pull-never", "millrace")

    def healthy():
        run = image.command("run", container, "--", "/bin/sh", "-c", check)
        return subprocess.run(run, capture_output=True, env=image.environment, timeout=60).returncode == 0

    assert not healthy()
    command = image.command("run", container, "--", *settings["Entrypoint"], *settings["Cmd"])
    with open(tmp_path / "log", "wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env=image.environment, start_new_session=True)
    try:
        eventually(healthy, within=60)
        (process,) = [pid for pid in os.listdir("/proc") if pid.isdigit() and arguments(pid)[1:-1] == settings["Cmd"]]
        with open(f"/proc/{process}/status") as status:
            assert re.search(r"^Uid:\s+10001\s+10001", status.read(), re.MULTILINE)
        headers = {"content-type": "application/x-protobuf"}
        body = otlp.request("shop").SerializeToString()
        assert requests.post("http://127.0.0.1:4318/v1/traces", body, headers=headers, timeout=10).status_code == 200
        assert requests.get("http://127.0.0.1:13133/readyz", timeout=10).status_code == 200
        os.kill(int(process), signal.SIGTERM)
        assert child.wait(30) == 0, (tmp_path / "log").read_text()
        assert not healthy()
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)


def arguments(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as line:
            return line.read().split("\0")
    except OSError:
        return []
