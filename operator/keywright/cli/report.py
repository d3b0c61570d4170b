"""``keywright report``: keys, and what became of them in a period, from objects and from what is recorded.

Does not belong here: what it is made of (``_report/``), the trail as it is (``audit``).
"""

from __future__ import annotations

import json
import os
import pathlib
import time
from typing import TYPE_CHECKING

import click

from .. import errors
from ..errors import Reason
from . import _connection, _types
from ._exit import Exit
from ._section import Section

if TYPE_CHECKING:
    from ..cluster import Cluster
    from ._report.shape import Report

SECTION = Section.CLUSTER


@click.command("report")
@click.option("--since", type=_types.DURATION, default="30d", show_default=True, help="How long the period is.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json", "html"]),
    default="markdown",
    show_default=True,
    help="For people, for programs, or as one page.",
)
@click.option("-o", "--output", type=_types.FILE, help="Where to write it. Default: it is printed.")
@click.option(
    "--audit", "files", type=_types.FILE, multiple=True, help="Read an export or an archive, too; repeatable."
)
@click.option("--no-audit", is_flag=True, help="Leave out what the cluster has recorded.")
@click.option("--local", is_flag=True, help="Read what this workstation has recorded, too.")
@_connection.connecting("all, as far as you may list their ApiKeySecrets")
def command(
    place: _connection.Place,
    *,
    since: float,
    form: str,
    output: str | None,
    files: tuple[str, ...],
    no_audit: bool,
    local: bool,
) -> None:
    """Report on keys: by age, issuer and environment; what ends, changed, was refused, is owed; who read what.

    Without -n it is about all namespaces whose ApiKeySecrets you may list. What you may not read, it says.

    Exit code: 0 if it was made and nothing in it calls for a person; 3 if it was made and something does, or something
    could not be read; 1 if it could not be made.
    """

    async def work(api: Cluster) -> Exit:
        from ._report import shape, sources

        now = time.time()
        asked = sources.Asked(
            place.namespace, place.operator_namespace, max(0.0, now - since), files, not no_audit, local
        )
        report: shape.Report = await sources.gather(api, asked, now)
        text = _formed(form, report)
        if output:
            _write(output, text)
            click.echo(f"wrote {output}")
        else:
            click.echo(text, nl=False)
        return Exit.NOT_READY if report.attention else Exit.FINE

    _connection.run(place, work)


def _formed(form: str, report: Report) -> str:
    from ._report import pages, shape

    if form == "json":
        return json.dumps(shape.as_json(report), indent=2, ensure_ascii=False) + "\n"
    return pages.html(report) if form == "html" else pages.markdown(report)


def _write(output: str, text: str) -> None:
    """Write a report into a file.

    Raises:
        errors.Stalled: that is refused.
    """
    try:
        pathlib.Path(output).write_text(text, encoding="utf-8")
    except OSError as refused:
        said = f"{output} cannot be written: {os.strerror(refused.errno or 0)}"
        raise errors.Stalled(Reason.FILE_REFUSED, said, "Name another file with -o") from None
