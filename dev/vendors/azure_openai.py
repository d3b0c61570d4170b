"""Azure OpenAI, after its REST reference: errors are objects with code and message.

Does not belong here: OpenAI.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping

from .base import Made, Request, Response, Vendor, word

_MONTHS = "ABCDEFGHIJKL"


class AzureOpenAI(Vendor):
    """Knows keys by their text; the resource has two.

    Attributes:
        tenant: whose applications log in.
        account: path of the resource.
    """

    name = "azureOpenai"
    tenant = "11111111-2222-3333-4444-555555555555"
    account = (
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/llm"
        "/providers/Microsoft.CognitiveServices/accounts/acme"
    )

    def __init__(self) -> None:
        super().__init__()
        self._tokens: set[str] = set()
        for place in ("Key1", "Key2"):
            super().make(place, place, "key")

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
        """Answer the list of models, and what applications ask."""
        if request.path.startswith("/subscriptions/"):
            return self._administer(request)
        if request.path == f"/{self.tenant}/oauth2/v2.0/token":
            return self._log_in(dict(urllib.parse.parse_qsl(request.body.decode())))
        if request.path != "/openai/models" or "api-version=" not in request.target:
            return _error(404, "404", "Resource not found")
        match self.state(request.headers.get("api-key", "")):
            case "valid":
                return Response(200, {"object": "list", "data": []})
            case "limited":
                return _error(403, "403", "Access denied due to Virtual Network/Firewall rules.")
        told = "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key."
        return _error(401, "401", told)

    def make(self, handle: str, name: str, kind: str) -> Made:
        """Return the first key: the resource has one from the beginning."""
        return self.made["Key1"]

    def _log_in(self, said: Mapping[str, str]) -> Response:
        if said.get("client_secret") != self.admin or not said["scope"].endswith("/.default"):
            told = f"AADSTS7000215: Invalid client secret provided: {said.get('client_secret')}"
            return Response(401, {"error": "invalid_client", "error_description": told, "error_codes": [7000215]})
        token = f"eyJ{word(200)}"
        self._tokens.add(token)
        return Response(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    def _administer(self, request: Request) -> Response:
        if request.bearer not in self._tokens or "api-version=" not in request.target:
            return _error(401, "AuthenticationFailed", "Authentication failed.")
        account, _, action = request.path.rpartition("/")
        if account != self.account:
            return _error(404, "ResourceNotFound", f"The Resource '{account}' was not found.")
        if self.denies:
            return _error(403, "AuthorizationFailed", f"The client '{self.admin}' has no authorization.")
        if action == "regenerateKey":
            place = json.loads(request.body)["keyName"]
            self.end(place)
            super().make(place, place, "key")
        return Response(200, {place.lower(): each.parts["apiKey"] for place, each in self.made.items()})


def _error(status: int, code: str, message: str) -> Response:
    return Response(status, {"error": {"code": code, "message": message}})
