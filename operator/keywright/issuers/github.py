"""GitHub: personal access tokens, tokens of OAuth apps, of GitHub Apps for users, and of their installations.

Facts: docs.github.com (about authentication, troubleshooting the REST API), github.blog "Behind GitHub's new
authentication token formats" (checksum), github.blog changelog 2021-07-26 (header of the expiry) and of April 2026 (the
long form of installation tokens), go-github issues 2649 and 3708 (what that header holds).

Does not belong here: private keys of GitHub Apps, tokens of packages and runners.
"""

from __future__ import annotations

import dataclasses
import email.utils
import re
import time

from ..dates import moment
from ..pacing import unix
from ..secret import SecretMap
from ._checksum import crc
from ._table import Format
from .base import Answer, Ask, Finding, Issuer, Malformed, Part, Recognised, Verdict, bearer, judged

_SEEN = "2026-11-22"
_SOURCE = "docs.github.com about-authentication-to-github; gitleaks github-*; trufflehog github"

#: A JSON Web Token whose signature has a length that HS256, ES256 or RS256 give it.
_JWT = r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.([A-Za-z0-9_-]{43}|[A-Za-z0-9_-]{86}|[A-Za-z0-9_-]{342})"

#: Those that end in a checksum.
_CHECKED = re.compile(r"gh[pous]_([A-Za-z0-9]{30})([A-Za-z0-9]{6})", re.ASCII)

#: A 403 that is none of the token: too many requests, or too many refused logins from this address.
SLOW = ("rate limit", "abuse detection", "login attempts")
_SUSPENDED = "account was suspended"
#: How it says that it does not accept a token. Of none at all, and of a missing second factor, it says 401 too.
_REFUSED = "Bad credentials"

#: A token that was accepted has more than this left to live, seconds: for some, the header held the time of the answer.
_LEAST = 60.0


class GitHub(Issuer, name="github", title="GitHub"):
    """Tokens of the GitHub API."""

    parts = (Part("token", "the token: `ghp_…`, `github_pat_…`"),)
    origin = "https://api.github.com"
    hosts = ("api.*.ghe.com",)
    formats = (
        Format("classic personal access token", r"ghp_[A-Za-z0-9]{36}", _SEEN, _SOURCE, "ghp_"),
        Format(
            "fine-grained personal access token",
            r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
            _SEEN,
            _SOURCE,
            "github_pat_",
        ),
        Format("OAuth token", r"gho_[A-Za-z0-9]{36}", _SEEN, _SOURCE, "gho_"),
        Format("user-to-server token", r"ghu_[A-Za-z0-9]{36}", _SEEN, _SOURCE, "ghu_"),
        Format("installation token", r"ghs_[A-Za-z0-9]{36}", _SEEN, _SOURCE, "ghs_"),
        Format("stateless installation token", rf"ghs_[0-9]{{1,12}}_{_JWT}", _SEEN, _SOURCE, "ghs_"),
    )

    def examine(self, kind: str, part: str, text: str) -> Malformed | Recognised:
        """Compute the checksum of the short tokens. The long ones are for GitHub alone to read."""
        found = _CHECKED.fullmatch(text)
        if found and checksum(found[1]) != found[2]:
            return Malformed(part, "fails its checksum: a character is missing or wrong")
        return Recognised(kind)

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """Ask whose the token is, or as an installation what it may read."""
        token = parts["token"].reveal()
        if token.startswith(b"ghr_"):
            return Finding(Verdict.NOT_CHECKED, "was not asked: a refresh token is used up by its use")
        target = "/installation/repositories?per_page=1" if token.startswith(b"ghs_") else "/user"
        # GitHub refuses requests that do not say whose they are.
        headers = bearer(parts["token"]) | {"Accept": "application/vnd.github+json", "User-Agent": "keywright"}
        return _judged(ask("GET", target, headers=headers))


def checksum(body: str) -> str:
    """Return the last six characters of a token: CRC-32 of the 30 before them, in base 62."""
    return crc(body, 62, 6)


def _judged(answer: Answer) -> Finding:
    body = answer.json() or {}
    if answer.status == 200:
        found = judged(answer, {200: Verdict.VALID}, own="login" in body or "repositories" in body)
        return dataclasses.replace(found, expires_at=_ends(answer)) if found.verdict is Verdict.VALID else found
    told = body.get("message")
    message = told if isinstance(told, str) and "documentation_url" in body else ""
    if answer.status in (403, 429) and (drained(answer) or any(each in message for each in SLOW)):
        return Finding(Verdict.UNKNOWN, f"answered {answer.status}: asked to slow down", after=pause(answer))
    if answer.status == 403 and _SUSPENDED in str(told):
        return Finding(Verdict.INVALID, "answered 403 (account suspended)")
    refused = Verdict.INVALID if message.startswith(_REFUSED) else Verdict.UNKNOWN
    return judged(answer, {401: refused, 403: Verdict.LIMITED}, own=bool(message))


def drained(answer: Answer) -> bool:
    """Whether an answer's headers say that there were too many requests."""
    return answer.retry_after is not None or answer.headers.get("X-RateLimit-Remaining") == "0"


def pause(answer: Answer) -> float | None:
    """Return the seconds that an answer asks to wait; None where it does not."""
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if answer.retry_after is not None or not re.fullmatch("[0-9]{1,12}", reset):
        return answer.retry_after
    return max(0.0, float(reset) - time.time())


def _ends(answer: Answer) -> str | None:
    """Return when the token ends; None where the header is not believed. GitHub's clock counts, not ours."""
    ends = moment(answer.headers.get("GitHub-Authentication-Token-Expiration"))
    try:
        now = email.utils.parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except (ValueError, OverflowError):
        now = time.time()
    left = unix(ends)
    return ends if left is not None and left > now + _LEAST else None
