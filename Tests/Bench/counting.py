"""Instructions of one process, counted by callgrind under conditions that are the same each time."""

import functools
import os
import pathlib
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import machine

# What glibc would else choose by the caches and features of the processor that it happens to run on. Copies are never left to
# `rep movsb`, of which callgrind would count every byte.
TUNABLES = {
    "glibc.cpu.x86_non_temporal_threshold": 0xC0000,
    "glibc.cpu.x86_rep_movsb_threshold": 1 << 40,
    "glibc.cpu.x86_rep_stosb_threshold": 1 << 40,
    "glibc.cpu.x86_data_cache_size": 0x8000,
    "glibc.cpu.x86_shared_cache_size": 0x100000,
}
SECONDS_MAX = 600


def valgrind():
    """The command by which valgrind is started: VALGRIND, or what is on the PATH."""
    return shlex.split(os.environ.get("VALGRIND", "valgrind"))


@functools.cache
def fixed_addresses():
    """`setarch -R`, where the kernel allows it: else addresses differ from run to run."""
    command = ["setarch", "-R"]
    done = shutil.which("setarch") and subprocess.run([*command, "true"], capture_output=True).returncode == 0
    return command if done else []


def without_debugging(program, directory):
    """A copy that valgrind can read: Debian 12's does not know the debugging information of Swift's own libraries."""
    copy = pathlib.Path(directory) / program.name
    subprocess.run(["strip", "--strip-debug", "-o", copy, program], check=True)
    return copy


def environment(directory, preload):
    """As little as possible: its size moves the stack."""
    return {
        "PATH": os.environ["PATH"],
        "LD_PRELOAD": str(preload),
        "TMPDIR": str(directory),
        "LC_ALL": "C",
        "GLIBC_TUNABLES": ":".join(f"{name}={value:#x}" for name, value in TUNABLES.items()),
        "SWIFT_DETERMINISTIC_HASHING": "1",
        "SWIFT_BACKTRACE": "enable=no",
    }


class Counted:
    """A command under callgrind, pinned to one CPU so that its threads take turns."""

    def __init__(self, command, directory, preload):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.profile = self.directory / "callgrind.out"
        self.profile.unlink(missing_ok=True)
        self.output = self.directory / "output"
        cpu = str(max(os.sched_getaffinity(0)))
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [
                    *("taskset", "-c", cpu, *fixed_addresses(), *valgrind(), "--tool=callgrind", "--quiet"),
                    *("--fair-sched=try", "--run-libc-freeres=no", f"--callgrind-out-file={self.profile}"),
                    *map(str, command),
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(self.directory, preload),
            )

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def instructions(self):
        """Waits for the end: all instructions of the process outside the kernel."""
        try:
            status = self.process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise machine.Failed(f"not done after {SECONDS_MAX} s: {self.text()}") from None
        if status != 0:
            raise machine.Failed(f"ended with {status}: {self.text()}")
        with open(self.profile) as profile:
            for line in profile:
                if line.startswith(("summary:", "totals:")):
                    return int(line.split()[1])
        raise machine.Failed(f"callgrind wrote no total: {self.text()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def text(self):
        return self.output.read_text(errors="replace")[-1000:]


class Sink:
    """Takes every export request, answers 200, and counts requests and spans. A thread for each connection."""

    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.lock = threading.Lock()
        self.spans = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as reader:
            while reader.readline():
                length = 0
                while (line := reader.readline()) not in (b"\r\n", b""):
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                spans = machine.spans_in(reader.read(length))
                with self.lock:
                    self.spans += spans
                connection.sendall(self.ANSWER)

    def close(self):
        self.server.close()


class Client:
    """Sends requests over one connection, each when the one before is answered; with a token over TLS."""

    def __init__(self, port, body, token=None):
        head = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n"
        head += f"Authorization: Bearer {token}\r\n" if token else ""
        head += f"Content-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n"
        self.request = head.encode() + body
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if token:
            unverified = ssl._create_unverified_context()  # the certificate is made for the moment
            self.connection = unverified.wrap_socket(self.connection)

    def send(self, count):
        for number in range(count):
            self.connection.sendall(self.request)
            if b" 200 " not in self.connection.recv(65536).split(b"\r\n")[0]:
                raise machine.Failed(f"request {number + 1} was not answered 200")

    def close(self):
        self.connection.close()


def wait_for(port, process):
    deadline = time.monotonic() + 120
    while not machine.listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise machine.Failed("the process did not start to listen")
        time.sleep(0.05)
