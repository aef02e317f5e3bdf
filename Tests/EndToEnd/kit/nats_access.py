"""A file of credentials for a NATS server in operator mode: keys and signed claims (JWT) of an operator, an account and a user."""

import base64
import json
import os
import time

import nkeys


class Operator:
    """`words` go into a server's configuration; `credentials` is what a user's `.creds` file holds."""

    def __init__(self):
        operator, user = key(nkeys.PREFIX_BYTE_OPERATOR), key(nkeys.PREFIX_BYTE_USER)
        account, system = key(nkeys.PREFIX_BYTE_ACCOUNT), key(nkeys.PREFIX_BYTE_ACCOUNT)
        unlimited = {name: -1 for name in ("subs", "data", "payload", "imports", "exports", "conn", "leaf")}
        storage = {name: -1 for name in ("mem_storage", "disk_storage", "streams", "consumer")}
        own = claims(operator, operator, "operator", {})
        of_account = claims(operator, account, "account", {"limits": unlimited | storage | {"wildcards": True}})
        of_user = claims(account, user, "user", {"subs": -1, "data": -1, "payload": -1})
        of_system = claims(operator, system, "account", {"limits": unlimited | {"wildcards": True}})
        known = f"{name_of(account)}: {of_account}, {name_of(system)}: {of_system}"
        self.words = (
            f"operator: {own}\nresolver: MEMORY\nsystem_account: {name_of(system)}\nresolver_preload {{ {known} }}"
        )
        self.credentials = (
            f"-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
        )


def key(kind):
    return nkeys.from_seed(nkeys.encode_seed(os.urandom(32), kind))


def name_of(key):
    return key.public_key.decode()


def claims(issuer, subject, kind, more):
    """Signed claims about `subject`."""
    names = {"iss": name_of(issuer), "sub": name_of(subject), "name": kind}
    body = {"jti": os.urandom(8).hex(), "iat": int(time.time()), "nats": more | {"type": kind, "version": 2}} | names
    parts = [encoded(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, body)]
    return ".".join([*parts, encoded(issuer.sign(".".join(parts).encode()))])


def encoded(text):
    return base64.urlsafe_b64encode(text).decode().rstrip("=")
