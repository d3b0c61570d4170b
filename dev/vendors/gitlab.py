"""GitLab, after its REST API reference and its source: errors are a message with their status, or an OAuth error.

Does not belong here: other vendors.
"""

from __future__ import annotations

import base64
import secrets
import string
import zlib
from collections.abc import Mapping

from .base import ALNUM, Request, Response, Vendor, word

_BASE36 = string.digits + string.ascii_lowercase


class GitLab(Vendor):
    """Knows tokens by their text.

    Attributes:
        created: when its tokens were made, as it says it.
        refusal: what it answers besides, to everybody, while it is set.
    """

    name = "gitlab"
    created = "2026-01-02T03:04:05.678Z"
    refusal: Response | None = None

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
        """Answer what a token is."""
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
        return {
            "id": 1,
            "name": "ci",
            "revoked": False,
            "created_at": self.created,
            "scopes": ["read_api"],
            "user_id": 2,
            "last_used_at": None,
            "active": True,
            "expires_at": self.ends.get(token),
        }


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
