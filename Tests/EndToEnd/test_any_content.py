"""Whatever the attributes of all conventions hold, MLflow takes what Millrace makes of it: one refused value refuses all."""

import json

from kit import otlp
from kit.environments import CHECKOUT

SPANS = 400
# MLflow 3.17.2 fails on a list in one of these, whoever sends it.
KINDS = {
    *("gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind", "langfuse.observation.type"),
    *("lmnr.span.type", "ai.operationId", "span.type", "entity.type"),
}
WORDS = ["user", "assistant", "tool", "text", "tool_call", "12", "-3", "1e9", "NaN", "ü 🌤", "", "x" * 9000, "{", '"a"']


def test_no_mix_of_attributes_makes_mlflow_refuse_a_span(gateway, each_mlflow, service, seeded):
    values = [value for path in (CHECKOUT / "Sources/CEmbedded/rules").glob("*.json") for value in leaves(load(path))]
    keys = sorted({value for value in values if set(value) & set(".:_")})
    message = otlp.batch(service, SPANS)
    for span in otlp.each_span(message):
        span.name = seeded.choice(["invocation", "claude_code.tool", "raw_gen_ai_request", "step"])
        span.status.code = seeded.choice([0, 1, 2])
        for key in seeded.sample(keys, seeded.randint(1, 14)):
            if key in KINDS:
                span.attributes.add(key=key).value.string_value = seeded.choice(values)
                continue
            fill(span.attributes.add(key=key + seeded.choice(["", "", "", ".0.message.content"])).value, values, seeded)
        event = span.events.add(name=seeded.choice(keys), time_unix_nano=span.start_time_unix_nano)
        fill(event.attributes.add(key=seeded.choice(keys)).value, values, seeded)
    assert gateway.post(message.SerializeToString()).status_code == 200
    row = gateway.settled(within=120)["destinations"]["mlflow"]
    refused = gateway.dead_letters()["dead_letters"]
    assert (row["dead_lettered"], row["rejected"]) == (0, 0), [letter["reason"] for letter in refused[:5]]
    dropped = sum(any(entry.key == "logfire.span_type" for entry in span.attributes) for span in otlp.each_span(message))
    assert SPANS - dropped <= row["delivered"] <= SPANS


def load(path):
    return json.loads(path.read_text())


def leaves(node):
    """All names and texts of a rule document."""
    if isinstance(node, dict):
        return [leaf for name, value in node.items() for leaf in [name, *leaves(value)]]
    if isinstance(node, list):
        return [leaf for value in node for leaf in leaves(value)]
    return [node] if isinstance(node, str) else []


def fill(value, words, seeded):
    kind = seeded.randrange(6)
    if kind == 0:
        value.int_value = seeded.choice([-(2**63), -1, 0, 7, 2**63 - 1])
    elif kind == 1:
        value.double_value = seeded.choice([0.5, -1e300, float("nan"), float("inf")])
    elif kind == 2:
        value.string_value = seeded.choice(words)
    elif kind == 3:
        for entry in random_object(0, seeded).items():
            pair = value.kvlist_value.values.add(key=entry[0])
            pair.value.string_value = json.dumps(entry[1])
    else:
        value.string_value = json.dumps(random_value(0, seeded))


def random_value(depth, seeded):
    kind = seeded.randrange(4 if depth < 4 else 2)
    if kind == 0:
        return seeded.choice(WORDS)
    if kind == 1:
        return seeded.choice([None, True, 0, -1, 2.5, 2**53])
    if kind == 2:
        return [random_value(depth + 1, seeded) for _ in range(seeded.randrange(4))]
    return random_object(depth, seeded)


def random_object(depth, seeded):
    names = ["role", "content", "messages", "choices", "text", "type", "parts", "tool_calls", "usage", "input", "total"]
    return {seeded.choice(names): random_value(depth + 1, seeded) for _ in range(seeded.randrange(4))}
