"""Memory that large requests took is kept while more of them come, and goes back to the system afterwards."""

import concurrent.futures

from kit import otlp
from kit.waiting import eventually

MIB = 1 << 20
BODY = 6 * MIB


def test_memory_goes_back_when_work_has_ended(millrace, tmp_path):
    gateway = millrace({"archive": {"type": "file", "path": str(tmp_path / "archive.jsonl")}})
    idle = gateway.memory("VmRSS")
    bodies = [large(f"app-{number}") for number in range(16)]
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(gateway.post, bodies))
    assert {answer.status_code for answer in answers} == {200}
    peak = gateway.memory("VmHWM")
    assert peak > idle + 2 * BODY, f"{idle // MIB} MiB, then {peak // MIB} MiB: the load was none"
    gateway.settled()
    print(f"{idle // MIB} MiB idle, {peak // MIB} MiB at most, {gateway.memory('VmRSS') // MIB} MiB after the load")
    eventually(lambda: gateway.memory("VmRSS") < idle + (peak - idle) // 4, within=60)


def large(service):
    message = otlp.request(service)
    span = message.resource_spans[0].scope_spans[0].spans[0]
    for key, text in {"gen_ai.operation.name": "chat", "gen_ai.prompt": "long " * (BODY // 5)}.items():
        span.attributes.add(key=key).value.string_value = text
    return message.SerializeToString()
