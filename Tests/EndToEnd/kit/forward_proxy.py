"""A proxy on the way out, as companies have them: tinyproxy, which passes plain requests on and opens tunnels."""

import re

from kit.environments import clean_environment, free_port
from kit.processes import Process
from kit.waiting import listening

SETTINGS = """
Port {port}
Listen 127.0.0.1
Timeout 60
LogLevel Connect
MaxClients 50
{login}
"""


class ForwardProxy:
    """With `login`, a user and a password, it takes nobody else."""

    def __init__(self, directory, login=None):
        self.port = free_port()
        self.login = login
        self.url = f"http://{':'.join(login) + '@' if login else ''}127.0.0.1:{self.port}"
        file = directory / "tinyproxy.conf"
        file.write_text(SETTINGS.format(port=self.port, login=f"BasicAuth {' '.join(login)}" if login else ""))
        self.process = Process("tinyproxy", ["tinyproxy", "-d", "-c", file], directory, clean_environment())

    def start(self):
        self.process.start()
        listening(self.port, self.process)
        return self

    def close(self):
        self.process.end_group()

    @property
    def requests(self):
        """[(method, target)] of what it was asked for."""
        return re.findall(r"Request \(file descriptor \d+\): (\w+) (\S+) HTTP", self.process.log)
