"""Hugging Face: user access tokens, and the tokens of organizations that there were before.

Facts: huggingface.js (who-am-i: ``auth.accessToken.createdAt``, ``auth.expiresAt``), huggingface_hub (the limit of
whoami, header ``X-Error-Message``, texts of errors), token forms by gitleaks and trufflehog.

Does not belong here: tokens of Hugging Face's OAuth: they are JSON Web Tokens and live for hours.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from ..dates import moment
from ..secret import SecretMap
from ._table import Format
from .base import Answer, Ask, Finding, Issuer, Part, Verdict, bearer, judged

_SEEN = "2026-11-22"
_SOURCE = "gitleaks huggingface-access-token, huggingface-organization-api-token; trufflehog huggingface"

#: How Hugging Face says that it does not accept a token, where it does not say it in a header as well.
_REFUSALS = ("Invalid credentials in Authorization header", "Invalid username or password", "Invalid user token")


class HuggingFace(Issuer, name="huggingface", title="Hugging Face"):
    """Tokens of the Hugging Face Hub."""

    parts = (Part("token", "the token: `hf_…`"),)
    origin = "https://huggingface.co"
    #: Who asks this who he is more often is soon told to wait.
    pace: ClassVar[float] = 0.2
    formats = (
        Format("user access token", r"hf_[A-Za-z0-9]{34}", _SEEN, _SOURCE, "hf_"),
        Format("organization token", r"api_org_[A-Za-z0-9]{34}", _SEEN, _SOURCE, "api_org_"),
    )

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """Ask whose the token is."""
        return _judged(ask("GET", "/api/whoami-v2", headers=bearer(parts["token"])))


def _judged(answer: Answer) -> Finding:
    body = answer.json() or {}
    auth = body.get("auth")
    if answer.status == 200:
        found = judged(answer, {200: Verdict.VALID}, own=isinstance(auth, dict) and "name" in body)
        return _dated(found, auth) if isinstance(auth, dict) and found.verdict is Verdict.VALID else found
    error = body.get("error")
    told = isinstance(error, str) and ("X-Error-Message" in answer.headers or error.startswith(_REFUSALS))
    return judged(answer, {401: Verdict.INVALID, 403: Verdict.LIMITED}, own=told)


def _dated(found: Finding, auth: dict[str, object]) -> Finding:
    token = auth.get("accessToken")
    created = token.get("createdAt") if isinstance(token, dict) else None
    return dataclasses.replace(found, created_at=moment(created), expires_at=moment(auth.get("expiresAt")))
