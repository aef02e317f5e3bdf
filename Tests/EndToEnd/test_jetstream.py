"""Edges store spans in a stream of NATS JetStream, gateways share its partitions: nothing acknowledged is lost, whoever dies."""

import signal
import threading
import time

import pytest
from conftest import otlp_exporter

from kit import otlp
from kit.certificates import Authority
from kit.load import Load
from kit.nats_access import Operator
from kit.relay import served, union
from kit.waiting import eventually


def test_a_trace_goes_from_the_edge_through_the_stream_to_the_centre(nats_server, edge, centre, archives, service):
    nats = nats_server()
    sender, gateway = edge(nats), centre(nats, {"kept": archives("kept")})
    sent = sender.send(service, traces=20)
    sender.settled(accepted=len(sent))
    gateway.settled(accepted=len(sent))
    assert archives.spans("kept") == dict.fromkeys(sent, 1)
    stream = nats.stream("spans")
    assert stream["state"]["messages"] == 0, "every message is acknowledged"
    assert gateway.metric("millrace_receiver_redelivered_spans_total") == 0


def test_edges_go_on_while_nats_is_away_until_their_budget_is_used_up(nats_server, edge, centre, archives, service):
    nats = nats_server()
    sender = edge(nats)
    sent = sender.send(service, traces=1)
    sender.settled(accepted=len(sent))
    for node in nats.nodes:
        node.kill()
    since = time.monotonic()
    sender.stop()
    sender.pipeline["journal"]["max_bytes"] = "4MiB"
    sender.pipeline["receivers"]["otlp"]["hold"] = "0s"
    sender.save()
    sender.start()
    sent |= sender.send(service, traces=20, spans=2, padding=20_000)
    with Load(sender, service, threads=2, rate=50, spans=2, padding=20_000) as load:
        load.refused()
        assert load.statuses[200] > 10 and load.unadvised == 0
        threading.Event().wait(since + 30 - time.monotonic())
        nats.start()
        load.acknowledge(20)
    sent |= load.acknowledged
    gateway = centre(nats, {"kept": archives("kept")})
    sender.settled(accepted=len(sent))
    gateway.settled(accepted=len(sent))
    assert archives.spans("kept") == dict.fromkeys(sent, 1)


def test_gateways_share_the_partitions_and_one_that_stops_gives_its_own_up_at_once(
    nats_server, edge, centre, archives, service
):
    nats = nats_server()
    sender = edge(nats)
    sender.send(service, traces=1)
    first = centre(nats, {"kept": archives("first")}, "first")
    eventually(lambda: served(first) == 16, within=10)
    second = centre(nats, {"kept": archives("second")}, "second")
    eventually(lambda: 0 < served(first) < 16 and served(first) + served(second) == 16, within=10)
    sent = sender.send(service, traces=40)
    eventually(lambda: sent <= set(union(archives, "first", "second")), within=15)
    assert archives.spans("first") and archives.spans("second"), "both have a part"
    traces = [{trace for trace, _ in archives.spans(name)} for name in ("first", "second")]
    assert not traces[0] & traces[1], "a trace is at one gateway"
    first.stop()
    since = time.monotonic()
    sent |= sender.send(service, traces=40)
    eventually(lambda: sent <= set(union(archives, "first", "second")), within=15)
    took = time.monotonic() - since
    assert took < 5, f"the partitions of one that stops are free at once, and not after {took:.1f} s"
    assert set(union(archives, "first", "second").values()) == {1}
    assert second.metric("millrace_receiver_redelivered_spans_total") == 0


def test_the_partitions_of_a_gateway_that_is_killed_are_served_elsewhere_within_10_s(
    nats_server, edge, centre, archives, service, report
):
    nats = nats_server()
    sender = edge(nats)
    sender.send(service, traces=1)
    gateways = [centre(nats, {"kept": archives(name)}, name) for name in ("first", "second")]
    eventually(lambda: sum(map(served, gateways)) == 16 and min(map(served, gateways)) > 0, within=15)
    gateways[0].kill()
    since = time.monotonic()
    sent = sender.send(service, traces=60)
    eventually(lambda: sent <= set(archives.spans("second")), within=20)
    took = time.monotonic() - since
    report(f"served elsewhere after {took:.1f} s")
    assert took < 10


def test_a_full_stream_is_back_pressure_and_drains(nats_server, edge, centre, archives, service):
    nats = nats_server()
    sender = edge(nats, max_bytes="1MiB")
    sent = sender.send(service, traces=60, spans=4, padding=10_000)
    eventually(lambda: "maximum bytes exceeded" in sender.process.log, within=20)
    assert sender.row("relay")["queued"] > 0 and sender.row("relay")["dead_lettered"] == 0
    gateway = centre(nats, {"kept": archives("kept")})
    gateway.settled(accepted=len(sent))
    sender.settled(accepted=len(sent))
    assert archives.spans("kept") == dict.fromkeys(sent, 1)


def test_a_stream_with_another_layout_is_refused_with_what_differs(nats_server, edge, centre, archives, service):
    nats = nats_server()
    first = edge(nats, partitions=8)
    sent = first.send(service, traces=4)
    first.settled(accepted=len(sent))
    other = edge(nats, name="other")
    gateway = centre(nats, {"kept": archives("kept")})
    more = other.send(service, traces=4)
    words = "the stream spans has another layout: partitions is 8, not 16"
    for process in (other, gateway):
        eventually(lambda: words in process.process.log, within=15)
    assert other.row("relay")["queued"] == len(more) and served(gateway) == 0
    # Somebody has to decide which of them is right.
    other.pipeline["exporters"]["relay"]["partitions"] = gateway.pipeline["receivers"]["stream"]["partitions"] = 8
    for process in (other, gateway):
        process.stop()
        process.save()
        process.start()
    gateway.settled(accepted=len(sent | more))
    assert archives.spans("kept") == dict.fromkeys(sent | more, 1)


def test_what_no_exporter_wrote_lies_in_the_stream_of_refused_messages(nats_server, edge, centre, archives, service):
    nats = nats_server()
    sender, gateway = edge(nats), centre(nats, {"kept": archives("kept")})
    sent = sender.send(service, traces=1)
    gateway.settled(accepted=len(sent))

    async def publish(client):
        stream = client.jetstream()
        await stream.publish("mr.spans.3", b"nonsense")
        await stream.publish("mr.spans.4", b"nonsense", headers={"Millrace-Signal": "traces"})

    nats.call(publish)
    eventually(lambda: nats.stream("spans-refused")["state"]["messages"] == 2, within=15)

    async def read(client):
        subscription = await client.jetstream().pull_subscribe("mr.spans-refused", "reader")
        return [(message.data, message.headers["Millrace-Reason"]) for message in await subscription.fetch(2, timeout=5)]

    (first, one), (second, other) = nats.call(read)
    assert first == second == b"nonsense"
    assert any("Millrace-Signal is missing" in reason for reason in (one, other)) and "wire type" in one + other
    eventually(lambda: nats.stream("spans")["state"]["messages"] == 0, within=5)
    assert gateway.metric("millrace_receiver_messages_total", outcome="refused") == 2


def test_route_identity_and_headers_come_along(nats_server, edge, centre, sink, service):
    nats = nats_server()
    sender = edge(nats)
    sender.pipeline["receivers"]["otlp"] |= {
        "forward_headers": ["x-tenant"], "auth": {"bearer": [{"name": "ann", "token": "secret-of-ann"}]}
    }
    sender.stop()
    sender.save()
    sender.start()
    tenants = []
    sink.admits = lambda _, headers, __: tenants.append(headers.get("x-tenant"))
    gateway = centre(nats, {"sink": otlp_exporter(sink)}, receiver={"forward_headers": ["x-tenant"]})
    message = otlp.request(service, 3)
    headers = {"authorization": "Bearer secret-of-ann", "x_tenant": "blue"}
    assert sender.post(message.SerializeToString(), **headers).status_code == 200
    gateway.settled(accepted=3)
    assert sink.spans == set(otlp.spans_of(message))
    assert set(tenants) == {"blue"}
    assert gateway.metric("millrace_receiver_identity_accepted_spans_total", identity="ann") == 3


def test_a_gateway_without_state_acknowledges_what_its_destination_has(nats_server, edge, centre, sink, service, tmp_path):
    nats = nats_server()
    sender = edge(nats)
    sink.refuses = lambda message: (503, {})
    memory = {"directory": str(tmp_path / "none"), "storage": "memory"}
    settled = {"receiver": {"ack": "settled", "ack_wait": "10s"}, "journal": memory}
    gateway = centre(nats, {"sink": otlp_exporter(sink)}, **settled)
    sent = sender.send(service, traces=6)
    sender.settled(accepted=len(sent))
    eventually(lambda: sink.requests, within=15)
    gateway.kill()
    assert nats.stream("spans")["state"]["messages"] > 0, "the stream has what the destination has not"
    sink.refuses = None
    other = centre(nats, {"sink": otlp_exporter(sink)}, "other", **settled)
    eventually(lambda: sink.spans == sent, within=30)
    eventually(lambda: nats.stream("spans")["state"]["messages"] == 0, within=15)
    # What a destination refuses for good is kept where somebody finds it.
    sink.refuses = lambda message: (400, {})
    more = sender.send(service, traces=1)
    sender.settled(accepted=len(sent | more))
    eventually(lambda: (nats.stream("spans-refused") or {"state": {"messages": 0}})["state"]["messages"] == 1, within=30)
    eventually(lambda: nats.stream("spans")["state"]["messages"] == 0, within=15)
    assert other.metric("millrace_receiver_messages_total", outcome="refused") == 1


@pytest.mark.parametrize("then", ["goes on", "stops"])
def test_what_is_acknowledged_is_confirmed_though_the_connection_loses_it(
    nats_server, edge, centre, sink, service, lossy_way, then
):
    nats = nats_server()
    sender, way = edge(nats), lossy_way(nats.nodes[0].client)
    release = threading.Event()
    sink.refuses = lambda message: release.wait() and None
    gateway = centre(nats, {"sink": otlp_exporter(sink)}, receiver={"ack": "settled", "servers": [way.url]})
    sent = sender.send(service, traces=6)
    sender.settled(accepted=len(sent))
    messages = nats.stream("spans")["state"]["messages"]
    pulled = lambda: sum(consumer["num_ack_pending"] for consumer in nats.stream("spans")["consumer_detail"])
    eventually(lambda: pulled() == messages > 0, within=15)
    way.loses = True
    release.set()
    acknowledged = lambda: gateway.metric("millrace_receiver_messages_total", outcome="acknowledged")
    eventually(lambda: acknowledged() == messages, within=10)
    assert sink.spans == sent and nats.stream("spans")["state"]["messages"] == messages, "no acknowledgement arrived"
    if then == "stops":
        gateway.process.send(signal.SIGTERM)
    way.cut()
    if then == "stops":
        gateway.process.wait(15)
    # Well before `ack_wait` (30 s), after which all of it comes to somebody again.
    eventually(lambda: nats.stream("spans")["state"]["messages"] == 0, within=0.1 if then == "stops" else 10)


def test_an_answer_waits_until_the_stream_has_the_request(nats_server, edge, service):
    nats = nats_server()
    sender = edge(nats)
    sender.stop()
    sender.pipeline["receivers"]["otlp"] |= {"answer_after": "relay", "answer_timeout": "2s"}
    sender.save()
    sender.start()
    sender.send(service, traces=1)
    for number in range(2, 12):
        sender.send(service, traces=1, spans=1)
        assert nats.stream("spans")["state"]["messages"] == number
    nats.nodes[0].kill()
    answer = sender.post_trace(service)
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
    nats.start()
    eventually(lambda: sender.post_trace(service).status_code == 200, within=30, every=0.5)


def test_a_batch_over_the_servers_limit_is_split(nats_server, edge, centre, archives, service):
    nats = nats_server(limit="64KB")
    sender, gateway = edge(nats, batch={"spans": 1000, "bytes": "4MiB", "linger": "1s"}), centre(nats, {"kept": archives("kept")})
    sent = sender.send(service, traces=3, spans=40, padding=4000)
    big = otlp.request(service, 1, padding=100_000)
    assert sender.post(big.SerializeToString()).status_code == 200
    sender.settled(accepted=len(sent) + 1)
    assert sender.row("relay")["dead_lettered"] == 1, "a span that no message may hold"
    gateway.settled(accepted=len(sent))
    assert archives.spans("kept") == dict.fromkeys(sent, 1)


SEED = "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y"
PUBLIC = "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK"
ACCESS = {
    "user": ('authorization { user: ann, password: "pass word" }', {"user": "ann", "password": "pass word"}),
    "token": ('authorization { token: "a-token" }', {"token": "a-token"}),
    "nkey": (f"authorization {{ users: [ {{ nkey: {PUBLIC} }} ] }}", {"nkey": SEED}),
}


@pytest.mark.parametrize("way", ACCESS)
def test_credentials_over_tls(nats_server, edge, service, tmp_path, way):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("nats")
    words, credentials = ACCESS[way]
    tls = f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}'
    nats = nats_server(extra=f"{words}\n{tls}")
    secured = {"credentials": credentials, "tls": {"ca": str(authority.certificate)}}
    sender = edge(nats, **secured)
    sent = sender.send(service, traces=2)
    sender.settled(accepted=len(sent))
    foreign = edge(nats, name="foreign", tls={"ca": str(authority.certificate)})
    foreign.send(service, traces=1)
    eventually(lambda: "Authorization Violation" in foreign.process.log, within=15)
    untrusting = edge(nats, name="untrusting", credentials=credentials, tls={})
    untrusting.send(service, traces=1)
    eventually(lambda: "CERTIFICATE_VERIFY_FAILED" in untrusting.process.log, within=15)
    assert foreign.row("relay")["delivered"] == untrusting.row("relay")["delivered"] == 0
    secret = next(iter(set(credentials.values()) - {"ann"}))
    assert not any(secret in process.process.log for process in (sender, foreign, untrusting))


def test_a_file_of_credentials_in_operator_mode(nats_server, edge, service, tmp_path):
    operator = Operator()
    nats = nats_server(extra=operator.words)
    path = tmp_path / "edge.creds"
    path.write_text("nothing")
    sender = edge(nats, credentials={"file": str(path)})
    sent = sender.send(service, traces=2)
    eventually(lambda: "no file of credentials" in sender.process.log, within=15)
    path.write_text(operator.credentials)
    sender.settled(accepted=len(sent), within=30)
