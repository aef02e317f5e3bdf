"""An OTLP destination that keeps what it is sent, and can be told what to refuse, or be away for a while."""

import collections
import gzip
import http.server
import json
import subprocess
import threading

from kit import otlp
from kit.environments import free_port


class Sink:
    """`refuses`, where it is set, is asked with each request: a (status, JSON document) to answer, or None.

    `admits` is asked the same before, with the path, the header fields and the body as it came; what it turns away is not
    in `requests`. Either may give a third, a dict of header fields, and bytes in place of a document.
    Where `bodies` is a list, it gets (signal, body) of all that is taken. With an `ssl.SSLContext` it speaks TLS.
    """

    def __init__(self, tls=None):
        self.port = free_port()
        self.tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.refuses = None
        self.admits = None
        self.received = collections.Counter()
        self.requests = []
        self.bodies = None
        self.connections = 0
        self._lock = threading.Lock()
        self._server = None

    def start(self):
        handler = type("Handler", (Handler,), {"sink": self})
        self._server = Server(("127.0.0.1", self.port), handler)
        if self.tls:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def close(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None

    @property
    def spans(self):
        """{(trace id, span id)} of everything that was answered 200."""
        with self._lock:
            return set(self.received)

    def answer(self, body, signal="traces"):
        """What to answer to a request, which is kept if it is taken; `requests` has (status, spans) of each."""
        message = otlp.REQUESTS[signal].FromString(body)
        refusal = self.refuses and self.refuses(message)
        # Only requests of our own have ids that tell data points from each other.
        spans = otlp.pairs_of(signal, message) if self.bodies is None else []
        with self._lock:
            self.requests.append((refusal[0] if refusal else 200, len(spans)))
            if not refusal:
                self.received.update(spans)
                if self.bodies is not None:
                    self.bodies.append((signal, body))
        return refusal or (200, {})


def zstandard(*options, data):
    """What the zstd command makes of it."""
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, capture_output=True, check=True, timeout=30).stdout


DECODERS = {"gzip": gzip.decompress, "zstd": lambda body: zstandard("-d", data=body)}


class Server(http.server.ThreadingHTTPServer):
    """Closes its connections with itself, as a process that ends does."""

    daemon_threads = True

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.open = set()

    def process_request(self, request, address):
        self.open.add(request)
        if sink := getattr(self.RequestHandlerClass, "sink", None):
            sink.connections += 1
        super().process_request(request, address)

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)

    def hang_up(self):
        for request in list(self.open):
            super().shutdown_request(request)

    def handle_error(self, request, address):
        pass  # a client that left


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sink = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        turned_away = self.sink.admits and self.sink.admits(self.path, self.headers, body)
        if undo := DECODERS.get(self.headers.get("content-encoding")):
            body = undo(body)
        status, document, *more = turned_away or self.sink.answer(body, self.path.rsplit("/", 1)[-1])
        answer = document if isinstance(document, bytes) else json.dumps(document).encode()
        headers = {"content-type": "application/json", "content-length": str(len(answer))}
        self.send_response(status)
        for name, value in (headers | dict(*more)).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass
