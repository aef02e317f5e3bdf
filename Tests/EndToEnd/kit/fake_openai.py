"""A local server that speaks enough of OpenAI's API: chat, responses, both streamed, tools, embeddings, errors.

Answers are fixed: 11 tokens in, 7 out, the tool `get_weather` first where a tool is offered. The model `broken-model`
is refused with 400. Beside it stand Anthropic's messages and Gemini's generateContent, for the clients of those.
"""

import base64
import http.server
import json
import struct
import threading

from kit import fake_anthropic, fake_gemini, fake_responses
from kit.fake_words import ANSWER, ARGUMENTS, INPUT_TOKENS, OUTPUT_TOKENS, TOOL

USAGE = {
    "prompt_tokens": INPUT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}
VECTOR = (0.0, 0.5, -0.25, 0.125)


class FakeOpenAI:
    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.host = f"http://127.0.0.1:{self.server.server_port}"
        self.url = f"{self.host}/v1"

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
        path = self.path.split("?")[0]
        if asked.get("model") == "broken-model" or "/broken-model:" in path:
            self.answer(400, {"error": {"message": "you broke it", "type": "invalid_request_error", "code": 400}})
        elif path == "/v1/embeddings":
            self.answer(200, embeddings(asked))
        elif path == "/v1/chat/completions" and asked.get("stream"):
            self.stream(chunks(asked), end="[DONE]")
        elif path == "/v1/chat/completions":
            self.answer(200, completion(asked))
        elif path == "/v1/responses" and asked.get("stream"):
            self.stream(fake_responses.events(asked))
        elif path == "/v1/responses":
            self.answer(200, fake_responses.response(asked))
        elif path == "/v1/messages":
            self.answer(200, fake_anthropic.message(asked))
        elif path.endswith(":generateContent"):
            self.answer(200, fake_gemini.content(asked, model=path.rpartition("/")[2].partition(":")[0]))
        else:
            self.answer(404, {"error": {"message": f"no {path} here", "type": "not_found"}})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, documents, end=None):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for document in documents:
            event = f"event: {document['type']}\n" if "type" in document else ""
            self.wfile.write(f"{event}data: {json.dumps(document)}\n\n".encode())
        if end:
            self.wfile.write(f"data: {end}\n\n".encode())
        self.close_connection = True

    def log_message(self, *_):
        pass


def envelope(asked, kind, **rest):
    return {"id": "chatcmpl-1", "object": kind, "created": 1790000000, "model": asked["model"] + "-2026"} | rest


def tool_call(asked):
    """The call that the model wants to make now: the weather, then what an agent takes as its final answer."""
    names = [tool["function"]["name"] for tool in asked.get("tools", [])]
    last = asked["messages"][-1]
    observed = last["role"] == "tool" or "Observation:" in json.dumps(last)  # the latter is how smolagents puts it
    if names and not observed:
        name, arguments = TOOL, ARGUMENTS
    elif "final_answer" in names:
        name, arguments = "final_answer", {"answer": ANSWER}
    else:
        return None
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def text(asked):
    """The answer, laid out in DSPy's fields where its prompt asks for them."""
    if "[[ ## completed ## ]]" not in json.dumps(asked["messages"]):
        return ANSWER
    return f"[[ ## answer ## ]]\n{ANSWER}\n\n[[ ## completed ## ]]"


def completion(asked):
    call = tool_call(asked)
    message = {"role": "assistant", "content": None if call else text(asked)}
    if call:
        message["tool_calls"] = [call]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop"}
    return envelope(asked, "chat.completion", choices=[choice], usage=USAGE)


def chunks(asked):
    def chunk(delta, finish=None, **rest):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return envelope(asked, "chat.completion.chunk", choices=[choice], **rest)

    call = tool_call(asked)
    yield chunk({"role": "assistant", "content": None if call else ""})
    if call:
        yield chunk({"tool_calls": [{"index": 0} | call]})
    else:
        for word in text(asked).split(" "):
            yield chunk({"content": word if word == "It" else " " + word})
    yield chunk({}, finish="tool_calls" if call else "stop")
    yield envelope(asked, "chat.completion.chunk", choices=[], usage=USAGE)


def embeddings(asked):
    packed = base64.b64encode(struct.pack("<4f", *VECTOR)).decode()
    vector = packed if asked.get("encoding_format") == "base64" else list(VECTOR)
    texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(texts))]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return {"object": "list", "data": data, "model": asked["model"], "usage": usage}
