"""AWS Secrets Manager.

Reads by name or ARN, and always names a version or a stage. botocore knows the API, ``wire`` sends.

Does not belong here: when to log in again, retries, caching, threads (``engine/fetch.py``); which addresses may be
connected to (the egress guard); choosing a property (``decide/render.py``).
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import pydantic

from .. import dates, errors, schema
from ..errors import Reason
from ..schema import CaProvider, Cel, OneOf, Renamed, Spec
from ..secret import SecretValue
from ._aws_login import AwsAuth, ExternalId, RoleArn, Sts
from ._aws_said import BAD_KEYS, bad_keys, refused, trouble
from ._aws_write import Place, see_that_it_fits
from .base import Content, Credentials, Fetched, Location, Mark, Ref, Store

if TYPE_CHECKING:
    from ..botocore_adapter import Keys, Reply, Service

Region = Annotated[str, pydantic.StringConstraints(max_length=32, pattern="^[a-z]{2,}(-[a-z]+)+-[0-9]+$")]

_NAME = re.compile(r"[-/_+=.@!a-zA-Z0-9]{1,512}|arn:aws[-a-z]*:secretsmanager:[-a-z0-9]+:\d{12}:secret:[-/_+=.@!\w]+")
#: An ARN of a secret: region, account, name, and what may be the six characters that AWS puts behind it.
_ARN = re.compile(r"arn:[^:]+:secretsmanager:([^:]+):(\d{12}):secret:(.+?)(-[a-zA-Z0-9]{6})?")
#: Versions are called by what made them: a UUID, or another token of 32 characters and more. Stages are shorter.
_VERSION = re.compile("[-a-zA-Z0-9]{32,64}")
_STAGE = re.compile("[-/_+=.@a-zA-Z0-9]{1,256}")
_PREVIOUS = "AWSPREVIOUS"


class SecretsManager(Store, name="aws"):
    """AWS Secrets Manager, in one region."""

    class Config(Spec):
        """How to reach AWS Secrets Manager in one region."""

        cel: ClassVar[tuple[Cel | OneOf, ...]] = (
            Cel("!has(self.externalId) || has(self.role)", "externalId needs role"),
        )
        renamed = (Renamed("service", "spec.aws, which is Secrets Manager"), Renamed("externalID", "externalId"))

        region: Region
        """Region, for example `eu-central-1`."""
        role: RoleArn | None = None
        """ARN of a role to assume after the login (AssumeRole). `{namespace}` stands for the namespace of the
        ApiKeySecret."""
        external_id: ExternalId | None = None
        """External id that the role's trust policy asks for."""
        endpoint: schema.Url | None = None
        """Address of Secrets Manager, for example of a VPC endpoint. Omitted, the region's usual one."""
        sts_endpoint: schema.Url | None = None
        """Address of STS. Omitted, the region's usual one."""
        ca_provider: CaProvider | None = None
        """CA certificates that the servers' certificates must chain to. Omitted, the usual public ones."""
        auth: AwsAuth
        """How to log in."""

    @classmethod
    def identity(cls, config: Config, namespace: str) -> str:
        """Return the namespace where the login depends on it, else nothing."""
        return namespace if config.auth.web_identity or "{namespace}" in (config.role or "") else ""

    @classmethod
    def locate(cls, config: Config, path: str, namespace: str, home: str) -> Location:
        """Say where a secret lies: in an account, as its ARN or that of a role tells it; whoever asks, and where."""
        role = config.role or (config.auth.web_identity and config.auth.web_identity.role) or ""
        region, account, name, more = config.region, role.split(":")[4] if role else "", path, None
        if named := _ARN.fullmatch(path):
            region, account, name, more = named.groups()
        place = cls.location(config.model_copy(update={"region": region, "role": None, "endpoint": None}), namespace)
        # AWS takes an ARN without them as well, of which the end may look like them.
        return Location(f"{place} {name}", account, f"{place} {name}{more}" if more else "")

    @classmethod
    def previous(cls, version: str) -> str | None:
        """Return the stage of the version that was current before; of no other it is known which came before."""
        return _PREVIOUS if version and version != _PREVIOUS else None

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        self._config = config
        self._credentials = credentials
        self._timeout = timeout
        self._held: _Held | None = None

    def login(self) -> float | None:
        """Get keys, assuming roles where that is said, and see whether Secrets Manager takes them."""
        config, deadline = self._config, self._deadline
        ca = self._credentials.ca(config.ca_provider) if config.ca_provider else None

        def sts(keys: Keys | None) -> Service:
            return _service("sts", config, config.sts_endpoint, ca, keys)

        granted = Sts(sts, self._credentials, deadline).granted(config.auth, config.role, config.external_id)
        held = _Held(_service("secretsmanager", config, config.endpoint, ca, granted.keys), granted.who)
        reply = held.greet(deadline)
        if reply.code in BAD_KEYS:
            raise errors.Stalled(Reason.AUTH_FAILED, *bad_keys(reply, held.who))
        if not _is_taken(reply):
            raise trouble(reply)
        self._held = held
        return granted.seconds

    def accepted(self) -> bool:
        """Ask Secrets Manager whether it takes the keys."""
        if not (held := self._held):
            return False
        reply = held.greet(self._deadline)
        if not _is_taken(reply) and reply.code not in BAD_KEYS:
            raise trouble(reply)
        return _is_taken(reply)

    def fetch(self, ref: Ref) -> Fetched:
        """Read one secret: the version that is current, or the one or the stage that is asked for."""
        held = self._login_for(ref)
        what = f"{ref.path} version {ref.version}" if ref.version else ref.path
        reply = held.service.ask("get_secret_value", what, self._deadline, SecretId=_named(ref), **_which(ref))
        if reply.body is None:
            raise refused(reply, held.who)
        if not _is_of(reply.body, ref):
            said = f"{reply.said} with another secret, or without its version"
            raise errors.Outage(Reason.STORE_ANSWER_INVALID, said, "Check aws.endpoint")
        return _fetched(reply)

    def write(self, ref: Ref, content: Content, *, expected: str | None, token: str) -> str:
        """Replace a secret's value, making the secret where nothing is expected; see ``Store.write``."""
        see_that_it_fits(content, ref.path)
        return self._place(ref).write(content, expected, token)

    def claim(self, ref: Ref, mark: Mark, over: Mark) -> Mark:
        """Mark a secret by tags; see ``Store.claim``."""
        return self._place(ref).claim(mark, over)

    def mark(self, ref: Ref) -> Mark:
        """Return the mark that a secret has; see ``Store.mark``."""
        return self._place(ref).mark()

    def release(self, ref: Ref, mark: Mark) -> None:
        """Take a mark away; see ``Store.release``."""
        self._place(ref).release(mark)

    def _place(self, ref: Ref) -> Place:
        held, name = self._login_for(ref), _named(ref)
        ask = functools.partial(held.service.ask, what=ref.path, deadline=self._deadline)
        return Place(ask, lambda version: self.fetch(Ref(name, version)), name, held.who)

    def _login_for(self, ref: Ref) -> _Held:
        if self._held is None:
            raise errors.LoginExpired(Reason.AUTH_FAILED, f"is not logged in to, for {ref.path}")
        return self._held

    def close(self) -> None:
        """Forget the keys: what STS gave ends by itself."""
        self._held = None

    @property
    def _deadline(self) -> float:
        return time.monotonic() + self._timeout


@dataclasses.dataclass(frozen=True, slots=True)
class _Held:
    """A login: Secrets Manager as it is asked with its keys, and whose they are."""

    service: Service
    who: str

    def greet(self, deadline: float) -> Reply:
        """Ask for what costs nothing and is about no secret. That it is denied proves the keys as well."""
        return self.service.ask("get_random_password", "a random password", deadline, PasswordLength=8)


def _service(name: str, config: SecretsManager.Config, endpoint: str | None, ca: str | None, keys: Any) -> Service:
    from ..botocore_adapter import Service

    return Service(name, config.region, endpoint, ca, keys)


def _is_taken(reply: Reply) -> bool:
    found = isinstance((reply.body or {}).get("RandomPassword"), str)
    return found or reply.code == "AccessDeniedException"


def _named(ref: Ref) -> str:
    """Return what a secret is called, if it can be called so."""
    if _NAME.fullmatch(ref.path):
        return ref.path
    said = f"has no secret {ref.path}: names are made of letters, digits and /_+=.@!-, or are a whole ARN"
    raise errors.Stalled(Reason.NOT_FOUND, said, "Check the path")


def _which(ref: Ref) -> Mapping[str, str]:
    """Return what is asked for: without a stage, a read may be of an older version."""
    if ref.version is None:
        return {"VersionStage": "AWSCURRENT"}
    if _VERSION.fullmatch(ref.version):
        return {"VersionId": ref.version}
    if _STAGE.fullmatch(ref.version):
        return {"VersionStage": ref.version}
    said = f"calls versions by ids and stages, unlike what is asked of {ref.path}"
    raise errors.Stalled(Reason.UNSUPPORTED, said, "Correct remoteRef.version, or omit it")


def _is_of(body: Mapping[str, Any], ref: Ref) -> bool:
    """Whether an answer is about what was asked for. A whole ARN may be asked for without its last six signs."""
    shown = body.get("Name") if not ref.path.startswith("arn:") else str(body.get("ARN"))[: len(ref.path)]
    return shown == ref.path and bool(body.get("VersionId"))


def _fetched(reply: Reply) -> Fetched:
    body = reply.body or {}
    raw = body.get("SecretString", body.get("SecretBinary"))
    if not isinstance(raw, str | bytes):
        said = f"{reply.said} without a value"
        raise errors.Outage(Reason.STORE_ANSWER_INVALID, said, "Check aws.endpoint")
    with errors.boundary(lambda _: errors.Outage(Reason.STORE_ANSWER_INVALID, f"{reply.said} with broken Unicode")):
        value = SecretValue(raw)
    is_map = isinstance(raw, str) and _is_map(raw)
    return Fetched(value, is_map, str(body["VersionId"]), dates.moment(str(body.get("CreatedDate"))))


def _is_map(text: str) -> bool:
    """Whether a text is a JSON map. Numbers that JSON does not have are not in one."""
    try:
        return isinstance(json.loads(text, parse_constant=_no_number), dict)
    except (ValueError, RecursionError):
        return False


def _no_number(_: str) -> None:
    raise ValueError
