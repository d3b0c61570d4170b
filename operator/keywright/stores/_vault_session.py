"""Being logged in to Vault and OpenBao: the server, one login to it, and its end.

Does not belong here: the methods and what each needs (``_vault_login``), when to log in again (``engine/opened.py``),
what is asked for then (``vault``, ``issuing/vault_dynamic``).
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, ClassVar

from .. import errors, schema
from ..errors import Reason
from ..schema import CaProvider, Cel, ClientCertificate, OneOf, Renamed, Spec
from ..secret import SecretValue
from ._vault_login import Auth, VaultNamespace, Way, way_of
from .base import MAX_ANSWER, Credentials

if TYPE_CHECKING:
    from .. import wire
    from ..hvac_adapter import Adapter, Reply


class VaultServer(Spec):
    """How to reach a Vault or OpenBao server."""

    cel: ClassVar[tuple[Cel | OneOf, ...]] = (
        Cel("!has(self.auth.cert) || has(self.clientCertificate)", "auth.cert needs clientCertificate"),
    )
    renamed: ClassVar[tuple[Renamed, ...]] = (
        Renamed("caBundle", "caProvider"),
        Renamed("tls", "clientCertificate"),
    )

    server: schema.Url
    """Address of the server, for example `https://vault.example.com:8200`. Plain `http://` is for development."""
    namespace: VaultNamespace = ""
    """Vault namespace, for example `teams/a`. Default none."""
    ca_provider: CaProvider | None = None
    """CA certificates that the server's certificate must chain to. Omitted, the usual public ones."""
    client_certificate: ClientCertificate | None = None
    """Certificate that Keywright shows to the server."""
    auth: Auth
    """How to log in."""


@dataclasses.dataclass(frozen=True, slots=True)
class Login:
    """One login.

    Attributes:
        lease: seconds that its token lives; 0: for ever.
        renewable: whether its token can be made to live longer.
        who: as whom, as it stands in errors.
        minted: whether the login made the token, so that it may be ended.
        accessor: by which the token may be renewed by others; empty where it has none, as batch tokens have.
    """

    server: wire.Server
    namespace: str
    token: SecretValue
    lease: int
    renewable: bool
    who: str
    minted: bool
    accessor: str

    def adapter(self, until: float, what: str = "") -> Adapter:
        """Return what sends with its token.

        Args:
            until: when all that is sent has to be over (monotonic clock).
            what: what errors name; by default the path that is asked for.
        """
        from ..hvac_adapter import Adapter

        return Adapter(self.server, self.namespace, self.token.reveal().decode(), until, what)

    def end(self, until: float) -> None:
        """End it, if it is to be: or its token would lie about until it ends by itself, as it does where this fails.

        All that was leased by it ends with it.
        """
        if self.minted:
            with contextlib.suppress(errors.Error):
                self.adapter(until).post("/v1/auth/token/revoke-self", json={})


def log_in(config: VaultServer, credentials: Credentials, until: float, way: Way | None = None) -> Login:
    """Log in, or look at the token that is given.

    Args:
        until: when it has to be over (monotonic clock).
        way: how, where that was gathered already.
    """
    from ..hvac_adapter import Adapter

    way = way or way_of(config.auth, credentials)
    adapter = Adapter(_connect(config, credentials), config.namespace, way.body.get("token", ""), until)
    url = f"/v1/auth/{way.path or 'token/lookup-self'}"
    reply: Reply = adapter.post(url, json=way.body) if way.path else adapter.get(url)
    if reply.status != 200:
        raise reply.trouble(Reason.AUTH_FAILED, f"Check {way.who}, and {way.means}")
    granted = reply.part("auth" if way.path else "data")
    accessor = granted.get("accessor")
    return Login(
        server=adapter.server,
        namespace=config.namespace,
        token=SecretValue(adapter.token or reply.field(granted, "client_token", str)),
        lease=reply.field(granted, "lease_duration" if way.path else "ttl", int),
        renewable=granted.get("renewable") is True,
        who=way.who,
        minted=bool(way.path),
        accessor=accessor if isinstance(accessor, str) else "",
    )


def _connect(config: VaultServer, credentials: Credentials) -> wire.Server:
    from .. import wire

    own = config.client_certificate
    ca = credentials.ca(config.ca_provider) if config.ca_provider else None
    refs = (own.cert_secret_ref, own.key_secret_ref) if own else ()
    return wire.Server(config.server, wire.trust(ca, [credentials.secret(ref) for ref in refs]), MAX_ANSWER)
