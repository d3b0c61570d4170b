"""``keywright audit archive``: old logs into a file, and out of the cluster once the file is known to be good.

Does not belong here: what is written (``_audit_export``).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .. import errors, logs
from ..errors import Reason
from . import _audit_export, _audit_sources, _connection, _types
from ._audit_sources import Sources
from ._exit import Exit

if TYPE_CHECKING:
    from ..audit.verify import Log, Verdict
    from ..cluster import Cluster

_NOTHING_DELETED = "Nothing was deleted"


@dataclasses.dataclass(frozen=True, slots=True)
class Segment:
    """A segment that is in the file."""

    name: str
    uid: str


@click.command("archive")
@click.option("--to", "path", type=_types.FILE, required=True, help="Where to; it must not be there yet.")
@click.option("--before", type=_types.MOMENT, help="Only logs that ended before this time, or so long ago.")
@click.option("--resume", is_flag=True, help="The file is there, from a call that was broken off: only delete.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@_connection.reaches
def command(place: _connection.Place, path: str, before: float | None, resume: bool, yes: bool) -> None:
    """Move old logs of the cluster into a file: write it, verify it from the disk, and only then delete them.

    All logs but the newest are moved, or with --before those of which the last record is older. Deleting takes a right
    of its own: the chart's role audit-archivist.

    Exit code: 0 if they are moved, or there is nothing to move; 1 if not, or if the trail was tampered with: then
    nothing is deleted.
    """
    sources = Sources(place, (), cluster=True)

    async def work(api: Cluster) -> Exit:
        if not resume and not await _written(sources, api, path, before):
            click.echo("There is nothing to archive: all logs but the newest are in archives already, or too new.")
            return Exit.FINE
        found = await _in_file(api, place.operator_namespace, path)
        if not found:
            click.echo(f"{logs.visible(path)}: none of it is in the cluster any more.")
            return Exit.FINE
        if not yes:
            click.confirm(
                f"Delete the {len(found)} AuditSegments that are in {logs.visible(path)}?", abort=True, err=True
            )
        await _delete(api, place.operator_namespace, found)
        click.echo(f"{len(found)} AuditSegments deleted; their records are in {logs.visible(path)}.")
        return Exit.FINE

    _connection.run(place, work)


async def _written(sources: Sources, api: Cluster, path: str, before: float | None) -> bool:
    """Write the logs that are to be archived; return whether there are any."""
    from ..audit import segment
    from ..audit.chain import stamp
    from ..audit.verify import Verifier

    verifier = Verifier()
    await sources.judged(api, verifier)
    verdict = _whole(verifier.verdict())
    pages = api.pages(segment.SEGMENTS, sources.place.operator_namespace, metadata_only=True)
    listed = [segment.listed(item["metadata"]) async for page in pages for item in page["items"]]
    newest = segment.newest(listed)
    chosen = frozenset(_old(verdict, newest, stamp(time.time() if before is None else before)))
    if not chosen:
        return False
    with _audit_export.written(path) as file:
        _, count = await _audit_export.copied(sources, api, file, chosen)
    click.echo(f"{logs.visible(path)}: {count:,} records in {len(chosen)} logs", err=True)
    return True


def _old(verdict: Verdict, newest: str, before: str) -> tuple[str, ...]:
    """Return the names of the logs that may go: the oldest ones, as far as what stays hangs together without them."""
    logs, count = verdict.logs, 0
    for number, log in enumerate(logs[:-1], 1):
        if log.name == newest or log.last >= before:
            break
        if _hangs_together(logs[:number], logs[number:]):
            count = number
    return tuple(log.name for log in logs[:count])


def _hangs_together(gone: Sequence[Log], rest: Sequence[Log]) -> bool:
    """Whether all that stays follows one log that goes; of two leaders at a time, one may have followed another one.

    What stays has the newest generation: by that, a log that is missing is told from one that was archived.
    """
    names = {log.name for log in rest}
    before = {log.previous.log if log.previous else "" for log in rest} - names
    highest = [max(log.generation or 0 for log in part) for part in (gone, rest)]
    return len(before) == 1 and before <= {log.name for log in gone} and highest[0] <= highest[1]


def _whole(verdict: Verdict) -> Verdict:
    """Return a verdict if nothing is wrong.

    Raises:
        errors.Stalled: something is.
    """
    if verdict.findings:
        hint = f"{_NOTHING_DELETED}: a trail that was tampered with is evidence. keywright audit verify tells more"
        raise errors.Stalled(Reason.AUDIT_TAMPERED, f"the audit trail was tampered with: {verdict.findings[0]}", hint)
    return verdict


async def _in_file(api: Cluster, namespace: str, path: str) -> list[Segment]:
    """Return the segments of which each record is in a file; see that file and cluster are whole, together and apart.

    Raises:
        errors.Stalled: they are not.
    """
    from ..audit import segment
    from ..audit.verify import Verifier

    verifier = Verifier()
    verifier.begins(path)
    for batch in _audit_sources.in_file(path):
        for line in batch:
            verifier.take(line)
    kept = {log.name: log.size for log in _whole(_apart(path)).logs}
    verifier.begins(_audit_sources.CLUSTER)
    found = []
    async for page in api.pages(segment.SEGMENTS, namespace, size=_audit_sources.PAGE):
        for item in page["items"]:
            meta, known = item["metadata"], verifier.records
            verifier.names(f"AuditSegment {meta['name']}")
            for line in segment.lines_of(item):
                verifier.take(line)
            if verifier.records == known and str((item.get("spec") or {}).get("log")) in kept:
                found.append(Segment(str(meta["name"]), str(meta["uid"])))
    verdict = _whole(verifier.verdict())
    _not_newest(verdict.logs, kept)
    return found


def _apart(path: str) -> Verdict:
    from ..audit.verify import Verifier

    verifier = Verifier()
    verifier.begins(path)
    for batch in _audit_sources.in_file(path):
        for line in batch:
            verifier.take(line)
    return verifier.verdict()


def _not_newest(there: tuple[Log, ...], kept: dict[str, int]) -> None:
    """See that a file holds whole logs, and not the newest one.

    Raises:
        errors.Stalled: it does not.
    """
    wrong = [each.name for each in there if each.name in kept and kept[each.name] < each.size]
    if wrong or (there and there[-1].name in kept):
        said = f"log {wrong[0] if wrong else there[-1].name} is still written to, and the file may not hold all of it"
        raise errors.Stalled(Reason.CONFLICT, said, f"{_NOTHING_DELETED}. Archive without --resume, to another file")


async def _delete(api: Cluster, namespace: str, found: list[Segment]) -> None:
    """Delete segments, the oldest log first, so that what is left is the end of the trail.

    Raises:
        errors.Error: one could not be deleted; those before it are.
    """
    from ..audit import segment
    from ..cluster import Refused

    for number, each in enumerate(found):
        body = {"preconditions": {"uid": each.uid}}
        try:
            await api.call("DELETE", segment.SEGMENTS, namespace, each.name, body=body)
        except Refused as refused:
            if refused.status == 404:
                continue
            if number:
                click.echo(f"{number} AuditSegments were deleted. Go on with --resume.", err=True)
            raise _connection.explained(refused, api.host, "delete") from None
