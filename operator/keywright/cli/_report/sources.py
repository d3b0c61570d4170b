"""Where a report comes from: objects and segments of a cluster, exports, and what this workstation recorded.

What somebody may not read is told in the report, so that nothing is silently less.

Does not belong here: what is made of it (``state``, ``trail``).
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterable

from ... import cluster, errors, pacing, settings
from ...audit import local, segment
from ...audit.chain import stamp
from ...audit.verify import Verifier
from ...cluster import Cluster, Json, Refused, Resource
from ...decide.report import few
from ...engine.catalog import CLUSTER_KIND
from ...engine.records import API_KEY_SECRETS, STORE_RESOURCES
from ...errors import Reason
from .. import _connection
from .assembly import assemble, judged
from .shape import Head, Report, Source
from .state import Environments, State
from .trail import Trail

#: Segments in one page of a list: each has up to 256 KiB of records.
_SEGMENTS_AT_ONCE = 16
#: Bytes of a line that are looked at as one; a record has less.
_LINE = 64 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What a report is asked for.

    Attributes:
        namespace: None: all that may be listed.
        since: begin of the period, Unix time.
        files: exports and archives.
        audit: whether the cluster's trail is read.
        local: whether this workstation's is.
    """

    namespace: str | None
    operator_namespace: str
    since: float
    files: tuple[str, ...] = ()
    audit: bool = True
    local: bool = False


async def gather(api: Cluster, asked: Asked, now: float) -> Report:
    """Read all that a report is made of, and make it.

    Args:
        now: Unix time.

    Raises:
        errors.Error: the cluster does not answer, or a file or a namespace that was named is not there.
    """
    trail = Trail(stamp(asked.since), (asked.namespace,) if asked.namespace else None)
    trails = [_files(name, [pathlib.Path(name)], trail) for name in asked.files]
    reader = _Reader(api, asked)
    if asked.local:
        trails += reader.workstation(trail)
    if asked.audit:
        trails += await reader.segments(trail)
    state = await reader.state(now)
    head = Head(api.host, reader.only, pacing.rfc3339(asked.since), pacing.rfc3339(now))
    return assemble(head, state, trail, trails, reader.not_read)


def _files(name: str, paths: Iterable[pathlib.Path], trail: Trail) -> Source:
    """Read files as one trail.

    Raises:
        errors.Stalled: one of them cannot be read.
    """
    verifier = Verifier()
    try:
        for path in paths:
            with path.open("rb") as file:
                _fold(verifier, (line.rstrip(b"\n") for line in iter(lambda: file.readline(_LINE), b"")), trail)
    except OSError:
        error = errors.Stalled(Reason.FILE_REFUSED, f"{name} cannot be read", "Check that it is there, and readable")
        raise error from None
    return judged(name, verifier)


def _fold(verifier: Verifier, lines: Iterable[bytes], trail: Trail) -> None:
    for row in verifier.take_all(lines):
        trail.take(row)


class _Reader:
    """Reads what somebody may read, and keeps what they may not."""

    def __init__(self, api: Cluster, asked: Asked) -> None:
        self._api, self._asked = api, asked
        #: What was not read, and why; namespaces that there are; those that were read, where not all could be listed.
        self.not_read: list[str] = []
        self._known: list[str] = []
        self.only: tuple[str, ...] | None = None

    def workstation(self, trail: Trail) -> list[Source]:
        """Read what this workstation recorded."""
        folder = settings.audit_folder()
        name = f"this workstation ({folder})"
        try:
            if folder.exists():
                return [_files(name, local.files(folder), trail)]
            self.not_read.append(f"{name}: there is no such folder")
        except (errors.Stalled, OSError):
            self.not_read.append(f"{name}: it cannot be read")
        return []

    async def segments(self, trail: Trail) -> list[Source]:
        """Read the cluster's trail."""
        verifier, space = Verifier(), self._asked.operator_namespace

        def take(item: Json) -> None:
            _fold(verifier, segment.lines_of(item), trail)

        if not await self._may(segment.SEGMENTS, space, take, _SEGMENTS_AT_ONCE):
            return []
        return [judged(f"the cluster (namespace {space})", verifier)]

    async def state(self, now: float) -> State:
        """Read the objects, and what their environments are known from."""
        environments = Environments()
        await self._namespaces(environments)
        for kind, resource in STORE_RESOURCES.items():
            take = functools.partial(environments.take_store, kind)
            if kind == CLUSTER_KIND:
                await self._may(resource, None, take)
            else:
                await self._everywhere(resource, take)
        state = State(environments, now)
        self.only = await self._everywhere(API_KEY_SECRETS, state.take)
        return state

    async def _namespaces(self, environments: Environments) -> None:
        def take(item: Json) -> None:
            environments.take_namespace(item)
            self._known.append(item["metadata"]["name"])

        if self._asked.namespace is None:
            await self._may(cluster.NAMESPACES, None, take)
            return
        try:
            take(await _connection.read(self._api, cluster.NAMESPACES, "Namespace", None, self._asked.namespace))
        except Refused as refused:
            self._note(_of_rights(refused))

    async def _everywhere(self, resource: Resource, take: Callable[[Json], None]) -> tuple[str, ...] | None:
        """List in the namespace that is asked for, else in all; where that is denied, in each one that may be.

        Returns:
            The namespaces that were read; None: all.
        """
        if self._asked.namespace:
            await self._may(resource, self._asked.namespace, take)
            return (self._asked.namespace,)
        refused = await self._list(resource, None, take)
        if refused is None:
            return None
        if not self._known:
            self._note(refused)
        spaces = self._known or [self._api.namespace or "default"]
        denied = [space for space in spaces if await self._list(resource, space, take)]
        if denied:
            many = f"{len(denied)} namespaces" if denied[1:] else "namespace"
            self.not_read.append(f"you have no right to list {resource.plural} in {many} {few(denied)}")
        return tuple(space for space in spaces if space not in denied)

    async def _may(
        self, resource: Resource, namespace: str | None, take: Callable[[Json], None], size: int = 500
    ) -> bool:
        """List objects, and hand on each; whether that was allowed, which else is noted."""
        refused = await self._list(resource, namespace, take, size)
        if refused:
            self._note(refused)
        return refused is None

    async def _list(
        self, resource: Resource, namespace: str | None, take: Callable[[Json], None], size: int = 500
    ) -> Refused | None:
        """List objects, and hand on each; return how that was refused.

        Raises:
            Refused: it was not a matter of rights, nor of a kind that this cluster does not know yet.
        """
        try:
            async for page in self._api.pages(resource, namespace, size=size):
                for item in page["items"]:
                    take(item)
        except Refused as refused:
            return _of_rights(refused)
        return None

    def _note(self, refused: Refused) -> None:
        """Note what may not be read."""
        self.not_read.append(_connection.explained(refused, self._api.host).message)


def _of_rights(refused: Refused) -> Refused:
    """Return a refusal that a report tells of.

    Raises:
        Refused: it is none.
    """
    if refused.status != 403 and not (refused.status == 404 and refused.what.startswith(segment.SEGMENTS.plural)):
        raise refused
    return refused
