"""Stripe, after its API reference: errors are objects with a type, a message and sometimes a code.

Does not belong here: other vendors.
"""

from __future__ import annotations

from collections.abc import Mapping

from .base import Request, Response, Vendor, word


class Stripe(Vendor):
    """Knows keys by their text."""

    name = "stripe"

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a key of each kind."""
        return {
            f"{mode} {kind} key": {"apiKey": f"{letter}k_{mode}_{word(24)}"}
            for mode in ("live", "test")
            for kind, letter in (("secret", "s"), ("restricted", "r"))
        }

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the key."""
        return parts["apiKey"]

    def answer(self, request: Request) -> Response:
        """Answer the balance."""
        key = request.bearer
        if request.path != "/v1/balance":
            return _error(404, f"Unrecognized request URL (GET: {request.path}).")
        masked = f"{key[:8]}{'*' * 12}{key[-4:]}"
        match self.state(key):
            case "valid":
                return Response(200, {"object": "balance", "available": [], "livemode": "_live_" in key, "pending": []})
            case "limited":
                told = f"The provided key '{masked}' does not have the required permissions for this endpoint."
                return _error(403, told, "more_permissions_required")
        return _error(401, f"Invalid API Key provided: {masked}")


def _error(status: int, message: str, code: str = "") -> Response:
    return Response(
        status, {"error": {"message": message, "type": "invalid_request_error"} | ({"code": code} if code else {})}
    )
