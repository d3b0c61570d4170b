"""``keywright resume``: take up an ApiKeySecret that was suspended, and say how Git says it.

Does not belong here: what suspended means (``engine/``).
"""

from __future__ import annotations

import click

from . import _connection, _suspension, _types
from ._section import Section

SECTION = Section.CLUSTER


@click.command("resume")
@click.argument("name", type=_types.NAME)
@_connection.connects
def command(place: _connection.Place, name: str) -> None:
    """Resume an ApiKeySecret that was suspended: its stores are read at once.

    Takes spec.suspend away, and prints what to commit: a GitOps tool would undo what is set by hand.

    Exit code: 0 if it is not suspended any more, 1 if it is.
    """
    _connection.run(place, _suspension.setting(place, name, suspend=False))
