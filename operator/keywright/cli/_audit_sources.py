"""Where audit trails are read from: the cluster, files, this workstation; line by line, and no more of it in memory.

Does not belong here: whether they are whole (``audit/``).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import IO, TYPE_CHECKING, Any, NoReturn

import click

from .. import errors, logs, settings
from ..errors import Reason
from . import _connection, _types
from ._exit import Exit

if TYPE_CHECKING:
    from ..audit.verify import Row, Verifier
    from ..cluster import Cluster

#: Bytes that a line may have: a record has less.
MAX_LINE = 64 * 1024
#: Lines that are read together, and segments: each may have 256 KiB.
_BATCH, PAGE = 1000, 16
#: How the place is called that is no file.
CLUSTER = "the cluster"

#: Sees each line, with the record that it is, unless it is a head or was seen before.
See = Callable[[bytes, "Row | None"], None]

_OPTIONS = (
    click.option("--file", "more", type=_types.INPUT, multiple=True, help="Read this export, archive or file."),
    click.option("--local", is_flag=True, help="Read what this workstation has recorded."),
    click.option("--cluster", is_flag=True, help="Read the cluster too, besides files."),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Sources:
    """What is to be read.

    Attributes:
        files: paths; ``-``: the standard input.
        cluster: whether the cluster is read.
    """

    place: _connection.Place
    files: tuple[str, ...]
    cluster: bool

    def run(self, work: Callable[[Cluster | None], Awaitable[Exit]]) -> NoReturn:
        """Let a command work, connected if the cluster is read; end with the exit code that it returns."""
        if self.cluster:
            _connection.run(self.place, work)
        logs.configure(self.place.log_level)
        click.get_current_context().exit(asyncio.run(_alone(work)))

    async def judged(self, api: Cluster | None, verifier: Verifier, see: See | None = None) -> None:
        """Let a verifier judge all there is.

        Raises:
            errors.Error: something cannot be read.
        """
        for name in self.files:
            verifier.begins(name)
            for batch in in_file(name):
                _take(verifier, batch, see)
        if api:
            verifier.begins(CLUSTER)
            async for part, batch in in_cluster(api, self.place.operator_namespace):
                verifier.names(f"AuditSegment {part}")
                _take(verifier, batch, see)


def _take(verifier: Verifier, batch: list[bytes], see: See | None) -> None:
    take = verifier.take
    for line in batch:
        row = take(line)
        if see:
            see(line, row)


async def _alone(work: Callable[[Cluster | None], Awaitable[Exit]]) -> Exit:
    return await work(None)


def reads(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say what is read; it gets them as one ``sources``."""

    @functools.wraps(function)
    def command(place: _connection.Place, **given: Any) -> None:
        files = (*given.pop("files", ()), *given.pop("more"))
        wanted, local = given.pop("cluster"), given.pop("local")
        if files.count("-") > 1:
            raise click.UsageError("The standard input can be read once only.")
        files += _local_files() if local else ()
        function(Sources(place, files, cluster=wanted or not files), **given)

    return functools.reduce(lambda made, option: option(made), reversed(_OPTIONS), _connection.reaches(command))


def _local_files() -> tuple[str, ...]:
    from ..audit import local

    folder = settings.audit_folder()
    try:
        found = tuple(map(str, local.files(folder)))
    except OSError as refused:
        raise unreadable(str(folder), refused) from None
    if not found:
        raise errors.Stalled(Reason.NOT_FOUND, f"nothing was recorded on this workstation yet: {folder} has no *.jsonl")
    return found


# Files.


@contextlib.contextmanager
def opened(name: str) -> Iterator[IO[bytes]]:
    """Open a file, or take the standard input.

    Raises:
        errors.Stalled: it cannot be read.
    """
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = open(name, "rb", buffering=1 << 20)  # noqa: SIM115 - what goes wrong while it is read is told elsewhere
    except OSError as refused:
        raise unreadable(name, refused) from None
    with file:
        yield file


def in_file(name: str) -> Iterator[list[bytes]]:
    """Yield the lines of a file.

    Raises:
        errors.Stalled: it cannot be read, is empty, or is no text of lines.
    """
    with opened(name) as file:
        yield from batches(file, name)


def batches(file: IO[bytes], name: str) -> Iterator[list[bytes]]:
    """Yield the lines of what is open, so many at a time; see ``in_file``."""
    number, batch = 0, []
    try:
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                hint = (
                    "An audit trail is lines of JSON of at most 64 KiB: an export, an archive, or a workstation's file"
                )
                raise errors.Stalled(Reason.AUDIT_TAMPERED, f"line {number} of {name} is too long for a record", hint)
            batch.append(line.removesuffix(b"\n"))
            if len(batch) == _BATCH:
                yield batch
                batch = []
    except OSError as refused:
        raise unreadable(name, refused) from None
    if not number:
        raise errors.Stalled(Reason.NOT_FOUND, f"{name} is empty: it has no line 1")
    yield batch


def unreadable(name: str, refused: OSError) -> errors.Stalled:
    """Make the error for a file that cannot be read."""
    return errors.Stalled(Reason.NOT_FOUND, f"{name} cannot be read: {os.strerror(refused.errno or 0)}")


# The cluster.


async def in_cluster(api: Cluster, namespace: str) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Yield the segments of the cluster: each by its name, with its lines.

    Names are in the order of segments within a log, and so is the list.

    Raises:
        errors.Error: they cannot be read.
    """
    from ..audit import segment
    from ..cluster import Gone

    try:
        async for page in api.pages(segment.SEGMENTS, namespace, size=PAGE):
            for item in page["items"]:
                yield str(item["metadata"]["name"]), list(segment.lines_of(item))
    except Gone:
        hint = "Try again; if it takes too long each time, archive old logs"
        raise errors.Retry(Reason.KUBERNETES_UNAVAILABLE, "the audit trail took too long to read", hint) from None
