"""What botocore's clients send through: calls to AWS over ``wire``, and what comes back.

botocore knows the APIs, the hosts of regions and how a request is signed. Its own transport follows redirects and
proxies, tries again by itself, and has no deadline for a whole call.

Does not belong here: what one API answers, and what that means (``stores/aws.py``, ``audit/sinks/s3.py``).
"""

from __future__ import annotations

import dataclasses
import functools
import io
import logging
import os
import re
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.config
import botocore.configprovider
import botocore.loaders
import botocore.session
from botocore import UNSIGNED, exceptions
from botocore.awsrequest import AWSResponse

from . import errors, wire
from .secret import SecretValue

# It would log what it signs, a session token too.
logging.getLogger("botocore.auth").disabled = True

#: A session makes one client at a time.
_creating = threading.Lock()

_REQUEST_ID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclasses.dataclass(frozen=True, slots=True)
class Keys:
    """What requests are signed with: id, secret and, of temporary ones, the session token."""

    key_id: SecretValue
    secret: SecretValue
    session: SecretValue | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered.

    Attributes:
        what: what was asked for, as it stands in errors.
        status: of the answer.
        code: the service's own word for a refusal; empty where it has done what was asked, or where what answered is
            not the service.
        text: what it said to that. To be looked at, never to be shown.
        body: what a call that succeeded gave; None where it did not.
        retry_after: seconds that the service asked to wait.
    """

    what: str
    status: int
    code: str = ""
    text: str = dataclasses.field(default="", repr=False)
    body: Mapping[str, Any] | None = dataclasses.field(default=None, repr=False)
    retry_after: float | None = None
    request: str = ""

    @property
    def said(self) -> str:
        """The beginning of an error's message: who answers is put in front."""
        return f"answered {self.status} for {self.what}{f' (request {self.request})' if self.request else ''}"


class Service:
    """One service of AWS, as one login asks it; used from several threads at once.

    Args:
        name: as botocore calls it.
        endpoint: its address; None for the region's usual one.
        ca: certificates (PEM) that the server's must chain to; None for the usual public ones.
        keys: what requests are signed with; None: they are not.
    """

    def __init__(self, name: str, region: str, endpoint: str | None, ca: str | None, keys: Keys | None) -> None:
        signing: dict[str, Any] = {} if keys else {"signature_version": UNSIGNED}
        config = botocore.config.Config(
            ignore_configured_endpoint_urls=True, retries={"total_max_attempts": 1}, tcp_keepalive=False, **signing
        )
        with _creating:
            self._client: Any = _session().create_client(
                name, region_name=region, endpoint_url=endpoint, config=config, verify=True, **_shown(keys)
            )
        self._server = wire.Server(_origin(self._client.meta.endpoint_url), wire.trust(ca), MAX_ANSWER)
        self._call = threading.local()
        self._client.meta.events.register(f"before-send.{name}", self._send)

    def ask(self, operation: str, what: str, deadline: float, **parameters: Any) -> Reply:
        """Ask for one thing, once.

        Args:
            operation: the client's method, as ``get_secret_value``.
            what: what is asked for, as it stands in errors.
            deadline: on the clock ``time.monotonic()``.

        Raises:
            errors.Outage: there is no answer, or none that may be used.
        """
        call = self._call
        call.what, call.deadline, call.answer = what, deadline, None
        try:
            body = getattr(self._client, operation)(**parameters)
        except exceptions.ClientError as foreign:
            told: Mapping[str, Any] = foreign.response.get("Error") or {}
            answer: wire.Answer = call.answer
            code = str(told.get("Code", "")) if answer.status >= 400 else ""
            return Reply(
                what, answer.status, code, str(told.get("Message", "")), None, answer.retry_after, _id(foreign.response)
            )
        except errors.Error:
            raise
        except Exception:
            # What a parser cannot read was no answer of the service, but perhaps a proxy's page.
            if call.answer is None:
                raise
            return Reply(what, call.answer.status, retry_after=call.answer.retry_after)
        return Reply(what, call.answer.status, body=body, request=_id(body))

    def _send(self, request: Any, **_: object) -> Any:
        call = self._call
        call.answer = sent(request, self._server, call.what, call.deadline)
        return answered(request, call.answer)


#: No service answers more than this; a larger answer is cut off and refused (bytes).
MAX_ANSWER = 4 * 1024 * 1024


def sent(request: Any, server: wire.Server, what: str, deadline: float) -> wire.Answer:
    """Send what a client has signed.

    Raises:
        errors.Outage: there is no answer, or none that may be used.
    """
    parts = urllib.parse.urlsplit(request.url)
    body = request.body.read() if hasattr(request.body, "read") else request.body
    target, headers = request.url.partition(parts.netloc)[2], headers_of(request)
    return server.exchange(request.method, target, what, deadline=deadline, headers=headers, body=body or None)


def headers_of(request: Any) -> dict[str, str]:
    """Return the headers that a client has signed, but for those that are the connection's own."""
    headers = {name: _text(value) for name, value in request.headers.items()}
    for name in ("Expect", "Content-Length"):
        headers.pop(name, None)
    return headers


def answered(request: Any, answer: wire.Answer) -> Any:
    """Return an answer as a client takes it from its own transport."""
    return AWSResponse(request.url, answer.status, answer.headers, _Raw(answer.data))


@functools.cache
def loader() -> Any:
    """Return what knows the SDK's descriptions of services: large, and the same for every client."""
    return botocore.loaders.create_loader()


@functools.cache
def _session() -> Any:
    """Return a session that takes nothing from the environment, nor from files of whoever runs the process."""
    usual = {name: told[2] for name, told in botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
    usual |= {"config_file": os.devnull, "credentials_file": os.devnull, "s3": None, "proxies_config": None}
    constants = {name: botocore.configprovider.ConstantProvider(value) for name, value in usual.items()}
    session = botocore.session.Session()
    session.register_component("config_store", botocore.configprovider.ConfigValueStore(constants))
    session.register_component("data_loader", loader())
    return session


def _shown(keys: Keys | None) -> dict[str, str]:
    if keys is None:
        return {}
    with errors.boundary(lambda _: errors.Stalled(errors.Reason.AUTH_FAILED, "has keys that are no text")):
        shown = {
            "aws_access_key_id": keys.key_id.reveal().decode("ascii"),
            "aws_secret_access_key": keys.secret.reveal().decode("ascii"),
        }
        if keys.session:
            shown["aws_session_token"] = keys.session.reveal().decode("ascii")
    return shown


def _origin(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _id(response: Mapping[str, Any]) -> str:
    """Return the id of a request, if it looks like one."""
    found = str((response.get("ResponseMetadata") or {}).get("RequestId", ""))
    return found if _REQUEST_ID.fullmatch(found) else ""


class _Raw(io.BytesIO):
    """The body of an answer, as the SDK reads it."""

    def stream(self, **_: object) -> Iterator[bytes]:
        """Yield all of it."""
        yield self.read()


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
