"""Google: API keys, of Gemini and of other APIs.

Facts: ai.google.dev/gemini-api/docs/api-key (auth keys and standard keys); google.rpc.ErrorInfo and its reasons
(googleapis/googleapis google/api/error_reason.proto); gitleaks (standard keys); answers to bad keys:
continuedev/continue 9655 and 10513, Kilo-Org/kilocode 12162.

Does not belong here: keys of service accounts (``gcp_service_account``).
"""

from __future__ import annotations

from typing import Any

from ..secret import SecretMap
from ._table import Format
from .base import Answer, Ask, Finding, Issuer, Part, Verdict, judged

_SEEN = "2026-11-01"

#: Why Google does not accept a key (``google.api.ErrorReason``).
_REFUSED = {"API_KEY_INVALID", "API_KEY_EXPIRED"}
#: Why it lets a key that it knows do nothing here.
_KNOWN = {
    "SERVICE_DISABLED",
    "BILLING_DISABLED",
    "CONSUMER_INVALID",
    "CONSUMER_SUSPENDED",
    "API_KEY_SERVICE_BLOCKED",
    "API_KEY_HTTP_REFERRER_BLOCKED",
    "API_KEY_IP_ADDRESS_BLOCKED",
    "API_KEY_ANDROID_APP_BLOCKED",
    "API_KEY_IOS_APP_BLOCKED",
}
#: Said of every key where another kind of login is wanted: Google did not look at it.
_OTHER_KIND = "ACCESS_TOKEN_TYPE_UNSUPPORTED"
#: How it says, without a reason, that it does not know an auth key.
_UNAUTHENTICATED = ("Request had invalid authentication credentials", "API key not valid")
#: What it says of a key that it found in public, and blocked for good; such answers have no reason.
_LEAKED = "Your API key was reported as leaked"


class Google(Issuer, name="google", title="Google API keys"):
    """API keys of Google, as for Gemini."""

    parts = (Part("apiKey", "the key: `AQ.…` or `AIza…`"),)
    origin = "https://generativelanguage.googleapis.com"
    formats = (
        Format("auth key", r"AQ\.Ab[A-Za-z0-9_-]{48,}", _SEEN, "ai.google.dev; keys shown in public", "AQ."),
        Format("standard key", "AIza[A-Za-z0-9_-]{35}", _SEEN, "gitleaks gcp-api-key", "AIza"),
    )

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """List one model."""
        key = parts["apiKey"].reveal().decode("ascii")
        headers = {"x-goog-api-key": key, "Accept": "application/json"}
        return _judged(ask("GET", "/v1beta/models?pageSize=1", headers=headers), auth=key.startswith("AQ."))


def _judged(answer: Answer, *, auth: bool) -> Finding:
    body = answer.json() or {}
    error = body.get("error")
    if not isinstance(error, dict):
        return judged(answer, {200: Verdict.VALID}, own=isinstance(body.get("models"), list))
    reason = _reason(error)
    told = str(error.get("message"))
    if told.startswith(_LEAKED) and answer.status == 403:
        return Finding(Verdict.INVALID, "answered 403 (reported as leaked)")
    refused = Verdict.INVALID if reason in _REFUSED else Verdict.UNKNOWN
    # A standard key without restrictions is refused so, and may be good for other APIs.
    foreign = reason == _OTHER_KIND or error.get("status") != "UNAUTHENTICATED"
    unknown = Verdict.INVALID if auth and not foreign and told.startswith(_UNAUTHENTICATED) else Verdict.UNKNOWN
    own = error.get("code") == answer.status and isinstance(error.get("status"), str)
    return judged(answer, {400: refused, 401: unknown, 403: Verdict.LIMITED}, own=own, code=reason)


def _reason(error: dict[str, Any]) -> str:
    details = error.get("details")
    found = [each.get("reason") for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    return next((word for word in sorted(_REFUSED | _KNOWN | {_OTHER_KIND}) if word in found), "")
