"""``keywright audit export``: the trail as lines of JSON, verified while it is written.

Does not belong here: single records (``_audit_log``), taking logs away (``_audit_archive``).
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

import click

from .. import errors, logs
from ..errors import Reason
from . import _types
from ._audit_sources import Sources, reads
from ._exit import Exit

if TYPE_CHECKING:
    from ..audit.verify import Row, Verdict
    from ..cluster import Cluster


@click.command("export")
@click.option("-o", "--output", type=_types.FILE, help="Where to; it must not be there yet. Default: stdout.")
@click.option("--log", "names", multiple=True, help="Only this log; several follow each other.")
@click.option("--since", type=_types.MOMENT, help="Only logs with records from this time on, or from so long ago on.")
@reads
def command(sources: Sources, output: str | None, names: tuple[str, ...], since: float | None) -> None:
    """Write the audit trail as lines of JSON, which `audit verify` verifies anywhere.

    It holds whole logs, or nobody could verify it; for single records there is `audit log -o jsonl`. A file is readable
    by you alone, and is there when all of it is.

    Exit code: 0 if it is written; 1 if not, or if the trail was tampered with: then it is written as it is.
    """

    async def work(api: Cluster | None) -> Exit:
        chosen = await _chosen(sources, api, names, since)
        with written(output) as file:
            verdict, count = await copied(sources, api, file, chosen)
        place = logs.visible(output) if output else "stdout"
        click.echo(f"{place}: {count:,} records", err=True)
        if verdict.findings:
            click.echo(f"Warning: this trail was tampered with: {logs.visible(str(verdict.findings[0]))}.", err=True)
            return Exit.TAMPERED
        return Exit.FINE

    sources.run(work)


async def _chosen(
    sources: Sources, api: Cluster | None, names: tuple[str, ...], since: float | None
) -> frozenset[str] | None:
    """Return the logs that are meant; None: all.

    Raises:
        errors.Stalled: one is not there, or between two of them one is left out.
    """
    from ..audit.chain import stamp
    from ..audit.verify import Verifier

    if not names and since is None:
        return None
    if "-" in sources.files:
        raise click.UsageError("--log and --since take two looks, and the standard input can be read once only.")
    verifier = Verifier()
    await sources.judged(api, verifier)
    there = verifier.verdict().logs
    if unknown := set(names) - {each.name for each in there}:
        raise errors.Stalled(Reason.NOT_FOUND, f"the trail has no log {logs.visible(min(unknown))}")
    begin = stamp(since) if since is not None else ""
    chosen = [each.name in names if names else each.last >= begin for each in there]
    if names and sum(chosen) != len("".join("x" if each else " " for each in chosen).strip()):
        hint = "Name those between them too"
        raise errors.Stalled(
            Reason.INVALID_SPEC, "these logs do not follow each other, so nobody could verify it", hint
        )
    return frozenset(each.name for each, wanted in zip(there, chosen, strict=True) if wanted)


async def copied(
    sources: Sources, api: Cluster | None, file: IO[bytes], chosen: frozenset[str] | None
) -> tuple[Verdict, int]:
    """Write logs to a file; return what the whole trail is, and how many records were written.

    Args:
        chosen: names of the logs; None: all.
    """
    from ..audit import lines
    from ..audit.verify import Verifier

    verifier = Verifier()
    heads: dict[str, int] = {}
    count = 0

    def see(line: bytes, row: Row | None) -> None:
        nonlocal count
        if row is not None:
            wanted = chosen is None or row["log"] in chosen
            count += wanted
        else:
            wanted = lines.is_head(line) and _is_newer(line, heads, chosen)
        if wanted:
            file.write(line + b"\n")

    await sources.judged(api, verifier, see)
    return verifier.verdict(), count


def _is_newer(line: bytes, heads: dict[str, int], chosen: frozenset[str] | None) -> bool:
    """Whether a head is to be written: places that hold the same records hold the same heads."""
    from ..audit import lines

    try:
        head = lines.read_head(line)
    except ValueError:
        return False
    if (chosen is not None and head.log not in chosen) or head.size <= heads.get(head.log, 0):
        return False
    heads[head.log] = head.size
    return True


@contextlib.contextmanager
def written(path: str | None) -> Iterator[IO[bytes]]:
    """Open a file that is there, under its name, once all of it is written; None: stdout.

    Raises:
        errors.Stalled: it is there already.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = pathlib.Path(path)
    if os.path.lexists(target):
        raise _taken(path)
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # A link does not replace what somebody has put there meanwhile.
        os.link(temporary, target)
    except FileExistsError:
        raise _taken(path) from None
    finally:
        temporary.unlink()
    folder = os.open(target.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _taken(path: str) -> errors.Stalled:
    return errors.Stalled(Reason.CONFLICT, f"{path} is there already", "Choose another name: nothing is overwritten")
