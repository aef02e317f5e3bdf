"""A gateway with TLS on its receiver, and clients of it."""

import subprocess

import pytest

from kit.certificates import Authority, put
from kit.environments import free_port
from kit.millrace import PROTOBUF

DISCARD = {"out": {"type": "discard"}}


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def files(tmp_path, authority):
    """The certificate and key that the gateway serves."""
    certificate, key = authority.issue("server")
    return put_pair(certificate, key, tmp_path)


def put_pair(certificate, key, directory):
    put(certificate, directory / "tls.pem")
    put(key, directory / "tls.key")
    return directory / "tls.pem", directory / "tls.key"


@pytest.fixture
def secured(millrace, authority, files):
    """`secured(**tls)` starts a gateway with TLS on its receiver, whose authority its session trusts."""

    def start(listen=None, receiver=(), exporters=DISCARD, **tls):
        settings = {"certificate": str(files[0]), "key": str(files[1]), "reload": "1s"} | tls
        gateway = millrace(
            exporters,
            starts=False,
            receivers={
                "otlp": {"type": "otlp_http", "listen": listen or f"127.0.0.1:{free_port()}", "tls": settings}
                | dict(receiver)
            },
        )
        gateway.session.verify = str(authority.certificate)
        return gateway.start()

    return start


@pytest.fixture
def clients(tmp_path):
    return Authority(tmp_path, "clients")


def curl(url, *options, body=b""):
    """(exit code, status, what it says on stderr) of a request by curl."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "10", "--output", "/dev/null", "--write-out", "%{http_code}",
         "--header", f"content-type: {PROTOBUF}", "--data-binary", "@-", *map(str, options), url],
        input=body, capture_output=True, timeout=30,
    )  # fmt: skip
    return done.returncode, int(done.stdout or 0), done.stderr.decode()
