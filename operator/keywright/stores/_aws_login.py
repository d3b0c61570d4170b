"""How AWS is logged in to: access keys out of Secrets, a ServiceAccount's token, and roles that are assumed.

Does not belong here: what Secrets Manager is asked, and when (``aws``).
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import pydantic

from .. import errors, schema
from ..errors import Reason
from ..schema import Cel, OneOf, Renamed, SecretKeyRef, ServiceAccountRef, Spec
from ..secret import SecretValue
from ._aws_said import BAD_KEYS, bad_keys, trouble
from .base import Credentials

if TYPE_CHECKING:
    from ..botocore_adapter import Keys, Reply, Service

_ROLE = r"^arn:aws[-a-z]*:iam::[0-9]{12}:role/([-+=,.@_/a-zA-Z0-9]|\{namespace\})+$"

RoleArn = Annotated[str, pydantic.StringConstraints(max_length=2048, pattern=_ROLE)]
ExternalId = Annotated[str, pydantic.StringConstraints(min_length=2, max_length=1224, pattern=r"^[-\w+=,.@:/]+$")]

#: Seconds after which access keys are read anew: those that were taken away or replaced are not used for ever.
LASTS = 900.0

#: What STS says where it does not let a role be assumed.
_NOT_ASSUMED = frozenset(
    ("AccessDenied", "AccessDeniedException", "IDPRejectedClaim", "InvalidIdentityToken", "RegionDisabledException")
)


class AccessKeyAuth(Spec):
    """An access key of an IAM user, or a temporary one."""

    access_key_id_secret_ref: SecretKeyRef
    """Entry that holds the id: `AKIA…`, or `ASIA…` of a temporary key."""
    secret_access_key_secret_ref: SecretKeyRef
    """Entry that holds the secret access key."""
    session_token_secret_ref: SecretKeyRef | None = None
    """Entry that holds the session token of a temporary key."""


class WebIdentityAuth(Spec):
    """A ServiceAccount's token, for which STS gives temporary keys of a role (AssumeRoleWithWebIdentity)."""

    role: RoleArn
    """ARN of the role, which trusts the cluster's OIDC provider. `{namespace}` stands for the namespace of the
    ApiKeySecret."""
    service_account_ref: ServiceAccountRef
    """The ServiceAccount whose token is asked for."""
    audience: schema.Visible = "sts.amazonaws.com"
    """Audience of the token. Default `sts.amazonaws.com`."""


class AwsAuth(Spec):
    """How to log in; exactly one of these."""

    cel: ClassVar[tuple[Cel | OneOf, ...]] = (OneOf(("access_key", "web_identity")),)
    renamed = (Renamed("secretRef", "auth.accessKey"), Renamed("jwt", "auth.webIdentity"))

    access_key: AccessKeyAuth | None = None
    """An access key."""
    web_identity: WebIdentityAuth | None = None
    """A ServiceAccount's token."""


@dataclasses.dataclass(frozen=True, slots=True)
class Granted:
    """Keys that a login gave: for how many seconds, and whose they are, as it stands in errors."""

    keys: Keys
    seconds: float
    who: str


@dataclasses.dataclass(frozen=True, slots=True)
class Sts:
    """STS as one login asks it.

    Attributes:
        opened: gives the service for keys; None: nothing is signed.
        deadline: on the clock ``time.monotonic()``.
    """

    opened: Any
    credentials: Credentials
    deadline: float

    def granted(self, auth: AwsAuth, role: str | None, external_id: str | None) -> Granted:
        """Return the keys to ask Secrets Manager with."""
        first = self._first(auth)
        if not role:
            return first
        named = _filled(role, self.credentials)
        more = {"ExternalId": external_id} if external_id else {}
        return self._assumed(self.opened(first.keys), "assume_role", named, f"role {named} as {first.who}", **more)

    def _first(self, auth: AwsAuth) -> Granted:
        from ..botocore_adapter import Keys

        if key := auth.access_key:
            refs = (key.access_key_id_secret_ref, key.secret_access_key_secret_ref, key.session_token_secret_ref)
            key_id, secret, session = (_text(self.credentials, ref) if ref else None for ref in refs)
            if key_id and secret:
                return Granted(Keys(key_id, secret, session), LASTS, f"the access key in Secret {refs[0].name}")
        if web := auth.web_identity:
            named, account = _filled(web.role, self.credentials), web.service_account_ref
            token = self.credentials.service_account_token(account, web.audience, 600).reveal().decode()
            who = f"role {named} as ServiceAccount {account.name}"
            return self._assumed(self.opened(None), "assume_role_with_web_identity", named, who, WebIdentityToken=token)
        raise errors.Stalled(Reason.INVALID_SPEC, "has no way to log in", "Set one field of aws.auth")

    def _assumed(self, sts: Service, operation: str, role: str, who: str, **more: str) -> Granted:
        from ..botocore_adapter import Keys

        session = f"keywright-{self.credentials.namespace}"[:64]
        reply = sts.ask(operation, who, self.deadline, RoleArn=role, RoleSessionName=session, **more)
        if reply.body is None:
            raise _refused(reply, who)
        given: Mapping[str, Any] = reply.body.get("Credentials") or {}
        ends = given.get("Expiration")
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        parts = [SecretValue(str(given[name])) for name in names if given.get(name)]
        if len(parts) < 3 or not isinstance(ends, datetime.datetime):
            raise errors.Outage(Reason.STORE_ANSWER_INVALID, f"{reply.said} without keys", "Check aws.stsEndpoint")
        return Granted(Keys(*parts), max(1.0, ends.timestamp() - time.time()), who)


def _refused(reply: Reply, who: str) -> errors.Error:
    if reply.code in BAD_KEYS:
        return errors.Stalled(Reason.AUTH_FAILED, *bad_keys(reply, who.rpartition(" as ")[2]))
    if reply.code in _NOT_ASSUMED:
        hint = "Check the role's trust policy: audience, subject and external id"
        return errors.Stalled(Reason.AUTH_FAILED, f"{reply.said} ({reply.code})", hint)
    if reply.code in ("ValidationError", "MalformedPolicyDocument", "PackedPolicyTooLarge"):
        return errors.Stalled(Reason.AUTH_FAILED, f"{reply.said} ({reply.code})", "Check the role's ARN")
    return trouble(reply)


def _filled(role: str, credentials: Credentials) -> str:
    return role.replace("{namespace}", credentials.namespace)


def _text(credentials: Credentials, ref: SecretKeyRef) -> SecretValue:
    """Return a part of a key. A line break at its end is a slip, not part of it, and is refused."""
    value = credentials.secret(ref)
    if re.fullmatch(rb"[!-~]{1,4096}", value.reveal()):
        return value
    said = f"needs text without line breaks to log in, but entry {ref.key} of Secret {ref.name} is not"
    raise errors.Stalled(Reason.AUTH_FAILED, said, "Write it without a line break at its end")
