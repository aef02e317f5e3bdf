"""Disks that are too small: a file system with a size, and a limit on the files of one process."""

import contextlib
import os
import resource
import subprocess

import pytest

BLOCK = 1 << 16


class SmallDisk:
    """A tmpfs; the test is skipped where mounting is not allowed."""

    def __init__(self, directory, size):
        self.directory = directory
        directory.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(directory)]
        done = subprocess.run(mount, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here ({done.stderr.strip()}); the limit on files stands in")

    def close(self):
        subprocess.run(["umount", "--lazy", str(self.directory)], check=True)

    @property
    def free(self):
        status = os.statvfs(self.directory)
        return status.f_bavail * status.f_frsize

    @contextlib.contextmanager
    def taken(self):
        """Somebody else's file takes all that is left, down to the last byte, for the block."""
        ballast = self.directory / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            block = BLOCK
            while block:
                try:
                    file.write(bytes(block))
                except OSError:
                    block //= 2
        try:
            yield
        finally:
            ballast.unlink()


@contextlib.contextmanager
def files_limited(pid, size):
    """A process may write no file beyond `size` bytes, for the block."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
