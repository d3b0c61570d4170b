"""What each way to have keys made is tested with: its server, what is configured, and the right to.

Does not belong here: what all of them must do (``test_issuing``), what is one's own (its test file).
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from iam import Iam
from issuers.issuing import asking, secret
from keywright.issuers import ISSUERS, table
from keywright.issuers.base import Finding, Recognition, Verdict
from keywright.issuing import ISSUING
from keywright.issuing.base import Issuing, Listed, Order
from keywright.secret import SecretMap
from leasing import Leasing
from stores.contract import HeldCredentials
from vendors import vendors
from vendors.base import Made, Request, Vendor
from vendors.server import MoodyServer

Json = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """How one of them is tested.

    Attributes:
        vendor: whose server it is; of one with ``servers``, made of these.
        config: its fields, by where the server listens.
        kind: of the keys that are made, as the vendor calls it.
        gone: fields by which it asks for what is not there: another account; none where it is that of the admin.
        never: a name for a key that there never was.
        creates: whether a request is one for a new key.
        minds_off: whether the vendor's server refuses a key that is switched off.
        shows_off: whether it lists which one is.
        lives: seconds that a minted key lives at most.
        servers: fixtures of the servers that it needs.
    """

    vendor: Callable[..., Any]
    config: Callable[[str], Json]
    kind: str
    gone: Json
    creates: Callable[[Request], bool]
    never: str = "never-was"
    minds_off: bool = True
    shows_off: bool = True
    lives: float = 3600.0
    servers: tuple[str, ...] = ()


class Desk:
    """One way to have keys made, with the server that is asked."""

    def __init__(self, name: str, case: Case, vendor: Any, server: MoodyServer) -> None:
        self.name, self.case, self.vendor, self.server = name, case, vendor, server
        self.secrets: dict[tuple[str, str], bytes | str] = {
            ("right", name): text for name, text in vendor.rights.items()
        }

    def open(self, seconds: float = 20.0, **fields: Any) -> Issuing:
        """Open it."""
        kind = ISSUING[self.name]
        config = kind.Config.model_validate(self.case.config(self.server.url) | self._own() | fields)
        return kind(config, HeldCredentials(self.secrets), seconds)

    def _own(self) -> Json:
        """Return fields that are the server's own."""
        if isinstance(self.vendor, Leasing):
            auth = {"appRole": {"mount": self.vendor.method, "roleId": self.vendor.role_id, "secretIdRef": _RIGHT}}
            return {"path": self.vendor.path, "auth": auth}
        return {"user": self.vendor.user} if isinstance(self.vendor, Iam) else {}

    def person_makes(self, name: str = "by-hand") -> Made:
        """Make a key as a person does."""
        return self.vendor.make(f"key{len(self.vendor.made)}", name, self.case.kind)  # type: ignore[no-any-return]

    def handles(self) -> set[str]:
        """Return the keys that there are, as the vendor knows."""
        return set(self.vendor.made)

    def asked(self) -> int:
        """Return how many requests for a new key there were."""
        return sum(map(self.case.creates, self.server.requests))

    def listed(self, order: Order) -> dict[str, Listed]:
        """Return what it lists, by handle."""
        own = self.open()
        assert own.keys
        return {each.handle: each for each in own.keys(order)}

    def revoke(self, handle: str, staying: SecretMap) -> None:
        """Revoke a key."""
        own = self.open()
        assert own.revoke
        own.revoke(handle, staying)

    def recognised(self, parts: SecretMap) -> Recognition:
        """Say what a key is, as its issuer does."""
        return self._issuer().recognise(parts)  # type: ignore[no-any-return]

    def probed(self, parts: SecretMap) -> Finding:
        """Ask whether a key is accepted, as its issuer does."""
        if isinstance(self.vendor, Leasing):
            known = self.vendor.knows({name: value.reveal().decode() for name, value in parts.items()})
            return Finding(Verdict.VALID if known else Verdict.INVALID, "answered")
        return asking(self._issuer(), self.server.url, parts)

    def _issuer(self) -> Any:
        kind = ISSUERS[ISSUING[self.name].issuer or "custom"]
        config = kind.Config.model_validate(self.vendor.config) if kind.Config else None
        return kind(config, table(), self.server.url)


def _vendor(name: str) -> Callable[[], Vendor]:
    return vendors()[name]


def posts(end: str) -> Callable[[Request], bool]:
    """Return whether a request is a POST to a path with this end."""
    return lambda request: request.method == "POST" and request.path.endswith(end)


_RIGHT = {"name": "right", "key": "admin"}


def webhook(url: str) -> Json:
    """Return the calls that the vendor ``custom`` takes."""
    return {
        "server": url,
        "secrets": [{"name": "admin", "secretRef": _RIGHT}],
        "headers": {"Authorization": "Bearer {admin}"},
        "issue": {
            "path": "/v1/keys",
            "body": '{"label": "{name}"}',
            "handle": "id",
            "parts": {"apiKey": "key.secret", "user": "key.owner.name"},
            "expiresAt": "ends",
        },
        "list": {"path": "/v1/keys", "items": "keys.all", "handle": "id", "name": "label", "createdAt": "made"},
        "find": {
            "path": "/v1/whoami?brief=1",
            "headers": {"Authorization": "Bearer {apiKey}", "X-User": "{user}"},
            "handle": "key.id",
        },
        "revoke": {"path": "/v1/keys/{handle}"},
        "disable": {"path": "/v1/keys/{handle}/off", "method": "POST"},
        "enable": {"path": "/v1/keys/{handle}/on", "method": "POST"},
    }


#: Fields of the webhook that ask at the wrong place.
_NOWHERE = {
    "issue": {"path": "/v2/keys", "parts": {"apiKey": "key.secret"}, "handle": "id"},
    "list": {"path": "/v2/keys", "items": "keys.all", "handle": "id"},
    "find": {"path": "/v2/whoami", "headers": {"X-Key": "{apiKey}"}, "handle": "id"},
    "revoke": {"path": "/v2/keys/{handle}"},
    "disable": {"path": "/v2/keys/{handle}/off"},
    "enable": {"path": "/v2/keys/{handle}/on"},
}


def aws_iam(url: str) -> Json:
    """Return what it takes to make keys in an account of moto's; the user is put in by its desk."""
    return {"endpoint": url, "accessKeyIdRef": {"name": "right", "key": "id"}, "secretAccessKeyRef": _RIGHT}


def _is_create(request: Request) -> bool:
    return b"Action=CreateAccessKey" in request.body


CASES: Mapping[str, Case] = {
    "awsIam": Case(Iam, aws_iam, "", {"user": "nobody"}, _is_create, minds_off=False),
    "webhook": Case(_vendor("custom"), webhook, "credential", _NOWHERE, posts("/keys"), shows_off=False),
}


CASES = {
    **CASES,
    "openai": Case(
        _vendor("openai"),
        lambda url: {"endpoint": url, "project": "proj_abc", "serviceAccount": "user-abc", "adminKeyRef": _RIGHT},
        "service account key",
        {"project": "proj_other"},
        posts("/api_keys"),
    ),
    "gitlab": Case(
        _vendor("gitlab"),
        lambda url: {"endpoint": url, "project": "team/app", "scopes": ["read_api"], "tokenRef": _RIGHT},
        "access token",
        {"project": "team/other"},
        posts("/access_tokens"),
        never="7",
    ),
    "azureOpenai": Case(
        _vendor("azureOpenai"),
        lambda url: {
            "endpoint": url,
            "loginEndpoint": url,
            "clientSecretRef": _RIGHT,
            "resourceGroup": "llm",
            "subscription": "00000000-0000-0000-0000-000000000001",
            "account": "acme",
            "tenant": "11111111-2222-3333-4444-555555555555",
            "clientId": "99999999-2222-3333-4444-555555555555",
        },
        "key",
        {"account": "other"},
        posts("/regenerateKey"),
    ),
    "gcpServiceAccount": Case(
        _vendor("gcpServiceAccount"),
        lambda url: {
            "endpoint": url,
            "loginEndpoint": url,
            "adminKeyRef": _RIGHT,
            "serviceAccount": "ci@acme.iam.gserviceaccount.com",
        },
        "service account key",
        {"serviceAccount": "other@acme.iam.gserviceaccount.com"},
        posts("/keys"),
    ),
    "githubApp": Case(
        _vendor("github"),
        lambda url: {"endpoint": url, "appId": 123456, "installationId": 4711, "privateKeyRef": _RIGHT},
        "installation token",
        {"installationId": 4712},
        posts("/access_tokens"),
    ),
    "vaultDynamic": Case(
        Leasing,
        lambda url: {
            "server": url,
            "path": "database/creds/app",
            "auth": {"appRole": {"roleId": "app", "secretIdRef": _RIGHT}},
        },
        "",
        {"namespace": "nowhere"},
        lambda request: request.path.endswith("/creds/app"),
        servers=("openbao", "postgres"),
    ),
    "anthropic": Case(
        _vendor("anthropic"),
        lambda url: {"endpoint": url, "adminKeyRef": _RIGHT},
        "API key",
        {},
        lambda _: False,
    ),
}


@contextlib.contextmanager
def desk(name: str, *servers: Any) -> Iterator[Desk]:
    """Run the server of one of them.

    Args:
        servers: those that it needs.
    """
    case = CASES[name]
    vendor = case.vendor(*servers)
    server = MoodyServer(vendor.answer)
    server.forgets = case.creates
    try:
        yield Desk(name, case, vendor, server)
    finally:
        server.close()
        if isinstance(vendor, Iam):
            vendor.close()


def parts_of(made: Made) -> SecretMap:
    """Return the parts of a key that a vendor made."""
    return secret(made.parts)
