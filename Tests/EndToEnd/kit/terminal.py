"""A terminal of its own, by tmux, for what people look at and type into."""

import shlex
import subprocess
import uuid


class Terminal:
    """A terminal of its own, by tmux, in which one command runs."""

    def __init__(self, directory, *command, columns=120, rows=30):
        self.socket = f"millrace-{uuid.uuid4().hex[:8]}"
        line = " ".join(shlex.quote(str(word)) for word in command)
        self.ended = directory / "ended"
        shell = f"trap : INT; {line}; echo $? > {self.ended}; echo back at the shell; exec sleep 60"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), "sh", "-c", shell)

    def tmux(self, *arguments):
        done = subprocess.run(["tmux", "-L", self.socket, *arguments], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def text(self):
        return self.tmux("capture-pane", "-p")

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def close(self):
        subprocess.run(["tmux", "-L", self.socket, "kill-server"], capture_output=True, timeout=20)
