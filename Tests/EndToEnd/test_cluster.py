"""Everything between edges and destinations at once: all signals, the ledger across hops, and faults of every part under load."""

import contextlib
import signal
import time

import pytest
from conftest import otlp_exporter

from kit import otlp
from kit.environments import LONG
from kit.load import Load
from kit.millrace import by_signal, run
from kit.relay import cluster_ledger, served, union
from kit.waiting import eventually


@pytest.mark.parametrize("ack", ["journaled", "settled"])
def test_every_signal_goes_over_the_stream(nats_server, edge, centre, archives, service, ack):
    nats = nats_server()
    every = {"signals": otlp.SIGNALS}
    sender = edge(nats, every)
    gateway = centre(nats, {"kept": archives("kept")}, receiver={"ack": ack}, parts=every)
    sent = {}
    for name in otlp.SIGNALS:
        messages = [otlp.request_of(name, f"{service}-{number}", 4) for number in range(12)]
        for message in messages:
            assert sender.post(message.SerializeToString(), path=f"/v1/{name}").status_code == 200
        sent[name] = [pair for message in messages for pair in otlp.pairs_of(name, message)]
    for name in otlp.SIGNALS:
        for member in (sender, gateway):
            member.settled(accepted=48, signal=name)
    assert {name: sorted(archives.items("kept", name)) for name in sent} == {name: sorted(sent[name]) for name in sent}
    # What belongs to no trace is spread by its resource.
    sums = cluster_ledger(gateway, members=2)["sums"]
    assert {items: sums[items]["relayed"] for items in sums} == dict.fromkeys(otlp.ITEMS.values(), 48)
    assert {items: sums[items]["taken"] for items in sums} == dict.fromkeys(otlp.ITEMS.values(), 48)


def test_the_ledger_across_hops_shows_what_is_where(nats_server, edge, centre, archives, sink, service):
    nats = nats_server(3)
    sender, other = edge(nats, name="edge-1"), edge(nats, name="edge-2")
    sent = sender.send(service, traces=20) | other.send(service, traces=20)
    for member in (sender, other):
        member.settled()
    # Nobody takes it: it is in the stream.
    ledger = cluster_ledger(sender, members=2)
    assert ledger["sums"]["spans"] | {"destinations": {}} == {
        "accepted": 200, "queued": 0, "relayed": 200, "taken": 0, "redelivered": 0, "destinations": {}
    }  # fmt: skip
    assert ledger["messages"] == nats.stream("spans")["state"]["messages"] > 0
    assert (ledger["replicas"], ledger["partitions"], ledger["gateways"], len(ledger["edges"])) == (3, 16, [], 2)
    # One gateway's destination is away: it is in that gateway's journal.
    sink.refuses = lambda message: (503, {})
    first = centre(nats, {"out": archives("first")}, "first")
    second = centre(nats, {"out": otlp_exporter(sink)}, "second")
    eventually(lambda: served(first) + served(second) == 16 and served(second) > 2, within=20)

    def taken():
        ledger = cluster_ledger(first, members=4)
        return ledger["sums"]["spans"]["taken"] == len(sent) and ledger["messages"] == 0

    # Partitions change hands message by message: until the second gateway holds something.
    eventually(taken, within=30)
    while not second.row("out")["queued"]:
        sent |= sender.send(service, traces=40)
        eventually(taken, within=30)
    ledger, queued = cluster_ledger(second, members=4), second.row("out")["queued"]
    assert ledger["unanswered_partitions"] == 0
    # For a moment between two pulls nobody pulls.
    eventually(lambda: cluster_ledger(second)["served_partitions"] == 16, within=20)
    out = ledger["sums"]["spans"]["destinations"]["out"]
    assert out == {"delivered": len(sent) - queued, "queued": queued} and ledger["sums"]["spans"]["redelivered"] == 0
    # A table for people, and who says what: each by its own administration endpoint.
    words = [member.pipeline["admin"]["listen"] for member in (sender, other, first, second)]
    words += [
        " of 16 partitions are served",
        f"edges {len(sent)} accepted, 0 queued, {len(sent)} relayed",
        f"gateways {len(sent)} accepted, 0 redelivered → out {len(sent) - queued} delivered, {queued} queued",
    ]

    def printed():
        text = run("ledger", "--config", sender.file, "--cluster").stdout
        return all(word in text for word in words)

    eventually(printed)
    # A gateway that does not answer is told by the partitions that it serves.
    second.process.send(signal.SIGSTOP)
    missing = cluster_ledger(first)["unanswered_partitions"]
    second.process.send(signal.SIGCONT)
    assert missing > 0
    sink.refuses = None
    second.settled()
    for node in nats.nodes:
        node.kill()
    ledger = cluster_ledger(sender, code=1)
    assert "no connection to nats://" in ledger["trouble"] and ledger["messages"] is None


SPANS = 20
"""Of one batch of an edge, and so of one message at most."""
FAULTS = 200 if LONG else 8
KINDS = (
    "node killed", "all nodes killed", "leader stopped", "follower stopped", "gateway killed", "gateway stopped",
    "edge killed", "edge stopped",
)  # fmt: skip


class Cluster:
    """Three servers, two edges under load and two gateways: faults of any of them, and how much each may double."""

    names = ("first", "second")

    def __init__(self, nats, edge, centre, archives):
        self.nats, self.archives = nats, archives
        self.edges = [edge(nats, name=f"edge-{number}", batch={"spans": SPANS, "linger": "50ms"}) for number in (1, 2)]
        settings = {"receiver": {"ack_wait": "10s"}}
        self.gateways = [centre(nats, {"kept": archives(name)}, name, **settings) for name in self.names]
        # Spans that may have been delivered and are sent again, by the documented bounds; what the stream brought again.
        self.bound = self.redelivered = 0
        self.read, self.seen = dict.fromkeys(self.names, 0), set()

    @contextlib.contextmanager
    def under_load(self, service):
        """Apps at both edges; all that was acknowledged by the end is at the destinations then."""
        with Load(self.edges[0], service, threads=2, rate=20) as one, Load(self.edges[1], service, threads=2, rate=20) as two:
            for load in (one, two):
                load.acknowledge(50)
            eventually(lambda: sum(map(served, self.gateways)) == 16, within=30)
            yield
        self.acknowledged = one.acknowledged | two.acknowledged
        for member in self.edges:
            member.settled(within=90)
        eventually(lambda: self.nats.messages("spans") == 0, within=60)
        for member in self.gateways:
            member.settled(within=60)
            self.redelivered += redelivered(member)
        self.delivered = union(self.archives, *self.names)
        missing = self.acknowledged - set(self.delivered)
        assert not missing, f"{len(missing)} of {len(self.acknowledged)} spans are lost"
        self.twice = sum(count - 1 for count in self.delivered.values())

    def goes_on(self):
        """Waits until something new has arrived."""
        done = self.arrived()
        eventually(lambda: self.arrived() > done, within=60)

    def arrived(self):
        """How many spans there are at the destinations; reads what came since, since hundreds of faults let much arrive."""
        for name in self.names:
            spans, self.read[name] = self.archives.newer(name, self.read[name])
            self.seen.update(spans)
        return len(self.seen)

    def fault(self, kind, random):
        """Does it, lets some time pass in which it lasts, and mends it."""
        wait = random.uniform(0.2, 1.5)
        if kind.startswith("gateway"):
            # The servers may be between two leaders still, and not know how much is under way.
            eventually(lambda: self.known() is not None, within=60)
        if kind == "node killed":
            random.choice(self.nats.nodes).kill()
            time.sleep(wait)
        elif kind == "all nodes killed":
            for node in self.nats.nodes:
                node.kill()
        elif kind in ("leader stopped", "follower stopped"):
            leader = self.nats.leader("spans")
            others = [node for node in self.nats.nodes if node is not leader]
            self.stop(leader if kind == "leader stopped" else random.choice(others), wait + 5)
        elif kind == "gateway killed":
            gateway = random.choice(self.gateways)
            self.redelivered += redelivered(gateway)
            gateway.kill()
            self.bound += queued(gateway) + self.unacknowledged()
            gateway.start()
        elif kind == "gateway stopped":
            self.stop(random.choice(self.gateways), wait + 6, self.unacknowledged)
        elif kind == "edge killed":
            edge = random.choice(self.edges)
            edge.kill()
            self.bound += queued(edge)
            edge.start()
        else:
            self.stop(random.choice(self.edges), wait + 3)
        self.nats.start()

    def stop(self, member, seconds, bound=lambda: 0):
        """SIGSTOP, for so long."""
        member.process.send(signal.SIGSTOP)
        until = time.monotonic() + seconds
        self.bound += bound()
        time.sleep(max(0, until - time.monotonic()))
        member.process.send(signal.SIGCONT)

    def unacknowledged(self):
        """Spans, at most, in messages that gateways have and did not acknowledge; well before `ack_wait` gives them to others."""
        return SPANS * eventually(lambda: [count for count in [self.known()] if count is not None], within=6)[0]

    def known(self):
        """Messages that gateways have and did not acknowledge, as the servers say; None where they do not."""
        return cluster_ledger(self.edges[0])["unacknowledged_messages"]


def redelivered(gateway):
    return int(gateway.metric("millrace_receiver_redelivered_spans_total"))


def queued(member):
    """By the journal of one that does not run, what it will send: with what it has sent since it last wrote its cursors."""
    (row,) = by_signal(member.printed_ledger())["traces"]["destinations"].values()
    return row["queued"]


def test_nothing_acknowledged_is_lost_whatever_dies(nats_server, edge, centre, archives, service, seeded, report):
    cluster = Cluster(nats_server(3), edge, centre, archives)
    # Each kind once in the first eight.
    kinds = [kind for _ in range(0, FAULTS, len(KINDS)) for kind in seeded.sample(KINDS, len(KINDS))][:FAULTS]
    with cluster.under_load(service):
        for number, kind in enumerate(kinds, 1):
            since, before = time.monotonic(), cluster.bound
            cluster.fault(kind, seeded)
            cluster.goes_on()
            bound = cluster.bound - before
            report(f"fault {number}, {kind}: goes on after {time.monotonic() - since:.1f} s, may double {bound} spans")
    traces = [{trace for trace, _ in archives.spans(name)} for name in cluster.names]
    report(
        f"{len(cluster.acknowledged)} spans, 0 lost, {cluster.twice} twice (bound {cluster.bound}, {cluster.redelivered} redelivered), "
        f"{len(traces[0] & traces[1])} traces at both gateways"
    )
    assert cluster.twice <= cluster.bound + cluster.redelivered
    # Each request is one trace: one that is at both gateways came twice.
    assert 5 * len(traces[0] & traces[1]) <= cluster.twice


def test_a_rolling_restart_of_everything_under_load_loses_nothing(
    nats_server, edge, centre, archives, service, report
):
    cluster = Cluster(nats_server(3), edge, centre, archives)
    with cluster.under_load(service):
        for node in cluster.nats.nodes:
            node.process.send(signal.SIGTERM)
            node.process.wait(30)
            cluster.nats.start()
            cluster.goes_on()
        for member in cluster.gateways + cluster.edges:
            cluster.redelivered += redelivered(member)
            member.stop()
            member.start()
            cluster.goes_on()
    report(f"{len(cluster.acknowledged)} spans, {cluster.twice} twice, {cluster.redelivered} redelivered")
    # Each acknowledgement is confirmed before the servers may give the message to another gateway.
    assert cluster.twice == 0
