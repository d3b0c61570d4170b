"""Anthropic: API keys and admin keys of the Claude API.

Facts: platform.claude.com (errors are objects of type ``error`` with one of a closed list of types; the lists of models
and of API keys), key forms by gitleaks and trufflehog.

Does not belong here: keys of clouds that serve the same models; their issuers are other ones.
"""

from __future__ import annotations

from ..secret import SecretMap
from ._table import Format
from .base import Answer, Ask, Finding, Issuer, Part, Verdict, judged

_SEEN = "2026-11-22"
_SOURCE = "gitleaks anthropic-api-key, anthropic-admin-api-key; trufflehog anthropic"

#: What an error may be called; by proxies and firewalls in front it is called otherwise.
_ERRORS = {
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "timeout_error",
    "api_error",
    "overloaded_error",
}
_VERDICTS = {
    (401, "authentication_error"): Verdict.INVALID,
    (402, "billing_error"): Verdict.LIMITED,
    (403, "billing_error"): Verdict.LIMITED,
    (403, "permission_error"): Verdict.LIMITED,
}


class Anthropic(Issuer, name="anthropic", title="Anthropic"):
    """Keys of the Claude API."""

    parts = (Part("apiKey", "the key: `sk-ant-…`"),)
    origin = "https://api.anthropic.com"
    formats = (
        Format("API key", r"sk-ant-api03-[A-Za-z0-9_-]{93}AA", _SEEN, _SOURCE, "sk-ant-api03-"),
        Format("admin key", r"sk-ant-admin01-[A-Za-z0-9_-]{93}AA", _SEEN, _SOURCE, "sk-ant-admin01-"),
    )

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """List one model, or as an admin key one API key."""
        if parts["apiKey"].reveal().startswith((b"sk-ant-oat", b"sk-ant-ort")):
            # 401 is said of good ones too: they are for Anthropic's own programs.
            return Finding(Verdict.NOT_CHECKED, "was not asked: it does not tell of tokens of subscriptions")
        key = parts["apiKey"].reveal().decode("ascii")
        target = "/v1/organizations/api_keys?limit=1" if key.startswith("sk-ant-admin") else "/v1/models?limit=1"
        headers = {"x-api-key": key, "anthropic-version": "2023-06-01", "Accept": "application/json"}
        return _judged(ask("GET", target, headers=headers))


def _judged(answer: Answer) -> Finding:
    body = answer.json() or {}
    error = body.get("error")
    if not isinstance(error, dict):
        return judged(answer, {200: Verdict.VALID}, own=isinstance(body.get("data"), list))
    kind = error.get("type")
    code = kind if body.get("type") == "error" and isinstance(kind, str) and kind in _ERRORS else ""
    verdict = _VERDICTS.get((answer.status, code), Verdict.UNKNOWN)
    return judged(answer, {answer.status: verdict}, own=bool(code), code=code)
