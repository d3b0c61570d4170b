"""OpenAI: keys of one service account in one project. The account stays; each key bears the name of its rotation.

Facts: openapi of the administration API (service accounts' ``api_keys``; a project's ``api_keys`` tell whose each is
and when it was last used). Creating has no idempotency key that counts; ``scopes: []`` would mean all of them.

Does not belong here: keys of users (the API makes none), admin keys, whether a key is accepted (``issuers/openai``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import pydantic

from .. import dates
from ..issuers.base import bearer
from ..schema import CaProvider, Duration, SecretKeyRef, Spec, Url, canonical_url, seconds
from ..secret import SecretMap
from ..stores.base import Credentials
from . import _admin
from .base import Issued, Issuing, Listed, Order, Way

if TYPE_CHECKING:
    from ..wire import Answer

Id = Annotated[str, pydantic.StringConstraints(pattern="^[A-Za-z0-9_-]+$", max_length=128)]
ScopeName = Annotated[str, pydantic.StringConstraints(max_length=128, pattern="^[!-~]+$")]
Scopes = Annotated[list[ScopeName], pydantic.Field(min_length=1, max_length=64)]
_WORDS = {
    *("invalid_api_key", "account_deactivated", "key_expired", "expired_api_key", "ip_not_authorized"),
    *("missing_scope", "insufficient_permissions", "invalid_request_error", "not_found", "rate_limit_exceeded"),
    *("invalid_value", "invalid_type", "unsupported_value", "max_api_keys_reached"),
}
_HOME = "https://api.openai.com"
#: Seconds that a key may live, as OpenAI bounds it.
_LONGEST = 31_536_000


class OpenAI(Issuing, name="openai", title="OpenAI", way=Way.ISSUE, issuer="openai"):
    """Keys of one service account."""

    class Config(Spec):
        """Whose keys are made, and by what right."""

        project: Id
        """Id of the project: `proj_…`."""
        service_account: Id
        """Id of the project's service account: `user-…`. It has to be there."""
        scopes: Scopes | None = None
        """What keys may be used for, for example `model.request`. Omitted, whatever the account may do."""
        lifetime: Duration | None = None
        """After how long a key ends by itself, at most `365d`. Omitted, it does not."""
        endpoint: Url | None = None
        """Another address than `https://api.openai.com`."""
        ca_provider: CaProvider | None = None
        """CA certificates that the endpoint's certificate must chain to. Omitted, the usual public ones."""
        admin_key_ref: SecretKeyRef
        """Entry that holds the admin key: `sk-admin-…`, with the right to write API keys."""

    reads_handle = reads_hint = True

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        self._config = config
        self.address = canonical_url(config.endpoint or _HOME)
        self._project = f"/v1/organization/projects/{_admin.quoted(config.project)}"
        self._admin = _admin.Admin(
            config.endpoint or _HOME,
            config.ca_provider,
            credentials,
            timeout=timeout,
            word=_word,
            headers=lambda: bearer(_admin.token(credentials, config.admin_key_ref)),
            rights="Check the admin key, and that it may write API keys of that project",
        )

    @property
    def account(self) -> str:
        """The project."""
        return self._config.project

    def issue(self, order: Order) -> Issued:
        """Have a key made for the service account."""
        wanted: dict[str, Any] = {"name": order.name}
        if self._config.scopes:
            wanted["scopes"] = self._config.scopes
        if self._config.lifetime:
            wanted["expires_in_seconds"] = max(1, min(_LONGEST, int(seconds(self._config.lifetime))))
        target = f"{self._project}/service_accounts/{_admin.quoted(self._config.service_account)}/api_keys"
        with self._admin.asked("a new key") as asking:
            made = asking.body(asking("POST", target, wanted))
            parts = {"apiKey": asking.value(made.get("value"))}
            return Issued(parts, asking.handle(made.get("id")), dates.of_unix(made.get("expires_at")))

    def keys(self, order: Order) -> Sequence[Listed]:
        """List the keys of the service account."""
        with self._admin.asked("the list of keys") as asking:
            found = {asking.handle(each.get("id")): each for each in self._keys(asking)}
        hints = {handle: each.get("redacted_value") for handle, each in found.items()}
        old = _admin.the_old(hints, order.handle, order.old, "apiKey")
        return [_listed(handle, each, order, old) for handle, each in found.items()]

    def _keys(self, asking: _admin.Asking) -> list[dict[str, Any]]:
        """Return the service account's keys; whose a key is stands in it."""
        return [each for each in self._of_all(asking) if _owner(asking, each) == self._config.service_account]

    def _of_all(self, asking: _admin.Asking) -> list[dict[str, Any]]:
        """Return all keys of the project."""
        found: list[dict[str, Any]] = []
        target = after = f"{self._project}/api_keys?limit=100&owner_project_access=any"
        for _ in range(_admin.MAX_PAGES):
            page = asking.body(asking("GET", after))
            found += asking.items(page.get("data"))
            if page.get("has_more") is not True:
                return found
            before, after = after, f"{target}&after={_admin.quoted(asking.handle(page.get('last_id')))}"
            if after == before:
                break
        return asking.strange()

    def revoke(self, handle: str, staying: SecretMap) -> None:
        """Delete a key; one of somebody else in the project is refused."""
        with self._admin.asked("the revocation of a key") as asking:
            whose = [_owner(asking, each) for each in self._of_all(asking) if each.get("id") == handle]
            if whose and whose != [self._config.service_account]:
                raise _admin.not_ours(asking, "service account")
            answer = asking("DELETE", f"{self._project}/api_keys/{_admin.quoted(handle)}", means={404})
            if answer.status != 404:
                if asking.body(answer).get("deleted") is not True:
                    asking.strange()
            elif any(each.get("id") == handle for each in self._keys(asking)):
                raise self._admin.refusal(asking, answer)


def _owner(asking: _admin.Asking, key: dict[str, Any]) -> object:
    """Return the id of the service account whose key it is; None: it is a person's."""
    owner = key.get("owner")
    if not isinstance(owner, dict):
        asking.strange()
    account = owner.get("service_account")
    return account.get("id") if isinstance(account, dict) else None


def _listed(handle: str, key: dict[str, Any], order: Order, old: str | None) -> Listed:
    used = dates.of_unix(key.get("last_used_at"))
    return Listed(
        handle,
        ours=order.named(key.get("name")),
        is_old=handle == old,
        created_at=dates.of_unix(key.get("created_at")),
        used_at=dates.unix(used),
    )


def _word(answer: Answer) -> str | None:
    """Return why OpenAI refuses, if it is OpenAI that does."""
    error = (answer.json() or {}).get("error")
    if not isinstance(error, dict):
        return None
    words = [word for word in (error.get("code"), error.get("type")) if isinstance(word, str)]
    own = {"message", "type", "param", "code"} <= error.keys()
    return next((word for word in words if word in _WORDS), "" if own else None)
