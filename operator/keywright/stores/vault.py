"""HashiCorp Vault and OpenBao: the KV engine, versions 1 and 2.

hvac knows the API, ``wire`` sends. A 404 counts as "not there" only when it is Vault's own and the engine, asked
again, is still the one that was read.

Does not belong here: when to log in again, retries, caching, threads (``engine/fetch.py``); which addresses may be
connected to (the egress guard); choosing a property (``decide/render.py``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import time
from typing import TYPE_CHECKING, ClassVar, Literal

from .. import dates, errors, schema
from ..errors import Reason
from ..schema import CaProvider, Cel, ClientCertificate, OneOf, Renamed, Spec
from ..secret import SecretValue
from ._vault_login import Auth, Mount, VaultNamespace, way_of
from ._vault_write import Place, refuse_version_1
from .base import MAX_ANSWER, Content, Credentials, Fetched, Ref, Store

if TYPE_CHECKING:
    from .. import wire
    from ..hvac_adapter import Adapter, Reply


class Vault(Store, name="vault"):
    """The KV engine of one Vault or OpenBao server."""

    class Config(Spec):
        """How to reach a Vault or OpenBao server and one KV engine in it."""

        cel: ClassVar[tuple[Cel | OneOf, ...]] = (
            Cel("!has(self.auth.cert) || has(self.clientCertificate)", "auth.cert needs clientCertificate"),
        )
        renamed = (Renamed("caBundle", "caProvider"), Renamed("path", "mount"), Renamed("tls", "clientCertificate"))

        server: schema.Url
        """Address of the server, for example `https://vault.example.com:8200`. Plain `http://` is for development."""
        mount: Mount
        """Where the KV engine is mounted, for example `kv` or `secret`."""
        version: Literal[1, 2] | None = None
        """Version of the KV engine. Omitted, the server is asked at each login."""
        namespace: VaultNamespace = ""
        """Vault namespace, for example `teams/a`. Default none."""
        ca_provider: CaProvider | None = None
        """CA certificates that the server's certificate must chain to. Omitted, the usual public ones."""
        client_certificate: ClientCertificate | None = None
        """Certificate that Keywright shows to the server."""
        auth: Auth
        """How to log in."""

    @classmethod
    def identity(cls, config: Config, namespace: str) -> str:
        """Return the namespace where the login depends on it, else nothing."""
        auth = config.auth
        by_account = auth.kubernetes or (auth.jwt and auth.jwt.service_account_ref)
        role = (auth.jwt and auth.jwt.role) or (auth.cert and auth.cert.role) or ""
        return namespace if by_account or "{namespace}" in role else ""

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        self._config = config
        self._credentials = credentials
        self._timeout = timeout
        self._held: _Held | None = None

    def login(self) -> float | None:
        """Log in, and ask which version the KV engine has where the configuration does not say."""
        way = way_of(self._config.auth, self._credentials)
        adapter = self._adapter(self._connect(), way.body.get("token", ""))
        url = f"/v1/auth/{way.path or 'token/lookup-self'}"
        reply: Reply = adapter.post(url, json=way.body) if way.path else adapter.get(url)
        if reply.status != 200:
            raise reply.trouble(Reason.AUTH_FAILED, f"Check {way.who}, and {way.means}")
        granted = reply.part("auth" if way.path else "data")
        adapter.token = adapter.token or reply.field(granted, "client_token", str)
        held = _Held(
            server=adapter.server,
            token=SecretValue(adapter.token),
            lease=reply.field(granted, "lease_duration" if way.path else "ttl", int),
            renewable=granted.get("renewable") is True,
            who=way.who,
            minted=bool(way.path),
        )
        try:
            held = dataclasses.replace(held, version=self._config.version or self._engine(adapter))
        except errors.Error:
            self._revoke(held)
            raise
        former, self._held = self._held, held
        self._revoke(former)
        return held.lease or None

    def _revoke(self, former: _Held | None) -> None:
        """End a login that nobody needs, or its token would lie about until it ends by itself."""
        if former and former.minted:
            with contextlib.suppress(errors.Error):
                self._adapter(former.server, former.token.reveal().decode()).post("/v1/auth/token/revoke-self", json={})

    def accepted(self) -> bool:
        """Ask the server whether it knows the token."""
        if not (held := self._held):
            return False
        reply: Reply = self._adapter(held.server, held.token.reveal().decode()).get("/v1/auth/token/lookup-self")
        if reply.status not in (200, 403):
            raise reply.trouble()
        return reply.status == 200

    def renew(self) -> float | None:
        """Prolong the token. Log in anew where it cannot be prolonged or comes near its maximal age."""
        if not (held := self._held) or not held.renewable:
            return self.login()
        adapter = self._adapter(held.server, held.token.reveal().decode())
        reply: Reply = adapter.post("/v1/auth/token/renew-self", json={})
        if reply.status == 200:
            lease = reply.field(reply.part("auth"), "lease_duration", int)
            if lease * 2 > held.lease:
                return lease
        elif not reply.refused:
            raise reply.trouble()
        return self.login()

    def fetch(self, ref: Ref) -> Fetched:
        """Read one key: its map, as JSON text. A version is a number and needs version 2 of the engine."""
        held = self._held
        if held is None:
            raise errors.LoginExpired(Reason.AUTH_FAILED, f"is not logged in to, for {ref.path}")
        what = f"{ref.path} version {ref.version}" if ref.version else ref.path
        adapter = self._adapter(held.server, held.token.reveal().decode(), what)
        reply = self._read(adapter, ref, held.version)
        if reply.status == 200:
            return _fetched(reply, held.version)
        if reply.status == 404 and reply.body is not None:
            raise self._absent(reply, adapter, held.version)
        if reply.status == 403 and reply.refused:
            kv = f"{self._config.mount}/data" if held.version == 2 else self._config.mount
            hint = f"Check that {held.who} may read {kv}/{ref.path} in Vault"
            raise errors.LoginExpired(Reason.ACCESS_DENIED, reply.said, hint)
        raise reply.trouble(Reason.UNSUPPORTED, "Check that vault.mount is a KV engine")

    def write(self, ref: Ref, content: Content, *, expected: str | None, token: str) -> str:
        """Replace what is at a path, by compare-and-set; see ``Store.write``. Needs version 2 of the engine.

        A repeated write is known by what it has written, so the token does not count.
        """
        return self._place(ref).write(content, expected)

    def claim(self, ref: Ref, owner: str) -> str:
        """Mark a path in its custom metadata; see ``Store.claim``."""
        return self._place(ref).claim(owner)

    def release(self, ref: Ref, owner: str) -> None:
        """Take a mark away; see ``Store.release``."""
        self._place(ref).release(owner)

    def _place(self, ref: Ref) -> Place:
        held = self._held
        if held is None:
            raise errors.LoginExpired(Reason.AUTH_FAILED, f"is not logged in to, for {ref.path}")
        if held.version != 2:
            raise refuse_version_1(ref.path)
        adapter = self._adapter(held.server, held.token.reveal().decode(), ref.path)
        return Place(adapter, self._config.mount, ref.path, held.who, lambda: self.fetch(Ref(ref.path)))

    def close(self) -> None:
        """End the login. Connections close with the last call that uses them."""
        former, self._held = self._held, None
        self._revoke(former)

    def _read(self, adapter: Adapter, ref: Ref, version: int) -> Reply:
        from hvac.api.secrets_engines import KvV1, KvV2

        reply: Reply
        if version == 2:
            if ref.version and not re.fullmatch("[1-9][0-9]{0,8}", ref.version):
                said = f"numbers its versions, unlike what is asked of {ref.path}"
                raise errors.Stalled(Reason.UNSUPPORTED, said, _PIN)
            pin = int(ref.version) if ref.version else None
            reply = KvV2(adapter).read_secret_version(ref.path, pin, self._config.mount, raise_on_deleted_version=True)
        else:
            if ref.version:
                raise errors.Stalled(Reason.UNSUPPORTED, f"keeps no versions (KV version 1) of {ref.path}", _PIN)
            reply = KvV1(adapter).read_secret(ref.path, self._config.mount)
        return reply

    def _absent(self, reply: Reply, adapter: Adapter, version: int) -> errors.Error:
        """Tell apart what Vault answers 404 for."""
        body = reply.body or {}
        if isinstance(body.get("data"), dict) and isinstance(body["data"].get("metadata"), dict):
            return errors.Stalled(Reason.VERSION_DELETED, f"{reply.said}: deleted or destroyed", "Restore it in Vault")
        if body.get("errors"):
            return self._unmounted(reply)
        found = self._engine(adapter)
        if found != version:
            said = f"has version {found} of the KV engine at {self._config.mount}, not {version}"
            return errors.LoginExpired(Reason.UNSUPPORTED, said, "Correct vault.version, or omit it")
        return reply.trouble(Reason.NOT_FOUND, "Check the path; the name of the mount is not part of it")

    def _engine(self, adapter: Adapter) -> int:
        """Return the version of the KV engine, asking the server."""
        mount = self._config.mount
        reply = adapter.get(f"/v1/sys/internal/ui/mounts/{mount}")
        if reply.status != 200:
            raise self._unmounted(reply) if reply.status in (403, 404) and reply.refused else reply.trouble()
        found = reply.part("data")
        if found.get("path") != f"{mount}/":
            raise self._unmounted(reply)
        if found.get("type") not in ("kv", "generic"):
            raise errors.Stalled(Reason.UNSUPPORTED, f"has no KV engine at {mount}", "Check vault.mount")
        options = found.get("options")
        return 2 if isinstance(options, dict) and options.get("version") == "2" else 1

    def _unmounted(self, reply: Reply) -> errors.Stalled:
        said = f"{reply.said}: shows no engine at {self._config.mount}"
        return errors.Stalled(Reason.MOUNT_NOT_FOUND, said, "Check vault.mount, vault.namespace and the policies")

    def _adapter(self, server: wire.Server, token: str, path: str = "") -> Adapter:
        from ..hvac_adapter import Adapter

        return Adapter(server, self._config.namespace, token, time.monotonic() + self._timeout, path)

    def _connect(self) -> wire.Server:
        from .. import wire

        config, own = self._config, self._config.client_certificate
        ca = self._credentials.ca(config.ca_provider) if config.ca_provider else None
        refs = (own.cert_secret_ref, own.key_secret_ref) if own else ()
        return wire.Server(config.server, wire.trust(ca, [self._credentials.secret(ref) for ref in refs]), MAX_ANSWER)


_PIN = "Correct remoteRef.version, or omit it"


@dataclasses.dataclass(frozen=True, slots=True)
class _Held:
    """A login. Its lease in seconds (0: for ever), the KV engine's version, whether the login made the token."""

    server: wire.Server
    token: SecretValue
    lease: int
    renewable: bool
    who: str
    minted: bool
    version: int = 0


def _fetched(reply: Reply, version: int) -> Fetched:
    """Return the map that a read answered. Numbers come out as JSON numbers do: 1.10 as 1.1."""
    values = reply.part("data")
    about = reply.field(values, "metadata", dict) if version == 2 else {}
    if version == 2:
        values = reply.field(values, "data", dict)
    with errors.boundary(lambda _: errors.Outage(Reason.STORE_ANSWER_INVALID, f"{reply.said} with broken Unicode")):
        value = SecretValue(json.dumps(values, ensure_ascii=False, separators=(",", ":")))
    number, ends = (
        about.get("version"),
        (*_marked(about.get("custom_metadata")), dates.moment(about.get("deletion_time"))),
    )
    return Fetched(
        value,
        is_map=True,
        version=str(number) if isinstance(number, int) else None,
        created_at=dates.moment(about.get("created_time")),
        expires_at=min(filter(None, ends), default=None),
    )


#: What people write into the custom metadata of a key to say when it ends.
_ENDS = ("expires_at", "expires-at", "expiresAt", "expires")


def _marked(custom: object) -> list[str | None]:
    """Return when a key ends, as its custom metadata says: a time (RFC 3339) or a day."""
    told = custom if isinstance(custom, dict) else {}
    return [dates.moment(told.get(name)) or dates.midnight(told.get(name)) for name in _ENDS]
