"""``keywright debts retry``: have clean-ups at issuers that are owed tried now.

Does not belong here: asking and waiting (``_asking``).
"""

from __future__ import annotations

from typing import Any

import click

from . import _asking, _connection, _types


@click.command("retry")
@click.argument("name", type=_types.NAME)
@_asking.of_a_credential
@_asking.asks("60s", reason="Maintenance")
@_connection.connects
def command(place: _connection.Place, name: str, wait: bool, timeout: float, **what: Any) -> None:
    """Have what is owed for the keys of the ApiKeySecret NAME tried now.

    It is tried by itself too, with growing pauses. You need the right to create keyactions, and to the verb
    `retrydebts` on the ApiKeySecret.

    Exit code: 0 if it is asked for, and with --wait if it is done; 1 if it is refused, failed, or the wait was in vain.
    """
    _asking.run(place, name, _asking.Act("RetryDebts", **what), wait=wait, timeout=timeout)
