"""Writes the manual page from what `millrace --experimental-dump-help` prints: read on stdin, written to stdout."""

import json
import sys

FILES = """
.SH FILES
.TP
.I @ETC@/millrace/pipeline.json
The pipeline file of the service.
.TP
.I @ETC@/default/millrace
Environment of the service, which the pipeline file reads with
.BR ${env:NAME} .
.TP
.I @PREFIX@/share/doc/millrace
The reference of the pipeline file, documents, and examples.
.SH EXIT STATUS
0 done; 1 failed while running; 64 wrong usage; 78 wrong configuration.
.SH SIGNALS
SIGTERM and SIGINT: what is there is delivered for up to
.BR drain_timeout ,
what has begun is answered; a second one ends at once. SIGHUP: the pipeline file is read again.
"""


def plain(text):
    """Text as roff reads it."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("…", "...")
    return "\n".join("\\&" + line if line.startswith(".") else line for line in text.splitlines())


def names(argument):
    """How an argument is written: its options with their value, or its place."""
    value = plain(argument.get("valueName", "").upper())
    if argument["kind"] == "positional":
        return f"\\fI{value}\\fR" + (" ..." if argument["isRepeating"] else "")
    dashes = {"short": "-", "long": "--", "longWithSingleDash": "-"}
    options = ", ".join(f"\\fB{plain(dashes[name['kind']] + name['name'])}\\fR" for name in argument["names"])
    return options + (f" \\fI{value}\\fR" if argument["kind"] == "option" else "")


def shown(command):
    """The arguments that help shows, but for the two that every command has."""
    return [
        argument
        for argument in command.get("arguments", [])
        if argument["shouldDisplay"] and argument.get("valueName") not in ("help", "version")
    ]


def synopsis(command, path):
    words = [f"\\fB{plain(path)}\\fR"]
    for argument in shown(command):
        word = names(argument).split(", ")[-1]
        words.append(f"[{word}]" if argument["isOptional"] else word)
    return " ".join(words)


def section(command, path):
    """A command's part, and those of the commands below it."""
    below = [part for part in command.get("subcommands", []) if part["shouldDisplay"] and part["commandName"] != "help"]
    if below:
        for part in below:
            yield from section(part, f"{path} {part['commandName']}")
        return
    yield f".SS {plain(path)}"
    yield synopsis(command, path)
    yield ".PP"
    yield plain(command.get("abstract", ""))
    for paragraph in command.get("discussion", "").split("\n\n"):
        if paragraph:
            yield ".PP"
            yield plain(paragraph)
    for argument in shown(command):
        yield ".TP"
        yield names(argument)
        default = f" The default is {argument['defaultValue']}." if argument.get("defaultValue") else ""
        yield plain(argument.get("abstract", "") + default)


def page(command, version, prefix, etc):
    yield f'.TH MILLRACE 1 "" "millrace {plain(version)}" "User Commands"'
    yield ".SH NAME"
    yield "millrace \\- takes OpenTelemetry data and delivers it to MLflow, files and OTLP backends"
    yield ".SH SYNOPSIS"
    yield "\\fBmillrace\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR ...]"
    yield ".SH DESCRIPTION"
    yield plain(command["abstract"])
    yield ".SH COMMANDS"
    yield from section(command, "millrace")
    yield FILES.strip().replace("@PREFIX@", prefix).replace("@ETC@", etc)


if __name__ == "__main__":
    print("\n".join(page(json.load(sys.stdin)["command"], *sys.argv[1:])))
