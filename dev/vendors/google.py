"""The Gemini API of Google, after its reference: errors are google.rpc.Status, with google.rpc.ErrorInfo.

Does not belong here: other APIs of Google.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from .base import ALNUM, Request, Response, Vendor, word

#: Answers to keys that were found in public, to standard keys without restrictions, and to expired ones.
LEAKED = (403, "PERMISSION_DENIED", "Your API key was reported as leaked. Please use another API key.", "")
UNRESTRICTED = (
    401,
    "UNAUTHENTICATED",
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid one.",
    "ACCESS_TOKEN_TYPE_UNSUPPORTED",
)
EXPIRED = (400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.", "API_KEY_INVALID")


class Google(Vendor):
    """Knows keys by their text."""

    name = "google"

    def __init__(self) -> None:
        super().__init__()
        #: Keys that it answers something of its own: `LEAKED`, `UNRESTRICTED`, `EXPIRED`.
        self.special: dict[str, tuple[int, str, str, str]] = {}

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a key of each kind."""
        return {
            "auth key": {"apiKey": f"AQ.Ab8{word(47, ALNUM + '_-')}"},
            "standard key": {"apiKey": f"AIza{word(35, string.ascii_letters + '_-')}"},
        }

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the key."""
        return parts["apiKey"]

    def answer(self, request: Request) -> Response:
        """Answer the list of models."""
        key = request.headers.get("x-goog-api-key", "")
        if request.path != "/v1beta/models":
            return _error(404, "NOT_FOUND", "Requested entity was not found.")
        if key in self.special:
            return _error(*self.special[key])
        match self.state(key):
            case "valid":
                return Response(200, {"models": [{"name": "models/gemini-embedding-001"}], "nextPageToken": word(20)})
            case "limited":
                told = "Requests to this API generativelanguage.googleapis.com method ListModels are blocked."
                return _error(403, "PERMISSION_DENIED", told, "API_KEY_SERVICE_BLOCKED")
        told = "API key not valid. Please pass a valid API key."
        return _error(400, "INVALID_ARGUMENT", told, "API_KEY_INVALID")


def _error(code: int, status: str, message: str, reason: str = "") -> Response:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    if reason:
        kind = "type.googleapis.com/google.rpc."
        error["details"] = [
            {"@type": f"{kind}ErrorInfo", "reason": reason, "domain": "googleapis.com"},
            {"@type": f"{kind}LocalizedMessage", "locale": "en-US", "message": message},
        ]
    return Response(code, {"error": error})
