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
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import pydantic

from .. import errors, schema
from ..errors import Reason
from ..schema import CaProvider, Cel, ClientCertificate, OneOf, Renamed, SecretKeyRef, ServiceAccountRef, Spec
from ..secret import SecretValue
from .base import MAX_ANSWER, Credentials, Fetched, Ref, Store

if TYPE_CHECKING:
    from .. import wire
    from ..hvac_adapter import Adapter, Reply

_SEGMENT = "[a-zA-Z0-9_][-_.a-zA-Z0-9]*"
_ROLE = r"^[-_.a-zA-Z0-9]*(\{namespace\}[-_.a-zA-Z0-9]*)*$"

Mount = Annotated[str, pydantic.StringConstraints(max_length=128, pattern=rf"^{_SEGMENT}(/{_SEGMENT})*$")]
VaultNamespace = Annotated[str, pydantic.StringConstraints(max_length=256, pattern=rf"^({_SEGMENT}(/{_SEGMENT})*/?)?$")]
RoleName = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=128, pattern=_ROLE)]
UserName = Annotated[str, pydantic.StringConstraints(max_length=128, pattern=f"^{_SEGMENT}$")]


class TokenAuth(Spec):
    """A Vault token, used as it is and renewed while it can be."""

    secret_ref: SecretKeyRef
    """Entry that holds the token."""


class AppRoleAuth(Spec):
    """The AppRole method."""

    mount: Mount = "approle"
    """Where the method is enabled. Default `approle`."""
    role_id: schema.Visible
    """The role's id (not its name)."""
    secret_id_ref: SecretKeyRef
    """Entry that holds the secret id."""


class KubernetesAuth(Spec):
    """The Kubernetes method: Vault asks the cluster whose ServiceAccount token it is."""

    mount: Mount = "kubernetes"
    """Where the method is enabled. Default `kubernetes`."""
    role: RoleName
    """The role to log in to. `{namespace}` stands for the namespace of the ApiKeySecret."""
    audience: schema.Visible = "vault"
    """Audience of the token that is asked for. Default `vault`."""
    service_account_ref: ServiceAccountRef
    """The ServiceAccount to log in as."""


class JwtAuth(Spec):
    """The JWT method: Vault checks the token's signature itself."""

    cel: ClassVar[tuple[Cel | OneOf, ...]] = (OneOf(("secret_ref", "service_account_ref")),)

    mount: Mount = "jwt"
    """Where the method is enabled. Default `jwt`."""
    role: RoleName
    """The role to log in to. `{namespace}` stands for the namespace of the ApiKeySecret."""
    secret_ref: SecretKeyRef | None = None
    """Entry that holds the token."""
    service_account_ref: ServiceAccountRef | None = None
    """The ServiceAccount whose token is asked for."""
    audience: schema.Visible = "vault"
    """Audience of the ServiceAccount's token. Default `vault`."""


class UserPassAuth(Spec):
    """The userpass method."""

    mount: Mount = "userpass"
    """Where the method is enabled. Default `userpass`."""
    username: UserName
    """Name of the user."""
    password_ref: SecretKeyRef
    """Entry that holds the password."""


class CertAuth(Spec):
    """The cert method: the client certificate is the login."""

    mount: Mount = "cert"
    """Where the method is enabled. Default `cert`."""
    role: RoleName | None = None
    """The role to log in to. Omitted, the server takes the first that admits the certificate."""


class Auth(Spec):
    """How to log in; exactly one of these."""

    cel: ClassVar[tuple[Cel | OneOf, ...]] = (OneOf(("token", "app_role", "kubernetes", "jwt", "user_pass", "cert")),)
    renamed = (Renamed("tokenSecretRef", "auth.token.secretRef"),)

    token: TokenAuth | None = None
    """A Vault token."""
    app_role: AppRoleAuth | None = None
    """AppRole."""
    kubernetes: KubernetesAuth | None = None
    """A ServiceAccount's token, reviewed by the cluster."""
    jwt: JwtAuth | None = None
    """A signed token, checked by Vault."""
    user_pass: UserPassAuth | None = None
    """User name and password."""
    cert: CertAuth | None = None
    """The client certificate."""


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
        way = _way(self._config.auth, self._credentials)
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
_TIME = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?Z")


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


@dataclasses.dataclass(frozen=True, slots=True)
class _Way:
    """How to log in: what is posted where below ``auth/`` (nowhere if the token is there), as whom and with what."""

    path: str
    body: dict[str, str] = dataclasses.field(repr=False)
    who: str
    means: str


def _way(auth: Auth, credentials: Credentials) -> _Way:
    """Gather what the login needs."""

    def role(template: str) -> str:
        return template.replace("{namespace}", credentials.namespace)

    def account(ref: ServiceAccountRef | None, audience: str) -> str:
        return credentials.service_account_token(ref, audience, 600).reveal().decode() if ref else ""

    if token := auth.token:
        ref = token.secret_ref
        body = {"token": _text(credentials, ref)}
        return _Way("", body, f"the token in Secret {ref.name}", "that it has not expired")
    if app := auth.app_role:
        body = {"role_id": app.role_id, "secret_id": _text(credentials, app.secret_id_ref)}
        means = f"Secret {app.secret_id_ref.name}: secret ids expire and can be used up"
        return _Way(f"{app.mount}/login", body, f"appRole.roleId of auth/{app.mount}", means)
    if kube := auth.kubernetes:
        body = {"role": role(kube.role), "jwt": account(kube.service_account_ref, kube.audience)}
        means = f"that it admits ServiceAccount {kube.service_account_ref.name} and audience {kube.audience}"
        return _Way(f"{kube.mount}/login", body, f"role {body['role']} of auth/{kube.mount}", means)
    if jwt := auth.jwt:
        value = account(jwt.service_account_ref, jwt.audience) or _text(credentials, jwt.secret_ref)
        body = {"role": role(jwt.role), "jwt": value}
        return _Way(f"{jwt.mount}/login", body, f"role {body['role']} of auth/{jwt.mount}", "its audiences and claims")
    if user := auth.user_pass:
        body = {"password": _text(credentials, user.password_ref, rb"[^\x00-\x1f\x7f]+")}
        who = f"user {user.username} of auth/{user.mount}"
        return _Way(f"{user.mount}/login/{user.username}", body, who, f"Secret {user.password_ref.name}")
    if cert := auth.cert:
        body = {"name": role(cert.role)} if cert.role else {}
        return _Way(f"{cert.mount}/login", body, f"the role of auth/{cert.mount}", "clientCertificate")
    raise _no_way()


def _no_way() -> errors.Stalled:
    return errors.Stalled(Reason.INVALID_SPEC, "has no way to log in", "Set one field of vault.auth")


def _text(credentials: Credentials, ref: SecretKeyRef | None, allowed: bytes = rb"[!-~]+") -> str:
    """Return a token, secret id or password. A line break at its end is a slip, not part of it, and is refused."""
    if ref is None:
        raise _no_way()
    value = credentials.secret(ref).reveal()
    if re.fullmatch(allowed, value):
        with contextlib.suppress(UnicodeDecodeError):
            return value.decode()
    said = f"needs text without line breaks to log in, but entry {ref.key} of Secret {ref.name} is not"
    raise errors.Stalled(Reason.AUTH_FAILED, said, "Write it without a line break at its end")


def _fetched(reply: Reply, version: int) -> Fetched:
    """Return the map that a read answered. Numbers come out as JSON numbers do: 1.10 as 1.1."""
    values = reply.part("data")
    about = reply.field(values, "metadata", dict) if version == 2 else {}
    if version == 2:
        values = reply.field(values, "data", dict)
    with errors.boundary(lambda _: errors.Outage(Reason.STORE_ANSWER_INVALID, f"{reply.said} with broken Unicode")):
        value = SecretValue(json.dumps(values, ensure_ascii=False, separators=(",", ":")))
    made, number = about.get("created_time"), about.get("version")
    return Fetched(
        value,
        is_map=True,
        version=str(number) if isinstance(number, int) else None,
        created_at=made if isinstance(made, str) and _TIME.fullmatch(made) else None,
    )
