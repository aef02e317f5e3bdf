"""One child process with its log, in a process group of its own."""

import os
import signal
import subprocess


class Process:
    def __init__(self, name, arguments, directory, environment):
        self.name = name
        self.arguments = [str(argument) for argument in arguments]
        self.directory = directory
        self.environment = environment
        self.log_path = directory / f"{name}.log"
        self.handed = ()  # descriptors that it inherits
        self.child = None

    def start(self, *more):
        """With `more` arguments this time."""
        assert not self.running, f"{self.name} is running"
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                [*self.arguments, *more],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=self.handed,
            )

    @property
    def running(self):
        return self.child is not None and self.child.poll() is None

    @property
    def pid(self):
        return self.child.pid

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def expect_running(self):
        if not self.running:
            code = self.child.returncode if self.child else None
            raise ProcessEnded(f"{self.name} ended with {code}:\n{self.log[-4000:]}")

    def send(self, number):
        """To the process alone; its children hear of it from their parent."""
        os.kill(self.pid, number)

    def wait(self, within):
        return self.child.wait(within)

    def end_group(self, number=signal.SIGTERM, within=15.0):
        """Ends the process and all its children, by force when `within` seconds are over."""
        if self.child is None:
            return
        self._signal_group(number)
        try:
            self.child.wait(within)
        except subprocess.TimeoutExpired:
            pass
        self._signal_group(signal.SIGKILL)
        self.child.wait()

    def _signal_group(self, number):
        try:
            os.killpg(self.child.pid, number)
        except ProcessLookupError:
            pass


class ProcessEnded(BaseException):
    """Not an `Exception`: waiting any longer cannot help, so `eventually` must not swallow it."""
