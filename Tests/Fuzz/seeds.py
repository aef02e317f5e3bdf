"""Makes the first inputs of a target from Tests/Data: python3 seeds.py wire|json|http|inflate|nats FOLDER"""

import gzip
import pathlib
import sys
import zlib

DATA = pathlib.Path(__file__).resolve().parent.parent / "Data"
SEED = bytes(8)
# libFuzzer cuts longer inputs off.
BYTES_MAX = 60_000


def bodies(suffix):
    for path in sorted(DATA.glob(f"*/*{suffix}")):
        if not path.name.endswith(".meta.json") and path.stat().st_size <= BYTES_MAX:
            yield path.name, path.read_bytes()


def request(body, kind, *headers):
    lines = ["POST /v1/traces HTTP/1.1", "Host: a", f"Content-Type: application/{kind}", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def raw(body):
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(body) + deflate.flush()


def inputs(target):
    if target == "wire":
        for name, body in bodies(".pb"):
            yield name, len(body).to_bytes(8, "little") + body
    elif target == "json":
        yield from bodies(".json")
    elif target == "http":
        for name, body in bodies(".pb"):
            plain = request(body, "x-protobuf")
            packed = request(gzip.compress(body), "x-protobuf", "Content-Encoding: gzip")
            yield name, SEED + plain
            yield f"{name}.pipelined", len(body).to_bytes(8, "little") + packed + plain
        for name, body in bodies(".json"):
            yield name, SEED + request(body, "json", "Expect: 100-continue", "Connection: close")
    elif target == "inflate":
        for name, body in bodies(".pb"):
            yield f"{name}.gzip", bytes([0, 11]) + SEED + gzip.compress(body)
            yield f"{name}.zlib", bytes([1, 11]) + SEED + zlib.compress(body)
            yield f"{name}.raw", bytes([1, 11]) + SEED + raw(body)
            yield f"{name}.twice", bytes([2, 11]) + SEED + gzip.compress(gzip.compress(body))
            yield f"{name}.members", bytes([0, 9]) + SEED + gzip.compress(body[:99]) + gzip.compress(body[99:])
    elif target == "nats":
        info = b'INFO {"server_name":"n1","headers":true,"max_payload":1048576,"connect_urls":["127.0.0.1:4222"]}\r\n'
        pull = b"HMSG _INBOX.a 3 $JS.ACK.S.c-0.1.1.1.1796031555259241569.1 34 39\r\nNATS/1.0\r\nNats-Pin-Id: vjgcPN\r\n\r\nhello\r\n"
        none = b"HMSG _INBOX.a 3 28 28\r\nNATS/1.0 408 Timed Out...\r\n\r\n"
        for name, stream in (("greeting", info + b"PONG\r\nPING\r\n"), ("pull", info + pull), ("status", none + b"+OK\r\n")):
            yield name, SEED + stream
    else:
        sys.exit(__doc__)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in inputs(sys.argv[1]):
        if len(data) <= BYTES_MAX:
            (folder / name).write_bytes(data)


main()
