"""``keywright suspend``: leave an ApiKeySecret alone for a while, and say how Git says it.

Does not belong here: what suspended means (``engine/``).
"""

from __future__ import annotations

import click

from . import _connection, _suspension, _types
from ._section import Section

SECTION = Section.CLUSTER


@click.command("suspend")
@click.argument("name", type=_types.NAME)
@_connection.connects
def command(place: _connection.Place, name: str) -> None:
    """Suspend an ApiKeySecret: nothing is read or written for it; what its Secret holds stays.

    Sets spec.suspend, and prints what to commit: a GitOps tool would undo what is set by hand.

    Exit code: 0 if it is suspended, 1 if not.
    """
    _connection.run(place, _suspension.setting(place, name, suspend=True))
