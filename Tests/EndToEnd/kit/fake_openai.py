"""A local server that speaks enough of OpenAI's API: chat, streamed chat, tools, embeddings, errors.

Answers are fixed: 11 tokens in, 7 out. The model `broken-model` is refused with 400.
"""

import base64
import http.server
import json
import struct
import threading

ANSWER = "It is sunny in Paris."
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
VECTOR = (0.0, 0.5, -0.25, 0.125)
TOOL_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}


class FakeOpenAI:
    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def start(self):
        self.thread.start()
        return self

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["model"] == "broken-model":
            self.answer(400, {"error": {"message": "you broke it", "type": "invalid_request_error"}})
        elif self.path == "/v1/embeddings":
            self.answer(200, embeddings(asked))
        elif asked.get("stream"):
            self.stream(chunks(asked))
        else:
            self.answer(200, completion(asked))

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, documents):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for document in documents:
            self.wfile.write(f"data: {json.dumps(document)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def log_message(self, *_):
        pass


def envelope(asked, kind, **rest):
    return {"id": "chatcmpl-1", "object": kind, "created": 1790000000, "model": asked["model"] + "-2026"} | rest


def completion(asked):
    wants_tool = "tools" in asked and asked["messages"][-1]["role"] != "tool"
    message = {"role": "assistant", "content": None if wants_tool else ANSWER}
    if wants_tool:
        message["tool_calls"] = [TOOL_CALL]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if wants_tool else "stop"}
    return envelope(asked, "chat.completion", choices=[choice], usage=USAGE)


def chunks(asked):
    def chunk(delta, finish=None, **rest):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return envelope(asked, "chat.completion.chunk", choices=[choice], **rest)

    yield chunk({"role": "assistant", "content": ""})
    for word in ANSWER.split(" "):
        yield chunk({"content": word if word == "It" else " " + word})
    yield chunk({}, finish="stop")
    yield envelope(asked, "chat.completion.chunk", choices=[], usage=USAGE)


def embeddings(asked):
    packed = base64.b64encode(struct.pack("<4f", *VECTOR)).decode()
    vector = packed if asked.get("encoding_format") == "base64" else list(VECTOR)
    texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(texts))]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return {"object": "list", "data": data, "model": asked["model"], "usage": usage}
