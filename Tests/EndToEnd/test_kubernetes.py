"""The manifests of pipelines/deploy/kubernetes: by the schemas, by what they refer to, by running what they hold."""

import itertools
import json
import os
import re
import subprocess

import pytest
import requests

from kit import otlp
from kit.certificates import Authority
from kit.environments import CHECKOUT, clean_environment, free_port, program
from kit.millrace import Millrace, run
from kit.nats_server import NATS
from kit.waiting import eventually

FOLDER = CHECKOUT / "pipelines/deploy/kubernetes"
MANIFESTS = {path.stem: json.loads(path.read_text())["items"] for path in sorted(FOLDER.glob("*.json"))}
OLDEST, NEWEST = "1.29.0", "1.37.0"  # sidecars are containers of their own since 1.29
OURS = [name for name in MANIFESTS if name != "nats"]
AWAY = "http://127.0.0.1:9"
CREDENTIALS = {"user": "millrace", "password": "${env:NATS_PASSWORD}"}


def of(manifest, *kinds):
    return [item for item in MANIFESTS[manifest] if item["kind"] in kinds]


def template(manifest):
    """The only pod template of a manifest."""
    (workload,) = of(manifest, "StatefulSet", "Deployment")
    return workload["spec"]["template"]


def containers(manifest):
    spec = template(manifest)["spec"]
    return spec.get("initContainers", []) + spec["containers"]


def box(manifest):
    """The container of a manifest that is ours."""
    return next(container for container in containers(manifest) if container["name"] == "millrace")


def environment(manifest, name="millrace", **settings):
    """What a container's environment is, with secrets and fields made up."""
    container = next(each for each in containers(manifest) if each["name"] == name)
    return {each["name"]: each.get("value", "made-up") for each in container["env"]} | settings


def pipeline(manifest):
    (config,) = of(manifest, "ConfigMap")
    return json.loads(config["data"]["pipeline.json"])


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_object_is_what_kubernetes_takes(version, tmp_path):
    files = []
    for manifest, items in MANIFESTS.items():
        for number, item in enumerate(items):
            files.append(tmp_path / f"{manifest}-{number}.json")
            files[-1].write_text(json.dumps(item))
    check = [program("deploy", "kubernetes-validate"), "-k", version, "--strict", "--quiet"]
    done = subprocess.run([*check, *files], capture_output=True, text=True, env=clean_environment())
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(of("gateway", "StatefulSet")[0] | {"specs": {}}))
    assert subprocess.run([*check, broken], capture_output=True).returncode != 0


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_what_is_referred_to_is_there(manifest):
    pods, items = template(manifest), MANIFESTS[manifest]
    labels, spec = pods["metadata"]["labels"], pods["spec"]
    named = {(item["kind"], item["metadata"]["name"]) for item in items}
    ports = {port["name"] for container in containers(manifest) for port in container.get("ports", [])}
    claims = of(manifest, "StatefulSet")[0]["spec"]["volumeClaimTemplates"] if of(manifest, "StatefulSet") else []
    volumes = {volume["name"] for volume in spec["volumes"] + [claim["metadata"] for claim in claims]}

    selectors = [item["spec"]["selector"] for item in items if "selector" in item.get("spec", {})]
    selectors += [policy["spec"]["podSelector"] for policy in of(manifest, "NetworkPolicy")]
    assert all(selector.get("matchLabels", selector) == labels for selector in selectors)
    assert all(port["targetPort"] in ports for item in of(manifest, "Service") for port in item["spec"]["ports"])
    for workload in of(manifest, "StatefulSet"):
        assert ("Service", workload["spec"]["serviceName"]) in named
        assert ("ServiceAccount", spec["serviceAccountName"]) in named
        assert ("PodDisruptionBudget", workload["metadata"]["name"]) in named
    configs = [volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume]
    assert all(("ConfigMap", name) in named for name in configs)
    for container in containers(manifest):
        if container["name"] == "millrace":
            # A folder of its own: the root of a new volume may hold another one, which it cannot read.
            data = {each["name"]: each.get("value") for each in container["env"]}["MILLRACE_DATA"]
            assert data.rpartition("/")[0] in [mount["mountPath"] for mount in container["volumeMounts"]]
        assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
        probes = [container[name]["httpGet"]["port"] for name in container if name.endswith("Probe")]
        assert set(probes) <= ports
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"


def test_whoever_calls_is_let_in():
    """Each port that one workload's policy lets out to pods of another is let in there, and is open."""
    for manifest, target in itertools.permutations(MANIFESTS, 2):
        to = {"podSelector": {"matchLabels": template(target)["metadata"]["labels"]}}
        me = {"podSelector": {"matchLabels": template(manifest)["metadata"]["labels"]}}
        for policy in of(manifest, "NetworkPolicy"):
            for rule in policy["spec"]["egress"]:
                if to in rule.get("to", []):
                    (there,) = of(target, "NetworkPolicy")
                    ports, ingress = rule["ports"], there["spec"]["ingress"]
                    assert any(me in each.get("from", []) and each["ports"] == ports for each in ingress)
                    opened = {port["containerPort"] for container in containers(target) for port in container["ports"]}
                    assert {port["port"] for port in ports} <= opened


@pytest.mark.parametrize("manifest", OURS)
def test_the_pipeline_is_the_example_with_an_endpoint_for_probes(manifest, tmp_path):
    example = json.loads((CHECKOUT / f"pipelines/{manifest}.json").read_text())
    tests = example.pop("tests", [])
    example.pop("$schema")
    example["admin"] = {"listen": "0.0.0.0:13133", "open_metrics": True}
    for component in (*example["receivers"].values(), *example["exporters"].values()):
        if component["type"] == "jetstream":
            component["credentials"] = CREDENTIALS
    if os.environ.get("MILLRACE_RECORD") == "1":
        path = FOLDER / f"{manifest}.json"
        text = json.dumps(json.dumps(example))
        path.write_text(re.sub('(?<="pipeline.json": ).*', lambda _: text, path.read_text()))
        (config,) = of(manifest, "ConfigMap")
        config["data"]["pipeline.json"] = json.dumps(example)
    assert pipeline(manifest) == example, "`make manifests` writes the examples into them"
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(example | ({"tests": tests} if tests else {})))
    done = run("test" if tests else "validate", file, **environment(manifest))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("manifest", OURS)
def test_it_starts_in_its_environment_and_answers_its_probes(manifest, tmp_path):
    """With other addresses and folders; a destination that is away makes no pod unready, but the one way in does."""
    etc = tmp_path / "etc"
    certificate, key = Authority(tmp_path).issue("tls")
    etc.mkdir()
    certificate.rename(etc / "tls.pem")
    key.rename(etc / "tls.key")
    (etc / "members").write_text(f"checkout {'0123456789abcdef' * 2} Checkout\n")
    settings = {"MILLRACE_ETC": str(etc), "MILLRACE_DATA": str(tmp_path / "data"), "MLFLOW_TRACKING_URI": AWAY}
    settings |= {f"MILLRACE_LISTEN{kind}": f"127.0.0.1:{free_port()}" for kind in ("", "_GRPC")}
    settings |= {f"NATS_{number}": f"nats://127.0.0.1:{number}" for number in (1, 2, 3)}
    held = pipeline(manifest)
    held["admin"]["listen"] = f"0.0.0.0:{free_port()}"
    if manifest == "sidecar":
        for receiver in held["receivers"].values():
            receiver["listen"] = f"127.0.0.1:{free_port()}"
    gateway = Millrace(tmp_path, held, **environment(manifest, **settings))
    container, port = box(manifest), held["admin"]["listen"].rpartition(":")[2]
    command, config, file, watch = container["args"]
    assert (command, config, watch) == ("run", "--config", "--watch")
    assert file in [f"{mount['mountPath']}/pipeline.json" for mount in container["volumeMounts"]]
    gateway.process.start(watch)

    def asked(path):
        """The answer to what comes to the pod's address from elsewhere."""
        gateway.process.expect_running()
        return requests.get(f"http://127.0.0.1:{port}{path}", headers={"host": "10.1.2.3:13133"}, timeout=5)

    try:
        for probe in [container[name] for name in container if name.endswith("Probe")]:
            path = probe["httpGet"]["path"]
            expected = 503 if (manifest, path) == ("centre", "/readyz") else 200
            eventually(lambda path=path, expected=expected: asked(path).status_code == expected)
        assert "millrace_process_start_seconds" in asked("/metrics").text
        assert asked("/ledger").status_code == 401
        gateway.stop()
    finally:
        gateway.process.end_group()


@pytest.fixture
def three(tmp_path):
    """The three servers of the manifest with its configuration, at addresses of this machine."""
    (config,) = of("nats", "ConfigMap")
    servers = NATS(tmp_path / "nats", 3)
    for node in servers.nodes:
        text = config["data"]["nats.conf"]
        for number, other in enumerate(servers.nodes):
            text = text.replace(f"nats-{number}.nats:6222", f"127.0.0.1:{other.route}")
        for port, mine in ((4222, node.client), (8222, node.http), (6222, node.route)):
            assert f"0.0.0.0:{port}" in text
            text = text.replace(f"0.0.0.0:{port}", f"127.0.0.1:{mine}")
        for folder in ("/data", "/run/nats"):
            assert folder in [mount["mountPath"] for mount in containers("nats")[0]["volumeMounts"]]
            text = text.replace(f'"{folder}', f'"{node.directory}')
        node.file.write_text(text)
        node.process.environment = clean_environment(**environment("nats", "nats", POD_NAME=node.name))
    yield servers.start()
    servers.close()


def test_spans_pass_from_the_edge_through_three_servers_to_the_centre(three, tmp_path, service):
    servers = {f"NATS_{number}": node.url for number, node in enumerate(three.nodes, 1)}
    kept = tmp_path / "kept.jsonl"

    def member(manifest, **settings):
        held = pipeline(manifest)
        held["admin"]["listen"] = f"127.0.0.1:{free_port()}"
        if manifest == "centre":
            held["exporters"]["mlflow"] = {"type": "file", "path": str(kept)}
        for name, receiver in held["receivers"].items():
            if "listen" in receiver:
                receiver["listen"] = f"127.0.0.1:{free_port()}"
        if "relay" in held["exporters"]:
            held["exporters"]["relay"]["max_bytes"] = "64MiB"
        directory = tmp_path / manifest
        directory.mkdir()
        data = {"MILLRACE_DATA": str(directory / "data")}
        return Millrace(directory, held, **environment(manifest, **servers, **data)).start()

    edge = member("edge")
    centre = member("centre")
    try:
        sent = edge.send(service, traces=20)
        edge.settled(accepted=len(sent))
        centre.settled(accepted=len(sent))
        assert set(otlp.spans_of_file(kept)) == sent
        assert three.stream("spans")["config"]["num_replicas"] == 3
        edge.stop()
        centre.stop()
    finally:
        edge.process.end_group()
        centre.process.end_group()
