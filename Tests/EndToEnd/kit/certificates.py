"""Certificates for tests, by openssl: authorities, servers, clients."""

import os
import subprocess


DAY = 86_400


class Authority:
    """An authority of its own in a directory; `certificate` is its file."""

    def __init__(self, directory, name="authority"):
        self.directory = directory / name
        self.directory.mkdir(parents=True)
        self.key = self.directory / "ca.key"
        self.certificate = self.directory / "ca.pem"
        new_key(self.key)
        openssl(
            "req", "-x509", "-new", "-key", self.key, "-days", 3650, "-subj", f"/CN={name}",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", self.certificate,
        )  # fmt: skip

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", days=365, subject="/CN=localhost", seconds=None):
        """(certificate, key): new files in its directory; `names` are the alternative ones, `seconds` ends it so soon."""
        key, request = self.directory / f"{name}.key", self.directory / f"{name}.csr"
        certificate, extensions = self.directory / f"{name}.pem", self.directory / f"{name}.ext"
        new_key(key)
        extensions.write_text(f"subjectAltName={names}\n" if names else "")
        openssl("req", "-new", "-key", key, "-subj", subject, "-out", request)
        openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
            "-days", 1 if seconds else days, "-extfile", extensions, "-out", certificate,
            shift=f"-{DAY - seconds}s" if seconds else None,
        )  # fmt: skip
        return certificate, key


def new_key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


def openssl(*arguments, shift=None, **settings):
    """Runs it to its end, with its clock moved by `shift`; the completed process with text."""
    clock = ["faketime", "-f", shift] if shift else []
    return subprocess.run(
        [*clock, "openssl", *map(str, arguments)], capture_output=True, text=True, check=True, timeout=30, **settings
    )


def put(source, target):
    """Takes the place of a file at once, as whoever renews certificates should."""
    temporary = target.with_suffix(".new")
    temporary.write_bytes(source.read_bytes())
    os.replace(temporary, target)
