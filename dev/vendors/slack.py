"""Slack, after its Web API reference: 200 for everything, and ``ok`` in the body.

Does not belong here: other vendors.
"""

from __future__ import annotations

import string
from collections.abc import Mapping

from .base import Request, Response, Vendor, word

_HEX = string.digits + "abcdef"
_UPPER = string.digits + string.ascii_uppercase


class Slack(Vendor):
    """Knows tokens by their text.

    Attributes:
        error: what it says of tokens that are not valid.
    """

    name = "slack"
    error = "invalid_auth"

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a token of each kind."""
        team, user, other = (word(12, "123456789") for _ in range(3))
        made = {
            "bot token": f"xoxb-{team}-{user}-{word(24)}",
            "user token": f"xoxp-{team}-{user}-{other}-{word(32, _HEX)}",
            "app-level token": f"xapp-1-A{word(10, _UPPER)}-{user}-{word(64, _HEX)}",
            "rotated bot token": f"xoxe.xoxb-1-{word(163)}",
            "rotated user or configuration token": f"xoxe.xoxp-1-{word(163)}",
        }
        return {kind: {"token": token} for kind, token in made.items()}

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the token."""
        return parts["token"]

    def answer(self, request: Request) -> Response:
        """Answer whose a token is."""
        if request.path != "/api/auth.test":
            return Response(200, {"ok": False, "error": "unknown_method"})
        match self.state(request.bearer):
            case "valid":
                return Response(200, {"ok": True, "url": "https://example.slack.com/", "team": "Example", "user": "ci"})
            case "limited":
                return Response(200, {"ok": False, "error": "missing_scope", "needed": "identify", "provided": "x"})
        return Response(200, {"ok": False, "error": self.error})
