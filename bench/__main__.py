"""``python -m bench``: run the scenarios, print the table, write it down. Exits 1 only if a scenario breaks."""

from __future__ import annotations

import asyncio
import os
import pathlib
import sys
import time
from collections.abc import Iterator

import click

from controlplane import BuildError, StartError, assets
from keywright import errors

from . import report
from .rows import Row
from .scenarios import SCENARIOS
from .testbed import GaveUp

_RESULTS = pathlib.Path(__file__).parent / "results"


@click.command()
@click.option("--only", type=click.Choice(list(SCENARIOS)), multiple=True, help="Run this scenario; repeatable.")
@click.option("--objects", type=click.IntRange(50, 20_000), default=1000, help="How many stand for 1,000 objects.")
@click.option("--out", type=click.Path(path_type=pathlib.Path), default=_RESULTS, help="Where results are written.")
def main(only: tuple[str, ...], objects: int, out: pathlib.Path) -> None:
    """Measure Keywright beside the raw limit of this machine."""
    assets()
    about = report.machine(os.getloadavg()[0])
    rows: list[Row] = []
    broken = False
    for name in only or SCENARIOS:
        started = time.monotonic()
        try:
            rows += asyncio.run(SCENARIOS[name](objects))
        except* (GaveUp, BuildError, StartError, errors.Error) as group:
            broken = True
            click.echo(f"{name} broke: {'; '.join(_messages(group))}", err=True)
        click.echo(f"{name}: {time.monotonic() - started:.0f} s", err=True)
    report.show(rows, about)
    report.save(rows, about, out)
    click.echo(f"Written to {out}", err=True)
    sys.exit(broken)


def _messages(error: BaseException) -> Iterator[str]:
    """Yield what the errors of a group say."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _messages(each)
    else:
        yield str(error)


if __name__ == "__main__":
    main()
