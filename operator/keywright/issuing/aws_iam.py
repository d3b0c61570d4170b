"""AWS IAM: access keys of a user, of whom each has two at most, whether they are switched on or off.

Keys have no names: a new one is known by when it was made, and by not having been there before. So nobody else may make
keys of a user while one is rotated.

Facts: the API reference of IAM (CreateAccessKey has no token by which a second call would be known for the same).

Does not belong here: keys of Bedrock, roles (they have no keys to rotate), the user and its rights.
"""

from __future__ import annotations

import logging
import re
import urllib.parse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic

from .. import dates, errors
from ..schema import CaProvider, SecretKeyRef, Spec, Url, canonical_url
from ..secret import SecretMap
from ..stores.base import Credentials
from . import _admin
from .base import Issued, Issuing, Listed, Order, Way

if TYPE_CHECKING:
    from ..wire import Answer

#: Of each partition, where IAM is and in which region its requests are signed.
_PLACES = {
    "aws": ("https://iam.amazonaws.com", "us-east-1"),
    "aws-cn": ("https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    "aws-us-gov": ("https://iam.us-gov.amazonaws.com", "us-gov-west-1"),
}

_REFUSAL = re.compile(rb"\A[^{]{0,200}?<ErrorResponse\b.{0,400}?<Code>([A-Za-z.]{1,64})</Code>", re.DOTALL)
#: How IAM calls what is not there; the user it may be, or the key.
_ABSENT = "NoSuchEntity"
_CODES = {
    *("AccessDenied", "IncompleteSignature", "InvalidClientTokenId", "LimitExceeded", "SignatureDoesNotMatch", _ABSENT),
    *(
        "EntityTemporarilyUnmodifiable",
        "ExpiredToken",
        "RequestExpired",
        "ServiceFailure",
        "Throttling",
        "ValidationError",
    ),
}
#: What time fixes, whatever its status is.
_PASSING = {"EntityTemporarilyUnmodifiable", "Throttling"}

_RIGHTS = (
    "Check the admin's access key, and allow it iam:CreateAccessKey, ListAccessKeys, GetAccessKeyLastUsed, "
    "UpdateAccessKey and DeleteAccessKey on that user"
)


class AwsIam(Issuing, name="awsIam", title="AWS IAM", way=Way.ISSUE, issuer="aws"):
    """Access keys of one user."""

    class Config(Spec):
        """Whose access keys are made, and by what right."""

        user: Annotated[str, pydantic.StringConstraints(max_length=64, pattern="^[A-Za-z0-9_+=,.@-]+$")]
        """Name of the IAM user, without its path. Nobody else may make keys for it while one is made here: from 5
        minutes before a new key is asked for to 5 minutes after."""
        partition: Literal["aws", "aws-cn", "aws-us-gov"] = "aws"
        """Which AWS: `aws`, `aws-cn` (China) or `aws-us-gov` (GovCloud). Default `aws`."""
        endpoint: Url | None = None
        """Another address than IAM's own, for example of a VPC endpoint."""
        ca_provider: CaProvider | None = None
        """CA certificates that the endpoint's certificate must chain to. Omitted, the usual public ones."""
        access_key_id_ref: SecretKeyRef
        """Entry that holds the id of the access key which may make and delete others."""
        secret_access_key_ref: SecretKeyRef
        """Entry that holds its secret."""

    slots = 2
    names = False
    reads_handle = True
    ids = frozenset({"accessKeyId"})

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        self._config, self._credentials, self._timeout = config, credentials, timeout
        self._address, self._region = _PLACES[config.partition]
        self._address = config.endpoint or self._address
        self.address = canonical_url(self._address)
        self._admin = _admin.Admin(
            self._address, config.ca_provider, credentials, timeout=timeout, word=_word, rights=_RIGHTS
        )

    @property
    def account(self) -> str:
        """The user; whose names differ in more than upper and lower case. The account is what the access key says."""
        return f"{self._config.partition}/{self._config.user.lower()}"

    def issue(self, order: Order) -> Issued:
        """Have an access key made; it may take a while until it is known everywhere."""
        with self._admin.asked("a new key") as asking:
            made = self._iam(asking).call("CreateAccessKey", UserName=self._config.user).get("AccessKey") or {}
            parts = {"accessKeyId": made.get("AccessKeyId"), "secretAccessKey": made.get("SecretAccessKey")}
            values = {name: asking.value(found) for name, found in parts.items()}
            return Issued(values, asking.handle(made.get("AccessKeyId")))

    def keys(self, order: Order) -> Sequence[Listed]:
        """List the access keys of the user; of the old one also when it was last used."""
        with self._admin.asked("the list of keys") as asking:
            iam = self._iam(asking)
            old = order.handle or (order.old["accessKeyId"].reveal().decode() if "accessKeyId" in order.old else None)
            return [self._listed(asking, each, order, old, iam) for each in self._keys(iam)]

    def _keys(self, iam: _Iam) -> list[dict[str, Any]]:
        found = iam.call("ListAccessKeys", UserName=self._config.user)
        if found.get("IsTruncated"):
            iam.asking.strange()
        return iam.asking.items(found.get("AccessKeyMetadata"))

    def _listed(self, asking: _admin.Asking, key: dict[str, Any], order: Order, old: str | None, iam: _Iam) -> Listed:
        handle, made = asking.handle(key.get("AccessKeyId")), key.get("CreateDate")
        since = made.timestamp() if made else None
        used = iam.call("GetAccessKeyLastUsed", AccessKeyId=handle).get("AccessKeyLastUsed") if handle == old else None
        last = (used or {}).get("LastUsedDate")
        return Listed(
            handle,
            ours=handle != old and order.made(handle, since, self._timeout),
            is_old=handle == old,
            disabled=key.get("Status") != "Active",
            created_at=dates.of_unix(since),
            used_at=last.timestamp() if last else None,
        )

    def revoke(self, handle: str, staying: SecretMap) -> None:
        """Delete an access key."""
        with self._admin.asked("the revocation of a key") as asking:
            iam = self._iam(asking)
            if not iam.call("DeleteAccessKey", absent=True, UserName=self._config.user, AccessKeyId=handle):
                # The key it is that is not there, not the user.
                refusal = iam.refusal()
                if any(each.get("AccessKeyId") == handle for each in self._keys(iam)):
                    raise refusal

    def disable(self, handle: str) -> None:
        """Switch an access key off."""
        self._switch(handle, "Inactive")

    def enable(self, handle: str) -> None:
        """Switch an access key on."""
        self._switch(handle, "Active")

    def _switch(self, handle: str, status: str) -> None:
        with self._admin.asked("switching a key off or on") as asking:
            self._iam(asking).call("UpdateAccessKey", UserName=self._config.user, AccessKeyId=handle, Status=status)

    def _iam(self, asking: _admin.Asking) -> _Iam:
        import botocore.config
        import botocore.session

        from .. import botocore_adapter

        # It would log what it signs.
        logging.getLogger("botocore.auth").disabled = True
        session = botocore.session.Session()
        session.register_component("data_loader", botocore_adapter.loader())
        key, secret = (
            _admin.token(self._credentials, ref)
            for ref in (self._config.access_key_id_ref, self._config.secret_access_key_ref)
        )
        client = session.create_client(
            "iam",
            region_name=self._region,
            endpoint_url=self._address,
            aws_access_key_id=key.reveal().decode("ascii"),
            aws_secret_access_key=secret.reveal().decode("ascii"),
            # A key that is asked for twice is made twice.
            config=botocore.config.Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )
        return _Iam(self._admin, asking, client)


class _Iam:
    """The SDK's client, for one call of ours."""

    def __init__(self, admin: _admin.Admin, asking: _admin.Asking, client: Any) -> None:
        self.asking = asking
        self._admin, self._client = admin, client
        self._answer: Answer | None = None
        self._error: errors.Error | None = None
        client.meta.events.register("before-send.iam", self._send)

    def call(self, operation: str, *, absent: bool = False, **fields: str) -> dict[str, Any]:
        """Send one request.

        Args:
            absent: whether it may be about what is not there: nothing is returned then.
        """
        self._answer = self._error = None
        method = re.sub("(?<!^)([A-Z])", r"_\1", operation).lower()
        try:
            with errors.boundary(self._trouble):
                found: dict[str, Any] = getattr(self._client, method)(**fields)
        except errors.Stalled:
            if absent and self._answer and _word(self._answer) == _ABSENT:
                return {}
            raise
        # To the SDK any XML would do, a proxy's page too.
        if not self._answer or not re.match(rb"\A[^{]{0,200}?<%sResponse\b" % operation.encode(), self._answer.data):
            self.asking.strange()
        return found

    def refusal(self) -> errors.Error:
        """Return what the last answer means by which nothing was done."""
        return self._trouble(ValueError())

    def _send(self, request: Any, **_: object) -> Any:
        """Send what the SDK has signed, within our deadline."""
        from .. import botocore_adapter

        headers = botocore_adapter.headers_of(request)
        headers.pop("User-Agent", None)
        target = request.url.partition(urllib.parse.urlsplit(request.url).netloc)[2]
        below = urllib.parse.urlsplit(self._client.meta.endpoint_url).path.rstrip("/")
        try:
            answer = self._admin.send(
                self.asking, request.method, target.removeprefix(below) or "/", headers, request.body or b""
            )
        except errors.Error as error:
            # The SDK would put it into one of its own.
            self._error = error
            raise
        self._answer = answer
        return botocore_adapter.answered(request, answer)

    def _trouble(self, foreign: Exception) -> errors.Error:
        """Say what came of a request that the SDK calls a failure."""
        if self._error:
            return self._error
        answer = self._answer
        if answer is None:
            said = f"could not be asked for {self.asking.what} ({type(foreign).__name__} at {errors.place_of(foreign)})"
            return errors.Retry(errors.Reason.INTERNAL_ERROR, said)
        if _word(answer) in _PASSING:
            said = f"answered {answer.status} ({_word(answer)}) for {self.asking.what}"
            return errors.Outage(errors.Reason.ISSUER_UNAVAILABLE, said, after=answer.retry_after)
        if 200 <= answer.status < 300:
            said = f"answered {answer.status} for {self.asking.what}, and not in the form of its answers"
            return errors.Outage(errors.Reason.ISSUER_ANSWER_INVALID, said, "Check the address")
        return self._admin.refusal(self.asking, answer)


def _word(answer: Answer) -> str | None:
    """Return why IAM refuses, if it is IAM that does."""
    found = _REFUSAL.match(answer.data)
    code = found[1].decode() if found else None
    return code if code is None or code in _CODES else ""
