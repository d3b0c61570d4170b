"""How commands print: tables for people, plain lines for pipes, JSON and YAML for programs.

Text from the cluster is data: it reaches a terminal without control characters and without markup.

Does not belong here: what is told (the commands' files).
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click
import yaml
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .. import pacing

#: Width that nothing reaches: in a pipe, lines are not broken.
_ENDLESS = 100_000
#: How states are shown where colours are.
_COLOURS = {
    word: colour
    for colour, words in {
        "green": ("True", "new", "Valid"),
        "yellow": ("Unknown", "changed", "ValidLimited", "Unrecognised"),
        "red": ("False", "removed", "Invalid", "Malformed"),
    }.items()
    for word in words
}

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


class Page:
    """What one call of a command prints."""

    def __init__(self) -> None:
        self._people = sys.stdout.isatty()
        self._console = Console(
            file=sys.stdout if self._people else io.StringIO(),
            width=None if self._people else _ENDLESS,
            color_system="auto" if self._people else None,
            highlight=False,
            emoji=False,
            markup=False,
        )

    def line(self, text: str = "") -> None:
        """Print a sentence."""
        self._print(Text(printable(text)))

    def below(self, text: str) -> None:
        """Print what there is to say about the line before, indented, and wrapped on a terminal."""
        self._print(Padding(Text(printable(text)), (0, 0, 0, 2), expand=False))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; words that tell a state are coloured on a terminal."""
        table = Table(
            box=box.SIMPLE_HEAD if self._people else None, pad_edge=False, show_edge=False, header_style="bold"
        )
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell), style=_COLOURS.get(cell, "")) for cell in row))
        self._print(table)

    def _print(self, what: Any) -> None:
        self._console.print(what)
        if isinstance(self._console.file, io.StringIO):
            # Tables pad their last column, which is of use on a terminal only.
            click.echo("\n".join(line.rstrip() for line in self._console.file.getvalue().splitlines()))
            self._console.file.seek(0)
            self._console.file.truncate()


def structured(form: str, data: Mapping[str, Any]) -> None:
    """Print data as ``json`` or ``yaml``."""
    if form == "json":
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)


def printable(text: str) -> str:
    """Return a text without characters that would tell a terminal to do something."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def seconds_since(rfc3339: str | None) -> float | None:
    """Return the seconds since a time stamp, never less than 0; None if it is none."""
    then = pacing.unix(rfc3339)
    return None if then is None else max(0.0, time.time() - then)


def lasting(seconds: float | None) -> str:
    """Return a span of time for people: ``2 s``, ``5 min``, ``3 h``, ``12 d``; ``-`` for None."""
    if seconds is None:
        return "-"
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"
