"""``keywright act``: ask for an act on an ApiKeySecret by a KeyAction, and tell what came of it where that is wanted.

Does not belong here: asking and waiting (``_asking``), acts on rotations (``rotate``, ``rollback``, ``pin``, …).
"""

from __future__ import annotations

from typing import Any

import click

from . import _asking, _connection, _types
from ._section import Section

SECTION = Section.CLUSTER

#: Acts that have no command of their own.
ACTIONS = ("Refresh",)


@click.command("act")
@click.argument("action", type=click.Choice(ACTIONS, case_sensitive=False))
@click.argument("name", type=_types.NAME)
@_asking.asks("60s")
@_connection.connects
def command(place: _connection.Place, name: str, wait: bool, timeout: float, **what: Any) -> None:
    """Ask for an act on an ApiKeySecret, so that it is recorded who asked, and why.

    Makes a KeyAction with your user name, and prints what it is called. You need the right to create keyactions, and to
    the verb of the act on the ApiKeySecret: `refresh`. Where no record is wanted, `keywright refresh` does the same.
    Acts on rotations have commands of their own: `rotate`, `rollback`, `pin`, `revoke` and `debts`.

    Exit code: 0 if it is asked for, and with --wait if it is done; 1 if it is refused, failed, or the wait was in vain.
    """
    _asking.run(place, name, _asking.Act(**what), wait=wait, timeout=timeout)
