"""AWS Secrets Manager and STS as moto has them, held to what AWS documents where moto is lax.

moto looks at no signature, has no rights, no limits and no throttling, and overwrites what is pending. All of that is
looked at here, in front of it.

Does not belong here: STS as it judges a key (``vendors/aws``), S3 (``receivers``).
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import functools
import hmac
import http.client
import json
import logging
import re
import ssl
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import botocore.config
import botocore.session
from moto.secretsmanager.models import secretsmanager_backends
from moto.server import ThreadedMotoServer

from vendors.aws import AUTHORIZATION, signature
from vendors.base import ALNUM, Request, Response, word
from vendors.server import MoodyServer

REGION = "eu-central-1"
#: Bytes of a value.
LARGEST = 65_536
_NAME = re.compile(r"[-/_+=.@!a-zA-Z0-9]{1,512}|arn:aws:secretsmanager:.*")
_JSON = {"Content-Type": "application/x-amz-json-1.1"}


@dataclasses.dataclass
class Principal:
    """Who may ask: an access key, what it is denied, and when it ends (seconds since 1970)."""

    parts: Mapping[str, str]
    denied: set[str] = dataclasses.field(default_factory=set)
    ends: float = float("inf")
    active: bool = True


@dataclasses.dataclass
class Role:
    """A role: subjects of tokens that may assume it, the external id that others must say, and what it is denied."""

    subjects: set[str] = dataclasses.field(default_factory=set)
    external_id: str = ""
    denied: set[str] = dataclasses.field(default_factory=set)


class Refused(Exception):
    """A refusal in AWS's own form."""

    def __init__(self, code: str, text: str = "", status: int = 400) -> None:
        super().__init__(code)
        self.code, self.text, self.status = code, text, status


class Amazon:
    """One account of AWS on loopback.

    Attributes:
        url: where both services answer.
        client: the vendor's own client, as an administrator uses it.
        principals: by id of the access key.
        roles: by ARN.
        audience: what a token must be for.
        script: what is answered to the next requests to Secrets Manager instead, oldest first.
        lost: operations whose next answer does not arrive, though they were done.
        rotated: names of secrets that AWS rotates.
        before: called before an operation, by its name: what happens in between.
    """

    def __init__(self, moto: tuple[str, int], context: ssl.SSLContext | None = None) -> None:
        self._moto, self._lock = moto, threading.RLock()
        self.account = word(12, "123456789")
        self.audience = "sts.amazonaws.com"
        self.principals: dict[str, Principal] = {}
        self.roles: dict[str, Role] = {}
        self.script: list[Response] = []
        self.lost: list[str] = []
        self.rotated: set[str] = set()
        self.before: dict[str, Callable[[], object]] = {}
        self._tokens: dict[tuple[str, str], str] = {}
        self.server = MoodyServer(self.answer, context)
        self.url = self.server.url
        self.client = self.client_of(self.user())

    def user(self, *denied: str) -> dict[str, str]:
        """Make an access key."""
        parts = {"accessKeyId": f"AKIA{word(16, 'ABCDEFGHIJKLMNOP234567')}", "secretAccessKey": word(40, ALNUM + "+/")}
        self.principals[parts["accessKeyId"]] = Principal(parts, set(denied))
        return parts

    def role(self, name: str, *subjects: str, external_id: str = "") -> str:
        """Make a role, and return its ARN."""
        arn = f"arn:aws:iam::{self.account}:role/{name}"
        self.roles[arn] = Role(set(subjects), external_id)
        return arn

    def client_of(self, parts: Mapping[str, str]) -> Any:
        """Return the vendor's own client for a key."""
        return _session().create_client(
            "secretsmanager",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=parts["accessKeyId"],
            aws_secret_access_key=parts["secretAccessKey"],
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def put(self, name: str, value: str | bytes) -> str:
        """Give a secret a new value, making it where it is not there; return the version's id."""
        kind = {"SecretString": value} if isinstance(value, str) else {"SecretBinary": value}
        with contextlib.suppress(self.client.exceptions.ResourceNotFoundException):
            return str(self.client.put_secret_value(SecretId=name, **kind)["VersionId"])
        return str(self.client.create_secret(Name=name, **kind)["VersionId"])

    def stages(self, name: str) -> dict[str, list[str]]:
        """Return the stages of a secret's versions, by their ids; versions without one are left out."""
        found = self.client.describe_secret(SecretId=name).get("VersionIdsToStages", {})
        return {version: sorted(stages) for version, stages in found.items() if stages}

    def asked(self, operation: str) -> int:
        """Count how often something was asked."""
        wanted = {f"secretsmanager.{operation}".encode(), f"Action={operation}&".encode()}
        return sum(
            request.headers.get("x-amz-target", "").encode() in wanted or any(each in request.body for each in wanted)
            for request in self.server.requests
        )

    def says(self, code: str, status: int = 400, text: str = "", **headers: str) -> None:
        """Have the next request to Secrets Manager answered by a refusal."""
        self.script.append(_refusal(Refused(code, text, status), headers))

    def answer(self, request: Request) -> Response | None:
        """Answer as AWS does; None: the answer is lost."""
        try:
            return self._answer(request)
        except Refused as refused:
            sts = "x-amz-target" not in request.headers
            return _refusal_of_sts(refused) if sts else _refusal(refused, {})

    def _answer(self, request: Request) -> Response | None:
        target = request.headers.get("x-amz-target", "")
        if not target:
            return self._sts(request)
        operation = target.partition(".")[2]
        if operation in self.before:
            self.before.pop(operation)()
        with self._lock:
            if self.script:
                return self.script.pop(0)
            who = self._who(
                request, "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException"
            )
            if operation in who.denied:
                raise Refused("AccessDeniedException", f"User {who.parts['accessKeyId']} is not authorized")
            answer = self._secrets(operation, request)
        if operation in self.lost:
            self.lost.remove(operation)
            return None
        return answer

    def _who(self, request: Request, unknown: str, unlike: str, ended: str) -> Principal:
        """Return who has signed a request."""
        shown = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if not shown:
            raise Refused("MissingAuthenticationToken", status=403)
        who = self.principals.get(shown["id"])
        session = request.headers.get("x-amz-security-token")
        if not who or not who.active or session != who.parts.get("sessionToken"):
            raise Refused(unknown, f"The security token {shown['id']} is invalid")
        if not hmac.compare_digest(signature(request, who.parts, shown), shown["signature"]):
            raise Refused(unlike, f"The signature of {shown['id']} does not match")
        if who.ends < time.time():
            raise Refused(ended, "The security token included in the request is expired")
        return who

    def _secrets(self, operation: str, request: Request) -> Response:
        asked = json.loads(request.body)
        name = asked.get("Name", asked.get("SecretId", "x"))
        if not _NAME.fullmatch(name):
            raise Refused("ValidationException", f"Invalid name {name}")
        value = asked.get("SecretString", "").encode() or base64.b64decode(asked.get("SecretBinary", ""))
        if len(value) > LARGEST:
            raise Refused("ValidationException", "Value failed to satisfy constraint: length <= 65536")
        if operation in ("CreateSecret", "PutSecretValue"):
            self._once(name, asked.get("ClientRequestToken", ""), value)
        answer = self._forward(request)
        told = json.loads(answer.body)
        if operation == "DescribeSecret" and name in self.rotated:
            answer = dataclasses.replace(answer, body=json.dumps(told | {"RotationEnabled": True}).encode())
        if "marked deleted" in str(told) or (operation == "CreateSecret" and "scheduled for deletion" in str(told)):
            raise Refused("InvalidRequestException", "You can't perform this: the secret was marked for deletion.")
        if operation == "PutSecretValue" and "AWSPENDING" in asked.get("VersionStages", ()) and answer.status == 200:
            self._only(name, told["VersionId"])
        return Response(
            400 if answer.status == 404 else answer.status, answer.body, {**answer.headers, **_request_id()}
        )

    def _once(self, name: str, token: str, value: bytes) -> None:
        """Refuse another value under a token that is used up."""
        known = self._tokens.setdefault((name, token), value.hex())
        if known != value.hex():
            raise Refused("ResourceExistsException", "You can't use ClientRequestToken again: its value differs")

    def _only(self, name: str, version: str) -> None:
        """Leave the pending stage with the newest that has it, as AWS does."""
        secret: Any = secretsmanager_backends[self.account][REGION].secrets[name]
        for other, found in secret.versions.items():
            if other != version and "AWSPENDING" in found["version_stages"]:
                found["version_stages"].remove("AWSPENDING")

    def _sts(self, request: Request) -> Response:
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        if form.get("Action") == "AssumeRoleWithWebIdentity":
            self._trusts(form)
        elif form.get("Action") == "AssumeRole":
            self._who(request, "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken")
            role = self.roles.get(form["RoleArn"])
            if role is None or form.get("ExternalId", "") != role.external_id:
                raise Refused("AccessDenied", f"not authorized to perform sts:AssumeRole on {form['RoleArn']}", 403)
        else:
            raise Refused("InvalidAction")
        answer = self._forward(request)
        names = {"AccessKeyId": "accessKeyId", "SecretAccessKey": "secretAccessKey", "SessionToken": "sessionToken"}
        parts = {ours: _element(answer.body, theirs) for theirs, ours in names.items()}
        self.principals[parts["accessKeyId"]] = Principal(parts, self.roles[form["RoleArn"]].denied)
        return answer

    def _trusts(self, form: Mapping[str, str]) -> None:
        """Refuse a token that is for somebody else, that has ended, or whose subject the role does not trust."""
        try:
            part = form["WebIdentityToken"].split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (IndexError, ValueError):
            raise Refused("InvalidIdentityToken", "not a token") from None
        if self.audience not in ([claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]):
            raise Refused("InvalidIdentityToken", f"Incorrect token audience {claims['aud']}")
        if claims["exp"] < time.time():
            raise Refused("ExpiredTokenException", "Token expired")
        role = self.roles.get(form["RoleArn"])
        if role is None or claims["sub"] not in role.subjects:
            raise Refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)

    def _forward(self, request: Request) -> Response:
        connection = http.client.HTTPConnection(*self._moto, timeout=30)
        try:
            hops = ("connection", "content-length")
            headers = {name: value for name, value in request.headers.items() if name not in hops}
            headers["x-moto-account-id"] = self.account
            connection.request(request.method, request.target, request.body, headers)
            answer = connection.getresponse()
            shown = {"Content-Type": answer.headers.get("Content-Type", "")}
            return Response(answer.status, answer.read(), shown)
        finally:
            connection.close()


@functools.cache
def _session() -> Any:
    return botocore.session.Session()


def _element(xml: bytes, name: str) -> str:
    found = re.search(rf"<{name}>([^<]+)</{name}>".encode(), xml)
    assert found  # noqa: S101 - moto's own answer
    return found[1].decode()


def _request_id() -> dict[str, str]:
    return {"x-amzn-RequestId": str(uuid.uuid4())}


def _refusal(refused: Refused, headers: Mapping[str, str]) -> Response:
    told = {"__type": refused.code, "message": refused.text}
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(refused.status, json.dumps(told).encode(), {**_JSON, **_request_id(), **shown})


def _refusal_of_sts(refused: Refused) -> Response:
    text = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{refused.code}</Code><Message>{refused.text}</Message></Error>"
        f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )
    return Response(refused.status, text.encode(), {"Content-Type": "text/xml"})


@contextlib.contextmanager
def moto() -> Iterator[tuple[str, int]]:
    """Run moto, for any number of accounts."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # each request would be told on stderr
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()
    finally:
        server.stop()


@contextlib.contextmanager
def amazon(place: tuple[str, int], context: ssl.SSLContext | None = None) -> Iterator[Amazon]:
    """Run AWS for one account; with TLS, where there is something for it to show."""
    made = Amazon(place, context)
    try:
        yield made
    finally:
        made.server.close()
