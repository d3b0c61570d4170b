"""Every Kubernetes call: the only module that imports ``kubernetes``, and of it only configuration and transport.

Bodies are plain JSON; the package's typed classes cost more memory than the rest of the operator. One retry layer for
what is safe to repeat, a deadline on every call, a count of every request, and errors without the server's text, which
may echo a Secret.

Does not belong here: what to write and when (``decide/``, ``engine/``), kinds of our own.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import math
import random
import urllib.parse
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, Final

import yaml
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import incluster_config, kube_config
from kubernetes.aio.config.config_exception import ConfigException

from . import errors, metrics
from .errors import Reason
from .settings import Settings

log = logging.getLogger(__name__)

Json = dict[str, Any]

APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

#: Connections to the API server; requests beyond them wait.
CONNECTIONS = 32
#: Seconds that a request may take in all, and how often it is sent.
DEADLINE, TRIES = 30.0, 3
#: A watch that hears nothing for so many seconds, not even a bookmark (one a minute, and the first one late), is dead.
SILENCE = 100.0
#: Seconds that a watch may last; the server ends it a little earlier.
STREAM = 300.0


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API."""

    group: str
    version: str
    plural: str

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of the collection, or of one object or its subresource."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        parts += ["namespaces", namespace] if namespace else []
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(urllib.parse.quote(part, safe="") for part in parts)


SECRETS = Resource("", "v1", "secrets")
NAMESPACES = Resource("", "v1", "namespaces")
CONFIG_MAPS = Resource("", "v1", "configmaps")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")
EVENTS = Resource("events.k8s.io", "v1", "events")
LEASES = Resource("coordination.k8s.io", "v1", "leases")


@dataclasses.dataclass(frozen=True, slots=True)
class _Request:
    """One request.

    Attributes:
        what: what it is called in errors.
        counted: as what it is counted: verb and resource.
        fenced: whether it needs the Lease.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Json | None
    headers: Mapping[str, str]
    what: str
    counted: tuple[str, str]
    fenced: bool = False


class Refused(errors.Error):
    """The API server said no (4xx).

    Args:
        status: HTTP status.
        cause: ``reason`` of the answer's Status (`Conflict`, `Invalid`, …), or the reason of its first cause that tells
            more (`NamespaceTerminating`, `FieldValueInvalid`, …); a word of Kubernetes' own, else empty.
        fields: names of the fields it is about.
        what: what was asked for, as a path or in words.
    """

    def __init__(self, status: int, cause: str, fields: tuple[str, ...], what: str) -> None:
        super().__init__(
            Reason.TARGET_REFUSED, f"the API server answered {status} {cause} for {what}".replace("  ", " ")
        )
        self.status, self.cause, self.fields, self.what = status, cause, fields, what


class Gone(errors.Error):
    """The resourceVersion of a watch or a list is too old: list again."""

    def __init__(self) -> None:
        super().__init__(Reason.KUBERNETES_UNAVAILABLE, "the API server no longer has this version of the list")


def unavailable(what: str, after: float | None = None) -> errors.Retry:
    """Make the error for an API server that does not answer, or not sensibly."""
    return errors.Retry(Reason.KUBERNETES_UNAVAILABLE, f"the API server did not take {what}", after=after)


class Cluster:
    """A connection to one API server.

    Args:
        api: the transport, configured.
        fence: called before every write; returns for how many seconds this process may write, raises when it may not
            (its Lease has ended).
    """

    def __init__(self, api: ApiClient, fence: Callable[[], float] = lambda: math.inf) -> None:
        self._api = api
        self.host: str = api.configuration.host.rstrip("/")
        #: Namespace that the kubeconfig's context names, if it does.
        self.namespace: str | None = None
        self.fence = fence

    @classmethod
    async def connect(cls, settings: Settings) -> Cluster:
        """Connect as the settings say: their kubeconfig, else the pod's ServiceAccount, else the default kubeconfig.

        Raises:
            errors.Stalled: there is no usable configuration.
        """
        configuration = Configuration()
        namespace = None
        try:
            if settings.kubeconfig or settings.context:
                namespace = await _from_file(settings, configuration)
            else:
                try:
                    incluster_config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
                except ConfigException:
                    namespace = await _from_file(settings, configuration)
        except (ConfigException, OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError):
            raise errors.Stalled(
                Reason.KUBERNETES_UNAVAILABLE,
                f"no usable kubeconfig at {settings.kubeconfig or 'the default place'}"
                + (f" with a context {settings.context}" if settings.context else "")
                + " and not inside a pod",
                "Name one with --kubeconfig or KUBECONFIG",
            ) from None
        configuration.connection_pool_maxsize = CONNECTIONS
        # One layer of retries: ours. False would count as the number 0, which here means without an end.
        configuration.retries = None
        # Else aiohttp looks for a .netrc file at every request; proxies come with the configuration.
        configuration.client_session_kwargs = {"trust_env": False}
        connected = cls(ApiClient(configuration))
        connected.namespace = namespace
        return connected

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def credentials(self) -> Configuration:
        """Return the configuration with a fresh token in ``api_key['BearerToken']``, for Kopf's own client."""
        await self._api.configuration.auth_settings()
        configuration: Configuration = self._api.configuration
        return configuration

    async def get(
        self, resource: Resource, namespace: str | None, name: str, *, deadline: float = DEADLINE
    ) -> Json | None:
        """Return an object, or None if there is none."""
        try:
            return await self.call("GET", resource, namespace, name, deadline=deadline)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        selector: str = "",
        metadata_only: bool = False,
        size: int = 500,
    ) -> AsyncIterator[Json]:
        """Yield the list in pages. The last page's ``metadata.resourceVersion`` is where a watch may start.

        Raises:
            Gone: the list changed too much while it was read.
        """
        token = ""
        while True:
            query = {"labelSelector": selector, "limit": str(size), "continue": token}
            accept = METADATA_LIST if metadata_only else "application/json"
            page = await self.call("GET", resource, namespace, query=query, accept=accept, verb="list")
            # An empty list of metadata says null.
            yield page | {"items": page.get("items") or []}
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def watch(
        self,
        resource: Resource,
        since: str,
        namespace: str | None = None,
        *,
        selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncGenerator[Json, None]:
        """Yield watch events (``type``, ``object``), bookmarks included, until the server ends the stream.

        Raises:
            Gone: ``since`` is too old.
            errors.Retry: the stream broke or was silent for too long.
        """
        query = {"labelSelector": selector, "watch": "true", "allowWatchBookmarks": "true"}
        query |= {"resourceVersion": since, "timeoutSeconds": "290"}
        headers = {"Accept": METADATA if metadata_only else "application/json"}
        what, counted = f"a watch of {resource.plural}", ("watch", resource.plural)
        request = _Request("GET", resource.path(namespace), query, None, headers, what, counted)
        response = await self._open(request)
        try:
            async for line in _lines(response.response.content, resource.plural):
                event = _parse(line)
                if event.get("type") == "ERROR":
                    raise Gone if event["object"].get("code") == 410 else unavailable(what)
                metrics.WATCH_EVENT.labels(resource.plural).set_to_current_time()
                yield event
        finally:
            response.response.close()

    async def _open(self, request: _Request) -> Any:
        """Send a request and return the open response of a stream."""
        try:
            response = await self._send(request, STREAM)
        except Exception as foreign:  # noqa: BLE001 - see _exchange
            log.debug("no answer to %s: %s", request.what, type(foreign).__name__)
            response = None
        if response is None:
            raise unavailable(request.what)
        metrics.API_REQUESTS.labels(*request.counted, response.status).inc()
        if response.status == 200:
            return response
        response.response.close()
        if response.status == 410:
            raise Gone
        raise _refused(response.status, b"", request.what)

    async def call(  # noqa: PLR0913 - a request has that many parts
        self,
        method: str,
        resource: Resource,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        *,
        body: Json | None = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        accept: str = "application/json",
        verb: str | None = None,
        deadline: float = DEADLINE,
        fenced: bool = True,
    ) -> Json:
        """Send one request, within ``deadline`` seconds again where that may help, and return the answer's JSON.

        Repeating is safe because every write names the resourceVersion it rests on or creates under a fixed name.
        Where ``fenced``, nothing is written by a replica that does not hold its Lease.

        Raises:
            Refused: 4xx.
            errors.Retry: no sensible answer in time (``KubernetesUnavailable``), or this replica lost its Lease.
        """
        request = _Request(
            method,
            resource.path(namespace, name, subresource),
            query or {},
            body,
            {"Accept": accept, "Content-Type": content_type},
            what="/".join(part for part in (resource.plural, namespace, name, subresource) if part),
            counted=(verb or method.lower(), resource.plural),
            fenced=fenced and method != "GET",
        )
        return await self._insist(request, deadline)

    async def _insist(self, request: _Request, deadline: float) -> Json:
        """Send a request until there is an answer, it makes no sense to go on, or time is up."""
        clock = asyncio.get_running_loop().time
        ends = clock() + deadline
        for attempt in range(1, TRIES + 1):
            # A write that waits for a connection must not leave after the Lease.
            allowed = self.fence() if request.fenced else math.inf
            status, data, wait = await self._exchange(request, min(ends - clock(), allowed))
            metrics.API_REQUESTS.labels(*request.counted, status or "none").inc()
            log.debug("%s %s: %s", request.counted[0], request.what, status or "no answer")
            if 200 <= status < 300:
                return _parse(data)
            if status == 410:
                raise Gone
            if 400 <= status < 500 and status != 429:
                raise _refused(status, data, request.what)
            pause = wait if wait is not None else 0.1 * 3**attempt * (0.5 + random.random())  # noqa: S311
            if attempt == TRIES or pause > ends - clock():
                raise unavailable(request.what, after=wait)
            await asyncio.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _exchange(self, request: _Request, timeout: float) -> tuple[int, bytes, float | None]:
        """Send once. Return status (0 = no answer), body, and the seconds the server asks to wait."""
        try:
            # The timeout covers all: waiting for a connection, the answer's head and its body.
            response = await self._send(request, timeout)
            data: bytes = await response.read()
        except Exception as foreign:  # noqa: BLE001 - whatever the transport raises, its text may hold a body
            log.debug("no answer to %s %s: %s", request.method, request.path, type(foreign).__name__)
            return 0, b"", None
        after = response.headers.get("Retry-After", "")
        return response.status, data, float(after) if after.isdigit() else None

    async def _send(self, request: _Request, timeout: float) -> Any:
        """Send and return the open response."""
        shown = urllib.parse.urlencode({name: value for name, value in request.query.items() if value})
        url = f"{self.host}{request.path}?{shown}" if shown else f"{self.host}{request.path}"
        headers = dict(request.headers)
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], request.path, request.method, request.body)
        return await self._api.call_api(request.method, url, headers, request.body, _request_timeout=timeout)


async def _from_file(settings: Settings, configuration: Configuration) -> str | None:
    """Load a kubeconfig; return the namespace that its context names."""
    loaded = await kube_config.load_kube_config(  # type: ignore[no-untyped-call]
        config_file=settings.kubeconfig, context=settings.context, client_configuration=configuration
    )
    namespace = loaded.current_context["context"].get("namespace")
    return str(namespace) if namespace else None


async def _lines(stream: Any, what: str) -> AsyncIterator[bytes]:
    """Yield the lines of a watch; silence for too long, a cut line or a broken stream is an error."""
    rest = b""
    while True:
        try:
            async with asyncio.timeout(SILENCE):
                chunk = await stream.readany()
        except Exception:  # noqa: BLE001 - the transport's text is of no use to anybody
            chunk = None
        if chunk is None:
            raise unavailable(f"a watch of {what}")
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line


def _parse(data: bytes) -> Json:
    """Parse an answer of the API server without letting its text into an error."""
    try:
        parsed = json.loads(data)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise unavailable("a request: its answer is not JSON")
    return parsed


def _refused(status: int, data: bytes, what: str) -> Refused:
    """Rebuild a Status answer from its closed parts: reason, causes, fields; never its message."""
    try:
        answer = json.loads(data)
        details = answer.get("details") or {}
        causes = [each for each in details.get("causes") or [] if isinstance(each, dict)]
        words = [str(each.get("reason", "")) for each in causes] + [str(answer.get("reason", ""))]
        if status == 403 and "exceeded quota" in str(answer.get("message", "")):
            words.insert(0, "QuotaExceeded")
        cause = next((word for word in words if word in errors.API_REASONS), "")
        fields = tuple(str(each.get("field", ""))[:200] for each in causes)
    except (ValueError, AttributeError, TypeError):
        cause, fields = "", ()
    return Refused(status, cause, fields, what)
