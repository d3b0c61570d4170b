"""``keywright pin``: have no rotation begin by itself.

Does not belong here: asking and waiting (``_asking``), what begins a rotation (``decide/due.py``).
"""

from __future__ import annotations

from typing import Any

import click

from . import _asking, _connection, _types
from ._section import Section

SECTION = Section.ROTATION


@click.command("pin")
@click.argument("name", type=_types.NAME)
@click.option("--off", is_flag=True, help="Let rotations begin by themselves again.")
@_asking.of_a_credential
@_asking.asks("60s")
@_connection.connects
def command(place: _connection.Place, name: str, off: bool, wait: bool, timeout: float, **what: Any) -> None:
    """Have no rotation of a credential of the ApiKeySecret NAME begin by itself, until `--off`.

    One that is under way goes on, and `keywright rotate` begins one all the same.

    You need the right to create keyactions, and to the verb `pin`, or `unpin`, on the ApiKeySecret.

    Exit code: 0 if it is asked for, and with --wait if it is done; 1 if it is refused, failed, or the wait was in vain.
    """
    _asking.run(place, name, _asking.Act("Unpin" if off else "Pin", **what), wait=wait, timeout=timeout)
