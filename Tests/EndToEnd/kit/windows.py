"""Pipelines with a window, and traces that come in pieces."""

import collections
import json

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from kit import otlp

WINDOW = {"type": "assemble", "after_root": "2s", "wait": "30s", "open_wait": "60s"}


def behind_a_window(gateway, signals=("traces",), **settings):
    """Gives a gateway that has not started a window, named "whole", and a router behind it."""
    gateway.pipeline["processors"]["whole"] = WINDOW | settings
    gateway.pipeline["pipelines"]["traces"]["processors"] = ["map", "whole", "route", "batch"]
    gateway.pipeline["pipelines"]["traces"]["signals"] = list(signals)
    gateway.save()
    return gateway


def chain(service, spans):
    """One trace in which each span is the parent of the next, so that only the last may be missing unnoticed."""
    message = otlp.request(service, spans)
    all_spans = otlp.each_span(message)
    for parent, child in zip(all_spans, all_spans[1:]):
        child.parent_span_id = parent.span_id
    return message


def agent(service):
    """One trace as a request for each span, its root first: a tool, a call with content, and one whose content is in log records; and those."""
    message = otlp.request(service, 4)
    root, tool, own, joined = otlp.each_span(message)
    root.name, tool.name, own.name, joined.name = "agent", "tool", "chat 2", "chat 3"
    for span in (own, joined):
        attribute(span, "gen_ai.operation.name").string_value = "chat"
        attribute(span, "gen_ai.conversation.id").string_value = "s"
        attribute(span, "gen_ai.usage.input_tokens").int_value = 7
        attribute(span, "gen_ai.usage.output_tokens").int_value = 5
    for key, role, text in [("input", "user", "Weather in Paris?"), ("output", "assistant", "It is sunny.")]:
        content = [{"role": role, "parts": [{"type": "text", "content": text}]}]
        attribute(own, f"gen_ai.{key}.messages").string_value = json.dumps(content)
    requests = []
    for span in (root, tool, own, joined):
        requests.append(ExportTraceServiceRequest.FromString(message.SerializeToString()))
        del requests[-1].resource_spans[0].scope_spans[0].spans[:]
        requests[-1].resource_spans[0].scope_spans[0].spans.append(span)
    logs = otlp.request_of("logs", service, 2)
    for record, (name, text) in zip(
        otlp.units_of("logs", logs), [("gen_ai.user.message", "And in Rome?"), ("gen_ai.choice", "Rain.")]
    ):
        record.trace_id, record.span_id, record.event_name = joined.trace_id, joined.span_id, name
        body = record.body.kvlist_value.values
        if name == "gen_ai.choice":
            body = body.add(key="message").value.kvlist_value.values
        body.add(key="content").value.string_value = text
    return requests, logs


def attribute(span, key):
    return span.attributes.add(key=key).value


def pieces(message, random, most=3):
    """The spans of a request, in random order, as up to so many requests that each repeat the resource."""
    spans = otlp.each_span(message)
    random.shuffle(spans)
    count = random.randint(1, min(most, len(spans)))
    requests = []
    for start in range(count):
        request = ExportTraceServiceRequest.FromString(message.SerializeToString())
        del request.resource_spans[0].scope_spans[0].spans[:]
        request.resource_spans[0].scope_spans[0].spans.extend(spans[start::count])
        requests.append(request)
    return requests


def traces_of_file(path):
    """For each request of a JSON-lines file {trace: [span ids]}, in order."""
    lines = path.read_text().splitlines() if path.exists() else []
    requests = []
    for line in lines:
        traces = collections.defaultdict(list)
        for trace, span in otlp.pairs_of_json("traces", json.loads(line)):
            traces[trace].append(span)
        requests.append(dict(traces))
    return requests
