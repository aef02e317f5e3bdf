"""Traces that apps were recorded to send, with their log records, in pieces."""

import base64
import collections
import hashlib

from google.protobuf import json_format

from kit import otlp
from kit.environments import DATA

RECORDED = [
    (
        ["clients/java-agent-openai-7.pb"],
        [f"clients/java-agent-openai-{number}.logs.pb" for number in (2, 5, 8)],
        {
            "2617dbae": ("What is the weather in Paris?", "It is sunny in Paris."),
            "c5aca053": ("Stream the weather", "It is sunny in Paris. "),
        },
    ),
    (
        ["clients/node-otel-openai-3.pb"],
        ["clients/node-otel-openai-2.logs.pb"],
        {
            "2e22061b": ("Weather in Paris? ☀️", "It is sunny in Paris."),
            "3772427d": ("Stream it", "It is sunny in Paris. "),
            "c688a062": ("Weather in Paris?", "It is sunny in Paris."),
            "fc8b8c5b": ("Weather in Paris?", "It is sunny in Paris."),
            "bc96dd31": ("fail", None),
        },
    ),
    (
        ["clients/node-otel-http-json-1.json"],
        ["clients/node-otel-http-json-2.logs.json"],
        {
            "367273c8": ("Weather in Paris? ☀️", "It is sunny in Paris."),
            "d027becb": ("Weather in Paris?", "It is sunny in Paris."),
            "89a0fd51": ("fail", None),
        },
    ),
    (
        ["captures/otel-openai-v2-1.pb"],
        ["captures/otel-openai-v2-2.logs.pb"],
        {
            "8a5bea97": ("Weather in Paris?", "It is sunny in Paris."),
            "ec70fdda": ("Weather in Paris?", "It is sunny in Paris."),
            "b6c8d664": ("stream please", "It is sunny in Paris. "),
            "58af37d6": ("fail", None),
        },
    ),
    (
        ["clients/go-otel-app-4.pb"],
        ["clients/go-otel-app-6.logs.pb"],
        {
            "259c19b9": ("Weather in Paris? 日本語 🌤", "It is sunny in Paris."),
            "bd3b7fcd": ("What is the weather in Paris?", "It is sunny in Paris."),
        },
    ),
    (
        ["clients/node-gemini-cli-1.json"],
        ["clients/node-gemini-cli-2.logs.json"],
        {"1873cfa9": ("What is the weather in Paris?", "It is sunny in Paris. ")},
    ),
]
"""Files of spans, files of their log records, and by the first digits of trace ids what was asked and answered."""

FIVE = [f"clients/five-{language}-1.pb" for language in ("go", "java", "node", "python", "rust")]
"""One trace through five services, as each sent it: node's is the root, python asks the model."""


def message(name, signal):
    """A recorded request as a protobuf message, whatever form it was recorded in."""
    body = (DATA / name).read_bytes()
    if not name.endswith(".json"):
        return otlp.REQUESTS[signal].FromString(body)
    read = json_format.Parse(body, otlp.REQUESTS[signal](), ignore_unknown_fields=True)
    for unit in otlp.units_of(signal, read):
        for field in ("trace_id", "span_id", "parent_span_id"):
            # Ids are hexadecimal there, and were read as base64.
            if value := getattr(unit, field, b""):
                setattr(unit, field, bytes.fromhex(base64.b64encode(value).decode()))
    return read


def retraced(signal, request, way):
    """Gives the items of a request traces of their own; {trace id: the new one}, in hex."""
    new = {}
    for unit in otlp.units_of(signal, request):
        if unit.trace_id:
            trace = unit.trace_id.hex()
            new[trace] = hashlib.md5(f"{way} {trace}".encode()).hexdigest()
            unit.trace_id = bytes.fromhex(new[trace])
    return new


def divided(signal, request, random, most=3):
    """The items of a request, at random, as up to so many requests that each repeat resources and scopes."""
    units = len(otlp.units_of(signal, request))
    places = [random.randrange(most) for _ in range(units)]
    groups, scopes, items = otlp.GROUPS[signal]
    for piece in sorted(set(places)):
        part = otlp.REQUESTS[signal].FromString(request.SerializeToString())
        left = iter(places)
        for group in getattr(part, groups):
            for scope in getattr(group, scopes):
                kept = [unit for unit in getattr(scope, items) if next(left) == piece]
                del getattr(scope, items)[:]
                getattr(scope, items).extend(kept)
            for index in reversed(range(len(getattr(group, scopes)))):
                if not getattr(getattr(group, scopes)[index], items):
                    del getattr(group, scopes)[index]
        for index in reversed(range(len(getattr(part, groups)))):
            if not getattr(getattr(part, groups)[index], scopes):
                del getattr(part, groups)[index]
        yield part


def raw_items(body):
    """The items of a request, each as its bytes stand there with those of its resource and scope; counted."""
    found = collections.Counter()
    for number, group in _fields(body):
        assert number == 1
        fields = list(_fields(group))
        resource = tuple(value for field, value in fields if field != 2)
        for field, scope in fields:
            inner = list(_fields(scope)) if field == 2 else []
            head = tuple(value for field, value in inner if field != 2)
            found.update((resource, head, value) for field, value in inner if field == 2)
    return found


def _fields(body):
    """(number, bytes) of each field of a message that has fields with a length alone."""
    position = 0

    def varint():
        nonlocal position
        value, shift = 0, 0
        while True:
            byte = body[position]
            value |= (byte & 0x7F) << shift
            position, shift = position + 1, shift + 7
            if byte < 0x80:
                return value

    while position < len(body):
        tag = varint()
        assert tag & 7 == 2, f"wire type {tag & 7}"
        size = varint()
        yield tag >> 3, body[position : position + size]
        position += size
