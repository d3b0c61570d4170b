"""AWS: access keys of IAM users, and temporary keys with their session token.

Facts: the API reference of STS (GetCallerIdentity, common errors), Signature Version 4; key forms by gitleaks and
trufflehog; that clocks that differ are told as SignatureDoesNotMatch: aws/aws-cli 6676.

Does not belong here: API keys of Bedrock (``bedrock``).
"""

from __future__ import annotations

import logging
import re
from typing import Annotated, Any, ClassVar

import pydantic

from ..schema import Spec
from ..secret import SecretMap
from ._table import Format
from .base import Answer, Ask, Finding, Issuer, Malformed, Part, Recognition, Verdict, judged

_SEEN = "2026-11-01"
_SOURCE = "gitleaks aws-access-token; trufflehog aws"

#: Regions of the AWS partitions ``aws``, ``aws-cn`` and ``aws-us-gov``; their hosts end in one of two domains.
_REGION = "^[a-z]{2}(-[a-z]+)+-[0-9]$"
_USUAL = "us-east-1"
_HOST = re.compile(r"https://sts\.[a-z]{2}(-[a-z]+)+-\d\.amazonaws\.com(\.cn)?\.?(:443)?(/.*)?")

_QUESTION = b"Action=GetCallerIdentity&Version=2011-06-15"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"

#: What STS says of a key that does not exist, whose secret is another, that is switched off, or that has ended.
_REFUSED = {"InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken"}
#: What it says of one that it knows.
_KNOWN = {"AccessDenied"}
#: What it says where it cannot tell.
_SILENT = {"Throttling", "RequestExpired", "IncompleteSignature", "InternalFailure", "ServiceUnavailable"}
_CODE = re.compile(rb"\A[^{]{0,200}?<ErrorResponse\b.{0,400}?<Code>([A-Za-z]{1,64})</Code>", re.DOTALL)
_ACCOUNT = re.compile(rb"\A[^{]{0,200}?<GetCallerIdentityResponse\b.{0,4000}?<Account>(\d{12})</Account>", re.DOTALL)
#: Signatures end after 15 minutes. The key may be good; our clock, or theirs, is not.
_CLOCKS = re.compile(rb"<Message>Signature (expired|not yet current): ")


class Aws(Issuer, name="aws", title="AWS"):
    """Access keys of AWS."""

    class Config(Spec):
        """Where AWS is asked about an access key, and whose it must be."""

        region: Annotated[str, pydantic.StringConstraints(max_length=32, pattern=_REGION)] | None = None
        """Region whose STS is asked; by default `us-east-1`. Keys of AWS China and GovCloud are known in their own
        regions only."""
        account: Annotated[str, pydantic.StringConstraints(max_length=12, pattern="^[0-9]{12}$")] | None = None
        """Number of the account that the key must be of; a key of another one is `ValidLimited`."""

    parts = (
        Part("accessKeyId", "the id: `AKIA…`, or `ASIA…` of a temporary key"),
        Part("secretAccessKey", "the secret of 40 characters"),
        Part("sessionToken", "the session token of a temporary key", required=False),
    )
    origin = f"https://sts.{_USUAL}.amazonaws.com"
    hosts: ClassVar[tuple[str, ...]] = ("sts.*.amazonaws.com", "sts.*.amazonaws.com.cn")
    formats = (
        Format("access key", "AKIA[A-Z2-7]{16}", _SEEN, _SOURCE, "AKIA", public=True),
        Format("temporary key", "ASIA[A-Z2-7]{16}", _SEEN, _SOURCE, "ASIA", public=True),
        Format("secret access key", "[A-Za-z0-9+/]{40}", _SEEN, _SOURCE, part="secretAccessKey"),
    )

    @property
    def address(self) -> str:
        """STS of the region, or the endpoint."""
        china = ".cn" if self._region.startswith("cn-") else ""
        return self._endpoint or f"https://sts.{self._region}.amazonaws.com{china}"

    @classmethod
    def may_be_at(cls, url: str) -> bool:
        """Whether it is STS: hosts of others, as of buckets, are below amazonaws.com too."""
        return super().may_be_at(url) and _HOST.fullmatch(url) is not None

    @property
    def _region(self) -> str:
        return (self.config.region if self.config else None) or _USUAL

    def recognise(self, parts: SecretMap) -> Recognition:
        """Say whether id and secret can be what they should be, and each in its place."""
        found = super().recognise(parts)
        if not isinstance(found, Malformed):
            owner = self._table.owner(parts["secretAccessKey"].reveal().decode(errors="replace"))
            if owner and owner[0] == self.name:
                return Malformed("secretAccessKey", "is the id of an access key, not its secret")
        return found

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """Ask STS whose key it is (GetCallerIdentity), which no policy can forbid."""
        if parts["accessKeyId"].reveal().startswith(b"ASIA") and "sessionToken" not in parts:
            return Finding(Verdict.NOT_CHECKED, "is not asked about a temporary key without its session token")
        answer = self._ask(parts, ask)
        if _code(answer) == "SignatureDoesNotMatch":
            # For some seconds after an id came with one secret, STS refuses it once with another (trufflehog, aws).
            answer = self._ask(parts, ask)
        return self._judged(answer)

    def _ask(self, parts: SecretMap, ask: Ask) -> Answer:
        headers = _signed(parts, f"{self.address.rstrip('/')}/", self._region)
        return ask("POST", "/", headers=headers, body=_QUESTION)

    def _judged(self, answer: Answer) -> Finding:
        account = _ACCOUNT.match(answer.data)
        if answer.status == 200 and account:
            wanted = self.config.account if self.config else None
            if wanted and wanted.encode() != account[1]:
                return Finding(Verdict.LIMITED, "answered 200, for a key of another account than the object's")
            return Finding(Verdict.VALID, "answered 200")
        code = _code(answer)
        if code == "SignatureDoesNotMatch" and _CLOCKS.search(answer.data[:4096]):
            return Finding(Verdict.UNKNOWN, f"answered {answer.status} ({code}): its clock and ours differ")
        means = Verdict.INVALID if code in _REFUSED else Verdict.LIMITED if code in _KNOWN else Verdict.UNKNOWN
        return judged(answer, {400: means, 401: means, 403: means}, own=bool(code), code=code)


def _code(answer: Answer) -> str:
    """Return why STS refuses, if it is one of the reasons known here."""
    found = _CODE.match(answer.data)
    code = found[1].decode() if found else ""
    return code if code in _REFUSED | _KNOWN | _SILENT else ""


def _signed(parts: SecretMap, url: str, region: str) -> dict[str, str]:
    """Return the headers of the question, signed (Signature Version 4)."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    # It would log what it signs, the session token too.
    logging.getLogger("botocore.auth").disabled = True
    shown = {name: value.reveal().decode("ascii") for name, value in parts.items()}
    request: Any = AWSRequest("POST", url, headers={"Content-Type": _FORM}, data=_QUESTION)
    whose = Credentials(shown["accessKeyId"], shown["secretAccessKey"], shown.get("sessionToken"))
    SigV4Auth(whose, "sts", region).add_auth(request)
    return dict(request.headers.items())
