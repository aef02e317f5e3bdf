"""Somebody connects and nothing of what is sent can be taken: what may be wrong is said once."""

from kit import otlp
from kit.waiting import eventually

SAID = "nothing has been taken since"


def waiting(gateway, send):
    """Sends again and again until the likely causes are told; the log then."""

    def told():
        send()
        assert SAID in gateway.process.log
        return gateway.process.log

    return eventually(told, within=60, every=0.5)


def test_a_wrong_path_is_named_once(millrace, archives):
    gateway = millrace({"archive": archives("archive")})
    body = otlp.request("shop").SerializeToString()
    log = waiting(gateway, lambda: gateway.post(body, path="/v1/traces/v1/traces"))
    assert "base address, without /v1/traces" in log and "of 404" in log
    assert gateway.post(body).status_code == 200
    gateway.settled(accepted=5)
    assert gateway.process.log.count(SAID) == 1
