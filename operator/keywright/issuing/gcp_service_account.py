"""Google Cloud: keys of one service account, made, switched off and on, and deleted by another one.

Keys have no names: a new one is known by when it was made, and by not having been there before.

Facts: the REST reference of IAM (``projects.serviceAccounts.keys``): ten keys at most, whether they are switched on or
off; the private key is told once.

Does not belong here: API keys, workload identity, whether a key is accepted (``issuers/gcp_service_account``).
"""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import pydantic

from .. import dates, errors, rs256
from ..errors import Reason
from ..issuers.base import bearer
from ..issuers.gcp_service_account import assertion_of, read
from ..schema import CaProvider, SecretKeyRef, Spec, Url, canonical_url
from ..secret import SecretMap, SecretValue
from ..stores.base import Credentials
from . import _admin
from .base import Issued, Issuing, Listed, Order, Way

if TYPE_CHECKING:
    from ..wire import Answer

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: Words by which Google says why it refuses; those of its token endpoint, which has a form of its own.
_STATUSES = {
    *("INVALID_ARGUMENT", "FAILED_PRECONDITION", "UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND", "ABORTED"),
    *("ALREADY_EXISTS", "RESOURCE_EXHAUSTED", "CANCELLED", "UNKNOWN", "INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED"),
}
_LOGIN = {
    "invalid_grant",
    "invalid_client",
    "disabled_client",
    "deleted_client",
    "unauthorized_client",
    "invalid_scope",
}
#: When a key ends that does not end.
_NEVER = "9999"

Email = Annotated[str, pydantic.StringConstraints(max_length=253, pattern="^[a-z0-9-]+@[a-z0-9.-]+$")]


class GcpServiceAccount(
    Issuing,
    name="gcpServiceAccount",
    title="Google Cloud service accounts",
    way=Way.ISSUE,
    issuer="gcpServiceAccount",
):
    """Keys of one service account."""

    class Config(Spec):
        """Whose keys are made, and by what right."""

        service_account: Email
        """Mail address of the service account. Nobody else may make keys for it while one is made here: from 5 minutes
        before a new key is asked for to 5 minutes after."""
        endpoint: Url = "https://iam.googleapis.com"
        """Where IAM is. Default `https://iam.googleapis.com`."""
        login_endpoint: Url = "https://oauth2.googleapis.com"
        """Where access tokens come from. Default `https://oauth2.googleapis.com`."""
        ca_provider: CaProvider | None = None
        """CA certificates that both certificates must chain to. Omitted, the usual public ones."""
        admin_key_ref: SecretKeyRef
        """Entry that holds the key (JSON) of a service account with the role `roles/iam.serviceAccountKeyAdmin` on that
        one."""

    slots = 10
    names = False
    reads_handle = True

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        self._config, self._credentials, self._timeout = config, credentials, timeout
        self.address = canonical_url(config.endpoint)
        self._keys = f"/v1/projects/-/serviceAccounts/{_admin.quoted(config.service_account)}/keys"
        rights = "Check the admin's key, and its role roles/iam.serviceAccountKeyAdmin on the service account"
        self._login, self._admin = (
            _admin.Admin(address, config.ca_provider, credentials, timeout=timeout, word=_word, rights=rights)
            for address in (config.login_endpoint, config.endpoint)
        )

    @property
    def account(self) -> str:
        """The service account."""
        return self._config.service_account

    def issue(self, order: Order) -> Issued:
        """Have a key made."""
        with self._admin.asked("a new key") as asking:
            made = asking.body(asking("POST", self._keys, {}, shown=self._shown(asking)))
            try:
                file = base64.b64decode(str(made.get("privateKeyData")), validate=True)
            except ValueError:
                asking.strange()
            parts = {"key": asking.value(file.decode())}
            return Issued(parts, _handle(asking, made), _end(made))

    def keys(self, order: Order) -> Sequence[Listed]:
        """List the keys of the service account that are not Google's own."""
        with self._admin.asked("the list of keys") as asking:
            found = self._listed(asking, self._shown(asking))
            old = order.handle or _id_of(order.old)
            return [self._one(_handle(asking, each), each, order, old) for each in found]

    def _listed(self, asking: _admin.Asking, shown: Mapping[str, str]) -> list[dict[str, Any]]:
        found = asking.body(asking("GET", f"{self._keys}?keyTypes=USER_MANAGED", shown=shown))
        # Where there is none, Google leaves the list out; a page of something else has none either.
        return asking.items(found.get("keys", [] if not found else None))

    def _one(self, handle: str, key: Mapping[str, Any], order: Order, old: str | None) -> Listed:
        made = dates.moment(key.get("validAfterTime"))
        ours = handle != old and order.made(handle, dates.unix(made), self._timeout)
        return Listed(handle, ours, handle == old, disabled=key.get("disabled") is True, created_at=made)

    def revoke(self, handle: str, staying: SecretMap) -> None:
        """Delete a key."""
        with self._admin.asked("the revocation of a key") as asking:
            shown = self._shown(asking)
            answer = asking("DELETE", f"{self._keys}/{_admin.quoted(handle)}", means={404}, shown=shown)
            if answer.status != 404:
                asking.body(answer)
            elif any(_handle(asking, each) == handle for each in self._listed(asking, shown)):
                raise self._admin.refusal(asking, answer)

    def disable(self, handle: str) -> None:
        """Switch a key off."""
        self._switch(handle, "disable")

    def enable(self, handle: str) -> None:
        """Switch a key on."""
        self._switch(handle, "enable")

    def _switch(self, handle: str, how: str) -> None:
        with self._admin.asked("switching a key off or on") as asking:
            target = f"{self._keys}/{_admin.quoted(handle)}:{how}"
            asking.body(asking("POST", target, {}, shown=self._shown(asking)))

    def _shown(self, asking: _admin.Asking) -> dict[str, str]:
        """Get an access token, within the time of a call, and return what shows it."""
        ref = self._config.admin_key_ref
        said = f"needs the key of a service account in entry {ref.key} of Secret {ref.name}, which holds something else"
        wrong = errors.Stalled(Reason.CREDENTIAL_MISSING, said, "Write the file as Google gave it")
        with errors.boundary(lambda _: wrong):
            assertion = _assertion(self._credentials.secret(ref))
        grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._login.send(asking, "POST", "/token", kind, urllib.parse.urlencode(grant).encode())
        if answer.status != 200:
            error = self._login.refusal(asking, answer)
            if not isinstance(error, errors.Stalled):
                raise error
            raise errors.Stalled(Reason.ISSUER_DENIED, f"{error.message}, at the login", error.hint)
        return bearer(asking.value(asking.body(answer).get("access_token")))


def _assertion(file: SecretValue) -> str:
    """Return what asks for an access token; fails where the file is no key."""
    account = read(file.reveal().decode())
    if isinstance(account, str):
        raise TypeError
    return assertion_of(account, rs256.loaded(account.private_key), _SCOPE)


def _id_of(old: SecretMap) -> str | None:
    """Return the id that the file of a key tells; None where it tells none."""
    try:
        told = json.loads(old["key"].reveal())["private_key_id"]
    except (KeyError, TypeError, ValueError):
        return None
    return told if isinstance(told, str) else None


def _handle(asking: _admin.Asking, key: Mapping[str, Any]) -> str:
    """Return a key's id: the last segment of its name."""
    return asking.handle(str(key.get("name", "")).rpartition("/")[2])


def _end(key: Mapping[str, Any]) -> str | None:
    ends = dates.moment(key.get("validBeforeTime"))
    return None if ends is None or ends.startswith(_NEVER) else ends


def _word(answer: Answer) -> str | None:
    """Return why Google refuses, if it is Google that does."""
    body = answer.json() or {}
    error = body.get("error")
    if isinstance(error, str):
        return (error if error in _LOGIN else "") if "error_description" in body else None
    if not isinstance(error, dict) or error.get("code") != answer.status:
        return None
    status = error.get("status")
    return status if isinstance(status, str) and status in _STATUSES else None
