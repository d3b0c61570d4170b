"""OpenAI, after its API reference: errors are objects with message, type, param and code.

Does not belong here: other vendors.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from .base import Made, Request, Response, Vendor, word


class OpenAI(Vendor):
    """Knows keys by their text.

    Attributes:
        project: its only one; in it there is a person's key too.
        account: the project's only service account.
        page: how many keys it lists at once.
        spoils: whether it does not accept what it makes.
    """

    name = "openai"
    project, account = "proj_abc", "user-abc"
    page = 2
    spoils = False

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
        """Answer the lists of models and of admin keys, and what admins ask."""
        if request.path.startswith("/v1/organization/projects/"):
            return self._administer(request)
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

    def _administer(self, request: Request) -> Response:
        if request.bearer != self.admin:
            return Response(401, _error("Incorrect API key provided", "invalid_request_error", "invalid_api_key"))
        if self.denies:
            told = f"You have insufficient permissions for this operation, {self.admin}. Missing scopes: api.write"
            return Response(403, _error(told, "invalid_request_error", "insufficient_permissions"))
        return self._allowed(request)

    def _allowed(self, request: Request) -> Response:
        project, _, what = request.path.removeprefix("/v1/organization/projects/").partition("/")
        if project != self.project:
            return Response(404, _error(f"Project {project} not found", "invalid_request_error", "not_found"))
        if request.method == "POST" and what == f"service_accounts/{self.account}/api_keys":
            return self._issue(json.loads(request.body))
        if request.method == "GET" and what == "api_keys":
            return self._list(dict(urllib.parse.parse_qsl(request.target.partition("?")[2])))
        if request.method == "DELETE" and self.end(handle := what.removeprefix("api_keys/")):
            return Response(200, {"object": "organization.project.api_key.deleted", "id": handle, "deleted": True})
        return Response(404, _error(f"No such API key: {what}", "invalid_request_error", None))

    def _issue(self, said: Mapping[str, Any]) -> Response:
        made = self.make(f"key_{word(16)}", said["name"], "service account key")
        if self.spoils:
            self.knows(made.parts, "invalid")
        ends = int(made.at) + said["expires_in_seconds"] if "expires_in_seconds" in said else None
        told = {"object": "organization.project.service_account.api_key", "id": made.handle, "name": made.name}
        return Response(200, {**told, "value": made.parts["apiKey"], "created_at": int(made.at), "expires_at": ends})

    def _list(self, asked: Mapping[str, str]) -> Response:
        if asked.get("owner_project_access") != "any":
            return Response(400, _error("Unknown parameter", "invalid_request_error", "unknown_parameter"))
        person = {"id": "key_person", "name": "ann", "owner": {"type": "user", "user": {"id": "user-ann"}}}
        every = [person, *map(self._shown, self.made.values())]
        at = next((n + 1 for n, each in enumerate(every) if each["id"] == asked.get("after")), 0)
        page = every[at : at + min(self.page, int(asked["limit"]))]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
        return Response(200, {"object": "list", "data": page, "has_more": every[-1:] != page[-1:], **ends})

    def _shown(self, made: Made) -> dict[str, Any]:
        key = made.parts["apiKey"]
        return {
            "object": "organization.project.api_key",
            "id": made.handle,
            "name": made.name,
            "redacted_value": f"{key[:8]}{'*' * 20}{key[-4:]}",
            "created_at": int(made.at),
            "last_used_at": made.used and int(made.used),
            "owner": {"type": "service_account", "service_account": {"id": self.account, "name": "ci"}},
        }


def _error(message: str, kind: str, code: str | None) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
