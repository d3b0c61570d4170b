"""What hvac's API classes send through: one call to Vault over ``wire``, and what its replies mean.

hvac's own adapters cost three times the CPU, have no deadline for a whole call, and raise the server's text.

Does not belong here: what one API answers (``stores/vault.py``).
"""

from __future__ import annotations

import dataclasses
import json as jsonlib
import re
import urllib.parse
from typing import Any, TypeVar

from hvac import adapters

from . import errors, wire
from .errors import Reason

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: What a status means, whatever was asked.
_STATUS = {
    412: (Reason.STORE_STANDBY, ": a standby that is behind", "Name the active node in server"),
    429: (Reason.STORE_RATE_LIMITED, ": asked to slow down", "Lower limits.requestsPerSecond, or raise Vault's quota"),
    472: (Reason.STORE_STANDBY, ": a standby for disaster recovery", "Name the active cluster in server"),
    473: (Reason.STORE_STANDBY, ": a standby", "Name the active node in server"),
    501: (Reason.STORE_SEALED, ": not initialised", "Initialise and unseal it"),
}

Kind = TypeVar("Kind")


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered.

    Attributes:
        what: what was asked for, as it stands in errors.
        body: the JSON object; None if the answer is none, so not Vault's own.
        retry_after: seconds that the server asked to wait.
    """

    what: str
    status: int
    body: dict[str, Any] | None = dataclasses.field(repr=False)
    retry_after: float | None = None

    @property
    def said(self) -> str:
        """The beginning of an error's message: who answers is put in front."""
        request = str((self.body or {}).get("request_id"))
        named = f" (request {request})" if _UUID.fullmatch(request) else ""
        return f"answered {self.status} for {self.what}{named}"

    @property
    def refused(self) -> bool:
        """Whether Vault itself refuses, not something in between."""
        return 400 <= self.status < 500 and isinstance((self.body or {}).get("errors"), list)

    def part(self, name: str) -> dict[str, Any]:
        """Return an object in the body."""
        return self.field(self.body or {}, name, dict)

    def field(self, part: dict[str, Any], name: str, kind: type[Kind]) -> Kind:
        """Return a field of an object in the body."""
        value = part.get(name)
        if not isinstance(value, kind):
            said = f"{self.said} without what belongs into the answer"
            raise errors.Outage(Reason.STORE_ANSWER_INVALID, said, "Check that server is Vault's address")
        return value

    def trouble(self, refusal: Reason | None = None, check: str = "") -> errors.Error:
        """Return what an answer other than 200 means.

        Args:
            refusal: the reason where Vault itself refuses what was asked.
            check: what to check then.
        """
        if refusal and self.refused and self.status in (400, 403, 404, 405):
            return errors.Stalled(refusal, self.said, check)
        if self.status == 503 and "sealed" in str((self.body or {}).get("errors")):
            return errors.Outage(Reason.STORE_SEALED, f"{self.said}: sealed", "Unseal it")
        reason = Reason.STORE_ERROR if self.status >= 500 else Reason.STORE_ANSWER_INVALID
        other = (reason, "", "Check that server is Vault's address, and the server's log")
        reason, meaning, hint = _STATUS.get(self.status, other)
        return errors.Outage(reason, self.said + meaning, hint, after=self.retry_after)


class Adapter(adapters.Adapter):  # type: ignore[type-arg] # the class itself takes none
    """One call: all that is sent through it has one deadline and is answered by ``Reply``.

    Args:
        deadline: on the clock ``time.monotonic()``.
        what: what errors name; by default the path that is asked for.
    """

    def __init__(self, server: wire.Server, namespace: str, token: str, deadline: float, what: str = "") -> None:
        # Not the base's: it opens a requests.Session.
        self.server = server
        self.namespace = namespace
        self.token = token
        self._deadline = deadline
        self._what = what

    def request(  # type: ignore[override] # what it ignores is not used
        self,
        method: str,
        url: str,
        *,
        params: dict[str, Any] | None = None,
        json: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **_: object,
    ) -> Reply:
        """Send one request. Whatever else hvac says is not needed here."""
        headers = {"X-Vault-Request": "true", "User-Agent": "keywright", **(headers or {})}
        if self.token:
            headers["X-Vault-Token"] = self.token
        if self.namespace:
            headers["X-Vault-Namespace"] = self.namespace
        answer = self.server.exchange(
            method.upper(),
            f"{url}?{urllib.parse.urlencode(params)}" if params else url,
            self._what or url.removeprefix("/v1/"),
            deadline=self._deadline,
            headers=headers,
            body=None if json is None else jsonlib.dumps(json).encode(),
        )
        return Reply(self._what or url.removeprefix("/v1/"), answer.status, answer.json(), answer.retry_after)

    def get_login_token(self, response: Any) -> str:
        """Return the token out of a login's reply."""
        token = response.part("auth")["client_token"]
        return str(token)
