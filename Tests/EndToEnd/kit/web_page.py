"""A web page at two origins, and what it sends to another one: by the browser's own means, and by OpenTelemetry's web SDKs."""

import base64
import http.server
import shutil
import subprocess
import threading

from kit.browser import Browser
from kit.environments import APPS, free_port

FETCH = """
const [url, type, body, settings, done] = arguments;
const {headers, ...others} = settings;
const bytes = Uint8Array.from(atob(body), letter => letter.charCodeAt(0));
fetch(url, {method: "POST", body: bytes, headers: {"content-type": type, ...headers}, ...others}).then(
    async answer => done({
        status: answer.status, retryAfter: answer.headers.get("retry-after"), text: await answer.text(),
    }),
    error => done({status: 0, error: String(error)}),
);
"""
XHR = """
const [url, type, body, headers, done] = arguments;
const request = new XMLHttpRequest();
request.open("POST", url);
for (const [name, value] of Object.entries({"content-type": type, ...headers})) request.setRequestHeader(name, value);
request.onload = () => done({status: request.status, retryAfter: request.getResponseHeader("retry-after")});
request.onerror = () => done({status: 0});
request.send(Uint8Array.from(atob(body), letter => letter.charCodeAt(0)));
"""
BEACON = """
const [url, type, body] = arguments;
const bytes = Uint8Array.from(atob(body), letter => letter.charCodeAt(0));
return navigator.sendBeacon(url, new Blob([bytes], {type}));
"""
WHEN_CLOSED = """
const [way, url, type, body] = arguments;
const bytes = Uint8Array.from(atob(body), letter => letter.charCodeAt(0));
addEventListener("pagehide", () => way === "beacon"
    ? navigator.sendBeacon(url, new Blob([bytes], {type}))
    : fetch(url, {method: "POST", keepalive: true, headers: {"content-type": type}, body: bytes}));
"""
FORM = """
const [url, body] = arguments;
document.body.innerHTML = `<form method="post" enctype="text/plain" action="${url}"><input name="span"></form>`;
document.querySelector("input").value = body;
document.querySelector("form").submit();
"""


class WebPage(Browser):
    """`origins` are two of one server: by name, and by address."""

    def __init__(self, script=None):
        super().__init__()
        self.script = script
        port = free_port()
        self.origins = [f"http://localhost:{port}", f"http://127.0.0.1:{port}"]
        handler = type("Handler", (Handler,), {"script": script.read_bytes() if script else b""})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        super().close()
        self.server.shutdown()
        self.server.server_close()

    def open(self, origin, path="/page"):
        self.driver.get(origin + path)

    def leave(self):
        """Closes the tab that the page is in."""
        tab = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        other = self.driver.current_window_handle
        self.driver.switch_to.window(tab)
        self.driver.close()
        self.driver.switch_to.window(other)

    def fetch(self, url, content_type, body, **settings):
        """{"status": 0 where the page may not read it, "retryAfter", "text"}."""
        return self.driver.execute_async_script(FETCH, url, content_type, text(body), settings)

    def xhr(self, url, content_type, body, **headers):
        return self.driver.execute_async_script(XHR, url, content_type, text(body), headers)

    def beacon(self, url, content_type, body):
        """Whether the browser sends it; what comes of it no page can see."""
        return self.driver.execute_script(BEACON, url, content_type, text(body))

    def when_closed(self, way, url, content_type, body):
        self.driver.execute_script(WHEN_CLOSED, way, url, content_type, text(body))

    def form(self, url, body):
        """Sends a form, whose answer the browser then shows."""
        self.driver.execute_script(FORM, url, body)

    def sdk(self, kind, url, headers=None, spans=5):
        """Ends spans in an SDK; {(trace id, span id)}."""
        script = "window.sdk = client(...arguments); return sdk.spans(arguments[3])"
        return {tuple(span) for span in self.driver.execute_script(script, kind, url, headers, spans)}

    def flush(self):
        """What becomes of the SDK's spans: "flushed", or its error."""
        return self.driver.execute_async_script("sdk.flush().then(arguments[0])")


def text(body):
    return base64.b64encode(body).decode()


def bundled(directory):
    """OpenTelemetry's web SDKs in one script; nil where there is no npm, or no way to its packages."""
    npm, app = shutil.which("npm"), directory / "web-client"
    if not npm:
        return None
    shutil.copytree(APPS / "web-client", app)
    install = [npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    bundle = ["node_modules/.bin/esbuild", "page.js", "--bundle", "--format=iife", "--outfile=bundle.js"]
    for command in (install, bundle):
        if subprocess.run(command, cwd=app, capture_output=True, timeout=300).returncode != 0:
            return None
    return app / "bundle.js"


class Handler(http.server.BaseHTTPRequestHandler):
    script = b""

    def do_GET(self):
        is_script = self.path == "/page.js"
        body = self.script if is_script else b"<!doctype html><title>page</title><body></body><script src=/page.js></script>"
        self.send_response(200)
        self.send_header("content-type", "text/javascript" if is_script else "text/html")
        if self.path == "/sandboxed":
            self.send_header("content-security-policy", "sandbox allow-scripts")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
