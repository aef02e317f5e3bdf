"""An MLflow server of a given version in its own environment, and its traces as its own client reads them."""

import json
import signal
import subprocess

import requests

from kit.environments import clean_environment, free_port, program
from kit.processes import Process
from kit.waiting import eventually

READER = __file__.replace("mlflow_server.py", "mlflow_reader.py")


class MLflowServer:
    def __init__(self, version, directory, store=None, port=None):
        directory.mkdir(parents=True)
        self.version = version
        self.directory = directory
        self.environment = f"mlflow-{version}"
        self.url = f"http://127.0.0.1:{port or free_port()}"
        settings = clean_environment(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", MLFLOW_DISABLE_TELEMETRY="true")
        self.process = Process(
            self.environment,
            [
                *(program(self.environment, "mlflow"), "server", "--workers", "1"),
                *("--backend-store-uri", store or f"sqlite:///{directory}/store.db"),
                *("--artifacts-destination", directory / "artifacts"),
                *("--host", "127.0.0.1", "--port", self.url.rsplit(":", 1)[1]),
            ],
            directory,
            settings,
        )
        self.reader = None

    def start(self):
        self.process.start()

    def wait(self, within=120):
        def healthy():
            self.process.expect_running()
            return requests.get(self.url + "/health", timeout=5).status_code == 200

        eventually(healthy, within=within, every=0.2)
        return self

    def stop(self, number=signal.SIGTERM):
        self.process.end_group(number)

    def close(self):
        if self.reader:
            self.reader.stdin.close()
            self.reader.wait(20)
        self.stop()

    def wipe(self):
        """Forgets everything, as a server in a container without a volume does; it must not run."""
        for path in self.directory.glob("store.db*"):
            path.unlink()

    def ask(self, question, **arguments):
        """One question to the client, which lives in the server's environment (see mlflow_reader.py)."""
        if self.reader is None:
            self.reader = subprocess.Popen(
                [program(self.environment, "python"), READER, self.url],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=clean_environment(MLFLOW_DISABLE_TELEMETRY="true"),
                start_new_session=True,  # Ctrl-C is for who started this, who then closes it
            )
        self.reader.stdin.write(json.dumps({"question": question} | arguments) + "\n")
        self.reader.stdin.flush()
        answer = json.loads(self.reader.stdout.readline() or '{"error": "the reader ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def create_experiment(self, name):
        return self.ask("create_experiment", name=name)

    def delete_experiment(self, name):
        self.ask("delete_experiment", name=name)

    def experiments(self):
        """Experiment names."""
        return self.ask("experiments")

    def traces(self, experiment):
        """Every trace of an experiment, whole; an empty list where there is no such experiment."""
        return self.ask("traces", experiment=experiment)

    def spans(self, experiment=None):
        """{(trace id, span id)} in hex, of one experiment or of all."""
        return {tuple(pair) for pair in self.ask("spans", experiment=experiment)}

    def expect_traces(self, experiment, spans, within=60):
        """Waits until the experiment holds `spans` spans in all, each trace finished; its traces."""

        def there():
            traces = self.traces(experiment)
            found = sum(len(trace["spans"]) for trace in traces)
            assert found == spans, f"{found} of {spans} spans in {experiment!r} of MLflow {self.version}"
            return traces

        return eventually(there, within=within, every=0.2)
