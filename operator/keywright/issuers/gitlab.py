"""GitLab: access tokens of persons, projects and groups, on gitlab.com and on servers of one's own.

Facts: GitLab's source (``personal_access_tokens/self``, ``authn/token_field/generator/routable_token.rb``,
``auth/user_access_denied_reason.rb``), docs.gitlab.com (token overview, personal access tokens: they end at midnight
UTC on the day of their expiry).

Does not belong here: deploy, runner, trigger, feed and agent tokens: the API has no way to ask about them.
"""

from __future__ import annotations

import dataclasses
import re

from ..dates import midnight, moment
from ..secret import SecretMap
from ._checksum import crc
from ._table import Format
from .base import Answer, Ask, Finding, Issuer, Malformed, Part, Recognised, Verdict, judged

_SEEN = "2026-11-22"
_SOURCE = (
    "docs.gitlab.com security/tokens; gitlab-org/gitlab routable_token.rb; gitleaks gitlab-pat, gitlab-pat-routable"
)

#: The two versions of routable tokens whose checksum is known.
_CHECKED = re.compile(r"(glpat-[\w-]{27,300}\.(?:01\.)?[0-9a-z]{2})([0-9a-z]{7})", re.ASCII)

#: How tokens begin that are alive without being known where others are asked about.
_OTHERS = (
    *(b"gldt-", b"glrt-", b"glrtr-", b"glcbt-", b"glptt-", b"glft-", b"glimt-"),
    *(b"glagent-", b"glsoat-", b"glffct-", b"gloas-", b"glwt-"),
)

#: What GitLab says of a token that it knows, and of one that it does not accept.
_KNOWN, _REFUSED = "insufficient_scope", "invalid_token"
#: How it says why, or that it is not accepted without a word. ``invalid_token`` alone is OAuth's: gateways say it too.
_WHY, _UNAUTHORIZED = "Token ", "401 Unauthorized"
#: Why nothing of an account is accepted, and our word for it.
_SHUT = {"Your account has been blocked": "account blocked", "Your account has been deactivated": "account deactivated"}
_OTHER_KIND = "400 Bad request - This endpoint requires token type to be a personal access token"


class GitLab(Issuer, name="gitlab", title="GitLab"):
    """Access tokens of the GitLab API."""

    parts = (Part("token", "the token: `glpat-…`"),)
    origin = "https://gitlab.com"
    formats = (
        Format("access token", r"glpat-[A-Za-z0-9_-]{20}", _SEEN, _SOURCE, "glpat-"),
        Format(
            "routable access token",
            r"glpat-[A-Za-z0-9_-]{27,300}\.([0-9a-z]{2}\.)?[0-9a-z]{9}",
            _SEEN,
            _SOURCE,
            "glpat-",
        ),
    )

    def examine(self, kind: str, part: str, text: str) -> Malformed | Recognised:
        """Compute the checksum of routable tokens."""
        found = _CHECKED.fullmatch(text)
        if found and checksum(found[1]) != found[2]:
            return Malformed(part, "fails its checksum: a character is missing or wrong")
        return Recognised(kind)

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """Ask what the token itself is, which takes no scope."""
        token = parts["token"].reveal()
        if token.startswith(_OTHERS):
            return Finding(Verdict.NOT_CHECKED, "was not asked: it tells of access tokens only")
        headers = {"PRIVATE-TOKEN": token.decode("ascii"), "Accept": "application/json"}
        return _judged(ask("GET", "/api/v4/personal_access_tokens/self", headers=headers))


def checksum(body: str) -> str:
    """Return the last seven characters of a routable token: CRC-32 of all before them, in base 36."""
    return crc(body, 36, 7)


def _judged(answer: Answer) -> Finding:
    body = answer.json() or {}
    if answer.status == 200:
        found = judged(answer, {200: Verdict.VALID}, own="scopes" in body and "user_id" in body)
        if found.verdict is not Verdict.VALID:
            return found
        made, ends = moment(body.get("created_at")), midnight(body.get("expires_at"))
        return dataclasses.replace(found, created_at=made, expires_at=ends)
    message, error = str(body.get("message", "")), body.get("error")
    if answer.status == 400 and message == _OTHER_KIND:
        return Finding(Verdict.LIMITED, "answered 400 (no personal access token)")
    shut = next((word for text, word in _SHUT.items() if text in message), "")
    if answer.status == 403 and shut:
        return Finding(Verdict.INVALID, f"answered 403 ({shut})")
    code = next((word for word in (_KNOWN, _REFUSED) if error == word), "")
    # "401 Unauthorized": gateways in front leave the number out.
    own = bool(code) or message.startswith(f"{answer.status} ")
    sure = str(body.get("error_description")).startswith(_WHY) if code else message.startswith(_UNAUTHORIZED)
    refused = Verdict.INVALID if sure else Verdict.UNKNOWN
    return judged(answer, {401: refused, 403: Verdict.LIMITED}, own=own, code=code)
