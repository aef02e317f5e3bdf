"""The journal on disk as its format says (head of Sources/Journal/SegmentFormat.swift): records found, and damaged."""

import dataclasses
import pathlib
import re
import struct

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from kit import otlp

AREA = 8192
HEADER = struct.Struct("<IIIIIIQQIIB15x")


@dataclasses.dataclass(frozen=True)
class Record:
    segment: pathlib.Path
    offset: int
    length: int
    items: int
    spans: tuple

    def flip(self, bit):
        """Turns one bit of the record over, counted from its first byte."""
        with open(self.segment, "r+b") as file:
            file.seek(self.offset + bit // 8)
            (byte,) = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1 << bit % 8]))

    def is_named_in(self, log):
        """Whether the log names damage of this segment that covers the record's first byte."""
        found = re.findall(rf"from=(\d+) .*?segment=\S*{self.segment.name} to=(\d+)", log)
        return any(int(start) <= self.offset < int(end) for start, end in found)


def segments(directory, log="traces"):
    """The segments of a log, oldest first; all but the last are closed."""
    return sorted((directory / log).glob("*.log"))


def records(segment):
    """The records of an undamaged segment."""
    data = segment.read_bytes()
    (marker,) = struct.unpack_from("<I", data, 16)
    offset = AREA
    while offset + HEADER.size <= len(data):
        head = HEADER.unpack_from(data, offset)
        if head[0] != marker:
            return
        metadata, payload, items = head[3:6]
        start = offset + HEADER.size + metadata
        message = ExportTraceServiceRequest.FromString(data[start : start + payload])
        yield Record(segment, offset, start + payload - offset, items, tuple(otlp.spans_of(message)))
        offset = start + payload + -(start + payload) % 8


def size(directory):
    """Bytes on disk of the log's segments."""
    return sum(min(file.stat().st_size, file.stat().st_blocks * 512) for file in segments(directory))
