"""Amazon Bedrock: its API keys, long-term ones of IAM users and short-term ones, which are presigned requests.

Facts: user guide of Amazon Bedrock (API keys); source of aws-bedrock-token-generator 1.1.0 (short-term keys); gitleaks
(long-term keys); answers to bad keys: anomalyco/opencode 47073, BerriAI/litellm (test of error messages).

Does not belong here: access keys of AWS, with which Bedrock can be used too (``aws``).
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
import urllib.parse
from collections.abc import Mapping
from typing import Annotated, ClassVar

import pydantic

from ..schema import Spec
from ..secret import SecretMap, SecretValue
from ._table import Format
from .base import Answer, Ask, Finding, Issuer, Part, Recognised, Verdict, bearer, judged

_SEEN = "2026-11-01"
_REGION = "^[a-z]{2}(-[a-z]+)+-[0-9]$"
_HOST = re.compile(r"https://bedrock\.[a-z]{2}(-[a-z]+)+-\d\.amazonaws\.com\.?(:443)?(/.*)?")
_SHORT = "bedrock-api-key-"
#: Standard Base64, padded, so that a text that was cut off has another form.
_BASE64 = "([A-Za-z0-9+/]{4})%s([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
#: Longest short-term key that is looked into (characters); parameters in it; seconds that one may live.
_LONGEST, _PARAMETERS, _WEEK = 32 * 1024, 32, 7 * 24 * 3600

#: How messages begin that say that a key is none, or none any more.
_REFUSED = (
    "Authentication failed: Please make sure your API Key is valid",
    "Bearer Token has expired",
    "Invalid API Key format",
    "The security token included in the request is invalid",
    "The security token included in the request is expired",
)
#: What messages say of a key that is known, and may not list models.
_KNOWN = "is not authorized to perform: bedrock:"


class Bedrock(Issuer, name="bedrock", title="Amazon Bedrock"):
    """API keys of Amazon Bedrock."""

    class Config(Spec):
        """Where Amazon Bedrock is asked about an API key."""

        region: Annotated[str, pydantic.StringConstraints(max_length=32, pattern=_REGION)] | None = None
        """Region of the key. A short-term key tells its own; a long-term one is not asked about without."""

    parts = (Part("apiKey", "the key: `ABSK…` or `bedrock-api-key-…`"),)
    hosts: ClassVar[tuple[str, ...]] = ("bedrock.*.amazonaws.com",)
    formats = (
        Format(
            "long-term key",
            "ABSK" + _BASE64 % "{27,67}",
            _SEEN,
            "gitleaks aws-amazon-bedrock-api-key-long-lived",
            "ABSK",
        ),
        Format("short-term key", _SHORT + _BASE64 % "{25,}", _SEEN, "aws-bedrock-token-generator 1.1.0", _SHORT),
    )

    @property
    def address(self) -> str:
        """Bedrock of the region, or the endpoint; empty where the object names neither."""
        return self._endpoint or _host(self.config.region if self.config else None)

    def address_for(self, parts: SecretMap) -> str:
        """Bedrock of the region that a short-term key is for: it is good nowhere else."""
        return self._endpoint or _host(_region(_inside(parts["apiKey"]))) or self.address

    @classmethod
    def may_be_at(cls, url: str) -> bool:
        """Whether it is Bedrock: hosts of others, as of buckets, are below amazonaws.com too."""
        return super().may_be_at(url) and _HOST.fullmatch(url) is not None

    def examine(self, kind: str, part: str, text: str) -> Recognised:
        """Read from a short-term key when it ends."""
        return Recognised(kind, _ends(_inside(SecretValue(text))))

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """List the models of one provider."""
        if not self.address_for(parts):
            return Finding(Verdict.NOT_CHECKED, "is not asked without a region, and the object names none")
        return _judged(ask("GET", "/foundation-models?byProvider=amazon", headers=bearer(parts["apiKey"])))


def _host(region: str | None) -> str:
    return f"https://bedrock.{region}.amazonaws.com" if region else ""


def _inside(key: SecretValue) -> Mapping[str, str]:
    """Return the parameters of the request that a short-term key is, as far as it is one."""
    text = key.reveal().decode(errors="replace")
    if not text.startswith(_SHORT) or len(text) > _LONGEST:
        return {}
    try:
        request = base64.b64decode(text.removeprefix(_SHORT), validate=True).decode("ascii")
        query = urllib.parse.parse_qsl(request.partition("?")[2], max_num_fields=_PARAMETERS)
    except (binascii.Error, ValueError):
        return {}
    return dict(query)


def _region(request: Mapping[str, str]) -> str | None:
    """Return the region in ``X-Amz-Credential``: ID/DATE/REGION/SERVICE/aws4_request."""
    scope = request.get("X-Amz-Credential", "").split("/")
    region = scope[2] if len(scope) == 5 else ""
    return region if len(region) <= 32 and re.fullmatch(_REGION, region, re.ASCII) else None


def _ends(request: Mapping[str, str]) -> str | None:
    """Return when a presigned request ends (RFC 3339): ``X-Amz-Date`` and, seconds later, ``X-Amz-Expires``."""
    made, lives = request.get("X-Amz-Date", ""), request.get("X-Amz-Expires", "")
    if not re.fullmatch("20[0-9]{6}T[0-9]{6}Z", made) or not re.fullmatch("[0-9]{1,6}", lives) or int(lives) > _WEEK:
        return None
    try:
        begun = datetime.datetime.strptime(made, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
    return (begun + datetime.timedelta(seconds=int(lives))).strftime("%Y-%m-%dT%H:%M:%SZ")


def _judged(answer: Answer) -> Finding:
    body = answer.json() or {}
    if "modelSummaries" in body:
        return judged(answer, {200: Verdict.VALID}, own=True)
    told = body.get("message", body.get("Message"))
    if not isinstance(told, str):
        return judged(answer, {}, own=False)
    dead = Verdict.INVALID if told.startswith(_REFUSED) else Verdict.UNKNOWN
    known = Verdict.LIMITED if _KNOWN in told[:400] else dead
    return judged(answer, {401: dead, 403: known}, own=True)
