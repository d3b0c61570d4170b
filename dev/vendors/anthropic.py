"""Anthropic, after its API reference: errors are objects of type ``error`` with a request id.

Does not belong here: other vendors.
"""

from __future__ import annotations

from collections.abc import Mapping

from .base import ALNUM, Request, Response, Vendor, word

_WORDS = ALNUM + "-_"


class Anthropic(Vendor):
    """Knows keys by their text."""

    name = "anthropic"

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a key of each kind."""
        return {
            "API key": {"apiKey": f"sk-ant-api03-{word(93, _WORDS)}AA"},
            "admin key": {"apiKey": f"sk-ant-admin01-{word(93, _WORDS)}AA"},
        }

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the key."""
        return parts["apiKey"]

    def answer(self, request: Request) -> Response:
        """Answer the lists of models and of API keys: the latter to admin keys, the former to the others."""
        key = request.headers.get("x-api-key", "")
        if request.path not in ("/v1/models", "/v1/organizations/api_keys"):
            return Response(404, _error("not_found_error", "Not found"))
        if "anthropic-version" not in request.headers:
            return Response(400, _error("invalid_request_error", "anthropic-version: header is required"))
        if key.startswith("sk-ant-admin01-") != (request.path == "/v1/organizations/api_keys"):
            return Response(401, _error("authentication_error", "invalid x-api-key"))
        match self.state(key):
            case "valid":
                return Response(200, {"data": [], "first_id": None, "has_more": False, "last_id": None})
            case "limited":
                told = "Your API key does not have permission to use the specified resource."
                return Response(403, _error("permission_error", told))
        return Response(401, _error("authentication_error", "invalid x-api-key"))


def _error(kind: str, message: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": f"req_{word(24)}"}
