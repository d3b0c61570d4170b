"""Anthropic, after its API reference: errors are objects of type ``error`` with a request id.

Does not belong here: other vendors.
"""

from __future__ import annotations

import datetime
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from .base import ALNUM, Made, Request, Response, Vendor, word

_WORDS = ALNUM + "-_"
_EMPTY: Mapping[str, Any] = {"data": [], "first_id": None, "has_more": False, "last_id": None}


class Anthropic(Vendor):
    """Knows keys by their text.

    Attributes:
        page: how many keys it lists at once.
        full: whether there are as many active keys as there may be.
        workspace: that its keys are of; None: the default one.
    """

    name = "anthropic"
    page, full = 2, False
    workspace: str | None = None

    def __init__(self) -> None:
        super().__init__()
        self.admin = self.samples()["admin key"]["apiKey"]
        self.knows({"apiKey": self.admin})
        self._archived: dict[str, Made] = {}

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
        is_admins = request.path.startswith("/v1/organizations/api_keys")
        if request.path != "/v1/models" and not is_admins:
            return Response(404, _error("not_found_error", "Not found"))
        if "anthropic-version" not in request.headers:
            return Response(400, _error("invalid_request_error", "anthropic-version: header is required"))
        if key.startswith("sk-ant-admin01-") != is_admins:
            return Response(401, _error("authentication_error", "invalid x-api-key"))
        state = "limited" if is_admins and self.denies else self.state(key)
        if state == "valid":
            return self._administer(request) if is_admins else Response(200, _EMPTY)
        if state == "limited":
            told = "Your API key does not have permission to use the specified resource."
            return Response(403, _error("permission_error", told))
        return Response(401, _error("authentication_error", "invalid x-api-key"))

    def end(self, handle: str) -> bool:
        """Archive a key: it is listed on."""
        if handle not in self.made:
            return False
        self._archived[handle] = self.made[handle]
        return super().end(handle)

    def _administer(self, request: Request) -> Response:
        handle = request.path.removeprefix("/v1/organizations/api_keys").strip("/")
        if not handle:
            return self._list(dict(urllib.parse.parse_qsl(request.target.partition("?")[2])))
        made = self.made.get(handle) or self._archived.get(handle)
        if made is None:
            return Response(404, _error("not_found_error", f"API key {handle} not found"))
        if request.method == "GET":
            return Response(200, self._shown(made))
        status = json.loads(request.body)["status"]
        if handle in self._archived and status != "archived":
            return Response(400, _error("invalid_request_error", "An archived API key cannot be changed"))
        if status == "active" and self.full:
            return Response(400, _error("invalid_request_error", "OrgAPIKeyLimitExceeded"))
        if status == "archived":
            self.end(handle)
        else:
            self.switch(handle, off=status == "inactive")
        return Response(200, self._shown(made))

    def _list(self, asked: Mapping[str, str]) -> Response:
        every = [self._shown(each) for each in (*self._archived.values(), *self.made.values())]
        every = [each for each in every if asked.get("workspace_id") in (None, each["workspace_id"])]
        at = next((n + 1 for n, each in enumerate(every) if each["id"] == asked.get("after_id")), 0)
        page = every[at : at + min(self.page, int(asked["limit"]))]
        ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
        return Response(200, {"data": page, "has_more": every[-1:] != page[-1:], **ends})

    def _shown(self, made: Made) -> dict[str, Any]:
        key = made.parts["apiKey"]
        status = "archived" if made.handle in self._archived else "inactive" if made.off else "active"
        return {
            "id": made.handle,
            "type": "api_key",
            "name": made.name,
            "status": status,
            "created_at": datetime.datetime.fromtimestamp(made.at, datetime.UTC).isoformat(),
            "partial_key_hint": f"{key[:16]}...{key[-4:]}",
            "workspace_id": self.workspace,
        }


def _error(kind: str, message: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": f"req_{word(24)}"}
