"""An authorization server with the one grant that a gateway uses: tokens for a client's id and secret (RFC 6749, 4.4)."""

import base64
import http.server
import json
import secrets
import threading
import time
import urllib.parse

from kit.environments import free_port
from kit.sink import Server


class TokenServer:
    """Gives tokens that live `lifetime` seconds, or says so; `admits` is what a destination asks about a request.

    `requests` has (client id, scope, status) of each request; with an `ssl.SSLContext` it speaks TLS.
    """

    def __init__(self, tls=None, lifetime=3600):
        self.port = free_port()
        self.tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/token"
        self.client, self.secret = "gate/way", "client-secret+" + secrets.token_hex(12)
        self.lifetime = lifetime
        self.requests = []
        self.issued = []
        self.refused = 0
        self._ends = {}
        self._lock = threading.Lock()
        self._server = None

    def start(self):
        handler = type("Handler", (Handler,), {"issuer": self})
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

    def settings(self, **more):
        """The `oauth2` of an exporter."""
        return {"token_endpoint": self.url, "client_id": self.client, "client_secret": self.secret} | more

    def revoke(self):
        """Every token that was given is worth nothing any more."""
        with self._lock:
            self._ends.clear()

    def admits(self, path, headers, body):
        """None for a request with a valid token, else the (status, document) to answer."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        with self._lock:
            if scheme == "Bearer" and self._ends.get(token, 0) > time.monotonic():
                return None
            self.refused += 1
        return 401, {"message": "the token is not valid"}

    def answer(self, authorization, form):
        """(status, document) for a request."""
        client, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        client, secret = urllib.parse.unquote_plus(client), urllib.parse.unquote_plus(secret)
        with self._lock:
            status, document = self._decide(client, secret, form)
            self.requests.append((client, form.get("scope"), status))
        return status, document

    def _decide(self, client, secret, form):
        if (client, secret) != (self.client, self.secret):
            return 401, {"error": "invalid_client", "error_description": f"no client has the secret {secret}"}
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        token = "access-token-" + secrets.token_hex(16)
        self.issued.append(token)
        self._ends[token] = time.monotonic() + self.lifetime
        return 200, {"access_token": token, "token_type": "bearer", "expires_in": self.lifetime}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    issuer = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = dict(urllib.parse.parse_qsl(body))
        status, document = self.issuer.answer(self.headers.get("authorization", ""), form)
        answer = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("cache-control", "no-store")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass
