"""A FastAPI app whose endpoint asks a database, then an agent that calls a model, and fails; all traced by OpenTelemetry,
with every span that its instrumentations make. Serves itself one request, then ends.

OTEL_EXPORTER_OTLP_ENDPOINT says where the spans go.

usage: plumbing_fastapi.py OPENAI_URL
"""

import contextlib
import sqlite3
import sys
import threading

import fastapi
import openai
import requests
import uvicorn
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("plumbing")
app = fastapi.FastAPI()
FastAPIInstrumentor.instrument_app(app)
SQLite3Instrumentor().instrument()
OpenAIInstrumentor().instrument()
client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)


@app.post("/ask")
def ask(question: str):
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.cursor().execute("SELECT 'ada' AS name").fetchall()
    with tracer.start_as_current_span("plan"):
        with tracer.start_as_current_span("invoke_agent weather", attributes={"gen_ai.operation.name": "invoke_agent"}):
            with tracer.start_as_current_span("POST", kind=trace.SpanKind.CLIENT) as request:
                request.set_attribute("http.request.method", "POST")
                messages = [{"role": "user", "content": question}]
                client.chat.completions.create(model="gpt-4o", messages=messages)
    raise RuntimeError("the printer is on fire")


# A listening socket takes the request before the server's loop runs, so there is no start to wait for.
listener = uvicorn.Config(app, host="127.0.0.1", port=0).bind_socket()
listener.listen()
server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
thread.start()
url = "http://127.0.0.1:{}/ask".format(listener.getsockname()[1])
assert requests.post(url, params={"question": "Weather in Paris?"}, timeout=60).status_code == 500
server.should_exit = True
thread.join(10)
provider.shutdown()
