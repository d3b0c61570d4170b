"""A bucket of S3, or of what speaks like it, whose objects nobody can change or delete before their time (object lock).

Credentials come by the SDK's own default chain: web identity, the instance's or the pod's role, the environment.

Does not belong here: what is delivered when (``copies``), how the bucket is made (``docs/howto/audit-sinks.md``).
"""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
import re
import time
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ... import errors, schema
from ...errors import Reason
from .base import CONTENT_TYPE, MAX_ANSWER, TIMEOUT, Address, Sink, checked, refuse

if TYPE_CHECKING:
    from ...wire import Answer, Server

_BUCKET = re.compile("[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[-_.=a-zA-Z0-9]+(/[-_.=a-zA-Z0-9]+)*")
#: What options have to look like.
_OPTIONS = {
    "ca-file": re.compile("/.+"),
    "endpoint": re.compile("https?://[^/]+"),
    "kms-key": re.compile("[-_:/a-zA-Z0-9]{1,256}"),
    "mode": re.compile("compliance|governance"),
    "region": re.compile("[-a-z0-9]{1,32}"),
    "retain": re.compile(schema.DURATION_PATTERN.strip("^$")),
}
#: Seconds that the SDK may wait for whoever gives it credentials, each time.
_CREDENTIALS = 5.0

#: What S3 says, and what it means.
_STALLED = {
    "AccessDenied": (
        Reason.ACCESS_DENIED,
        "Allow s3:PutObject, s3:GetObject and s3:PutObjectRetention below the prefix",
    ),
    "InvalidAccessKeyId": (Reason.AUTH_FAILED, "Check the credentials of the operator's pod"),
    "SignatureDoesNotMatch": (Reason.AUTH_FAILED, "Check the credentials of the operator's pod, and its clock"),
    "RequestTimeTooSkewed": (Reason.AUTH_FAILED, "Check the clock of the operator's node"),
    "NoSuchBucket": (Reason.NOT_FOUND, "Check the name of the bucket, region and endpoint"),
    "InvalidRequest": (Reason.UNSUPPORTED, "Check that the bucket has object lock"),
    "NotImplemented": (Reason.UNSUPPORTED, "It takes a server with conditional writes and object lock"),
    "KMS.DisabledException": (Reason.ACCESS_DENIED, "Check kms-key"),
    "KMS.NotFoundException": (Reason.NOT_FOUND, "Check kms-key"),
}
_BY_STATUS = {
    401: (Reason.AUTH_FAILED, "Check the credentials of the operator's pod"),
    403: _STALLED["AccessDenied"],
}
#: What we ask of S3; all else is asked by the SDK, for credentials.
_OURS = {"GetObject", "GetObjectLockConfiguration", "PutObject"}
_PASSING = {
    "ConditionalRequestConflict": Reason.CONFLICT,
    "ExpiredToken": Reason.AUTH_FAILED,
    "OperationAborted": Reason.CONFLICT,
    "RequestTimeout": Reason.STORE_TIMEOUT,
}


class S3(Sink, schemes=("s3",)):
    """Segments, each an object that is written once."""

    options = frozenset(_OPTIONS)

    def __init__(self, address: Address, timeout: float = TIMEOUT) -> None:
        super().__init__(address, timeout)
        chosen = address.options
        if not _BUCKET.fullmatch(address.place):
            refuse("names no bucket", "Write it as s3://bucket/prefix")
        self._prefix = address.path.strip("/")
        if self._prefix and not _PREFIX.fullmatch(self._prefix):
            refuse("has a prefix with other signs than letters, digits and -_.=")
        for name, value in chosen.items():
            if not _OPTIONS[name].fullmatch(value):
                refuse(f"cannot use its option {name}", f"See docs/howto/audit-sinks.md for what {name} may be")
        if ("retain" in chosen) != ("mode" in chosen):
            refuse("has one of retain and mode", "Write both, as in retain=365d&mode=compliance; or neither")
        self._retain = schema.seconds(chosen["retain"]) if "retain" in chosen else 0.0
        if "retain" in chosen and not 0 < self._retain <= 100 * 366 * 86_400:
            refuse("has a retain that is no time, or longer than 100 years")
        if "endpoint" in chosen:
            self.plain = checked(chosen["endpoint"]).startswith("http:")
        self._servers: dict[str, Server] = {}
        self._locks = not self._retain
        self._until, self._what = 0.0, ""
        self._answer: Answer | None = None

    @property
    def identity(self) -> str:
        """Bucket and prefix, and whose."""
        return f"{self.label}/{self._prefix} {self.address.options.get('endpoint', '')}".strip()

    def key(self, name: str) -> str:
        """Return where a segment lies."""
        return "/".join(filter(None, (self._prefix, name.rpartition("-")[0], f"{name}.jsonl")))

    def deliver(self, name: str, body: bytes) -> None:
        """Put a segment where nothing is; what lies there already must be the same.

        Raises:
            errors.Stalled: ``AuditTampered``: something else lies there.
        """
        self._until, self._what, self._answer = time.monotonic() + self.timeout, f"segment {name}", None
        with errors.boundary(self._trouble):
            self._see_that_it_locks()
            if not self._put(self.key(name), body) and self._lying(self.key(name), len(body)) != body:
                said = f"holds another object in the place of segment {name}"
                hint = "Find out who wrote it; name another prefix to have all segments copied there"
                raise errors.Stalled(Reason.AUDIT_TAMPERED, said, hint)

    def _see_that_it_locks(self) -> None:
        """Refuse a bucket that would keep nothing from being deleted."""
        if self._locks:
            return
        from botocore.exceptions import ClientError

        try:
            found = self._client.get_object_lock_configuration(Bucket=self.address.place)
        except ClientError as foreign:
            code, status = _said(foreign)
            if code == "AccessDenied":
                said = f"answered {status} when asked whether the bucket has object lock"
                raise errors.Stalled(Reason.ACCESS_DENIED, said, "Allow s3:GetBucketObjectLockConfiguration") from None
            if code != "ObjectLockConfigurationNotFoundError":
                raise
            found = {}
        self._locks = (found.get("ObjectLockConfiguration") or {}).get("ObjectLockEnabled") == "Enabled"
        if not self._locks:
            hint = "Switch object lock on for the bucket, or leave retain and mode out"
            raise errors.Stalled(
                Reason.UNSUPPORTED, "has a bucket without object lock, though retain asks for it", hint
            )

    def _put(self, key: str, body: bytes) -> bool:
        """Put an object; False if something lies there."""
        from botocore.exceptions import ClientError

        chosen = self.address.options
        more: dict[str, Any] = {}
        if self._retain:
            ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self._retain)
            more |= {"ObjectLockMode": chosen["mode"].upper(), "ObjectLockRetainUntilDate": ends}
        if "kms-key" in chosen:
            more |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": chosen["kms-key"]}
        # What is locked must come with a sum of what it is; this one every server knows.
        sum_ = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        try:
            answer = self._client.put_object(
                Bucket=self.address.place,
                Key=key,
                Body=body,
                ContentType=CONTENT_TYPE,
                ContentMD5=sum_,
                IfNoneMatch="*",
                **more,
            )
        except ClientError as foreign:
            if _said(foreign)[1] == 412:
                return False
            raise
        if not answer.get("ETag"):
            # A proxy's page would do for the SDK.
            raise _refusal("", answer["ResponseMetadata"]["HTTPStatusCode"], self._what, None)
        return True

    def _lying(self, key: str, size: int) -> bytes:
        """Return the beginning of an object, a byte more than the size that it should have."""
        from botocore.exceptions import ClientError

        try:
            found = self._client.get_object(Bucket=self.address.place, Key=key, Range=f"bytes=0-{size}")
        except ClientError as foreign:
            if _said(foreign)[1] == 416:  # of nothing there is no first byte
                return b""
            raise
        return bytes(found["Body"].read())

    @functools.cached_property
    def _client(self) -> Any:
        import botocore.config
        import botocore.session

        from ... import botocore_adapter

        endpoint = self.address.options.get("endpoint")
        session = botocore.session.Session()
        session.register_component("data_loader", botocore_adapter.loader())
        # For what it asks to get credentials; what goes to the bucket has a deadline of its own.
        once = {"total_max_attempts": 1}
        session.set_default_client_config(
            botocore.config.Config(connect_timeout=_CREDENTIALS, read_timeout=_CREDENTIALS, retries=once)
        )
        config = botocore.config.Config(
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if endpoint else "auto"},
        )
        region = self.address.options.get("region") or ("us-east-1" if endpoint else None)
        client = session.create_client("s3", region_name=region, endpoint_url=endpoint, config=config)
        client.meta.events.register("before-send.s3", self._send)
        return client

    def _send(self, request: Any, **_: object) -> Any:
        """Send what the SDK has signed: within our deadline, without redirects, proxies and retries."""
        from ... import botocore_adapter

        parts = urllib.parse.urlsplit(request.url)
        server = self._server(f"{parts.scheme}://{parts.netloc}")
        self._answer = answer = botocore_adapter.sent(request, server, self._what, self._until)
        return botocore_adapter.answered(request, answer)

    def _server(self, origin: str) -> Server:
        from ... import wire

        if origin not in self._servers:
            file = self.address.options.get("ca-file")
            self._servers[origin] = wire.Server(origin, wire.trust_also(file) if file else wire.trust(), MAX_ANSWER)
        return self._servers[origin]

    def _trouble(self, foreign: Exception) -> errors.Error:
        """Translate what the SDK raised."""
        from botocore import exceptions, parsers

        if isinstance(foreign, exceptions.ClientError) and foreign.operation_name in _OURS:
            code, status = _said(foreign)
            # The SDK calls a success 500 whose body is none of S3's.
            return _refusal(code, self._answer.status if self._answer else status, self._what, self._answer)
        sent = f"could not be sent {self._what}"
        if self._answer and isinstance(foreign, parsers.ResponseParserError):
            # It was no XML: somebody else's answer, such as a proxy's.
            return _refusal("", self._answer.status, self._what, self._answer)
        if isinstance(foreign, exceptions.ClientError) and 400 <= _said(foreign)[1] < 500:
            said = f"{sent}: STS answered {_said(foreign)[1]} when asked for credentials"
            return errors.Stalled(Reason.AUTH_FAILED, said, "Check the role, and whom it trusts")
        if isinstance(foreign, exceptions.ClientError | exceptions.ConnectionError | exceptions.HTTPClientError):
            said = f"{sent}: whoever gives credentials for it does not answer"
            return errors.Outage(Reason.STORE_UNREACHABLE, said, "Check STS and the network policies")
        if isinstance(foreign, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
            hint = "Give the operator's ServiceAccount a role, or its pod AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            return errors.Stalled(Reason.CREDENTIAL_MISSING, f"{sent}: there are no credentials for it", hint)
        said = f"{sent} ({type(foreign).__name__} at {errors.place_of(foreign)})"
        return errors.Retry(Reason.INTERNAL_ERROR, said)


def _said(foreign: Any) -> tuple[str, int]:
    """Return the code and the status of an answer."""
    answer: Mapping[str, Any] = foreign.response
    code = str((answer.get("Error") or {}).get("Code", ""))
    return code, int((answer.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0)


def _refusal(code: str, status: int, what: str, answer: Answer | None) -> errors.Error:
    """Say what an answer means that takes nothing; codes are shown that are known here."""
    after = answer.retry_after if answer else None
    known = code in _STALLED or code in _PASSING
    said = f"answered {status}{f' ({code})' if known else ''} for {what}"
    if code in _PASSING:
        return errors.Retry(_PASSING[code], said, after=after)
    if status in (429, 503):
        return errors.Outage(Reason.STORE_RATE_LIMITED, said, after=after)
    if status >= 500:
        return errors.Outage(Reason.STORE_ERROR, said, after=after)
    if status < 400:
        return errors.Outage(Reason.STORE_ANSWER_INVALID, f"{said}, and not in the form of its answers")
    reason, hint = _STALLED.get(code) or _BY_STATUS.get(status, (Reason.UNSUPPORTED, "Check the address of the sink"))
    return errors.Stalled(reason, said, hint)
