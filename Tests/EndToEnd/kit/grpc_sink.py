"""An OTLP/gRPC destination on the C core: it keeps the messages of all three signals as bytes, or refuses them."""

import collections
import concurrent.futures
import threading

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from kit import otlp
from kit.environments import free_port

SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
}


class GRPCSink:
    """`refuses`, where it is set, is asked with each call: (code, message, seconds of a RetryInfo or None), or None.

    `answer` is the message of what is taken. With credentials it speaks TLS.
    """

    def __init__(self, credentials=None, **options):
        self.port = free_port()
        self.url = f"{'https' if credentials else 'http'}://127.0.0.1:{self.port}"
        self.credentials = credentials
        self.options = [(f"grpc.{name}", value) for name, value in options.items()]
        self.refuses = None
        self.answer = b""
        self.bodies = collections.defaultdict(list)
        self.calls = []
        self._lock = threading.Lock()

    def start(self):
        self._server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(8),
            options=[*self.options, ("grpc.so_reuseport", 0)],
            handlers=[Handlers(self)],
        )
        address = f"127.0.0.1:{self.port}"
        if self.credentials:
            self._server.add_secure_port(address, self.credentials)
        else:
            self._server.add_insecure_port(address)
        self._server.start()
        return self

    def close(self):
        self._server.stop(None).wait()

    @property
    def spans(self):
        """{(trace id, span id)} of everything that was taken."""
        with self._lock:
            bodies = list(self.bodies["traces"])
        return {pair for body in bodies for pair in otlp.spans_of(ExportTraceServiceRequest.FromString(body))}

    def take(self, signal, body, context):
        metadata = dict(context.invocation_metadata())
        refusal = self.refuses and self.refuses(signal, body)
        with self._lock:
            self.calls.append((signal, refusal[0] if refusal else grpc.StatusCode.OK, metadata))
            if not refusal:
                self.bodies[signal].append(body)
        if refusal:
            code, message, seconds = refusal
            if seconds is not None:
                detail = Any()
                detail.Pack(RetryInfo(retry_delay=Duration(seconds=seconds)))
                status = Status(code=code.value[0], message=message, details=[detail])
                context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
            context.abort(code, message)
        return self.answer


class Handlers(grpc.GenericRpcHandler):
    def __init__(self, sink):
        self.sink = sink

    def service(self, details):
        _, service, method = details.method.split("/")
        if service not in SERVICES or method != "Export":
            return None
        signal = SERVICES[service]
        return grpc.unary_unary_rpc_method_handler(lambda body, context: self.sink.take(signal, body, context))
