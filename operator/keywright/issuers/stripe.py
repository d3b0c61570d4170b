"""Stripe: secret and restricted keys of accounts and sandboxes.

Facts: docs.stripe.com (API keys, errors, error codes; 403 since 2016-10-19: the key lacks a permission), stripe-cli and
stripe-node (what errors look like), key forms by gitleaks and trufflehog.

Does not belong here: secrets of webhooks, which prove Stripe to others and cannot be asked about.
"""

from __future__ import annotations

from ..secret import SecretMap
from ._table import Format
from .base import Answer, Ask, Finding, Issuer, Part, Verdict, bearer, judged

_SEEN = "2026-11-22"
_SOURCE = "docs.stripe.com keys; gitleaks stripe-access-token; trufflehog stripe"

_ERRORS = {"api_error", "authentication_error", "idempotency_error", "invalid_request_error", "rate_limit_error"}
#: Types of errors that are about a key, where the status is 401; and how Stripe says that it may not be used from here.
_REFUSED, _PLACE = {"authentication_error", "invalid_request_error"}, "IP address"
#: Stripe's words for why.
_CODES = {"api_key_expired", "platform_api_key_expired", "account_invalid", "more_permissions_required", "rate_limit"}


class Stripe(Issuer, name="stripe", title="Stripe"):
    """Keys of the Stripe API."""

    parts = (Part("apiKey", "the key: `sk_…`, `rk_…`"),)
    origin = "https://api.stripe.com"
    formats = tuple(
        Format(kind, rf"{prefix}[A-Za-z0-9]{{24,247}}", _SEEN, _SOURCE, prefix)
        for kind, prefix in (
            ("live secret key", "sk_live_"),
            ("test secret key", "sk_test_"),
            ("live restricted key", "rk_live_"),
            ("test restricted key", "rk_test_"),
        )
    )

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """Read the balance, which holds nothing of any customer's."""
        if parts["apiKey"].reveal().startswith((b"whsec_", b"pk_")):
            return Finding(Verdict.NOT_CHECKED, "was not asked: it tells of secret and restricted keys only")
        return _judged(ask("GET", "/v1/balance", headers=bearer(parts["apiKey"])))


def _judged(answer: Answer) -> Finding:
    body = answer.json() or {}
    error = body.get("error")
    if not isinstance(error, dict):
        return judged(answer, {200: Verdict.VALID}, own=body.get("object") == "balance")
    code = next((word for word in _CODES if error.get("code") == word), "")
    own = any(error.get("type") == each for each in _ERRORS)
    sure = own and error["type"] in _REFUSED and _PLACE not in str(error.get("message"))[:400]
    return judged(answer, {401: Verdict.INVALID if sure else Verdict.UNKNOWN, 403: Verdict.LIMITED}, own=own, code=code)
