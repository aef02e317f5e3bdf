"""What the Dockerfile promises, checked against the binary that it would hold."""

import pathlib
import re
import subprocess

import pytest

from kit.environments import BINARY, CHECKOUT

pytestmark = pytest.mark.container

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ")
FINAL_STAGE = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]


def installed_packages():
    (line,) = re.findall(r"apt-get install (.*?) &&", FINAL_STAGE)
    return {word for word in line.split() if not word.startswith("-")}


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def owner(library):
    """The package of a library; one of the two paths of a merged /usr is the one dpkg knows."""
    real = str(pathlib.Path(library).resolve())
    for path in (real, real.removeprefix("/usr"), "/usr" + real):
        done = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.split(":")[0]
    raise AssertionError(f"no package owns {library}")


def with_dependencies(packages):
    """The packages and all that they depend on, as installed here."""
    found, waiting = set(), list(packages)
    while waiting:
        package = waiting.pop()
        if package in found:
            continue
        found.add(package)
        done = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Pre-Depends},${Depends}", package], capture_output=True, text=True
        )
        waiting += [re.split(r"[ :(|]", entry.strip())[0] for entry in done.stdout.split(",") if entry.strip()]
    return found


def base_packages():
    """What is in every Debian image: the essential packages and apt."""
    rows = output("dpkg-query", "-W", "-f", "${Package} ${Essential}\n").splitlines()
    return with_dependencies({"apt"} | {row.split()[0] for row in rows if row.endswith(" yes")})


def libraries():
    """{package: library} of everything that the binary is linked with dynamically."""
    linked = output("ldd", str(BINARY))
    assert "not found" not in linked, linked
    paths = re.findall(r"=> (/\S+) \(0x", linked)
    foreign = [path for path in paths if not path.startswith(("/lib", "/usr/lib")) and "/swift/" not in path]
    if foreign:
        pytest.skip(f"linked with libraries that are not this system's, such as {foreign[0]}")
    return {owner(path): path for path in paths if "/swift/" not in path}, linked


def test_the_image_has_every_library_that_the_binary_needs():
    needed, linked = libraries()
    if "libswiftCore" in linked:
        pytest.skip("a debug binary; the image holds one that is linked with -static-stdlib")
    missing = set(needed) - with_dependencies(installed_packages()) - base_packages()
    assert not missing, f"{missing} for {[needed[package] for package in missing]}"


def test_the_image_has_no_library_that_the_binary_does_not_need():
    """Beside the libraries only certificates are installed."""
    needed, _ = libraries()
    assert installed_packages() - {"ca-certificates"} <= set(needed)


def test_the_image_runs_as_a_user_without_rights_and_says_what_it_offers():
    (user,) = re.findall(r"^USER (\S+)", FINAL_STAGE, re.MULTILINE)
    assert user not in ("root", "0")
    assert re.search(r"^EXPOSE 4317 4318$", FINAL_STAGE, re.MULTILINE)
    assert re.search(r"^VOLUME", FINAL_STAGE, re.MULTILINE)
    assert re.search(r"^FROM debian:bookworm-slim$", FINAL_STAGE, re.MULTILINE)


def test_the_health_check_tells_a_living_process_from_a_dead_one(millrace, tmp_path):
    (command,) = re.findall(r"^HEALTHCHECK .*?CMD (.+)$", FINAL_STAGE, re.MULTILINE)
    gateway = millrace({"archive": {"type": "file", "path": str(tmp_path / "archive.jsonl")}})
    port = gateway.pipeline["admin"]["listen"].split(":")[1]
    assert "13133" in command

    def healthy():
        return subprocess.run(["/bin/sh", "-c", command.replace("13133", port)], timeout=20).returncode == 0

    assert healthy()
    gateway.stop()
    assert not healthy()
