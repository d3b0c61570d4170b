"""How Vault and OpenBao are logged in to: the methods, and what each of them needs.

Does not belong here: sending it, and when (``vault``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from typing import Annotated, ClassVar

import pydantic

from .. import errors, schema
from ..errors import Reason
from ..schema import Cel, OneOf, Renamed, SecretKeyRef, ServiceAccountRef, Spec
from .base import Credentials

SEGMENT = "[a-zA-Z0-9_][-_.a-zA-Z0-9]*"
_ROLE = r"^[-_.a-zA-Z0-9]*(\{namespace\}[-_.a-zA-Z0-9]*)*$"

Mount = Annotated[str, pydantic.StringConstraints(max_length=128, pattern=rf"^{SEGMENT}(/{SEGMENT})*$")]
VaultNamespace = Annotated[str, pydantic.StringConstraints(max_length=256, pattern=rf"^({SEGMENT}(/{SEGMENT})*/?)?$")]
RoleName = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=128, pattern=_ROLE)]
UserName = Annotated[str, pydantic.StringConstraints(max_length=128, pattern=f"^{SEGMENT}$")]


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
    """The role to log in to. `{namespace}` stands for the namespace of the ApiKeySecret; of an issuer, for that of
    its Secrets."""
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
    """The role to log in to. `{namespace}` stands for the namespace of the ApiKeySecret; of an issuer, for that of
    its Secrets."""
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


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """How to log in: what is posted where below ``auth/`` (nowhere if the token is there), as whom and with what."""

    path: str
    body: dict[str, str] = dataclasses.field(repr=False)
    who: str
    means: str


def way_of(auth: Auth, credentials: Credentials) -> Way:
    """Gather what the login needs."""

    def role(template: str) -> str:
        return template.replace("{namespace}", credentials.namespace)

    def account(ref: ServiceAccountRef | None, audience: str) -> str:
        return credentials.service_account_token(ref, audience, 600).reveal().decode() if ref else ""

    if token := auth.token:
        ref = token.secret_ref
        body = {"token": _text(credentials, ref)}
        return Way("", body, f"the token in Secret {ref.name}", "that it has not expired")
    if app := auth.app_role:
        body = {"role_id": app.role_id, "secret_id": _text(credentials, app.secret_id_ref)}
        means = f"Secret {app.secret_id_ref.name}: secret ids expire and can be used up"
        return Way(f"{app.mount}/login", body, f"appRole.roleId of auth/{app.mount}", means)
    if kube := auth.kubernetes:
        body = {"role": role(kube.role), "jwt": account(kube.service_account_ref, kube.audience)}
        means = f"that it admits ServiceAccount {kube.service_account_ref.name} and audience {kube.audience}"
        return Way(f"{kube.mount}/login", body, f"role {body['role']} of auth/{kube.mount}", means)
    if jwt := auth.jwt:
        value = account(jwt.service_account_ref, jwt.audience) or _text(credentials, jwt.secret_ref)
        body = {"role": role(jwt.role), "jwt": value}
        return Way(f"{jwt.mount}/login", body, f"role {body['role']} of auth/{jwt.mount}", "its audiences and claims")
    if user := auth.user_pass:
        body = {"password": _text(credentials, user.password_ref, rb"[^\x00-\x1f\x7f]+")}
        who = f"user {user.username} of auth/{user.mount}"
        return Way(f"{user.mount}/login/{user.username}", body, who, f"Secret {user.password_ref.name}")
    if cert := auth.cert:
        body = {"name": role(cert.role)} if cert.role else {}
        return Way(f"{cert.mount}/login", body, f"the role of auth/{cert.mount}", "clientCertificate")
    raise _no_way()


def _no_way() -> errors.Stalled:
    return errors.Stalled(Reason.INVALID_SPEC, "has no way to log in", "Set one field of auth")


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
