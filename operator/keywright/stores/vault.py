"""HashiCorp Vault and OpenBao: the KV engine, versions 1 and 2.

hvac knows the API, ``wire`` sends. A 404 counts as "not there" only when it is Vault's own and the engine, asked
again, is still the one that was read.

Does not belong here: when to log in again, retries, caching, threads (``engine/fetch.py``); which addresses may be
connected to (the egress guard); choosing a property (``decide/render.py``).
"""

from __future__ import annotations

import dataclasses
import json
import re
import time
from typing import TYPE_CHECKING, Literal

from .. import dates, errors, schema
from ..errors import Reason
from ..schema import Renamed, Spec
from ..secret import SecretValue
from ._vault_login import Mount
from ._vault_session import Login, VaultServer, log_in
from ._vault_write import Place, refuse_version_1
from .base import Content, Credentials, Fetched, Mark, Ref, Store

if TYPE_CHECKING:
    from ..hvac_adapter import Adapter, Reply


class _Engine(Spec):
    """Which KV engine. Its fields stand before those of the server: journals are named after them in this order."""

    server: schema.Url
    mount: Mount
    """Where the KV engine is mounted, for example `kv` or `secret`."""
    version: Literal[1, 2] | None = None
    """Version of the KV engine. Omitted, the server is asked at each login."""


class Vault(Store, name="vault"):
    """The KV engine of one Vault or OpenBao server."""

    class Config(VaultServer, _Engine):
        """How to reach a Vault or OpenBao server and one KV engine in it."""

        renamed = (*VaultServer.renamed, Renamed("path", "mount"))

    @classmethod
    def identity(cls, config: Config, namespace: str) -> str:
        """Return the namespace where the login depends on it, else nothing."""
        auth = config.auth
        by_account = auth.kubernetes or (auth.jwt and auth.jwt.service_account_ref)
        role = (auth.jwt and auth.jwt.role) or (auth.cert and auth.cert.role) or ""
        return namespace if by_account or "{namespace}" in role else ""

    @classmethod
    def plain(cls, config: Config) -> Config:
        """Return it with the server's address in one form, and the namespace as what it is: the mount's beginning."""
        apart = cls._apart(config)
        mount = f"{apart.namespace}/{config.mount.strip('/')}".strip("/")
        return apart.model_copy(update={"namespace": "", "mount": mount})

    @classmethod
    def spellings(cls, config: Config) -> tuple[Config, ...]:
        """Return what was named before: a namespace that stands apart, and the address as it is."""
        return cls._apart(config), config

    @staticmethod
    def _apart(config: Config) -> Config:
        """Return it with one address; ``root`` is the namespace that all have."""
        space = config.namespace.strip("/")
        there = {"server": schema.canonical_url(config.server), "namespace": "" if space == "root" else space}
        return config.model_copy(update=there)

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        self._config = config
        self._credentials = credentials
        self._timeout = timeout
        self._held: _Held | None = None

    def login(self) -> float | None:
        """Log in, and ask which version the KV engine has where the configuration does not say."""
        until = time.monotonic() + self._timeout
        login = log_in(self._config, self._credentials, until)
        try:
            version = self._config.version or self._engine(login.adapter(until))
        except errors.Error:
            login.end(time.monotonic() + self._timeout)
            raise
        former, self._held = self._held, _Held(login, version)
        self._end(former)
        return login.lease or None

    def _end(self, former: _Held | None) -> None:
        """End a login that nobody needs."""
        if former:
            former.login.end(time.monotonic() + self._timeout)

    def accepted(self) -> bool:
        """Ask the server whether it knows the token."""
        if not (held := self._held):
            return False
        reply: Reply = self._adapter(held).get("/v1/auth/token/lookup-self")
        if reply.status not in (200, 403):
            raise reply.trouble()
        return reply.status == 200

    def renew(self) -> float | None:
        """Prolong the token. Log in anew where it cannot be prolonged or comes near its maximal age."""
        if not (held := self._held) or not held.login.renewable:
            return self.login()
        adapter = self._adapter(held)
        reply: Reply = adapter.post("/v1/auth/token/renew-self", json={})
        if reply.status == 200:
            lease = reply.field(reply.part("auth"), "lease_duration", int)
            if lease * 2 > held.login.lease:
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
        adapter = self._adapter(held, what)
        reply = self._read(adapter, ref, held.version)
        if reply.status == 200:
            return _fetched(reply, held.version)
        if reply.status == 404 and reply.body is not None:
            raise self._absent(reply, adapter, held.version)
        if reply.status == 403 and reply.refused:
            kv = f"{self._config.mount}/data" if held.version == 2 else self._config.mount
            hint = f"Check that {held.login.who} may read {kv}/{ref.path} in Vault"
            raise errors.LoginExpired(Reason.ACCESS_DENIED, reply.said, hint)
        raise reply.trouble(Reason.UNSUPPORTED, "Check that vault.mount is a KV engine")

    def write(self, ref: Ref, content: Content, *, expected: str | None, token: str) -> str:
        """Replace what is at a path, by compare-and-set; see ``Store.write``. Needs version 2 of the engine.

        A repeated write is known by what it has written, so the token does not count.
        """
        return self._place(ref).write(content, expected)

    def claim(self, ref: Ref, mark: Mark, over: Mark) -> Mark:
        """Mark a path in its custom metadata; see ``Store.claim``."""
        return self._place(ref).claim(mark, over)

    def mark(self, ref: Ref) -> Mark:
        """Return the mark that a path has; see ``Store.mark``."""
        return self._place(ref).mark()

    def release(self, ref: Ref, mark: Mark) -> None:
        """Take a mark away; see ``Store.release``."""
        self._place(ref).release(mark)

    def _place(self, ref: Ref) -> Place:
        held = self._held
        if held is None:
            raise errors.LoginExpired(Reason.AUTH_FAILED, f"is not logged in to, for {ref.path}")
        if held.version != 2:
            raise refuse_version_1(ref.path)
        adapter = self._adapter(held, ref.path)
        return Place(adapter, self._config.mount, ref.path, held.login.who, lambda: self.fetch(Ref(ref.path)))

    def close(self) -> None:
        """End the login. Connections close with the last call that uses them."""
        former, self._held = self._held, None
        self._end(former)

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

    def _adapter(self, held: _Held, path: str = "") -> Adapter:
        return held.login.adapter(time.monotonic() + self._timeout, path)


_PIN = "Correct remoteRef.version, or omit it"


@dataclasses.dataclass(frozen=True, slots=True)
class _Held:
    """A login, and the KV engine's version as it was then."""

    login: Login
    version: int


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
