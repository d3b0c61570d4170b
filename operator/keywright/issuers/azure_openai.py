"""Azure OpenAI: keys of a resource, which has a host of its own.

Facts: REST reference of Azure OpenAI (models, list); key forms by microsoft/security-utilities (SEC101/205, /206, /209)
and trufflehog. New keys end in a checksum. It is not looked at: how it is written has changed before.

Does not belong here: keys of OpenAI itself (``openai``), tokens of Entra ID.
"""

from __future__ import annotations

from typing import ClassVar

from ..secret import SecretMap
from ._table import Format
from .base import Answer, Ask, Finding, Issuer, Part, Verdict, judged

_SEEN = "2026-11-01"

#: JQQJ99, year and month, 12 characters of the platform, those of the service (B: Azure OpenAI, A: AI services,
#: E: Cognitive Services), ACOG, the checksum, and in the long form two more.
_NEW = "[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9][A-L][A-Za-z0-9]{12}AAA[ABE]ACOG[A-Za-z0-9]{4}([A-Za-z0-9]{2}==)?"

#: The codes of its errors that are words.
_CODES = {"AuthenticationTypeDisabled", "PermissionDenied", "Unauthorized", "Forbidden"}
#: How it says that a key is none of the resource's. A 401 may be about roles, or the login of a gateway, too.
_REFUSED = "Access denied due to invalid subscription key"
#: Whoever has the resource takes no keys at present: nobody looked at this one.
_SWITCHED_OFF = "AuthenticationTypeDisabled"


class AzureOpenAI(Issuer, name="azureOpenai", title="Azure OpenAI"):
    """Keys of Azure OpenAI resources."""

    parts = (Part("apiKey", "the key, one of the two that a resource has"),)
    hosts: ClassVar[tuple[str, ...]] = (
        "*.openai.azure.com",
        "*.cognitiveservices.azure.com",
        "*.services.ai.azure.com",
    )
    formats = (
        Format("key", _NEW, _SEEN, "microsoft/security-utilities SEC101/205, SEC101/206, SEC101/209"),
        Format("older key", "[a-f0-9]{32}", _SEEN, "trufflehog azure_openai"),
    )

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """List the models of the resource."""
        if not self.address:
            return Finding(Verdict.NOT_CHECKED, "is not asked without the endpoint of its resource")
        headers = {"api-key": parts["apiKey"].reveal().decode("ascii"), "Accept": "application/json"}
        return _judged(ask("GET", "/openai/models?api-version=2024-10-21", headers=headers))


def _judged(answer: Answer) -> Finding:
    body = answer.json() or {}
    error = body.get("error")
    if not isinstance(error, dict) and "statusCode" in body:
        # The older form: without an object around it, and the status as a number.
        error = {"code": str(body["statusCode"]), "message": body.get("message")}
    if not isinstance(error, dict):
        return judged(answer, {200: Verdict.VALID}, own=isinstance(body.get("data"), list))
    code = next((word for word in _CODES if word == error.get("code")), "")
    own = bool(code) or error.get("code") == str(answer.status)
    refused = Verdict.INVALID if str(error.get("message")).startswith(_REFUSED) else Verdict.UNKNOWN
    known = Verdict.UNKNOWN if code == _SWITCHED_OFF else Verdict.LIMITED
    return judged(answer, {401: refused, 403: known}, own=own, code=code)
