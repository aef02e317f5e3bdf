"""The requests that are sent: the payloads of Tests/Data as they are, and what makes them those of many services."""

import dataclasses
import pathlib
import random
import string

import machine

PAYLOADS = pathlib.Path(__file__).resolve().parents[1] / "Data/payloads"
SPANS = {"small": 10, "large": 512}
# Ending of the file, content type, content encoding.
FORMS = {
    "protobuf": ("pb", "application/x-protobuf", "-"),
    "gzip": ("pb.gz", "application/x-protobuf", "gzip"),
    "json": ("json", "application/json", "-"),
}
SERVICE = b"chat-gateway"
SEED = 12


@dataclasses.dataclass(frozen=True)
class Case:
    """What is sent, over how many connections, by how many services."""

    payload: str
    form: str
    connections: int
    services: int = 1

    @property
    def path(self):
        return PAYLOADS / f"{self.payload}.{FORMS[self.form][0]}"

    @property
    def content(self):
        """Content type and encoding."""
        return FORMS[self.form][1:]

    @property
    def spans(self):
        return SPANS[self.payload]

    def __str__(self):
        parts = [self.payload, self.form, f"{self.connections} connections"]
        return ", ".join(parts + ([f"{self.services:,} services"] if self.services > 1 else []))


def write_patches(case, file):
    """What load.c writes over the body: another service name, and in each span another beginning of its trace id.

    Without the latter, all services would send the same traces.
    """
    body = case.path.read_bytes()
    name = body.index(SERVICE)
    ids = [start for start in trace_ids(body)]
    marked = 4
    offsets = [*range(name, name + len(SERVICE)), *(at + byte for at in ids for byte in range(marked))]
    generator = random.Random(SEED)
    numbers = generator.sample(range(10_000), case.services)
    lines = [f"at {offset}" for offset in offsets]
    for number in numbers:
        mark = "".join(generator.choices(string.ascii_letters, k=marked))
        lines.append(f"service-{number:04}" + mark * len(ids))
    file.write_text("\n".join(lines))
    return file


def trace_ids(body):
    """Where the trace ids of a request begin: field 1 of each span, which stands first here."""
    for resource in machine.messages(body, 0, len(body), field=1):
        for scope in machine.messages(body, *resource, field=2):
            for start, _ in machine.messages(body, *scope, field=2):
                if body[start : start + 2] != b"\x0a\x10":
                    raise machine.Failed("a span does not begin with its trace id")
                yield start + 2
