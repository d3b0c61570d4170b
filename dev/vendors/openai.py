"""OpenAI, after its API reference: errors are objects with message, type, param and code.

Does not belong here: other vendors.
"""

from __future__ import annotations

from collections.abc import Mapping

from .base import Request, Response, Vendor, word


class OpenAI(Vendor):
    """Knows keys by their text."""

    name = "openai"

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a key of each kind."""
        mark = "T3Blbk" + "FJ"
        return {
            "project key": {"apiKey": f"sk-proj-{word(74)}{mark}{word(74)}"},
            "service account key": {"apiKey": f"sk-svcacct-{word(58)}{mark}{word(58)}"},
            "admin key": {"apiKey": f"sk-admin-{word(58)}{mark}{word(58)}"},
            "user key": {"apiKey": f"sk-{word(20)}{mark}{word(20)}"},
        }

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the key."""
        return parts["apiKey"]

    def answer(self, request: Request) -> Response:
        """Answer the lists of models and of admin keys."""
        if request.path not in ("/v1/models", "/v1/organization/admin_api_keys"):
            return Response(404, _error("Invalid URL", "invalid_request_error", None))
        match self.state(request.bearer):
            case "valid":
                return Response(200, {"object": "list", "data": []})
            case "limited":
                told = "You have insufficient permissions for this operation. Missing scopes: api.model.read."
                return Response(401, _error(told, "invalid_request_error", "missing_scope"))
        told = f"Incorrect API key provided: {request.bearer[:8]}***{request.bearer[-4:]}."
        return Response(401, _error(told, "invalid_request_error", "invalid_api_key"))


def _error(message: str, kind: str, code: str | None) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
