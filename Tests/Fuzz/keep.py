"""Keeps the smallest inputs of a merged corpus, up to 200 KiB: python3 keep.py MERGED KEPT"""

import hashlib
import pathlib
import sys

BYTES_MAX = 200 * 1024
INPUT_BYTES_MAX = 8 * 1024


def main():
    merged, kept = map(pathlib.Path, sys.argv[1:3])
    kept.mkdir(parents=True, exist_ok=True)
    for old in kept.iterdir():
        old.unlink()
    room = BYTES_MAX
    for path in sorted(merged.iterdir(), key=lambda path: (path.stat().st_size, path.name)):
        data = path.read_bytes()
        room -= len(data)
        if room < 0 or len(data) > INPUT_BYTES_MAX:
            break
        (kept / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)


main()
