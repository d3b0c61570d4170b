"""A vendor that nobody has heard of: a user and a key, asked for in two headers, with errors as JSON.

Does not belong here: vendors that have an issuer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import ALNUM, Request, Response, Vendor, word


class Custom(Vendor):
    """Knows pairs of a user and a key."""

    name = "custom"

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a pair."""
        return {"credential": {"apiKey": f"acme-{word(40)}-end", "user": f"u-{word(12, ALNUM.lower())}"}}

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return both."""
        return f"{parts['user']}:{parts['apiKey']}"

    def answer(self, request: Request) -> Response:
        """Answer who it is."""
        if request.target != "/v1/whoami?brief=1":
            return Response(404, {"error": "no such page"})
        match self.state(f"{request.headers.get('x-user')}:{request.bearer}"):
            case "valid":
                return Response(200, {"user": request.headers["x-user"]})
            case "limited":
                return Response(403, {"error": "out of credit"})
        return Response(401, {"error": f"unknown key {request.bearer[:8]}"})

    @property
    def config(self) -> Mapping[str, Any]:
        """What an object says of it."""
        return {
            "parts": [
                {"name": "apiKey", "pattern": "acme-[A-Za-z0-9]{40}-end", "minEntropy": 100},
                {"name": "user", "pattern": "u-[a-z0-9]{12}"},
            ],
            "probe": {
                "url": "https://api.example.com/v1/whoami?brief=1",
                "headers": {"Authorization": "Bearer {apiKey}", "X-User": "{user}"},
                "limited": [403],
            },
        }
