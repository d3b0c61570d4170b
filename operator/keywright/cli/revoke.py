"""``keywright revoke``: end the old key of a rotation at once.

Does not belong here: asking and waiting (``_asking``), revoking (``issuing/``).
"""

from __future__ import annotations

from typing import Any

import click

from . import _asking, _connection, _types
from ._section import Section

SECTION = Section.ROTATION


@click.command("revoke")
@click.argument("name", type=_types.NAME)
@_asking.of_a_credential
@_asking.asks("10m")
@_connection.connects
def command(place: _connection.Place, name: str, wait: bool, timeout: float, **what: Any) -> None:
    """Revoke the old key of a rotation of the ApiKeySecret NAME now, whoever still uses it.

    `keywright consumers` tells who does. There is no way back from it. Where a rotation has turned back and leaves its
    new key alive for the overlap, that one ends. Where no rotation is under way, there is no old key: `keywright rotate
    --reissue` replaces the present one, and revokes it.

    You need the right to create keyactions, and to the verb `revokenow` on the ApiKeySecret.

    Exit code: 0 if it is asked for, and with --wait if it is done; 1 if it is refused, failed, or the wait was in vain;
    so it is where the key could not be revoked, or was not seen to be dead: `keywright debts list` says what to do.
    """
    _asking.run(place, name, _asking.Act("RevokeNow", **what), wait=wait, timeout=timeout)
