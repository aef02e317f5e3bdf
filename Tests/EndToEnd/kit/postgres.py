"""A PostgreSQL of its own, run by a user without rights, since it refuses root."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from kit.environments import clean_environment, free_port
from kit.processes import Process
from kit.waiting import listening

PROGRAMS = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), default=pathlib.Path("/usr/lib/postgresql/15/bin"))
USER = "postgres"


class Postgres:
    FAST = signal.SIGINT  # clients are disconnected, everything is written
    AT_ONCE = signal.SIGQUIT  # everything is dropped, the next start recovers

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-postgres-"))
        self.port = free_port()
        self.store = f"postgresql+psycopg2://{USER}@127.0.0.1:{self.port}/postgres"
        as_user = []
        if os.geteuid() == 0:
            shutil.chown(self.directory, USER, USER)
            as_user = ["runuser", "-u", USER, "--"]
        data = self.directory / "data"
        subprocess.run(
            [*as_user, PROGRAMS / "initdb", "-D", data, "-U", USER, "--auth=trust", "--no-sync"],
            cwd=self.directory,
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        self.process = Process(
            "postgres",
            [
                *(*as_user, PROGRAMS / "postgres", "-D", data, "-F", "-p", self.port, "-k", self.directory),
                *("-c", "listen_addresses=127.0.0.1"),
            ],
            self.directory,
            clean_environment(),
        )

    def start(self):
        self.process.start()
        listening(self.port, self.process)
        return self

    def stop(self, how=FAST):
        self.process.end_group(how)

    def close(self):
        self.stop()
        shutil.rmtree(self.directory)
