"""GitHub, after its REST API reference: errors have a message and the address of their documentation.

Does not belong here: other vendors.
"""

from __future__ import annotations

import string
import zlib
from collections.abc import Mapping

from .base import ALNUM, Request, Response, Vendor, word

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_DOCS = "https://docs.github.com/rest"


class GitHub(Vendor):
    """Knows tokens by their text.

    Attributes:
        refusal: what it answers besides, to everybody, while it is set.
    """

    name = "github"
    refusal: Response | None = None

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
        """Answer who a user is, and which repositories an installation may read."""
        token = request.bearer
        if "user-agent" not in request.headers:
            return Response(403, b"Request forbidden by administrative rules.", {"Content-Type": "text/plain"})
        if self.refusal:
            return self.refusal
        if self.state(token) == "invalid":
            return error(401, "Bad credentials")
        if self.state(token) == "limited":
            return error(403, "Resource not accessible by personal access token")
        if token.startswith("ghs_") != (request.path == "/installation/repositories"):
            return error(403, "Resource not accessible by integration")
        ends = {"GitHub-Authentication-Token-Expiration": self.ends[token]} if token in self.ends else {}
        body = {"total_count": 0, "repositories": []} if token.startswith("ghs_") else {"login": "octocat", "id": 1}
        return Response(200, body, ends)


def short(prefix: str) -> str:
    """Make a token of 40 characters, the last six of which are its checksum: CRC-32 in base 62."""
    body = word(30)
    value = zlib.crc32(body.encode())
    digits = [_BASE62[value // 62**place % 62] for place in range(5, -1, -1)]
    return prefix + body + "".join(digits)


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer as GitHub forms its errors."""
    return Response(status, {"message": message, "documentation_url": _DOCS, "status": str(status)}, headers or {})
