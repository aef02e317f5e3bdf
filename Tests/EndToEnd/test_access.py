"""Who may send: tokens, passwords, files of members, and experiments that are bound to them."""

import socket
import subprocess
import time

import pytest
from conftest import mlflow_exporter, otlp_exporter
from kit import otlp
from kit.certificates import Authority
from kit.environments import free_port
from kit.millrace import run
from kit.waiting import eventually

TOKENS = {"ann": "seeded-token-of-ann", "bob": "seeded-token-of-bob", "eve": "seeded-token-of-eve"}
PASSWORD = "seeded-password-of-lf"
ADMIN = "seeded-admin-token"
IDENTITY = "millrace_receiver_identity_{}_spans_total"


def members(**experiments):
    """Bearer members with their tokens, and the experiments they are bound to."""
    return [
        {"name": name, "token": token} | ({"experiments": experiments[name]} if name in experiments else {})
        for name, token in TOKENS.items()
    ]


def receivers(**settings):
    return {"otlp": {"type": "otlp_http", "listen": f"127.0.0.1:{free_port()}"} | settings}


def bearer(name):
    return {"Authorization": f"Bearer {TOKENS[name]}"}


def routed(**route):
    return {"map": {"type": "mlflow_map"}, "route": {"type": "mlflow_experiment"} | route, "batch": {"type": "batch"}}


def test_an_sdk_with_a_token_is_taken_and_without_it_is_refused(millrace, sink, run_app):
    gateway = millrace({"out": otlp_exporter(sink)}, receivers=receivers(auth={"bearer": members()}))
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": gateway.url, "OTEL_SERVICE_NAME": "shop"}
    with pytest.raises(AssertionError, match="Failed to export"):
        run_app("shop.py", **settings)
    with pytest.raises(AssertionError, match="Failed to export"):
        run_app("shop.py", OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20guess", **settings)
    assert gateway.ledger()["accepted_spans"] == 0

    header = f"Authorization=Bearer%20{TOKENS['ann']}"
    run_app("shop.py", OTEL_EXPORTER_OTLP_HEADERS=header, **settings)
    ledger = gateway.settled()
    assert ledger["accepted_spans"] == len(sink.spans) == 4
    assert gateway.metric(IDENTITY.format("accepted"), identity="ann") == 4
    assert gateway.metric("millrace_receiver_denied_requests_total", reason="missing") >= 1
    assert gateway.metric("millrace_receiver_denied_requests_total", reason="wrong") >= 1


def test_curl_is_answered_before_it_sends_its_body(millrace, sink, tmp_path):
    gateway = millrace({"out": otlp_exporter(sink)}, receivers=receivers(auth={"bearer": members()}))
    large = tmp_path / "large"
    large.write_bytes(b"\n" * (48 << 20))
    curl = ["curl", "-sS", "-o", "-", "-w", "%{http_code} %{size_upload} %header{www-authenticate}"]
    curl += ["-H", "content-type: application/x-protobuf", "--data-binary", f"@{large}", gateway.url + "/v1/traces"]
    done = subprocess.run(curl, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    code, sent, challenge = done.stdout.split(b"TOKEN\"")[-1].split(b" ", 2)
    assert (code, challenge) == (b"401", b'Bearer realm="millrace"')
    assert int(sent) < 48 << 20


def test_the_name_routes_and_traces_of_the_same_id_stay_apart(millrace, mlflow, service):
    ann, bob = f"{service}-ann", f"{service}-bob"
    gateway = millrace(
        {"mlflow": mlflow_exporter(mlflow)},
        receivers=receivers(auth={"bearer": members()}),
        processors=routed(**{"from": ["auth"], "map": {"ann": ann, "bob": bob}}),
    )
    message = otlp.request(service, spans=1)
    assert gateway.post(message.SerializeToString(), **bearer("ann")).status_code == 200
    gateway.settled(accepted=1)
    later = otlp.request(service, spans=1)
    assert gateway.post(later.SerializeToString(), **bearer("bob")).status_code == 200
    gateway.settled(accepted=2)
    assert mlflow.spans(ann) == set(otlp.spans_of(message))
    assert mlflow.spans(bob) == set(otlp.spans_of(later))


def test_a_deleted_experiment_of_a_member_in_the_pipeline_file_is_restored(millrace, mlflow, service):
    mlflow.create_experiment(service)
    mlflow.delete_experiment(service)
    gateway = millrace(
        {"mlflow": mlflow_exporter(mlflow)}, receivers=receivers(auth={"bearer": members(ann=[service])})
    )
    message = otlp.request(service)
    assert gateway.post(message.SerializeToString(), **bearer("ann")).status_code == 200
    gateway.settled(accepted=5)
    assert mlflow.spans(service) == set(otlp.spans_of(message))


class Asked:
    """An MLflow that nobody should ask."""

    def __init__(self, sink):
        self.url = sink.url


@pytest.mark.parametrize(
    ("way", "route", "headers", "name"),
    [
        ("header", {}, {"x-mlflow-experiment-id": "team-b"}, "team-a"),
        ("id in the header", {}, {"x-mlflow-experiment-id": "7"}, "team-a"),
        ("resource attribute", {}, {}, "team-b"),
        ("rule", {"map": {"team-*": "Team B"}}, {}, "team-a"),
        ("default", {"from": []}, {}, "team-a"),
    ],
)
def test_a_tenants_token_writes_nowhere_else(millrace, sink, tmp_path, way, route, headers, name):
    gateway = millrace(
        {"mlflow": mlflow_exporter(Asked(sink))},
        receivers=receivers(auth={"bearer": members(ann=["team-a"])}),
        processors=routed(**route),
    )
    message = otlp.request(name, spans=3)
    own = otlp.request("team-a", spans=2)
    message.MergeFrom(own)
    answer = gateway.post(message.SerializeToString(), **bearer("ann"), **headers)
    assert answer.status_code == 403, way
    assert "allowed: team-a" in otlp.status_message(answer)
    assert gateway.metric(IDENTITY.format("refused"), identity="ann", reason="forbidden") == 5
    assert gateway.ledger()["accepted_spans"] == 0
    assert gateway.row("mlflow")["queued"] == 0
    journal = b"".join(path.read_bytes() for path in (tmp_path / "journal").rglob("*") if path.is_file())
    assert own.resource_spans[0].scope_spans[0].spans[0].span_id not in journal
    assert sink.requests == []


def test_every_pipeline_of_the_receiver_is_asked_before_any_stores(millrace, sink, archives):
    exporters = {"mlflow": mlflow_exporter(Asked(sink)), "archive": archives("archive")}
    processors = routed() | {"fixed": {"type": "mlflow_experiment", "from": [], "default": "team-b"}}
    gateway = millrace(
        exporters,
        receivers=receivers(auth={"bearer": members(ann=["team-a"])}),
        processors=processors,
        pipelines={
            "first": {"receivers": ["otlp"], "processors": ["route"], "exporters": ["archive"]},
            "second": {"receivers": ["otlp"], "processors": ["fixed"], "exporters": ["mlflow"]},
        },
        starts=False,
    )
    gateway.start()
    body = otlp.request("team-a").SerializeToString()
    assert gateway.post(body, **bearer("ann")).status_code == 403
    ledger = gateway.admin("/ledger").json()["pipelines"]
    assert [ledger[name]["accepted_spans"] for name in ("first", "second")] == [0, 0]
    gateway.kill()


def test_a_token_that_leaves_its_file_is_refused_and_a_broken_file_changes_nothing(millrace, sink, tmp_path):
    file = tmp_path / "members"
    file.write_text(f"# members\nann {TOKENS['ann']}\nbob {TOKENS['bob']}\n")
    gateway = millrace({"out": otlp_exporter(sink)}, receivers=receivers(auth={"bearer": [{"file": str(file)}]}))
    body = otlp.request("shop", spans=1).SerializeToString()

    def status(name):
        return gateway.post(body, **bearer(name)).status_code

    assert [status("ann"), status("bob"), status("eve")] == [200, 200, 401]
    file.write_text(f"ann {TOKENS['ann']}\neve {TOKENS['eve']}\n")
    eventually(lambda: status("bob") == 401, within=30)
    eventually(lambda: status("eve") == 200, within=30)
    file.write_text(f"ann {TOKENS['ann']}\neve\n")
    eventually(lambda: f"{file}:2: a name without a token; allowed: NAME TOKEN" in gateway.process.log, within=30)
    assert [status("ann"), status("eve")] == [200, 200]
    assert gateway.metric("millrace_receiver_member_files_valid") == 0
    done = run("validate", gateway.file)
    assert done.returncode == 78 and f"{file}:2: a name without a token" in done.stdout + done.stderr
    gateway.settled()


def test_a_removal_counts_though_two_files_are_at_odds(millrace, sink, tmp_path):
    files = [tmp_path / "one", tmp_path / "two"]
    files[0].write_text(f"ann {TOKENS['ann']}\nbob {TOKENS['bob']}\n")
    files[1].write_text("cat token-of-cat\n")
    auth = {"bearer": [{"file": str(file)} for file in files]}
    gateway = millrace({"out": otlp_exporter(sink)}, receivers=receivers(auth=auth))
    body = otlp.request("shop", spans=1).SerializeToString()
    files[1].write_text(f"eve {TOKENS['ann']}\n")
    eventually(lambda: "a member stays out, because it is at odds with another" in gateway.process.log, within=30)
    assert gateway.post(body, Authorization="Bearer token-of-cat").status_code == 401
    files[0].write_text(f"ann {TOKENS['ann']}\n")
    eventually(lambda: gateway.post(body, **bearer("bob")).status_code == 401, within=30)
    assert gateway.post(body, **bearer("ann")).status_code == 200
    assert gateway.metric("millrace_receiver_member_files_valid") == 0
    assert gateway.metric(IDENTITY.format("accepted"), identity="ann") == 1
    done = run("validate", gateway.file)
    assert done.returncode == 78 and f"{files[1]}:1: its token stands at {files[0]}:1 already" in done.stdout
    gateway.settled()


def test_a_certificate_may_do_what_its_member_may_and_nothing_without_one(millrace, sink, tmp_path):
    server, clients = Authority(tmp_path, "servers"), Authority(tmp_path, "clients")
    certificate, key = server.issue("server")
    file = tmp_path / "members"
    file.write_text("spiffe://test/app a-token-that-nobody-has team-a\n")
    tls = {"certificate": str(certificate), "key": str(key), "client_ca": str(clients.certificate)}
    gateway = millrace(
        {"out": otlp_exporter(sink)},
        receivers=receivers(tls=tls, auth={"bearer": [{"file": str(file)}]}),
        starts=False,
    )
    gateway.session.verify = str(server.certificate)
    gateway.session.cert = tuple(map(str, clients.issue("app", "URI:spiffe://test/app")))
    gateway.start()

    def status(service):
        return gateway.post(otlp.request(service, spans=1).SerializeToString()).status_code

    assert [status("team-a"), status("team-b")] == [200, 403]
    file.write_text("other a-token-that-nobody-has\n")
    # On the connection that is open, and nowhere more than before.
    eventually(lambda: status("team-a") == 401, within=30)
    assert status("team-b") == 401
    assert gateway.metric("millrace_receiver_denied_requests_total", reason="certificate") >= 2
    gateway.session.cert = tuple(map(str, clients.issue("other", "URI:spiffe://test/other")))
    gateway.session.close()
    answer = gateway.post(otlp.request("team-b", spans=1).SerializeToString())
    assert answer.status_code == 401
    assert 'the certificate is of "spiffe://test/other", and no member has that name' in otlp.status_message(answer)
    gateway.settled()


def test_spellings_of_a_name_in_two_unicode_forms_are_two_experiments(millrace, mlflow, service):
    composed, decomposed = f"{service}-caf\u00e9", f"{service}-cafe\u0301"
    gateway = millrace(
        {"mlflow": mlflow_exporter(mlflow)},
        receivers=receivers(auth={"bearer": members(ann=[composed], bob=[decomposed])}),
    )
    sent = {composed: otlp.request(composed, spans=2), decomposed: otlp.request(decomposed, spans=3)}
    assert gateway.post(sent[decomposed].SerializeToString(), **bearer("ann")).status_code == 403
    assert gateway.post(sent[composed].SerializeToString(), **bearer("ann")).status_code == 200
    assert gateway.post(sent[decomposed].SerializeToString(), **bearer("bob")).status_code == 200
    gateway.settled(accepted=5)
    for name, message in sent.items():
        assert mlflow.spans(name) == set(otlp.spans_of(message))


def test_names_of_refused_requests_and_of_strangers_leave_room_for_a_member(millrace, sink):
    gateway = millrace(
        {"out": otlp_exporter(sink)},
        receivers=receivers(auth={"bearer": members(ann=["team-*"], bob=["own"])}),
        processors=routed(max_routes=3),
    )

    def status(name, *services):
        message = otlp.request(services[0], spans=1)
        for service in services[1:]:
            message.MergeFrom(otlp.request(service, spans=1))
        return gateway.post(message.SerializeToString(), **bearer(name)).status_code

    for number in range(5):
        assert status("ann", f"team-{number}", "elsewhere") == 403
    assert status("ann", "team-a") == 200
    assert [status("eve", f"invented-{number}") for number in range(5)] == [200] * 5
    assert gateway.metric("millrace_processor_defaulted_spans_total", processor="route") == 4
    assert [status("ann", "team-a"), status("bob", "own"), status("bob", "other")] == [200, 200, 403]
    assert gateway.process.log.count("a request is refused for its experiment") == 2
    gateway.settled(accepted=8)


def test_heads_without_credentials_hold_no_connections(millrace, sink):
    gateway = millrace({"out": otlp_exporter(sink)}, receivers=receivers(auth={"bearer": members()}))
    head = b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ncontent-length: %d\r\n\r\n"
    start = time.monotonic()
    clients = [socket.create_connection(gateway.address, timeout=20) for _ in range(50)]
    for number, client in enumerate(clients):
        client.sendall(head % (1000 if number % 2 else 10_000_000))
    for client in clients:
        answer = b""
        while part := client.recv(65_536):
            answer += part
        assert answer.startswith(b"HTTP/1.1 401 ")
        client.close()
    assert time.monotonic() - start < 20, "body_timeout is 30 s"


def test_who_guesses_is_slowed_down_and_a_secret_that_nobody_guesses_is_not(millrace, sink):
    long = {"name": "cat", "token": "a-token-that-nobody-guesses"}
    gateway = millrace({"out": otlp_exporter(sink)}, receivers=receivers(auth={"bearer": members() + [long]}))
    assert "/receivers/otlp/auth/bearer/0: warning: the token has fewer than 20 bytes" in gateway.process.log
    assert "/receivers/otlp/auth/bearer/3: warning" not in gateway.process.log
    body = otlp.request("shop", spans=1).SerializeToString()
    assert gateway.post(body, **bearer("ann")).status_code == 200
    answers = [gateway.post(body, Authorization=f"Bearer guess-{number}") for number in range(40)]
    codes = [answer.status_code for answer in answers]
    assert codes[:10] == [401] * 10 and codes.count(429) >= 25
    assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 429} == {"3"}
    assert gateway.post(body, **bearer("ann")).status_code == 200
    assert gateway.post(body, Authorization=f"Bearer {long['token']}").status_code == 200
    # A right short one from there is told from a wrong one no sooner, and waits for its turn.
    assert gateway.post(body, **bearer("bob")).status_code == 429
    eventually(lambda: gateway.post(body, **bearer("bob")).status_code == 200, within=30, every=0.5)
    assert gateway.process.log.count("a request is refused for its credentials") == 1
    gateway.settled()


def test_no_secret_is_shown_anywhere(millrace, tmp_path, sink):
    file = tmp_path / "members"
    file.write_text(f"bob {TOKENS['bob']} team-b\nbroken\n")
    sink.refuses = lambda message: (400, {"message": "no"})
    auth = {
        "bearer": [{"name": "ann", "token": TOKENS["ann"]}, {"file": str(file)}],
        "basic": [{"username": "pk-lf", "password": PASSWORD}],
    }
    gateway = millrace(
        {"out": otlp_exporter(sink)},
        receivers=receivers(auth=auth),
        processors=routed(**{"from": ["header", "auth"]}),
        log={"level": "trace"},
        admin={"listen": f"127.0.0.1:{free_port()}", "token": ADMIN},
        starts=False,
    )
    texts = [run("run", "--config", gateway.file).stderr]
    assert f"{file}:2" in texts[0]
    file.write_text(f"bob {TOKENS['bob']} team-b\n")
    gateway.start()
    body = otlp.request("shop", spans=1).SerializeToString()
    assert gateway.post(body, **bearer("ann")).status_code == 200
    texts += [gateway.post(body, **bearer("bob")).text, gateway.post(body, **bearer("eve")).text]
    path = "/api/public/otel/v1/traces"
    assert gateway.session.post(
        gateway.url + path, data=body, headers={"content-type": "application/x-protobuf"}, auth=("pk-lf", PASSWORD)
    ).status_code == 200
    gateway.session.post(gateway.url + path, data=body, auth=("pk-lf", PASSWORD + "x"))
    gateway.admin("/dead-letters/list?token=" + ADMIN)
    gateway.session.get(
        "http://" + gateway.pipeline["admin"]["listen"] + "/ledger", headers={"Authorization": "Bearer x" + ADMIN}
    )
    file.write_text(f"bob\n{TOKENS['bob']}\n")
    eventually(lambda: "members stay as they were" in gateway.process.log, within=30)
    eventually(lambda: gateway.row("out")["dead_lettered"] == 2)
    (tmp_path / "body.pb").write_bytes(body)
    for command in (
        ["dead-letters", "list"], ["dead-letters", "list", "--json"], ["ledger"],
    ):
        done = run(*command, "--config", gateway.file)
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout + done.stderr)
    letter = gateway.dead_letters()["dead_letters"][0]["id"]
    texts.append(run("dead-letters", "show", "--config", gateway.file, "--id", letter).stdout)
    texts.append(gateway.admin("/metrics").text)
    file.write_text("")
    for command in (["validate", gateway.file, "--print"], ["explain", "--config", gateway.file, tmp_path / "body.pb"]):
        done = run(*command)
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout + done.stderr)
    texts.append(gateway.process.log)
    gateway.stop()
    for stored in (tmp_path / "journal").rglob("*"):
        if stored.is_file():
            texts.append(stored.read_bytes().decode("latin-1"))
    assert not (tmp_path / "journal" / "admin-token").exists()
    everything = "\n".join(texts)
    assert "pk-lf" in everything
    assert "seeded-" not in everything


def test_the_admin_endpoint_on_every_address_opens_to_the_token_of_the_journal(millrace, sink, tmp_path):
    port = free_port()
    gateway = millrace(
        {"out": otlp_exporter(sink)},
        admin={"listen": f"0.0.0.0:{port}"},
        starts=False,
    )
    gateway.pipeline["admin"]["listen"] = f"0.0.0.0:{port}"
    gateway.save()
    gateway.start()
    base = f"http://127.0.0.1:{port}"
    for path in ("/api/status", "/metrics", "/ledger", "/dead-letters/list", "/nowhere"):
        assert gateway.session.get(base + path).status_code == 401, path
    # The page's files are the same in every process; what they show they ask for with the token.
    assert gateway.session.get(base + "/").status_code == 200
    token = (tmp_path / "journal" / "admin-token").read_text()
    shown = {"Authorization": f"Bearer {token}"}
    for path in ("/api/status", "/metrics", "/ledger", "/dead-letters/list"):
        assert gateway.session.get(base + path, headers=shown).status_code == 200, path
    assert "reasons" not in gateway.session.get(base + "/readyz").json()
    assert gateway.printed_ledger()["accepted_spans"] == 0
    assert gateway.dead_letters() == {"dead_letters": [], "next": None}
    gateway.stop()
