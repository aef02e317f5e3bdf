"""What goes wrong around a stream: it is another one, strangers write where members do, servers that are none."""

import asyncio
import contextlib
import ssl
import threading
import time

from kit import otlp
from kit.certificates import Authority
from kit.environments import free_port
from kit.fake_nats import FakeNATS
from kit.millrace import run
from kit.relay import served
from kit.waiting import eventually
from test_reload import reload

BUCKET = "KV_millrace-spans-traces"


def test_a_stream_that_is_made_anew_with_another_layout_is_left_until_it_fits(nats_server, edge, centre, archives, service):
    nats = nats_server()
    sender, gateway = edge(nats), centre(nats, {"kept": archives("kept")})
    sent = sender.send(service, traces=4)
    gateway.settled(accepted=len(sent))
    nats.call(lambda client: client.jetstream().delete_stream("spans"))
    other = edge(nats, name="other", partitions=8)
    more = other.send(service, traces=8)
    eventually(lambda: "partitions is 8, not 16" in gateway.process.log, within=30)
    # The edge that knew the former one looks again within seconds.
    eventually(lambda: sender.send(service) and "partitions is 8, not 16" in sender.process.log, within=30)
    waiting = sender.send(service, traces=4)
    eventually(lambda: served(gateway) == 0, within=15)
    assert set(archives.spans("kept")) == sent, "half of a layout is not served"
    # The right one comes back.
    other.stop()
    nats.call(lambda client: client.jetstream().delete_stream("spans"))
    sent |= waiting | sender.send(service, traces=4)
    eventually(lambda: sent <= set(archives.spans("kept")), within=60)
    eventually(lambda: served(gateway) == 16, within=15)
    assert not more & set(archives.spans("kept"))


def test_a_bucket_of_members_that_somebody_else_made_is_mended(nats_server, edge, centre, archives, service):
    nats = nats_server(3)

    async def make(client):
        stream = client.jetstream()
        await stream.add_stream(name=BUCKET, subjects=[f"{BUCKET.replace('KV_', '$KV.')}.>"], storage="memory", max_msgs=100)
        for number in range(20):
            await stream.publish(f"{BUCKET.replace('KV_', '$KV.')}.dead{number}", b"")

    nats.call(make)
    sender, gateway = edge(nats), centre(nats, {"kept": archives("kept")})
    sent = sender.send(service, traces=8)
    # Their keys expire; none of them pulls anything.
    gateway.settled(accepted=len(sent))
    eventually(lambda: served(gateway) == 16, within=15)
    config = nats.stream(BUCKET)["config"]
    assert (config["max_age"], config["max_msgs_per_subject"], config["num_replicas"]) == (5_000_000_000, 1, 3)
    assert config["max_msgs"] == 100, "the rest is left as it was"


def test_a_bucket_of_members_that_is_full_keeps_nobody_from_serving(nats_server, edge, centre, archives, service):
    nats = nats_server()

    async def fill(client):
        stream = client.jetstream()
        subject = BUCKET.replace("KV_", "$KV.")
        await stream.add_stream(name=BUCKET, subjects=[f"{subject}.>"], storage="memory", max_msgs=1, discard="new")
        await stream.publish(f"{subject}.dead", b"")

    nats.call(fill)
    sender, gateway = edge(nats), centre(nats, {"kept": archives("kept")})
    eventually(lambda: served(gateway) == 16, within=20)
    sent = sender.send(service, traces=8)
    gateway.settled(accepted=len(sent))
    assert "the bucket of members cannot be used" in gateway.process.log


def test_partitions_that_nobody_pulls_are_pulled_whoever_claims_them(nats_server, edge, centre, archives, service):
    nats = nats_server()
    sender, gateway = edge(nats), centre(nats, {"kept": archives("kept")})
    sent = sender.send(service, traces=1)
    gateway.settled(accepted=len(sent))
    over = threading.Event()

    async def claim(client):
        """Thirty members that pull nothing, and messages where no partition is."""
        for subject in ("mr.spans.77", "mr.spans.x"):
            await client.jetstream().publish(subject, b"")
        while not over.is_set():
            for number in range(30):
                await client.publish(f"{BUCKET.replace('KV_', '$KV.')}.dead{number}", b"")
            await client.flush()
            await asyncio.sleep(1)

    def claim_on():
        with contextlib.suppress(Exception):
            nats.call(claim)

    strangers = threading.Thread(target=claim_on)
    strangers.start()
    try:
        eventually(lambda: served(gateway) < 8, within=15)
        sent |= sender.send(service, traces=40)
        eventually(lambda: sent == set(archives.spans("kept")), within=60)
        assert "mr.spans.77, mr.spans.x are no partition's" in gateway.process.log
    finally:
        over.set()
        strangers.join()
    eventually(lambda: served(gateway) == 16, within=20)


def test_a_gateway_says_why_it_takes_nothing(nats_server, edge, centre, archives, service):
    nats = nats_server(extra='authorization { user: ann, password: "right" }')
    right = {"user": "ann", "password": "right"}
    taker = centre(nats, {"kept": archives("kept")}, starts=False, receiver={"credentials": right | {"password": "wrong"}})
    del taker.pipeline["receivers"]["otlp"]
    taker.pipeline["pipelines"]["traces"]["receivers"] = ["stream"]

    def restarted():
        taker.save()
        taker.process.start()

    def reasons():
        taker.process.expect_running()
        answer = taker.admin("/readyz")
        return " ".join(answer.json()["reasons"]) if answer.status_code == 503 else None

    restarted()
    eventually(lambda: "Authorization Violation" in (reasons() or ""), within=15)
    assert served(taker) == 0
    taker.stop()
    # Refused at each of many attempts, and told once.
    assert taker.process.log.count("NATS refuses something") == 1
    taker.pipeline["receivers"]["stream"]["credentials"] = right
    restarted()
    eventually(lambda: "stream not found" in (reasons() or ""), within=15)
    assert served(taker) == 0
    edge(nats, credentials=right)
    eventually(lambda: taker.admin("/readyz").status_code == 200 and served(taker) == 16, within=15)
    # Its consumers have another name in the pipeline file of somebody who is not ready either.
    other = centre(
        nats, {"kept": archives("other")}, "other", starts=False, receiver={"credentials": right, "durable": "another"}
    )
    del other.pipeline["receivers"]["otlp"]
    other.pipeline["pipelines"]["traces"]["receivers"] = ["stream"]
    other.save()
    other.process.start()
    eventually(lambda: "not unique" in other.admin("/readyz").text and served(other) == 0, within=15)


def test_a_refused_message_of_the_largest_size_is_put_aside(nats_server, edge, centre, archives, service):
    nats = nats_server(limit="64KB")
    sender, gateway = edge(nats), centre(nats, {"kept": archives("kept")})
    sent = sender.send(service, traces=2)
    gateway.settled(accepted=len(sent))
    large, headers = b"x" * 65_536, {f"X-{number}": "y" * 200 for number in range(300)}
    room = 65_536 - sum(len(name) + 204 for name in headers) - len("NATS/1.0\r\n\r\n")

    async def publish(client):
        stream = client.jetstream()
        await stream.publish("mr.spans.3", large)
        # As many headers as a message may have.
        await stream.publish("mr.spans.3", large[:room], headers=headers)

    nats.call(publish)
    sent |= sender.send(service, traces=20)
    eventually(lambda: nats.stream("spans-refused")["state"]["messages"] == 2, within=15)
    eventually(lambda: sent == set(archives.spans("kept")) and nats.stream("spans")["state"]["messages"] == 0, within=15)

    async def read(client):
        subscription = await client.jetstream().pull_subscribe("mr.spans-refused", "reader")
        return [(message.data, message.headers) for message in await subscription.fetch(2, timeout=5)]

    for data, found in nats.call(read):
        assert large.startswith(data) and "Millrace-Signal is missing" in found["Millrace-Reason"]
        assert int(found["Millrace-Cut"]) in (len(large), room) and len(data) < int(found["Millrace-Cut"])
    assert "the connection to NATS ended" not in gateway.process.log


def test_a_message_that_takes_long_on_a_slow_way_arrives(nats_server, edge, centre, archives, service, lossy_way):
    nats = nats_server()
    way = lossy_way(nats.nodes[0].client, rate=300_000)
    # 16 messages of 200 kB under way at once, and one that goes out for longer than the servers may leave a ping unanswered.
    sender = edge(nats, servers=[way.url], timeout="60s", batch={"spans": 4000, "bytes": "4MiB", "linger": "500ms"})
    sent = sender.send(service, traces=1, spans=1, padding=2_500_000) | sender.send(service, traces=16, spans=2, padding=100_000)
    sender.settled(accepted=len(sent), within=60)
    gateway = centre(nats, {"kept": archives("kept")})
    gateway.settled(accepted=len(sent))
    assert archives.spans("kept") == dict.fromkeys(sent, 1)
    assert "the connection to NATS ended" not in sender.process.log


def test_a_reload_that_is_refused_leaves_the_count_of_partitions(nats_server, edge, centre, archives):
    nats = nats_server()
    edge(nats)
    gateway = centre(nats, {"kept": archives("kept")})
    eventually(lambda: served(gateway) == 16, within=15)
    before = gateway.pipeline["receivers"]["stream"].copy()
    gateway.pipeline["receivers"]["stream"]["ack_wait"] = "20s"
    gateway.pipeline["receivers"]["otlp"]["listen"] = f"127.0.0.1:{nats.nodes[0].client}"
    for _ in range(10):
        reload(gateway, expecting=78)
        assert served(gateway) == 16
    # What it would have taken from has heard nothing of it.
    assert gateway.process.log.count("connected to NATS") == 1
    # One that is gone counts nothing.
    gateway.pipeline["receivers"] = {"otlp": gateway.pipeline["receivers"]["otlp"] | {"listen": f"127.0.0.1:{free_port()}"}}
    gateway.pipeline["pipelines"]["traces"]["receivers"] = ["otlp"]
    reload(gateway)
    eventually(lambda: "millrace_receiver_partitions{" not in gateway.admin("/metrics").text, within=15)
    gateway.pipeline["receivers"]["stream"] = before
    gateway.pipeline["pipelines"]["traces"]["receivers"] = ["otlp", "stream"]
    reload(gateway)
    eventually(lambda: served(gateway) == 16, within=15)


def test_a_ledger_that_no_message_holds_is_named(nats_server, edge):
    nats = nats_server(limit="1KB")
    # A row for each signal.
    sender = edge(nats, {"signals": otlp.SIGNALS})
    ask = lambda: run("ledger", "--config", sender.file, "--cluster")
    done = eventually(lambda: (done := ask()).returncode == 0 and "larger than the servers take" in done.stdout and done, within=30)
    assert "not in the sums: " in done.stdout and sender.pipeline["admin"]["listen"] in done.stdout


def test_no_password_goes_to_a_learnt_server_without_tls(edge, nats_server, tmp_path):
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("nats"))
    plain = FakeNATS()
    secured = FakeNATS(
        lambda connection, _: connection.close(),
        context,
        tls_required=True,
        connect_urls=[f"127.0.0.1:{plain.port}"],
    )
    settings = {"credentials": {"user": "u", "password": "SECRET"}, "tls": {"ca": str(authority.certificate)}}
    sender = edge(nats_server(), servers=[secured.url.replace("nats://", "tls://")], **settings)
    eventually(lambda: plain.connections >= 2 and secured.connections >= 2, within=30)
    assert b"SECRET" in secured.received and "the server has no TLS" in sender.process.log
    assert plain.received == b""
    for server in (plain, secured):
        server.close()


def test_a_server_that_floods_and_reads_nothing_costs_no_memory(nats_server, centre, archives):
    begins, flooded = threading.Event(), threading.Event()

    def flood(connection, _):
        begins.wait(20)
        connection.settimeout(3)
        with contextlib.suppress(OSError):
            until = time.monotonic() + 4
            while time.monotonic() < until:
                connection.sendall(b"PING\r\n" * 100_000)
        flooded.set()

    server = FakeNATS(flood, max_payload=2**63 - 1)
    gateway = centre(nats_server(), {"kept": archives("kept")}, receiver={"servers": [server.url]})
    before = gateway.metric("millrace_process_resident_bytes")
    begins.set()
    assert flooded.wait(20)
    gateway.process.expect_running()
    assert gateway.metric("millrace_process_resident_bytes") < before + 96 * 2**20
    server.close()
