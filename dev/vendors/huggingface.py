"""Hugging Face, after its clients: errors are a text, in the body and in a header.

Does not belong here: other vendors.
"""

from __future__ import annotations

from collections.abc import Mapping

from .base import Request, Response, Vendor, word


class HuggingFace(Vendor):
    """Knows tokens by their text.

    Attributes:
        created: when its tokens were made, as it says it.
    """

    name = "huggingface"
    created = "2026-01-02T03:04:05.678Z"

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a token of each kind."""
        return {
            "user access token": {"token": f"hf_{word(34)}"},
            "organization token": {"token": f"api_org_{word(34)}"},
        }

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the token."""
        return parts["token"]

    def answer(self, request: Request) -> Response:
        """Answer whose a token is."""
        if request.path != "/api/whoami-v2":
            return _error(404, "Not Found")
        match self.state(request.bearer):
            case "valid":
                token = {"displayName": "ci", "role": "read", "createdAt": self.created}
                auth = {"type": "access_token", "accessToken": token}
                ends = self.ends.get(request.bearer)
                return Response(
                    200, {"type": "user", "name": "someone", "auth": auth | ({"expiresAt": ends} if ends else {})}
                )
            case "limited":
                return _error(403, "This authentication method does not have sufficient permissions")
        return _error(401, "Invalid credentials in Authorization header")


def _error(status: int, message: str) -> Response:
    return Response(status, {"error": message}, {"X-Error-Message": message})
