"""``keywright rotate``: have a new key made in place of the old one, now: in a cluster, or in the encrypted file.

Does not belong here: asking and waiting (``_asking``), a rotation without a cluster (``_local``), how one goes
(``decide/rotate``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .. import logs
from . import _asking, _connection, _types
from ._exit import Exit
from ._local import running
from ._section import Section

SECTION = Section.ROTATION


@click.command("rotate")
@click.argument("name", type=_types.NAME, required=False)
@_asking.of_a_credential
@click.option("--test-only", is_flag=True, help="Make a key, test it, destroy it, and write nothing.")
@click.option(
    "--reissue", is_flag=True, help="Wait for nobody, and revoke the old key as soon as the new one is written."
)
@click.option("--take-over", is_flag=True, help="Also if another install, which is gone for good, has rotated it.")
@_asking.asks("10m", needed=False)
@running.given
@_connection.connects
def command(
    place: _connection.Place,
    name: str | None,
    *,
    local: Callable[[], Exit] | None,
    test_only: bool,
    reissue: bool,
    take_over: bool,
    wait: bool,
    timeout: float,
    **what: Any,
) -> None:
    """Begin a rotation of a credential of the ApiKeySecret NAME now.

    A new key is made and tested, then written; who uses it takes it up, and only then the old key is revoked. With
    --reissue, for a key that others may know, the old one is revoked at once, whoever still uses it.

    With --take-over, a key that bears the mark of another install, which is gone for good, is ours from now on.
    You need the right to create keyactions, and to the verb `rotate`, or `reissue`, on the ApiKeySecret.

    With --local, a key of the encrypted file is replaced from here, without a cluster; what is under way is remembered
    in the file, and the same command goes on with it. Secrets that the KeyIssuer names are entries of the same file.
    With --wait it waits for people and for the end of --overlap as well; a --timeout counts with --wait or without.

    Exit code: 0 if it is asked for, and with --wait or --local if it is done, which --reissue is once the old key is
    dead; 1 if it is refused, failed, or the wait was in vain; 3 if --local waits for a person or a time, or leaves
    something owed.
    """
    if local:
        if any((name, reissue, take_over, *what.values())):
            raise click.UsageError("--local asks no cluster: it goes neither with NAME nor with what is asked of one.")
        logs.configure(place.log_level)
        click.get_current_context().exit(local())
    if not name or not what["reason"]:
        raise click.UsageError("Name an ApiKeySecret and say why with --reason; or an encrypted file's key: --local.")
    if test_only and (reissue or take_over):
        raise click.UsageError("--test-only writes and revokes nothing: neither --reissue nor --take-over fit it.")
    what |= {"test_only": test_only or None, "take_over": take_over or None}
    act = _asking.Act("Reissue" if reissue else "Rotate", **what)
    _asking.run(place, name, act, wait=wait, timeout=timeout)
