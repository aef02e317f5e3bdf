"""Differences that somebody looked at: one line each, under the reason why each is right.

    REASON
        capture / span | cell | before → after

`record` keeps the reasons of lines that are still there and puts new ones under "REASON? ...", which no test accepts.
"""

import hashlib
import json

OPEN = "REASON?"
NAMES = {"type", "format", "provider", "model", "state"}


class Golden:
    def __init__(self, path):
        self.path = path
        self.read()

    def read(self):
        self.reasons, reason = {}, None
        for line in self.path.read_text().splitlines() if self.path.exists() else []:
            if line.startswith("    "):
                self.reasons[line.strip()] = reason
            elif line and not line.startswith("#"):
                reason = line

    def unexplained(self, differences):
        """The lines among `differences` ({line: kind}) that have no reason."""
        return [line for line in differences if self.reasons.get(line, OPEN).startswith(OPEN)]

    def stale(self, differences, covers):
        """Lines of runs that were compared but differ no longer."""
        return [line for line in self.reasons if covers(line) and line not in differences]

    def record(self, differences, covers, head):
        """Writes the file anew; lines that are not covered this time stay."""
        kept = {line: reason for line, reason in self.reasons.items() if not covers(line)}
        for line, kind in differences.items():
            kept[line] = self.reasons.get(line, f"{OPEN} {kind}")
        groups = {}
        for line, reason in sorted(kept.items()):
            groups.setdefault(reason, []).append(f"    {line}\n")
        self.path.parent.mkdir(exist_ok=True)
        text = "\n".join(f"{reason}\n{''.join(lines)}" for reason, lines in sorted(groups.items()))
        self.path.write_text("".join(f"# {line}\n" for line in head.splitlines()) + "\n" + text)
        self.read()


def brief(value, limit=90):
    """A value on one line; a long one is cut and gets a digest, so that its end counts too."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text)} long, {hashlib.md5(text.encode()).hexdigest()[:6]})"


def kind(cell, before, after):
    """What sort of difference it is: those of one sort mostly have one reason."""
    if after is None:
        return f"{cell} is gone"
    if cell in NAMES:
        return f"{cell} is {after}, not {before}"
    return f"{cell} becomes {shape(after)}"


def shape(value):
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(value)[:3]) + (", …}" if len(value) > 3 else "}")
    if isinstance(value, list):
        return f"a list of {shape(value[0])}" if value else "an empty list"
    if isinstance(value, str):
        return "JSON text" if value[:1] in '{["' else "text"
    return type(value).__name__
