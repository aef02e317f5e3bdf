"""A client of HTTP/2 that sends bodies as they are, by the library h2."""

import socket

import h2.config
import h2.connection
import h2.events


class HTTP2Client:
    """A connection to (host, port), by prior knowledge."""

    def __init__(self, address):
        self.address = address
        self.socket = socket.create_connection(address, timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.answers = {}
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def post(self, body, content_type="application/x-protobuf", path="/v1/traces", **headers):
        """(status, headers, body) of the answer."""
        return self.wait(self.begin(body, content_type, path, **headers))

    def begin(self, body, content_type="application/x-protobuf", path="/v1/traces", **headers):
        """Sends a request; its stream."""
        stream = self.h2.get_next_available_stream_id()
        self.answers[stream] = [None, {}, b"", False]
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        head = [
            (":method", "POST"), (":scheme", "http"), (":authority", "{}:{}".format(*self.address)), (":path", path),
            ("content-type", content_type), *named,
        ]  # fmt: skip
        self.h2.send_headers(stream, head, end_stream=not body)
        rest = memoryview(body)
        while rest:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if not room:
                self.flush()
                self.read()
                continue
            self.h2.send_data(stream, bytes(rest[:room]), end_stream=len(rest) <= room)
            rest = rest[room:]
        self.flush()
        return stream

    def wait(self, stream):
        """The answer on a stream: (status, headers, body)."""
        while not self.answers[stream][3]:
            self.read()
        status, headers, body, _ = self.answers.pop(stream)
        return status, headers, body

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def read(self):
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the server closed the connection")
        for event in self.h2.receive_data(data):
            self.note(event)
        self.flush()

    def note(self, event):
        answer = self.answers.get(getattr(event, "stream_id", None))
        match event:
            case h2.events.ResponseReceived():
                headers = dict(event.headers)
                answer[0], answer[1] = int(headers.pop(":status")), headers
            case h2.events.DataReceived():
                answer[2] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                answer[3] = True
            case h2.events.StreamReset() if answer and not answer[3]:
                raise ConnectionError(f"stream {event.stream_id} is reset: {event.error_code}")
