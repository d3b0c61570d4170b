"""``keywright debts forget``: vouch that a clean-up at an issuer is settled.

Does not belong here: asking and waiting (``_asking``), what status tells of debts (``_rotations``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .. import errors, pacing
from ..errors import Reason
from ..schema import NAMELESS
from . import _asking, _connection, _rotations, _types

if TYPE_CHECKING:
    from ..cluster import Cluster, Json
    from ._exit import Exit


@click.command("forget")
@click.argument("name", type=_types.NAME)
@click.option("--handle", required=True, help="Which one, as `debts list` shows it; - where it shows no handle.")
@click.option("--made-from", type=_types.MOMENT, help="Which one of several without a handle, as -o json shows it.")
@_asking.of_a_credential
@_asking.asks("60s")
@_connection.connects
def command(
    place: _connection.Place,
    name: str,
    *,
    handle: str,
    made_from: float | None,
    credential: str | None,
    wait: bool,
    timeout: float,
    **what: Any,
) -> None:
    """Vouch that one debt of the ApiKeySecret NAME is settled: somebody has seen to it at the issuer.

    Of several without a handle, --made-from says which one: its madeFrom as `debts list -o json` tells it, or its since
    where there is none. Nothing is done there, and the debt is told no more; it is recorded who vouched, and why. You
    need the rights to get the ApiKeySecret, to create keyactions, and to the verb `forgetdebt` on the ApiKeySecret.

    Exit code: 0 if it is asked for, and with --wait if it is done; 1 if it is refused, failed, or the wait was in vain.
    """

    async def work(api: Cluster) -> Exit:
        from ..engine.records import API_KEY_SECRETS

        item = await _connection.read(api, API_KEY_SECRETS, "ApiKeySecret", place.namespace_in(api), name)
        whose = _whose(item, handle, credential)
        made = pacing.rfc3339(made_from) if made_from is not None else None
        _see_which(item, handle, whose, made)
        act = _asking.Act("ForgetDebt", credential=whose, debt=handle, made_from=made, **what)
        return await _asking.carry_out(api, place, name, act, wait=wait, timeout=timeout)

    _connection.run(place, work)


def _whose(item: Json, handle: str, credential: str | None) -> str:
    """Return the credential that has a debt.

    Raises:
        errors.Stalled: none has, or several have. What was typed may be anything, so it is not repeated.
    """
    owed = [each for each in _rotations.owed(item) if (each["handle"] or NAMELESS) == handle]
    names = sorted({str(each["credential"]) for each in owed if credential in (None, each["credential"])})
    if len(names) == 1:
        return names[0]
    about = f"ApiKeySecret {item['metadata']['namespace']}/{item['metadata']['name']}"
    if not names:
        hint = "keywright debts list tells which debts there are"
        raise errors.Stalled(Reason.NOT_FOUND, f"{about} has no debt of that handle", hint)
    said = f"{about} has debts of that handle for several credentials"
    raise errors.Stalled(Reason.NOT_FOUND, said, f"Say which one with --credential: {', '.join(names)}")


def _see_which(item: Json, handle: str, credential: str, made: str | None) -> None:
    """See that it is known which debt is meant.

    Raises:
        errors.Stalled: of several without a handle none is named, or one that is not there.
        click.UsageError: one with a handle is named by its time too.
    """
    if handle != NAMELESS:
        if made:
            raise click.UsageError("--made-from goes with --handle -.")
        return
    nameless = [each for each in _rotations.owed(item) if not each["handle"] and each["credential"] == credential]
    times = [str(each["madeFrom"] or each["since"]) for each in nameless]
    if made in times or (made is None and len(times) == 1):
        return
    about = f"ApiKeySecret {item['metadata']['namespace']}/{item['metadata']['name']}"
    said = "has no debt of that time" if made else f"has {len(times)} debts without a handle"
    hint = f"Say which one with --made-from: {', '.join(times)}"
    raise errors.Stalled(Reason.NOT_FOUND, f"{about} {said}", hint)
