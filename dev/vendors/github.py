"""GitHub, after its REST API reference: errors have a message and the address of their documentation.

Of Apps signatures, times and issuers are really checked.

Does not belong here: other vendors.
"""

from __future__ import annotations

import email.utils
import json
import math
import string
import time
import zlib
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import serialization

from . import tokens
from .base import ALNUM, Request, Response, Vendor, word

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_DOCS = "https://docs.github.com/rest"


class GitHub(Vendor):
    """Knows tokens by their text.

    Attributes:
        refusal: what it answers besides, to everybody, while it is set.
        app: number and client id of its only App.
        installation: its only one, what that may do, and the repositories that it has.
        ahead: seconds by which its clock is ahead.
        life: seconds that an installation's token lives.
        also: fields that its answers to Apps have instead, as those of something in between may.
    """

    name = "github"
    refusal: Response | None = None
    app = ("123456", "Iv23liAcme")
    installation = 4711
    may: Mapping[str, str] = {"metadata": "read", "contents": "write", "issues": "write"}
    repositories: Mapping[str, int] = {"app": 1, "docs": 2, "infra": 3}
    ahead = 0.0
    life = 3600.0

    def __init__(self) -> None:
        super().__init__()
        self.admin = tokens.pem(tokens.key(), serialization.PrivateFormat.TraditionalOpenSSL)
        self.also: dict[str, Any] = {}
        #: When each token ends that an App was given.
        self._lives: dict[str, float] = {}

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a token of each kind."""
        claims = f"eyJ{word(33)}.eyJ{word(117, ALNUM + '-_')}.{word(342, ALNUM + '-_')}"
        return {
            "classic personal access token": {"token": short("ghp_")},
            "fine-grained personal access token": {"token": f"github_pat_{word(22)}_{word(59)}"},
            "OAuth token": {"token": short("gho_")},
            "user-to-server token": {"token": short("ghu_")},
            "installation token": {"token": short("ghs_")},
            "stateless installation token": {"token": f"ghs_{word(7, string.digits)}_{claims}"},
        }

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the token."""
        return parts["token"]

    def answer(self, request: Request) -> Response:
        """Answer who a user is, which repositories an installation may read, and what Apps ask."""
        if "user-agent" not in request.headers:
            return Response(403, b"Request forbidden by administrative rules.", {"Content-Type": "text/plain"})
        if self.refusal:
            return self.refusal
        return self._asked_by_app(request) if request.path.startswith("/app/") else self._shown(request)

    def _shown(self, request: Request) -> Response:
        """Answer who shows a token."""
        token = request.bearer
        if self._lives.get(token, math.inf) < time.time() or self.state(token) == "invalid":
            return error(401, "Bad credentials")
        if self.state(token) == "limited":
            return error(403, "Resource not accessible by personal access token")
        if token.startswith("ghs_") != request.path.startswith("/installation/"):
            return error(403, "Resource not accessible by integration")
        if request.method == "DELETE":
            self.states.pop(token)
            return Response(204)
        ends = {"GitHub-Authentication-Token-Expiration": self.ends[token]} if token in self.ends else {}
        body = {"total_count": 0, "repositories": []} if token.startswith("ghs_") else {"login": "octocat", "id": 1}
        return Response(200, body, ends)

    def _asked_by_app(self, request: Request) -> Response:
        now = time.time() + self.ahead
        date = {"Date": email.utils.formatdate(now, usegmt=True)}
        if told := self._not_the_app(request.bearer, now):
            return error(401, told, date)
        if request.path != f"/app/installations/{self.installation}/access_tokens":
            return error(404, "Not Found")
        if self.denies:
            return error(403, "This installation has been suspended")
        wanted = json.loads(request.body)
        allowed = wanted.get("permissions", self.may)
        if not allowed or any(_LEVELS[level] > _LEVELS[self.may.get(each, "")] for each, level in allowed.items()):
            return error(422, "The permissions requested are not granted to this installation.")
        names, ids = wanted.get("repositories"), wanted.get("repository_ids")
        chosen = {each: self.repositories.get(each.lower()) for each in names or ()}
        chosen |= {each: number for each, number in self.repositories.items() if number in (ids or ())}
        if None in chosen.values() or len(chosen) < len(ids or ()):
            return error(422, "There is at least one repository that does not exist or is not accessible to the parent")
        return Response(201, self._minted(allowed, chosen, now) | self.also, date)

    def _minted(self, allowed: Mapping[str, str], chosen: Mapping[str, int | None], now: float) -> dict[str, Any]:
        token = self.make(f"t{len(self.made)}", "", "installation token").parts["token"]
        self._lives[token] = time.time() + self.life
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + self.life))
        made = {"token": token, "expires_at": ends, "permissions": {"metadata": "read", **allowed}}
        if not chosen:
            return {**made, "repository_selection": "all"}
        shown = [{"id": number, "name": each, "full_name": f"acme/{each}"} for each, number in chosen.items()]
        return {**made, "repository_selection": "selected", "repositories": shown}

    def _not_the_app(self, token: str, now: float) -> str:
        """Return what is said of a JSON Web Token that is not the App's; empty of one that is."""
        claims = tokens.verified(token, self.admin)
        if claims is None:
            return "A JSON web token could not be decoded"
        if not isinstance(claims["iat"], int) or claims["iat"] > now:
            return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        if claims["exp"] > now + 600 or claims["exp"] > claims["iat"] + 660:
            return "'Expiration time' claim ('exp') is too far in the future"
        if claims["exp"] <= now:
            return "'Expiration time' claim ('exp') must be a numeric value representing the future time"
        return "" if claims["iss"] in self.app else "Integration not found"


#: How far permissions go; none goes nowhere.
_LEVELS = {"": 0, "read": 1, "write": 2, "admin": 3}


def short(prefix: str) -> str:
    """Make a token of 40 characters, the last six of which are its checksum: CRC-32 in base 62."""
    body = word(30)
    value = zlib.crc32(body.encode())
    digits = [_BASE62[value // 62**place % 62] for place in range(5, -1, -1)]
    return prefix + body + "".join(digits)


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer as GitHub forms its errors."""
    return Response(status, {"message": message, "documentation_url": _DOCS, "status": str(status)}, headers or {})
