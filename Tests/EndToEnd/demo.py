"""`make demo`: MLflow with Millrace in front of it, and six GenAI frameworks that send their traces through both.

Every model is a local fake. Ctrl-C or SIGTERM ends everything and removes what was written.
"""

import contextlib
import pathlib
import signal
import tempfile

import psutil

from kit.environments import APPS, clean_environment, free_port, program
from kit.fake_openai import FakeOpenAI
from kit.millrace import QUICK_RETRY, Millrace, pipeline
from kit.mlflow_server import MLflowServer
from kit.processes import Process
from kit.waiting import eventually

# (service, environment, app, its arguments before the model's address)
SERVICES = (
    ("langchain", "frameworks", "frameworks/langchain_chain.py", "openinference"),
    ("langfuse", "frameworks", "frameworks/langfuse_sdk.py"),
    ("openai-agents", "frameworks", "frameworks/openai_agents.py"),
    ("pydantic-ai", "frameworks", "frameworks/pydantic_ai_agent.py"),
    ("openai-openinference", "clients", "genai.py", "openinference"),
    ("openai-traceloop", "clients", "genai.py", "traceloop"),
)
ROW = "{:32}{:24}{:>6}{:>8}".format


class Ended(BaseException):
    """Somebody wants this to end; not an `Exception`, which waiting takes for "not yet"."""


def end(*_):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # ending is not to be interrupted
    raise Ended


def main():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with contextlib.suppress(Ended), contextlib.ExitStack() as stack:
        stack.callback(end_children)
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="millrace-demo-")))
        show(directory, stack)
        signal.pause()


def show(directory, stack):
    say("Starting MLflow, Millrace and a fake model…")
    mlflow = MLflowServer("3.17.2", directory / "mlflow", port=free_port(5000))
    stack.callback(mlflow.close)
    mlflow.start()
    gateway = gateway_before(mlflow, directory)
    stack.callback(gateway.process.end_group)
    gateway.start()
    model = stack.enter_context(contextlib.closing(FakeOpenAI().start()))
    for service in SERVICES:
        run(*service, model=model.url, gateway=gateway.url, directory=directory, stack=stack)
    mlflow.wait()
    gateway.settled(within=120)
    print_traces(mlflow)
    say(f"\nMLflow: {mlflow.url}\nMillrace: {gateway.url}, for any app of yours (OTEL_EXPORTER_OTLP_ENDPOINT)")
    say("Ctrl-C ends both.")


def gateway_before(mlflow, directory):
    file = pipeline(directory, {"mlflow": {"type": "mlflow", "endpoint": mlflow.url, "retry": QUICK_RETRY}})
    file["receivers"]["otlp"]["listen"] = f"127.0.0.1:{free_port(4318)}"
    file["admin"]["listen"] = f"127.0.0.1:{free_port(13133)}"
    return Millrace(directory, file)


def run(service, environment, app, *arguments, model, gateway, directory, stack):
    say(f"  {app} as {service}")
    settings = clean_environment(OTEL_EXPORTER_OTLP_ENDPOINT=gateway, OTEL_SERVICE_NAME=service)
    command = [program(environment, "python"), APPS / app, *arguments, model]
    process = Process(service, command, directory, settings)
    stack.callback(process.end_group)
    process.start()
    eventually(lambda: not process.running, within=120)
    if process.wait(0) != 0:
        raise SystemExit(f"{app} failed:\n{process.log}")


def print_traces(mlflow):
    say("\n" + ROW("trace", "service", "spans", "tokens"))
    for service, *_ in SERVICES:
        for trace in mlflow.traces(service):
            tokens = trace["tokens"] or {"total_tokens": 0}
            say(ROW(trace["name"] or "", service, len(trace["spans"]), tokens["total_tokens"]))


def end_children():
    """What a signal kept from being remembered while it was being started."""
    for child in psutil.Process().children(recursive=True):
        child.kill()


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    main()
