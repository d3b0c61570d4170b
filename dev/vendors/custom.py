"""A vendor that nobody has heard of: a user and a key, asked for in two headers, with errors as JSON.

Who shows its admin key may have keys made, listed, switched off and revoked; that can be made as hard as anywhere.

Does not belong here: vendors that have an issuer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .base import ALNUM, Request, Response, State, Vendor, word


class Custom(Vendor):
    """Knows pairs of a user and a key.

    Attributes:
        cap: how many keys there may be; None: any number.
        lists: whether it lists them.
        unknown_for: how often a new key is refused before it is known everywhere.
        known_for: how often a revoked one is still accepted.
        again: whether it gives the last key once more.
    """

    name = "custom"
    cap: int | None = None
    lists, again = True, False
    unknown_for, known_for = 0, 0

    def __init__(self) -> None:
        super().__init__()
        #: How often a key is still refused, or accepted, by what it is recognised by.
        self._lags: dict[str, int] = {}

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a pair."""
        return {"credential": {"apiKey": f"acme-{word(40)}-end", "user": f"u-{word(12, ALNUM.lower())}"}}

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return both."""
        return f"{parts['user']}:{parts['apiKey']}"

    def answer(self, request: Request) -> Response:
        """Answer who it is, or what admins ask."""
        if request.path.startswith("/v1/keys"):
            return self._administer(request)
        if request.target != "/v1/whoami?brief=1":
            return Response(404, {"error": "no such page"})
        mark = f"{request.headers.get('x-user')}:{request.bearer}"
        match self._late(mark):
            case "valid":
                made = (each.handle for each in self.made.values() if self.mark(each.parts) == mark)
                return Response(200, {"user": request.headers["x-user"], "key": {"id": next(made, None)}})
            case "limited":
                return Response(403, {"error": "out of credit"})
        return Response(401, {"error": f"unknown key {request.bearer[:8]}"})

    def _late(self, mark: str) -> State:
        """Return how a key is, as long as not everybody knows it the other way round."""
        state = self.state(mark)
        if self._lags.get(mark, 0) == 0:
            return state
        self._lags[mark] -= 1
        return "invalid" if state == "valid" else "valid"

    def _administer(self, request: Request) -> Response:
        if request.bearer != self.admin:
            return Response(401, {"error": f"who is {request.bearer}?"})
        if self.denies:
            return Response(403, {"error": f"not with {self.admin}"})
        handle, _, switch = request.path.removeprefix("/v1/keys").strip("/").partition("/")
        if not handle:
            return self._list() if request.method == "GET" else self._issue(json.loads(request.body))
        if handle not in self.made:
            return Response(404, {"error": f"no key {handle}"})
        if switch:
            self.switch(handle, off=switch == "off")
            return Response(200, {"id": handle})
        self._lags[self.mark(self.made[handle].parts)] = self.known_for
        self.end(handle)
        return Response(204)

    def _list(self) -> Response:
        if not self.lists:
            return Response(404, {"error": "no such page"})
        shown = [{"id": each.handle, "label": each.name, "made": each.at} for each in self.made.values()]
        return Response(200, {"keys": {"all": shown}})

    def _issue(self, said: Mapping[str, Any]) -> Response:
        if self.cap is not None and len(self.made) >= self.cap:
            return Response(409, {"error": "enough keys"})
        last = next(reversed(self.made.values()), None)
        made = last if self.again and last else self.make(word(12, ALNUM.lower()), said["label"], "credential")
        self._lags[self.mark(made.parts)] = self.unknown_for
        shown = {"secret": made.parts["apiKey"], "owner": {"name": made.parts["user"]}}
        return Response(201, {"id": made.handle, "key": shown, "ends": "2036-01-02T03:04:05Z"})

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
