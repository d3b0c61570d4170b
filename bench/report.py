"""How the rows look: a table in the terminal, and ``results.md``, ``results.json``, ``results.png`` in a folder.

Does not belong here: what the numbers mean (``rows``).
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pathlib
import platform
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from .rows import Row

_COLUMNS = ("scenario", "what", "measured", "yardstick", "ratio", "target", "met?")
#: The longest bar of the picture, as a multiple of what is allowed.
_LONGEST = 2.0
#: Keeps the line of the target out of what is written over it.
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}


def machine(load: float) -> str:
    """Describe what was measured on; a ratio does not need it, a reader does."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f} at the start"


def show(rows: Sequence[Row], about: str) -> None:
    """Print the table."""
    table = Table(*_COLUMNS, title=f"Keywright beside the raw limit ({about})", title_justify="left")
    for row in rows:
        table.add_row(*_cells(row), style={True: "green", False: "red", None: ""}[row.met])
    console = Console()
    # What a pipe or a log gets is not folded to some terminal's width.
    (console if console.is_terminal else Console(width=160)).print(table)


def save(rows: Sequence[Row], about: str, folder: pathlib.Path) -> None:
    """Write the table, the numbers and the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [" | ".join(cells) for cells in (_COLUMNS, ("---",) * len(_COLUMNS), *map(_cells, rows))]
    text = "\n".join(f"| {line} |" for line in lines)
    (folder / "results.md").write_text(f"# Keywright beside the raw limit\n\n{_EXPLAINED}\n\n{about}.\n\n{text}\n")
    found = [dataclasses.asdict(row) | {"ratio": row.ratio, "met": row.met} for row in rows]
    (folder / "results.json").write_text(json.dumps({"machine": about, "rows": found}, indent=2) + "\n")
    _draw([row for row in rows if row.target], about, folder / "results.png")


_EXPLAINED = """\
The yardstick is the same client and the same store class doing nothing but what has to be done, on servers of its own
in the same run: read the key, apply the Secret, patch the status, write the Event. A ratio says what being an operator
costs on top. What does not depend on the machine is the ratio and the number of requests, not the milliseconds."""


def _cells(row: Row) -> tuple[str, ...]:
    yardstick = "" if row.yardstick is None else _number(row.yardstick, row.unit)
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    met = {True: "yes", False: "NO", None: ""}[row.met]
    return (row.scenario, row.what, _number(row.measured, row.unit), yardstick, ratio, _target(row), met)


def _target(row: Row) -> str:
    if row.target is None:
        return ""
    sign = "≤" if row.target.best == "low" else "≥"
    if row.target.of == "ratio":
        return f"{sign} {row.target.limit:g} × yardstick"
    return f"{sign} {_number(row.target.limit, row.unit)}"


def _number(value: float, unit: str) -> str:
    shown = f"{value:.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.2f}"
    return f"{shown}{unit}" if unit.startswith("/") else f"{shown} {unit}".rstrip()


def _draw(rows: Sequence[Row], about: str, path: pathlib.Path) -> None:
    """Draw how much of what its target allows each row uses: bars that end left of the line are good."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to load, and only needed here

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415 - after the choice of how to draw

    used = [min(_LONGEST, row.used if math.isfinite(row.used) else _LONGEST) for row in rows]
    figure, axes = pyplot.subplots(figsize=(10, 0.36 * len(rows) + 1.4), layout="constrained")
    places = range(len(rows))
    axes.barh(places, used, color=["#3a7d44" if row.met else "#b23a48" for row in rows])
    axes.axvline(1.0, color="black", linewidth=1)
    for place, row in zip(places, rows, strict=True):
        judged = f"ratio {row.ratio:.2f}" if row.target and row.target.of == "ratio" and row.ratio else ""
        shown = judged or _number(row.measured, row.unit)
        axes.text(used[place] + 0.02, place, f"{shown}  ({_target(row)})", va="center", fontsize=8, bbox=_PAPER)
    axes.set_yticks(places, [f"{row.scenario}: {row.what}" for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, _LONGEST + 0.6)
    axes.set_xlabel("share of what the target allows (the line is the target)")
    axes.set_title(f"Keywright beside the raw limit: {about}", fontsize=9, loc="left")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
