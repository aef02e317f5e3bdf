"""A gRPC client that sends bytes as they are, by the C core that most languages' clients are made of."""

import grpc

SERVICES = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}


class Caller:
    """A channel to an address such as `127.0.0.1:4317` or `unix:/run/x.sock`; without credentials in plaintext."""

    def __init__(self, address, credentials=None, **options):
        options = [(f"grpc.{name}", value) for name, value in options.items()]
        options += [("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0)]
        if credentials:
            self.channel = grpc.secure_channel(address, credentials, options)
        else:
            self.channel = grpc.insecure_channel(address, options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def call(self, path, body=b"", timeout=20, compression=None, **metadata):
        """(response, None), or (None, the `grpc.RpcError`)."""
        named = [(name.replace("_", "-"), value) for name, value in metadata.items()]
        method = self.channel.unary_unary(path)
        try:
            return method(body, timeout=timeout, metadata=named, compression=compression, wait_for_ready=False), None
        except grpc.RpcError as error:
            return None, error

    def export(self, body, signal="traces", **more):
        return self.call(f"/{SERVICES[signal]}/Export", body, **more)


def retry_delay(error):
    """Seconds that the RetryInfo of a failure asks for; None where it has none."""
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            status = Status.FromString(value)
            assert status.code == error.code().value[0] and status.message
            for detail in status.details:
                info = RetryInfo()
                if detail.Unpack(info):
                    return info.retry_delay.seconds
    return None
