"""Requests with every field that OTLP defines, and their form in OTLP/JSON as the specification has it."""

import base64
import json

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from kit import otlp

IDS = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
JSON_IDS = set(map(otlp.camel, IDS))
DEPTH = 12
NUMBERS = {
    FieldDescriptor.TYPE_INT64: -(2**63), FieldDescriptor.TYPE_SINT64: 2**63 - 1, FieldDescriptor.TYPE_SFIXED64: -(2**62),
    FieldDescriptor.TYPE_UINT64: 2**64 - 1, FieldDescriptor.TYPE_FIXED64: 2**64 - 1, FieldDescriptor.TYPE_INT32: -(2**31),
    FieldDescriptor.TYPE_SINT32: -(2**31), FieldDescriptor.TYPE_UINT32: 2**32 - 1, FieldDescriptor.TYPE_FIXED32: 2**32 - 1,
    FieldDescriptor.TYPE_DOUBLE: 0.1, FieldDescriptor.TYPE_BOOL: True,
}  # fmt: skip
"""Those that a reader with too few bits gets wrong."""


def request(signal):
    """One resource and scope with two of each unit, all fields set; a metric for each kind of data, values of every kind."""
    message = otlp.REQUESTS[signal]()
    groups, scopes, units = otlp.GROUPS[signal]
    group = getattr(message, groups).add()
    scope = getattr(group, scopes).add()
    if signal == "metrics":
        for kind in otlp.POINTS:
            metric = scope.metrics.add(name=f"metric {kind}", description="some", unit="By")
            metric.metadata.add(key="m").value.string_value = "meta"
            fill(getattr(metric, kind))
    else:
        for _ in range(2):
            fill(getattr(scope, units).add())
    fill(scope, but={units})
    fill(group, but={scopes})
    return message


def fill(message, depth=0, but=()):
    """Sets every field of a message; of a oneof the last one, unless it is a value, which gets another kind each time."""
    for field in message.DESCRIPTOR.fields:
        if field.name in but or field.name.endswith("_strindex"):
            continue
        if field.message_type is not None:
            if field.message_type.name == "AnyValue" and field.is_repeated is False:
                getattr(message, field.name).CopyFrom(every_value())
            elif field.message_type.name == "KeyValue":
                for number, value in enumerate(values()):
                    getattr(message, field.name).add(key=f"key {number}").value.CopyFrom(value)
            elif depth < DEPTH:
                inner = getattr(message, field.name)
                for one in [inner.add(), inner.add()] if field.is_repeated else [inner]:
                    one.SetInParent()
                    fill(one, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).extend([scalar(field), scalar(field)])
        else:
            setattr(message, field.name, scalar(field))


def scalar(field):
    if field.name in IDS:
        return otlp.ids.randbytes(IDS[field.name])
    if field.type == FieldDescriptor.TYPE_ENUM:
        return field.enum_type.values[-1].number
    if field.type == FieldDescriptor.TYPE_BYTES:
        return bytes(range(256))
    return NUMBERS.get(field.type, f"{field.name} ü 🌤 \u2028 \" \\ \x1f")


def values():
    """An attribute value of each kind: empty ones, bytes, numbers at their limits, arrays of different kinds, lists of lists."""
    for kind, value in [
        ("string_value", ""), ("string_value", "text"), ("bool_value", False), ("bool_value", True), ("int_value", -(2**63)),
        ("int_value", 2**53 + 1), ("double_value", 1e300), ("double_value", float("inf")), ("double_value", float("-inf")),
        ("bytes_value", b""), ("bytes_value", bytes(range(256))),
    ]:  # fmt: skip
        yield AnyValue(**{kind: value})
    yield AnyValue()
    yield every_value()


def every_value():
    """A list with a value of each kind under its keys, and an array of all of them."""
    whole = AnyValue()
    whole.kvlist_value.SetInParent()
    for number, kind in enumerate(("text", 7, 0.5, True, b"\x00\xff")):
        name = {str: "string_value", int: "int_value", float: "double_value", bool: "bool_value", bytes: "bytes_value"}
        value = AnyValue(**{name[type(kind)]: kind})
        whole.kvlist_value.values.add(key=f"key {number}").value.CopyFrom(value)
    array = whole.kvlist_value.values.add(key="array").value.array_value
    array.values.extend([entry.value for entry in whole.kvlist_value.values[:5]])
    array.values.add()
    array.values.add().array_value.SetInParent()
    return whole


def to_json(message):
    """A document as the specification writes it: camel case, ids in hex, enums and only enums as numbers."""
    document = json_format.MessageToDict(message, use_integers_for_enums=True)
    return _with_ids(document, lambda text: base64.b64decode(text).hex())


def from_json(signal, document):
    """The message that a document holds; fails for a member that OTLP does not define."""
    assert not [name for name in names(document) if "_" in name], "names are in camel case"
    based = _with_ids(json.loads(json.dumps(document)), lambda text: base64.b64encode(bytes.fromhex(text)).decode())
    return json_format.ParseDict(based, otlp.REQUESTS[signal]())


def names(node):
    """The names of all members."""
    if isinstance(node, dict):
        return [name for key, value in node.items() for name in [key, *names(value)]]
    return [name for value in node for name in names(value)] if isinstance(node, list) else []


def _with_ids(node, change):
    if isinstance(node, dict):
        return {
            key: change(value) if key in JSON_IDS and isinstance(value, str) else _with_ids(value, change)
            for key, value in node.items()
        }
    return [_with_ids(value, change) for value in node] if isinstance(node, list) else node
