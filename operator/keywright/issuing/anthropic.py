"""Anthropic: a person makes keys in the Console; the Admin API lists them, switches them off and archives them.

Facts: platform.claude.com, Admin API: ``api_keys`` can be listed, fetched and updated, neither made nor deleted; an
archived key never comes back. A key is known by ``partial_key_hint``, which shows how it begins and ends.

Does not belong here: workload identity, whether a key is accepted (``issuers/anthropic``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import pydantic

from .. import dates
from ..schema import CaProvider, SecretKeyRef, Spec, Url, canonical_url
from ..secret import SecretMap
from ..stores.base import Credentials
from . import _admin
from .base import Issuing, Listed, Order, Way

if TYPE_CHECKING:
    from ..wire import Answer

#: What an error may be called.
_ERRORS = {
    *("invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error"),
    *("rate_limit_error", "timeout_error", "api_error", "overloaded_error", "request_too_large"),
}
_HOME = "https://api.anthropic.com"
_KEYS = "/v1/organizations/api_keys"
#: What a key is that nobody can use any more.
_OVER = {"archived", "expired"}

Workspace = Annotated[str, pydantic.StringConstraints(pattern="^[A-Za-z0-9_-]+$", max_length=128)]


class Anthropic(Issuing, name="anthropic", title="Anthropic", way=Way.MANUAL, issuer="anthropic"):
    """Keys that a person makes."""

    class Config(Spec):
        """By what right keys are found and revoked."""

        workspace: Workspace | None = None
        """Id of the workspace whose keys they are: `wrkspc_…`. Omitted, all of the organization are looked through."""
        endpoint: Url | None = None
        """Another address than `https://api.anthropic.com`."""
        ca_provider: CaProvider | None = None
        """CA certificates that the endpoint's certificate must chain to. Omitted, the usual public ones."""
        admin_key_ref: SecretKeyRef
        """Entry that holds the admin key: `sk-ant-admin01-…`."""

    names = False
    reads_handle = reads_hint = True

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        self._config = config
        self.address = canonical_url(config.endpoint or _HOME)
        self._admin = _admin.Admin(
            config.endpoint or _HOME,
            config.ca_provider,
            credentials,
            timeout=timeout,
            word=_word,
            headers=lambda: {
                "anthropic-version": "2023-06-01",
                **_admin.shown("x-api-key", credentials, config.admin_key_ref),
            },
            rights="Check the admin key, and that it is of this organization",
        )

    @property
    def account(self) -> str:
        """The workspace. Of which organization, the admin key says."""
        return self._config.workspace or "organization"

    def keys(self, order: Order) -> Sequence[Listed]:
        """List the keys that are not over; of those, which is the order's."""
        with self._admin.asked("the list of keys") as asking:
            found = {asking.handle(each.get("id")): each for each in self._keys(asking)}
        hints = {handle: each.get("partial_key_hint") for handle, each in found.items()}
        old = _admin.the_old(hints, order.handle, order.old, "apiKey")
        return [
            Listed(
                handle,
                is_old=handle == old,
                disabled=each.get("status") == "inactive",
                created_at=dates.moment(each.get("created_at")),
            )
            for handle, each in found.items()
        ]

    def _keys(self, asking: _admin.Asking) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        workspace = f"&workspace_id={_admin.quoted(self._config.workspace)}" if self._config.workspace else ""
        after = ""
        for _ in range(_admin.MAX_PAGES):
            page = asking.body(asking("GET", f"{_KEYS}?limit=100{workspace}{after}"))
            found += asking.items(page.get("data"))
            if page.get("has_more") is not True:
                return [each for each in found if each.get("status") not in _OVER]
            before, after = after, f"&after_id={_admin.quoted(asking.handle(page.get('last_id')))}"
            if after == before:
                break
        return asking.strange()

    def revoke(self, handle: str, staying: SecretMap) -> None:
        """Archive a key, which cannot be undone; one of another workspace is refused."""
        with self._admin.asked("the revocation of a key") as asking:
            self._see_whose(asking, handle)
            answer = asking("POST", f"{_KEYS}/{_admin.quoted(handle)}", {"status": "archived"}, means={404})
            if answer.status != 404:
                self._see(asking, answer, "archived")
            elif any(each.get("id") == handle for each in self._keys(asking)):
                raise self._admin.refusal(asking, answer)

    def disable(self, handle: str) -> None:
        """Switch a key off."""
        self._switch(handle, "inactive")

    def enable(self, handle: str) -> None:
        """Switch a key on; refused where the organization has as many keys as it may."""
        self._switch(handle, "active")

    def _switch(self, handle: str, status: str) -> None:
        with self._admin.asked("switching a key off or on") as asking:
            self._see_whose(asking, handle)
            self._see(asking, asking("POST", f"{_KEYS}/{_admin.quoted(handle)}", {"status": status}), status)

    def _see_whose(self, asking: _admin.Asking, handle: str) -> None:
        """See that a key, if there is one, is of the workspace, where one is named: the admin key may end all."""
        if not self._config.workspace:
            return
        answer = asking("GET", f"{_KEYS}/{_admin.quoted(handle)}", means={404})
        if answer.status != 404 and asking.body(answer).get("workspace_id") != self._config.workspace:
            raise _admin.not_ours(asking, "workspace")

    @staticmethod
    def _see(asking: _admin.Asking, answer: Answer, status: str) -> None:
        """See that the key is now as it was to be."""
        if asking.body(answer).get("status") != status:
            asking.strange(answer.status)


def _word(answer: Answer) -> str | None:
    """Return why Anthropic refuses, if it is Anthropic that does."""
    body = answer.json() or {}
    error = body.get("error")
    kind = error.get("type") if isinstance(error, dict) and body.get("type") == "error" else None
    return kind if isinstance(kind, str) and kind in _ERRORS else None
