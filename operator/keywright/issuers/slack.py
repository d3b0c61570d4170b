"""Slack: tokens of bots, users and apps, those that are rotated as well.

Facts: docs.slack.dev (auth.test takes bot, user and app-level tokens and no scope; tokens; token rotation), token forms
by gitleaks and trufflehog. Slack answers 200 to everything but too many requests: the body tells.

Does not belong here: addresses of incoming webhooks, signing secrets, tokens of browsers (``xoxc-``).
"""

from __future__ import annotations

from ..secret import SecretMap
from ._table import Format
from .base import Answer, Ask, Finding, Issuer, Part, Verdict, bearer, judged

_SEEN = "2026-11-22"
_SOURCE = "docs.slack.dev authentication/tokens; gitleaks slack-*; trufflehog slack"

#: What Slack says of a token that it does not accept.
_REFUSED = {"invalid_auth", "token_revoked", "token_expired", "account_inactive"}
#: What it says of one that it knows.
_KNOWN = {
    "missing_scope",
    "not_allowed_token_type",
    "no_permission",
    "accesslimited",
    "team_access_not_granted",
    "ekm_access_denied",
    "two_factor_setup_required",
}
#: What says nothing of the token.
_UNSURE = {
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "ratelimited",
    "org_login_required",
}


class Slack(Issuer, name="slack", title="Slack"):
    """Tokens of the Slack API."""

    parts = (Part("token", "the token: `xoxb-…`, `xoxp-…`, `xapp-…`"),)
    origin = "https://slack.com"
    formats = (
        Format("bot token", r"xoxb-[0-9]{10,13}-[0-9]{10,13}-[A-Za-z0-9]{24}", _SEEN, _SOURCE, "xoxb-"),
        Format("user token", r"xoxp(-[0-9]{10,13}){3}-[A-Za-z0-9]{32}", _SEEN, _SOURCE, "xoxp-"),
        Format("app-level token", r"xapp-[0-9]-[A-Z0-9]{9,14}-[0-9]{10,14}-[a-f0-9]{64}", _SEEN, _SOURCE, "xapp-"),
        Format("rotated bot token", r"xoxe\.xoxb-[0-9]-[A-Za-z0-9]{163,166}", _SEEN, _SOURCE, "xoxe.xoxb-"),
        Format(
            "rotated user or configuration token",
            r"xoxe\.xoxp-[0-9]-[A-Za-z0-9]{163,166}",
            _SEEN,
            _SOURCE,
            "xoxe.xoxp-",
        ),
    )

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """Ask whose the token is, which takes no scope."""
        if parts["token"].reveal().startswith(b"xoxe-"):
            return Finding(Verdict.NOT_CHECKED, "was not asked: a refresh token is used up by its use")
        return _judged(ask("POST", "/api/auth.test", headers=bearer(parts["token"]), body=b""))


def _judged(answer: Answer) -> Finding:
    body = answer.json() or {}
    if body.get("ok") is True:
        return judged(answer, {200: Verdict.VALID}, own=True)
    error = body.get("error")
    code = error if isinstance(error, str) and error in _REFUSED | _KNOWN | _UNSURE else ""
    own = body.get("ok") is False and isinstance(error, str)
    verdict = Verdict.INVALID if code in _REFUSED else Verdict.LIMITED if code in _KNOWN else Verdict.UNKNOWN
    return judged(answer, {200: verdict}, own=own, code=code)
