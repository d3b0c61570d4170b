"""``keywright audit log``: what was done, by whom and why.

Does not belong here: how a record is told (``_audit_rows``).
"""

from __future__ import annotations

import collections
import json
from typing import TYPE_CHECKING, Any

import click

from .. import logs
from . import _audit_rows, _output, _types
from ._audit_rows import Wanted
from ._audit_sources import Sources, reads
from ._exit import Exit

if TYPE_CHECKING:
    from ..audit.verify import Row, Verdict
    from ..cluster import Cluster


@click.command("log")
@click.argument("files", metavar="[FILE]...", type=_types.INPUT, nargs=-1)
@click.option(
    "-n", "--namespace", "namespaces", type=_types.NAMESPACE, multiple=True, help="Of the object. Default: all."
)
@click.option("--name", "names", multiple=True, help="Of the object, or of its Secret.")
@click.option("--kind", "kinds", multiple=True, help="Of the object, such as KeyStore.")
@click.option(
    "--action", "actions", multiple=True, help="What was done: sync.written, all of sync, or a code: Repaired."
)
@click.option("--who", "people", multiple=True, help="Who did it, as the column WHO has it.")
@click.option("--since", type=_types.MOMENT, help="From this time on, or from so long ago on.")
@click.option("--until", type=_types.MOMENT, help="Before this time, or so long ago.")
@click.option("--limit", type=click.IntRange(min=1), help="Not more than this many, the newest.")
@click.option(
    "-o", "--output", type=click.Choice(["table", "wide", "json", "jsonl", "yaml"]), default="table", show_default=True
)
@reads
def command(
    sources: Sources,
    limit: int | None,
    output: str,
    since: float | None,
    until: float | None,
    **chosen: Any,
) -> None:
    """Show records of the audit trail, the newest last: when, who, what, which object, and what came of it.

    Options that are given several times widen the choice: any of them will do. With FILEs, those are read: exports,
    archives, files of a workstation, or - for the standard input.

    It verifies what it reads, without witnesses, and says so on stderr if something is wrong.

    Exit code: 0, also where there are none; 1 if the trail was tampered with or could not be read.
    """
    from ..audit.chain import stamp
    from ..audit.verify import Verifier

    times = {name: stamp(at) for name, at in (("since", since), ("until", until)) if at is not None}
    wanted = Wanted(**(chosen | times))

    async def work(api: Cluster | None) -> Exit:
        verifier = Verifier()
        found: dict[str, collections.deque[bytes]] = {}

        def see(line: bytes, row: Row | None) -> None:
            if row is not None and wanted.has(row):
                found.setdefault(row["log"], collections.deque(maxlen=limit)).append(line)

        await sources.judged(api, verifier, see)
        verdict = verifier.verdict()
        in_order = [line for log in verdict.logs for line in found.get(log.name, ())]
        _show(in_order[-limit:] if limit else in_order, verdict, output)
        return _tell(verdict)

    sources.run(work)


def _show(found: list[bytes], verdict: Verdict, output: str) -> None:
    if output == "jsonl":
        for line in found:
            click.echo(line)
        return
    rows = [json.loads(line) for line in found]
    if output in ("json", "yaml"):
        _output.structured(output, {"state": verdict.state.name.capitalize(), "records": rows})
        return
    page = _output.Page()
    if not rows:
        page.line("No records." if verdict.records else "No records: the audit trail is empty.")
        return
    wide = output == "wide"
    columns = [*_audit_rows.COLUMNS, *(_audit_rows.WIDE if wide else ())]
    page.table(columns, [_audit_rows.cells(row, wide=wide) for row in rows])


def _tell(verdict: Verdict) -> Exit:
    """Say on stderr what is wrong with the trail that was shown."""
    if not verdict.findings:
        return Exit.FINE
    more = f" and {len(verdict.findings) - 1} more" if len(verdict.findings) > 1 else ""
    click.echo(
        f"Warning: this trail was tampered with: {logs.visible(str(verdict.findings[0]))}{more}."
        " keywright audit verify tells all.",
        err=True,
    )
    return Exit.TAMPERED
