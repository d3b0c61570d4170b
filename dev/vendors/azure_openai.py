"""Azure OpenAI, after its REST reference: errors are objects with code and message.

Does not belong here: OpenAI.
"""

from __future__ import annotations

from collections.abc import Mapping

from .base import Request, Response, Vendor, word

_MONTHS = "ABCDEFGHIJKL"


class AzureOpenAI(Vendor):
    """Knows keys by their text."""

    name = "azureOpenai"

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a key of each kind."""
        mark = "JQQJ" + "99"
        return {
            "key": {"apiKey": f"{word(52)}{mark}C{word(1, _MONTHS)}{word(12)}AAABACOG{word(4)}"},
            "older key": {"apiKey": word(32, "0123456789abcdef")},
        }

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the key."""
        return parts["apiKey"]

    def answer(self, request: Request) -> Response:
        """Answer the list of models."""
        if request.path != "/openai/models" or "api-version=" not in request.target:
            return _error(404, "404", "Resource not found")
        match self.state(request.headers.get("api-key", "")):
            case "valid":
                return Response(200, {"object": "list", "data": []})
            case "limited":
                return _error(403, "403", "Access denied due to Virtual Network/Firewall rules.")
        told = "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key."
        return _error(401, "401", told)


def _error(status: int, code: str, message: str) -> Response:
    return Response(status, {"error": {"code": code, "message": message}})
