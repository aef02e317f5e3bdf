"""Reading a trace as a person reads it in MLflow: by span name, as a tree, message by message."""


def span(trace, name):
    (found,) = [span for span in trace["spans"] if span["name"] == name]
    return found


def tree(trace):
    """{span name: parent's name or None}."""
    names = {span["id"]: span["name"] for span in trace["spans"]}
    return {span["name"]: names.get(span["parent"]) for span in trace["spans"]}


def asked(span):
    """[(role, text)] of the inputs, which must be OpenAI chat messages."""
    return [(message["role"], text(message["content"])) for message in span["inputs"]["messages"]]


def answered(span):
    """The one choice's message of the outputs."""
    (choice,) = span["outputs"]["choices"]
    return choice["message"]


def text(content):
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part["type"] == "text")
    return content


def usage(span):
    """(input, output, total) tokens; None where the span has none."""
    tokens = span["attributes"].get("mlflow.chat.tokenUsage")
    return tokens and (tokens["input_tokens"], tokens["output_tokens"], tokens["total_tokens"])
