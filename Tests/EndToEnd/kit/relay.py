"""What gateways have taken from a stream, and what the ledger across hops says."""

import collections
import json

from kit.millrace import run
from kit.waiting import eventually


def served(gateway):
    """How many partitions a gateway serves."""
    return int(gateway.metric("millrace_receiver_partitions"))


def union(archives, *names):
    """What the gateways' files hold in all, each span counted."""
    return sum((archives.spans(name) for name in names), collections.Counter())


def cluster_ledger(member, code=0, members=0):
    """What `ledger --cluster --json` prints by a member's pipeline file of the stream that it names, once so many answer."""

    def read():
        done = run("ledger", "--config", member.file, "--cluster", "--json", within=60)
        assert done.returncode == code, done.stderr
        ledger = json.loads(done.stdout)["streams"]["spans"]
        assert not members or len(ledger["edges"]) + len(ledger["gateways"]) == members, ledger
        return ledger

    return eventually(read) if members else read()
