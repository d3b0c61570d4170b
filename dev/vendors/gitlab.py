"""GitLab, after its REST API reference and its source: errors are a message with their status, or an OAuth error.

Does not belong here: other vendors.
"""

from __future__ import annotations

import base64
import datetime
import json
import secrets
import string
import time
import urllib.parse
import zlib
from collections.abc import Mapping
from typing import Any

from .base import ALNUM, Made, Request, Response, Vendor, word

_BASE36 = string.digits + string.ascii_lowercase


class GitLab(Vendor):
    """Knows tokens by their text.

    Attributes:
        created: when its tokens were made, as it says it.
        refusal: what it answers besides, to everybody, while it is set.
        project: its only one; in it there is a revoked token too.
        page: how many tokens it lists at once.
    """

    name = "gitlab"
    created = "2026-01-02T03:04:05.678Z"
    refusal: Response | None = None
    project = "team/app"
    page = 2

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a token of each kind."""
        return {
            "access token": {"token": f"glpat-{word(20, ALNUM + '-_')}"},
            "routable access token": {"token": routable()},
        }

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the token."""
        return parts["token"]

    def answer(self, request: Request) -> Response:
        """Answer what a token is, or what maintainers ask."""
        if request.path.startswith("/api/v4/projects/"):
            return self._administer(request)
        token = request.headers.get("private-token", "")
        if request.path != "/api/v4/personal_access_tokens/self":
            return Response(404, {"error": "404 Not Found"})
        if self.refusal:
            return self.refusal
        match self.state(token):
            case "valid":
                return Response(200, self._self(token))
            case "limited":
                told = "The request requires higher privileges than provided by the access token."
                return Response(403, {"error": "insufficient_scope", "error_description": told, "scope": "api"})
        return Response(401, {"message": "401 Unauthorized"})

    def _self(self, token: str) -> dict[str, object]:
        # Those of persons are in no list of a project.
        made = next((each for each in self.made.values() if each.parts["token"] == token), None)
        if made:
            made.used = time.time()
        return {
            "id": int(made.handle) if made else 2,
            "name": made.name if made else "ci",
            "revoked": False,
            "created_at": self.created,
            "scopes": ["read_api"],
            "user_id": 2,
            "last_used_at": None,
            "active": True,
            "expires_at": self.ends.get(token),
        }

    def make(self, handle: str, name: str, kind: str) -> Made:
        """Make a token, whose number no other one has."""
        return super().make(str(int(word(12, "123456789"))), name, kind)

    def _administer(self, request: Request) -> Response:
        if request.headers.get("private-token") != self.admin:
            return Response(401, {"message": "401 Unauthorized"})
        if self.denies:
            return Response(403, {"message": f"403 Forbidden - not with {self.admin}"})
        return self._allowed(request)

    def _allowed(self, request: Request) -> Response:
        project, _, what = request.path.removeprefix("/api/v4/projects/").partition("/")
        if urllib.parse.unquote(project) != self.project:
            return Response(404, {"message": "404 Project Not Found"})
        if what == "access_tokens":
            asked = dict(urllib.parse.parse_qsl(request.target.partition("?")[2]))
            return self._list(asked) if request.method == "GET" else self._issue(json.loads(request.body))
        handle = what.removeprefix("access_tokens/")
        if not handle.isdigit():
            return Response(400, {"error": "token_id is invalid"})
        if request.method == "DELETE" and self.end(handle):
            return Response(204)
        return Response(404, {"message": f"404 Could not find project access token with token_id: {handle} Not Found"})

    def _issue(self, said: Mapping[str, Any]) -> Response:
        longest = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=365)
        if not said.get("scopes"):
            return Response(400, {"error": "scopes is missing"})
        if datetime.date.fromisoformat(said["expires_at"]) > longest:
            return Response(400, {"message": "400 Bad request - Expiration date must be before then"})
        made = self.make("", said["name"], "access token")
        told = {**self._shown(made), "token": made.parts["token"], "expires_at": said["expires_at"]}
        return Response(201, {**told, "scopes": said["scopes"], "access_level": said["access_level"]})

    def _list(self, asked: Mapping[str, str]) -> Response:
        dead = {"id": 1, "name": "dead", "revoked": True, "active": False, "created_at": self.created}
        every = [dead, *map(self._shown, self.made.values())]
        size, page = min(self.page, int(asked["per_page"])), int(asked["page"])
        more = str(page + 1) if len(every) > size * page else ""
        return Response(200, every[size * (page - 1) : size * page], {"X-Next-Page": more})

    @staticmethod
    def _shown(made: Made) -> dict[str, Any]:
        def told(at: float | None) -> str | None:
            return None if at is None else datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat()

        seen = {"created_at": told(made.at), "last_used_at": told(made.used)}
        return {"id": int(made.handle), "name": made.name, "revoked": False, "active": True, **seen}


def routable(version: str = "01") -> str:
    """Make a token that tells where it belongs, with the length of what tells it and a checksum: CRC-32 in base 36.

    Args:
        version: of the form; empty for the first, which did not name it.
    """
    routing = b"o:1\nu:" + word(3, _BASE36).encode()
    payload = base64.urlsafe_b64encode(secrets.token_bytes(16) + routing + bytes([len(routing)])).decode().rstrip("=")
    text = ".".join(["glpat-" + payload, *([version] if version else []), _base36(len(payload), 2)])
    return text + _base36(zlib.crc32(text.encode()), 7)


def _base36(number: int, width: int) -> str:
    return "".join(_BASE36[number // 36**place % 36] for place in range(width - 1, -1, -1))
