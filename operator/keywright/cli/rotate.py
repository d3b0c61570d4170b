"""``keywright rotate``: have a new key made in place of the old one, now.

Does not belong here: asking and waiting (``_asking``), how a rotation goes (``decide/rotate``).
"""

from __future__ import annotations

from typing import Any

import click

from . import _asking, _connection, _types
from ._section import Section

SECTION = Section.ROTATION


@click.command("rotate")
@click.argument("name", type=_types.NAME)
@_asking.of_a_credential
@click.option("--test-only", is_flag=True, help="Make a key, test it, destroy it, and write nothing.")
@click.option(
    "--reissue", is_flag=True, help="Wait for nobody, and revoke the old key as soon as the new one is written."
)
@_asking.asks("10m")
@_connection.connects
def command(
    place: _connection.Place,
    name: str,
    *,
    test_only: bool,
    reissue: bool,
    wait: bool,
    timeout: float,
    **what: Any,
) -> None:
    """Begin a rotation of a credential of the ApiKeySecret NAME now.

    A new key is made and tested, then written; who uses it takes it up, and only then the old key is revoked. With
    --reissue, for a key that others may know, the old one is revoked at once, whoever still uses it.

    You need the right to create keyactions, and to the verb `rotate`, or `reissue`, on the ApiKeySecret.

    Exit code: 0 if it is asked for, and with --wait if it is done; 1 if it is refused, failed, or the wait was in vain.
    """
    if test_only and reissue:
        raise click.UsageError("--test-only writes and revokes nothing: it does not go with --reissue.")
    act = _asking.Act("Reissue" if reissue else "Rotate", test_only=test_only or None, **what)
    _asking.run(place, name, act, wait=wait, timeout=timeout)
