"""Where things stand: the checkout, the binary under test, the virtual environments, captures and payloads."""

import os
import pathlib
import socket

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("MILLRACE_BINARY", CHECKOUT / ".build/debug/millrace")).absolute()
ENVIRONMENTS = pathlib.Path(os.environ.get("MILLRACE_VENVS", CHECKOUT / ".build/venvs")).absolute()
APPS = pathlib.Path(__file__).resolve().parents[1] / "apps"
LONG = os.environ.get("MILLRACE_LONG") == "1"
DATA = CHECKOUT / "Tests/Data"
CAPTURES = DATA / "captures"
PAYLOADS = DATA / "payloads"


def program(environment, name):
    """The path of a program of a virtual environment."""
    path = ENVIRONMENTS / environment / "bin" / name
    if not path.exists():
        how = "make test-frameworks" if environment.startswith("frameworks-") else "make environments"
        raise FileNotFoundError(f"{path} is missing: run `{how}`")
    return str(path)


_given = set()


def free_port(preferred=0):
    """The preferred port of 127.0.0.1 if it is free, else any that is and was not given before."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that has just ended is no obstacle
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            return free_port()
        port = probe.getsockname()[1]
        if port in _given and not preferred:
            return free_port()
        _given.add(port)
        return port


def clean_environment(**settings):
    """The surrounding environment without what would configure an SDK or MLflow, and with `settings`."""
    ours = ("OTEL_", "MLFLOW_", "PHOENIX_", "TRACELOOP_", "LANGFUSE_", "LANGSMITH_", "LANGCHAIN_", "LOGFIRE_", "LMNR_")
    ours += ("OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_")
    ours += ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_")  # which would win over what a test trusts
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept["NO_PROXY"] = kept["no_proxy"] = "127.0.0.1,localhost"
    return kept | settings
