"""OpenAI: API keys of projects, service accounts and users, and admin keys.

Facts: openapi of the API, community.openai.com 1384493 (missing scopes), key forms by gitleaks and trufflehog.

Does not belong here: other vendors that speak OpenAI's API: their keys have forms and addresses of their own.
"""

from __future__ import annotations

from typing import ClassVar

from ..secret import SecretMap
from ._table import Format
from .base import Answer, Ask, Finding, Issuer, Part, Verdict, bearer, judged

_SEEN = "2026-11-01"
_SOURCE = "gitleaks openai-api-key; trufflehog openai, openaiadmin"

#: "OpenAI" in Base64 stands between two halves of one length.
_LONG = "([A-Za-z0-9_-]{74}T3BlbkFJ[A-Za-z0-9_-]{74}|[A-Za-z0-9_-]{58}T3BlbkFJ[A-Za-z0-9_-]{58})"

#: What OpenAI says of a key that it knows. A list of addresses that may use it is one of its project's.
_KNOWN = {
    "missing_scope",
    "insufficient_quota",
    "insufficient_permissions",
    "ip_not_authorized",
}
#: What it says before it has looked at the key.
_UNSEEN = {"unsupported_country_region_territory"}
#: What it says of one that is none of its own. A 401 may be about the host, the account or the login of a gateway too.
_REFUSED = {"invalid_api_key", "account_deactivated", "key_expired", "expired_api_key"}


class OpenAI(Issuer, name="openai", title="OpenAI"):
    """Keys of the OpenAI API."""

    parts = (Part("apiKey", "the key: `sk-…`"),)
    origin = "https://api.openai.com"
    hosts: ClassVar[tuple[str, ...]] = ("*.api.openai.com",)
    formats = (
        Format("admin key", rf"sk-admin-{_LONG}", _SEEN, _SOURCE, "sk-admin-"),
        Format("project key", rf"sk-proj-{_LONG}", _SEEN, _SOURCE, "sk-proj-"),
        Format("service account key", rf"sk-svcacct-{_LONG}", _SEEN, _SOURCE, "sk-svcacct-"),
        Format("user key", r"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}", _SEEN, _SOURCE),
    )

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """List the models, or as an admin key one admin key."""
        key = parts["apiKey"]
        admin = key.reveal().startswith(b"sk-admin-")
        target = "/v1/organization/admin_api_keys?limit=1" if admin else "/v1/models"
        return _judged(ask("GET", target, headers=bearer(key)))


def _judged(answer: Answer) -> Finding:
    body = answer.json() or {}
    error = body.get("error")
    if not isinstance(error, dict):
        return judged(answer, {200: Verdict.VALID}, own=isinstance(body.get("data"), list))
    words = [word for word in (error.get("code"), error.get("type")) if isinstance(word, str)]
    code = next((word for word in words if word in _KNOWN | _REFUSED | _UNSEEN), "")
    if code in _KNOWN and answer.status in (401, 403, 429):
        return Finding(Verdict.LIMITED, f"answered {answer.status} ({code})")
    if code in _UNSEEN:
        return Finding(Verdict.UNKNOWN, f"answered {answer.status} ({code})")
    refused = Verdict.INVALID if code in _REFUSED else Verdict.UNKNOWN
    own = bool(code) or {"message", "type", "code"} <= error.keys()
    return judged(answer, {401: refused, 403: Verdict.LIMITED}, own=own, code=code)
