"""What AWS does with a request before anything else: it signs it again with botocore, and compares."""

import re

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

FORM = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


class Signatures:
    """`admits` is what a destination asks about a request; keys that change are refused until they are the new ones."""

    def __init__(self, service, region="eu-west-1"):
        self.service, self.region = service, region
        self.keys = ("AKIDEXAMPLE", "seeded-secret-key/+1", "seeded-session-token==")
        self.signed_names = set()
        self.refused = 0

    def settings(self, **more):
        """The `sigv4` of an exporter."""
        names = ("access_key_id", "secret_access_key", "session_token")
        return {"region": self.region, "service": self.service} | dict(zip(names, self.keys)) | more

    def admits(self, path, headers, body):
        shown = FORM.fullmatch(headers.get("authorization", ""))
        if shown and self.signature(path, headers, body, shown["names"].split(";")) == shown["signature"]:
            self.signed_names.add(shown["names"])
            return None
        self.refused += 1
        return 403, {"message": "The request signature we calculated does not match the signature you provided."}

    def signature(self, path, headers, body, names):
        kept = {name: headers[name] for name in names if name not in ("host", "x-amz-date")}
        request = AWSRequest("POST", f"http://{headers['host']}{path}", headers=kept, data=body)
        request.context["timestamp"] = headers["x-amz-date"]
        signer = SigV4Auth(Credentials(*self.keys), self.service, self.region)
        request.headers["X-Amz-Date"] = headers["x-amz-date"]
        return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
