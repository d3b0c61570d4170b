"""``keywright rollback``: turn a rotation back.

Does not belong here: asking and waiting (``_asking``), when there is a way back (``decide/rotate``).
"""

from __future__ import annotations

from typing import Any

import click

from . import _asking, _connection, _types
from ._section import Section

SECTION = Section.ROTATION


@click.command("rollback")
@click.argument("name", type=_types.NAME)
@_asking.of_a_credential
@_asking.asks("10m")
@_connection.connects
def command(place: _connection.Place, name: str, wait: bool, timeout: float, **what: Any) -> None:
    """Turn the rotation of a credential of the ApiKeySecret NAME back, while the old key still works.

    The old key is put back into the store and the Secret, and the new one is revoked once the overlap is over, as
    others may have read it in the store; --wait does not wait for that. Once the old key is revoked there is no way
    back.

    You need the right to create keyactions, and to the verb `rollback` on the ApiKeySecret.

    Exit code: 0 if it is asked for, and with --wait if it is done; 1 if it is refused, failed, or the wait was in vain.
    """
    _asking.run(place, name, _asking.Act("Rollback", **what), wait=wait, timeout=timeout)
