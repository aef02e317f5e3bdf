"""Pipelines with a window, and traces that come in pieces."""

import collections
import json

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from kit import otlp

WINDOW = {"type": "assemble", "after_root": "2s", "wait": "30s", "open_wait": "60s"}


def behind_a_window(gateway, **settings):
    """Gives a gateway that has not started a window, named "whole", and a router behind it."""
    gateway.pipeline["processors"]["whole"] = WINDOW | settings
    gateway.pipeline["pipelines"]["traces"]["processors"] = ["map", "whole", "route", "batch"]
    gateway.save()
    return gateway


def chain(service, spans):
    """One trace in which each span is the parent of the next, so that only the last may be missing unnoticed."""
    message = otlp.request(service, spans)
    all_spans = otlp.each_span(message)
    for parent, child in zip(all_spans, all_spans[1:]):
        child.parent_span_id = parent.span_id
    return message


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
