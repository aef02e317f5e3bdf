"""What the kernel tells about processes, and small helpers around sockets."""

import gzip
import os
import socket

TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def family(pid):
    """The process and its descendants."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as children:
            for child in children.read().split():
                found += family(int(child))
    return found


def cpu_seconds(pid):
    """User and system time of a process and its descendants, ended ones included."""
    total = 0
    for member in family(pid):
        with open(f"/proc/{member}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
        if member == pid:
            total += int(fields[13]) + int(fields[14])
    return total / TICKS


def resident_mib(pid, field):
    """VmRSS (now) or VmHWM (peak), summed over a process and its descendants."""
    total = 0
    for member in family(pid):
        with open(f"/proc/{member}/status") as status:
            total += sum(int(line.split()[1]) for line in status if line.startswith(field))
    return total / 1024


def status(port, body, content_type, encoding="-"):
    """The status that one export request is answered with; None where nobody answers yet."""
    head = f"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
    if encoding != "-":
        head += f"Content-Encoding: {encoding}\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            return int(connection.recv(65536).split(b" ")[1])
    except (OSError, IndexError, ValueError):
        return None


def spans_in(body):
    """The number of spans of a trace request: field 1 (resource), then 2 (scope), then 2 (span)."""
    if body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    return sum(
        sum(1 for _ in messages(body, *scope, field=2))
        for resource in messages(body, 0, len(body), field=1)
        for scope in messages(body, *resource, field=2)
    )


def messages(body, position, end, field):
    """The ranges of the length-delimited fields of that number; the other fields here are length-delimited too."""
    while position < end:
        tag, position = body[position], position + 1
        length = shift = 0
        while True:
            byte, position = body[position], position + 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if tag == field << 3 | 2:
            yield position, position + length
        position += length


EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def calls(port, body, directory, *options):
    """h2load with `options`: the body is sent as gRPC calls over HTTP/2, one at a time on each connection."""
    message = directory / "message"
    message.write_bytes(b"\0" + len(body).to_bytes(4, "big") + body)
    headers = [f"--header={name}" for name in ("content-type: application/grpc", "te: trailers", "user-agent: bench")]
    command = ["h2load", *headers, "--max-concurrent-streams=1", f"--data={message}", "--threads=1"]
    return [*command, *map(str, options), f"http://127.0.0.1:{port}{EXPORT}"]
