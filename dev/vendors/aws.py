"""AWS STS, after its API reference: the query protocol, XML, signatures (Signature Version 4) that are really checked.

Does not belong here: other services of AWS.
"""

from __future__ import annotations

import hmac
import re
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any, NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .base import ALNUM, Request, Response, Vendor, word

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#: How a signed request names key, scope and signature.
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>\w+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z]+)/aws4_request, "
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
#: Seconds that a signature is good.
_LIFE = 15 * 60


class _Refused(NamedTuple):
    code: str
    message: str


_UNKNOWN = _Refused("InvalidClientTokenId", "The security token included in the request is invalid.")
_ENDED = _Refused("ExpiredToken", "The security token included in the request is expired")
_UNLIKE = _Refused(
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details.",
)


class Aws(Vendor):
    """Knows access keys by their id."""

    name = "aws"
    limits = False

    def __init__(self) -> None:
        super().__init__()
        #: What the credentials that it was told of consist of, by their id.
        self.known: dict[str, Mapping[str, str]] = {}
        #: Account of all keys; seconds by which its clock is ahead; how many requests it refuses without a reason.
        self.account, self.ahead, self.spurious = word(12, "0123456789"), 0.0, 0

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a key of each kind."""
        return {
            "access key": {"accessKeyId": f"AKIA{word(16, _BASE32)}", "secretAccessKey": word(40, ALNUM + "+/")},
            "temporary key": {
                "accessKeyId": f"ASIA{word(16, _BASE32)}",
                "secretAccessKey": word(40, ALNUM + "+/"),
                "sessionToken": f"IQoJ{word(400, ALNUM + '+/')}=",
            },
        }

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the id."""
        self.known[parts["accessKeyId"]] = parts
        return parts["accessKeyId"]

    def answer(self, request: Request) -> Response:
        """Answer GetCallerIdentity."""
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        if request.method != "POST" or form != {"Action": "GetCallerIdentity", "Version": "2011-06-15"}:
            return _refusal(400, _Refused("InvalidAction", "Could not find operation"))
        if refused := self._refused(request):
            return _refusal(403, refused)
        return _xml(
            200,
            f"<GetCallerIdentityResponse {_SPACE}><GetCallerIdentityResult>"
            f"<Arn>arn:aws:iam::{self.account}:user/ci</Arn>"
            f"<UserId>AIDA{word(17, _BASE32)}</UserId><Account>{self.account}</Account></GetCallerIdentityResult>"
            f"<ResponseMetadata><RequestId>{word(36)}</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
        )

    def _refused(self, request: Request) -> _Refused | None:
        shown = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if not shown or shown["service"] != "sts":
            return _Refused("IncompleteSignature", "Authorization header is not as it should be")
        parts = self.known.get(shown["id"], {})
        if self.state(shown["id"]) == "invalid" or request.headers.get("x-amz-security-token") != parts.get(
            "sessionToken"
        ):
            return _UNKNOWN
        if self.ends.get(shown["id"]):
            return _ENDED
        if not hmac.compare_digest(signature(request, parts, shown), shown["signature"]):
            return _UNLIKE
        if self.spurious:
            self.spurious -= 1
            return _UNLIKE
        return self._late(request)

    def _late(self, request: Request) -> _Refused | None:
        """Return what is wrong with the time of a signature."""
        now, stamp = time.time() + self.ahead, request.headers["x-amz-date"]
        limit = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now - _LIFE))
        if stamp < limit:
            return _Refused("SignatureDoesNotMatch", f"Signature expired: {stamp} is now earlier than {limit}")
        limit = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now + _LIFE))
        if stamp > limit:
            return _Refused("SignatureDoesNotMatch", f"Signature not yet current: {stamp} is still later than {limit}")
        return None


def signature(request: Request, parts: Mapping[str, str], shown: re.Match[str]) -> str:
    """Sign what came as botocore does."""
    headers = {name: request.headers.get(name, "") for name in shown["headers"].split(";")}
    again: Any = AWSRequest(request.method, f"http://{headers['host']}{request.target}", headers, request.body)
    again.context["timestamp"] = headers["x-amz-date"]
    whose = Credentials(parts["accessKeyId"], parts["secretAccessKey"], parts.get("sessionToken"))
    auth: Any = SigV4Auth(whose, shown["service"], shown["region"])
    made: str = auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)
    return made


_SPACE = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'


def _refusal(status: int, refused: _Refused) -> Response:
    return _xml(
        status,
        f"<ErrorResponse {_SPACE}>\n  <Error>\n    <Type>Sender</Type>\n    <Code>{refused.code}</Code>\n"
        f"    <Message>{refused.message}</Message>\n  </Error>\n  <RequestId>{word(36)}</RequestId>\n</ErrorResponse>",
    )


def _xml(status: int, text: str) -> Response:
    return Response(status, text.encode(), {"Content-Type": "text/xml"})
