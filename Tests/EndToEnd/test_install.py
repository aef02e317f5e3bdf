"""`make install` and `make deb`: what they place works where it lies, and goes again."""

import os
import re
import shutil
import subprocess

import pytest

from kit.environments import BINARY, CHECKOUT, clean_environment
from kit.millrace import run

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ")


def make(target, **variables):
    """Runs a target with the binary under test in place of a release build."""
    variables = {"RELEASE": ":", "PACKAGES": "", "BINARY": BINARY} | variables
    done = subprocess.run(
        ["make", "--no-print-directory", target, *(f"{name}={value}" for name, value in variables.items())],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        env=clean_environment(MAKEFLAGS=""),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def output(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def commands():
    """What `--help` lists."""
    return set(re.findall(r"^  ([a-z-]+) {2,}", run("--help").stdout.partition("SUBCOMMANDS:")[2], re.MULTILINE))


@pytest.fixture(scope="module")
def placed(tmp_path_factory):
    """A prefix of one's own, as somebody without rights would take it."""
    prefix = tmp_path_factory.mktemp("placed")
    make("install", PREFIX=prefix)
    return prefix


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    build = tmp_path_factory.mktemp("build")
    make("deb", BUILD=build, DEB_COMPRESSION="-Zgzip -z1")
    (package,) = build.glob("millrace_*.deb")
    return package


def test_what_is_installed_runs_and_stays_in_its_prefix(placed):
    assert output(placed / "bin/millrace", "version") == run("version").stdout
    output(placed / "bin/millrace", "validate", placed / "etc/millrace/pipeline.json")
    unit = (placed / "lib/systemd/system/millrace.service").read_text()
    assert set(re.findall(r"/\S*bin/\S+", unit)) == {f"{placed}/bin/millrace"}
    assert {path for path in re.findall(r"/\S*etc/[^\s:]+", unit)} == {
        f"{placed}/etc/millrace/pipeline.json",
        f"{placed}/etc/default/millrace",
        f"{placed}/etc/millrace/mlflow",
    }
    for page in (placed / "share/doc/millrace/docs").glob("*.md"):
        for link in re.findall(r"\]\((\.\./[^)#]+\.(?:md|json))", page.read_text()):
            assert (page.parent / link).exists() or link.startswith("../../"), f"{page.name}: {link}"


def test_a_second_installation_leaves_the_configuration_as_it_is(placed):
    changed = placed / "etc/millrace/pipeline.json"
    text = changed.read_text() + "\n"
    changed.write_text(text)
    make("install", PREFIX=placed)
    assert changed.read_text() == text


def test_the_manual_names_every_command_and_has_no_errors(placed, commands):
    page = placed / "share/man/man1/millrace.1"
    settings = os.environ | {"LC_ALL": "C", "MANWIDTH": "90"}
    done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, env=settings)
    assert (done.returncode, done.stderr) == (0, "")
    shown = set(re.findall(r"^   millrace ([a-z-]+)", done.stdout, re.MULTILINE))
    assert shown == commands
    assert f"{placed}/etc/millrace/pipeline.json" in done.stdout.replace("\n", "")


def test_bash_completes_commands_and_options(placed, commands):
    script = placed / "share/bash-completion/completions/millrace"

    def completed(*words):
        code = (
            'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; '
            'COMP_TYPE=9; COMP_KEY=9; function=$(complete -p millrace | sed "s/.*-F \\([^ ]*\\).*/\\1/"); '
            '"$function" millrace "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; '
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        return {word.strip() for word in output("bash", "-c", code, "bash", script, *words).splitlines()}

    assert commands <= completed("millrace", "")
    assert completed("millrace", "vali") == {"validate"}
    assert "--config" in completed("millrace", "run", "--")


@pytest.mark.parametrize(
    "shell, script", [("zsh", "zsh/site-functions/_millrace"), ("fish", "fish/vendor_completions.d/millrace.fish")]
)
def test_other_shells_know_every_command(placed, commands, shell, script):
    path = placed / "share" / script
    text = path.read_text()
    missing = {command for command in commands if not re.search(rf"\b{command}\b", text)}
    assert not missing
    if shutil.which(shell):
        output(shell, "-n", path)


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="there is no dpkg here")
def test_the_package_comes_and_goes(package, tmp_path):
    root = tmp_path / "root"
    for name in ("updates", "info", "triggers"):
        (root / "var/lib/dpkg" / name).mkdir(parents=True)
    for name in ("status", "available"):
        (root / "var/lib/dpkg" / name).touch()

    def dpkg(*arguments):
        forced = ("depends", "unsafe-io", "not-root", "script-chrootless")
        # Small images tell dpkg to leave manuals and documents out.
        options = [f"--root={root}", "--log=/dev/null", "--path-include=*", *(f"--force-{what}" for what in forced)]
        path = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        done = subprocess.run(["dpkg", *options, *arguments], capture_output=True, text=True, env=os.environ | path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def files():
        found = (path for top in ("usr", "etc") for path in (root / top).rglob("*") if path.is_file())
        return {str(path.relative_to(root)) for path in found}

    configuration = {"etc/millrace/pipeline.json", "etc/default/millrace"}
    dpkg("--install", package)
    assert {"usr/bin/millrace", "usr/share/man/man1/millrace.1.gz", "usr/lib/systemd/system/millrace.socket"} < files()
    assert dpkg("--verify", "millrace") == "", "every file is what the package says"
    assert output(root / "usr/bin/millrace", "version") == run("version").stdout
    output(root / "usr/bin/millrace", "validate", root / "etc/millrace/pipeline.json")
    (root / "etc/default/millrace").write_text("MLFLOW_TRACKING_URI=https://mlflow.example.com\n")
    dpkg("--install", package)
    assert "mlflow.example.com" in (root / "etc/default/millrace").read_text()
    dpkg("--remove", "millrace")
    assert files() == configuration
    dpkg("--purge", "millrace")
    assert files() == set()


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="there is no dpkg here")
def test_the_package_depends_on_what_the_image_installs(package):
    depends = set(output("dpkg-deb", "--field", package, "Depends").strip().split(", "))
    (line,) = re.findall(r"apt-get install (.*?) &&", DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :])
    image = {word for word in line.split() if not word.startswith("-")}
    assert depends - {"libc6", "libgcc-s1", "libstdc++6"} == image
