"""MLflow's announcement, third way: a FastAPI app traced by OpenTelemetry, with `@mlflow.trace` and OpenAI autologging
inside, as one trace. Serves itself one request, then ends.

MLFLOW_USE_DEFAULT_TRACER_PROVIDER=false lets MLflow share OpenTelemetry's provider; OTEL_EXPORTER_OTLP_TRACES_* say
where the spans go.

usage: unified_fastapi.py OPENAI_URL
"""

import sys
import threading

import fastapi
import mlflow
import openai
import requests
import uvicorn
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

mlflow.tracing.enable()  # MLflow installs the shared provider now, not within the first request
app = fastapi.FastAPI()
FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"])
mlflow.openai.autolog()
client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)


@mlflow.trace(span_type="AGENT")
def answer(question):
    completion = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
    )
    return completion.choices[0].message.content


@app.post("/ask")
def ask(question: str):
    return {"answer": answer(question)}


# A listening socket takes the request before the server's loop runs, so there is no start to wait for.
listener = uvicorn.Config(app, host="127.0.0.1", port=0).bind_socket()
listener.listen()
server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
thread.start()
url = "http://127.0.0.1:{}/ask".format(listener.getsockname()[1])
response = requests.post(url, params={"question": "Weather in Paris?"}, timeout=60)
response.raise_for_status()
server.should_exit = True
thread.join(10)
trace.get_tracer_provider().shutdown()
