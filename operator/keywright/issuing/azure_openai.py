"""Azure OpenAI: the two keys of a resource, of which one is made anew while the other is in use.

Facts: the REST reference of Azure's resource manager, Cognitive Services accounts (``listKeys``, ``regenerateKey``):
the old value of a place stops working at once, so the place that is in use is never touched. Both keys can be read at
any time, so nothing is lost with an answer.

Does not belong here: the resource, Entra ID in the place of keys, whether a key is accepted (``issuers/azure_openai``).
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import pydantic

from .. import errors
from ..errors import Reason
from ..issuers.base import bearer
from ..schema import CaProvider, SecretKeyRef, Spec, Url, canonical_url
from ..secret import SecretMap, SecretValue
from ..stores.base import Credentials
from . import _admin
from .base import Issued, Issuing, Listed, Order, Way

if TYPE_CHECKING:
    from ..wire import Answer

#: The two places, and how each is called in lists of both.
_PLACES = {"Key1": "key1", "Key2": "key2"}
_VERSION = "api-version=2025-09-01"
#: Words by which Azure says why it refuses.
_WORDS = {
    *("AuthorizationFailed", "AuthenticationFailed", "InvalidAuthenticationToken", "ExpiredAuthenticationToken"),
    *("ResourceNotFound", "ResourceGroupNotFound", "SubscriptionNotFound", "ParentResourceNotFound"),
    *("ScopeLocked", "BadRequest", "Conflict", "TooManyRequests", "InvalidSubscriptionId"),
    *("invalid_client", "unauthorized_client", "invalid_request", "invalid_grant", "invalid_scope"),
}

Guid = Annotated[
    str, pydantic.StringConstraints(max_length=36, pattern="^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
]
GroupName = Annotated[str, pydantic.StringConstraints(max_length=90, pattern=r"^[-A-Za-z0-9._()]*[-A-Za-z0-9_()]$")]
AccountName = Annotated[str, pydantic.StringConstraints(max_length=64, pattern="^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")]


class AzureOpenAI(Issuing, name="azureOpenai", title="Azure OpenAI", way=Way.SLOTS, issuer="azureOpenai"):
    """The two keys of one resource."""

    class Config(Spec):
        """Whose keys are made anew, and by what right."""

        subscription: Guid
        """Id of the subscription."""
        resource_group: GroupName
        """Name of the resource group."""
        account: AccountName
        """Name of the resource (Cognitive Services account)."""
        tenant: Guid
        """Id of the Entra tenant of the application that makes keys."""
        client_id: Guid
        """Id of that application. It needs `Microsoft.CognitiveServices/accounts/listKeys/action` and
        `regenerateKey/action` on the resource."""
        client_secret_ref: SecretKeyRef
        """Entry that holds its client secret."""
        endpoint: Url = "https://management.azure.com"
        """Where the resource manager is. Default `https://management.azure.com`; other clouds have others."""
        login_endpoint: Url = "https://login.microsoftonline.com"
        """Where the application logs in. Default `https://login.microsoftonline.com`."""
        ca_provider: CaProvider | None = None
        """CA certificates that both certificates must chain to. Omitted, the usual public ones."""

    slots = 2
    names = False

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        self._config, self._credentials = config, credentials
        self.address = canonical_url(config.endpoint)
        self._account = (
            f"/subscriptions/{config.subscription}/resourceGroups/{_admin.quoted(config.resource_group)}"
            f"/providers/Microsoft.CognitiveServices/accounts/{config.account}"
        )
        rights = "Check the application, its secret, and its rights to list and regenerate the resource's keys"
        self._login, self._admin = (
            _admin.Admin(address, config.ca_provider, credentials, timeout=timeout, word=_word, rights=rights)
            for address in (config.login_endpoint, config.endpoint)
        )

    @property
    def account(self) -> str:
        """The resource. To Azure upper and lower case are the same in it."""
        return f"{self._config.subscription}/{self._config.resource_group}/{self._config.account}".lower()

    def issue(self, order: Order) -> Issued:
        """Make the key anew that is not in use.

        Raises:
            errors.Stalled: ``IssuerRefused``: it is not known which one is.
        """
        with self._admin.asked("a new key") as asking:
            shown = self._shown(asking)
            place = _free(self._both(asking, shown), order.old)
            return Issued({"apiKey": self._made_anew(asking, shown, place)}, place)

    def keys(self, order: Order) -> Sequence[Listed]:
        """List the two keys."""
        with self._admin.asked("the list of keys") as asking:
            both = self._both(asking, self._shown(asking))
        old = order.old.get("apiKey")
        return [Listed(place, is_old=key == old if old else place == order.handle) for place, key in both.items()]

    def revoke(self, handle: str, staying: SecretMap) -> None:
        """Make a key anew, so that its old value is dead; never the one that stays: where that is, no other is alive.

        Raises:
            errors.Stalled: ``IssuerRefused``: it is not known which one stays.
        """
        if handle not in _PLACES:
            return
        with self._admin.asked("the revocation of a key") as asking:
            shown = self._shown(asking)
            # A person may have filled the place meanwhile, and use what is in it now.
            if _free(self._both(asking, shown), staying) == handle:
                self._made_anew(asking, shown, handle)

    def _made_anew(self, asking: _admin.Asking, shown: Mapping[str, str], place: str) -> SecretValue:
        target = f"{self._account}/regenerateKey?{_VERSION}"
        answer = asking("POST", target, {"keyName": place}, shown=shown)
        return asking.value(asking.body(answer).get(_PLACES[place]))

    def _both(self, asking: _admin.Asking, shown: Mapping[str, str]) -> dict[str, SecretValue]:
        found = asking.body(asking("POST", f"{self._account}/listKeys?{_VERSION}", {}, shown=shown))
        return {place: asking.value(found.get(field)) for place, field in _PLACES.items()}

    def _shown(self, asking: _admin.Asking) -> dict[str, str]:
        """Log in, within the time of a call, and return what shows that."""
        secret = _admin.token(self._credentials, self._config.client_secret_ref)
        said = {
            "grant_type": "client_credentials",
            "client_id": self._config.client_id,
            "scope": f"{self._config.endpoint}/.default",
        }
        target, kind = f"/{self._config.tenant}/oauth2/v2.0/token", "application/x-www-form-urlencoded"
        body = urllib.parse.urlencode(said | {"client_secret": secret.reveal().decode("ascii")}).encode()
        answer = self._login.send(asking, "POST", target, {"Content-Type": kind}, body)
        if answer.status != 200:
            raise _login_failed(self._login.refusal(asking, answer))
        return bearer(asking.value(asking.body(answer).get("access_token")))


def _free(both: Mapping[str, SecretValue], used: SecretMap) -> str:
    """Return the place that is not in use."""
    free = [place for place, key in both.items() if key != used.get("apiKey")]
    if len(free) == 1:
        return free[0]
    said = "has two keys, of which not one is the one that is in use: what the other is good for nobody knows"
    raise errors.Stalled(Reason.ISSUER_REFUSED, said, "Check that the key in the store is one of this resource")


def _login_failed(error: errors.Error) -> errors.Error:
    """Return a refusal of the login as one of the right to ask: Entra says 400 and 401 for it."""
    if not isinstance(error, errors.Stalled):
        return error
    return errors.Stalled(Reason.ISSUER_DENIED, f"{error.message}, at the login", error.hint)


def _word(answer: Answer) -> str | None:
    """Return why Azure refuses, if it is Azure that does; Entra has a form of its own."""
    body = answer.json() or {}
    error = body.get("error")
    if isinstance(error, str):
        return (error if error in _WORDS else "") if "error_description" in body else None
    code = error.get("code") if isinstance(error, dict) and "message" in error else None
    if not isinstance(code, str) or not re.fullmatch("[A-Z][A-Za-z]{2,63}", code):
        return None
    return code if code in _WORDS else ""
