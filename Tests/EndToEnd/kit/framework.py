"""An app of apps/frameworks: where it runs, and what MLflow ought to show of it.

Every app asks the same fake model the same question. The names of spans are those of the pinned versions.
"""

import dataclasses

from kit.environments import APPS

PLAIN = "UNKNOWN"
"""The type of a span that is none of GenAI: the app's own, an HTTP client's."""
SESSION = {"session": "session-1", "user": "ada"}
ONCE, TWICE = (11, 7), (22, 14)


@dataclasses.dataclass(frozen=True)
class Framework:
    """An app and what is expected of it.

    `spans` is {span name: the types of the spans of that name}, where LLM stands for CHAT_MODEL too. `traces` are the
    traces' names, `strays` how many of them have no session and user where others do, `previewed` how many show
    question and answer in the list. `conversations` counts the model calls that say what was asked and answered.
    `tokens` is what all traces count together, `summed` what MLflow 3.6.0 makes of it, which adds a call within a call.
    `tool` is the span of the tool call, where the emitter says what went in and out. `failed` are names of
    spans, to which some emitters now and then give the status OK (`fails_with_ok`).
    """

    name: str
    convention: str
    spans: dict
    traces: tuple
    strays: int = 0
    previewed: int = 1
    conversations: int = 2
    tokens: tuple = TWICE
    summed: tuple | None = None
    models: tuple = ("gpt-4o-mini",)
    tool: str | None = None
    failed: tuple = ()
    fails_with_ok: bool = False
    session: object = None
    user: str | None = None
    environment: str = "frameworks"
    app: str | None = None
    arguments: tuple = ()
    ignores_service: bool = False

    @property
    def path(self):
        return APPS / "frameworks" / f"{self.app or self.name}.py"

    @property
    def service(self):
        """Its own here: recorded requests of the same frameworks come to the same servers."""
        return f"{self.name}-app"

    @property
    def experiment(self):
        """Where its traces go: by the service that it was told to be, or that it calls itself."""
        return str(self.path) if self.ignores_service else self.service

    @property
    def types(self):
        return {name: sorted(types.split()) for name, types in self.spans.items()}
