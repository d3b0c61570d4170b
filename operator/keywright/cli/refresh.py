"""``keywright refresh``: ask for a refresh of ApiKeySecrets now, and wait for it where that is wanted.

Does not belong here: asking and waiting (``_refreshing``), the refresh itself (``engine/``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import _connection, _health, _output, _types
from ._exit import Exit
from ._refreshing import Refreshing
from ._section import Section

if TYPE_CHECKING:
    from ..cluster import Cluster

SECTION = Section.CLUSTER


@click.command("refresh")
@click.argument("names", nargs=-1, type=_types.NAME, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="All ApiKeySecrets of the namespace.")
@click.option("--wait", is_flag=True, help="Wait until the operator has done it, and tell the outcome.")
@click.option("--timeout", type=_types.DURATION, default="60s", show_default=True, help="How long to wait.")
@_connection.connects
def command(place: _connection.Place, names: tuple[str, ...], everything: bool, wait: bool, timeout: float) -> None:
    """Have ApiKeySecrets read from their stores now.

    Sets the annotation keywright.dev/refresh; the operator acknowledges it in status.lastHandledRefresh.

    Suspended ones are not read: they are told, and not waited for.

    Exit code: 0 if it was asked for, and with --wait if all are Ready then; 3 with --wait if some are not Ready, or are
    suspended; 1 if one does not exist, or the wait was in vain.
    """
    if bool(names) == everything:
        raise click.UsageError("Name the ApiKeySecrets to refresh, or say --all.")

    async def work(api: Cluster) -> Exit:
        asking = Refreshing(api, place.namespace_in(api))
        await asking.ask(await asking.all_names() if everything else tuple(dict.fromkeys(names)))
        why = await asking.wait(timeout, place.operator_namespace) if wait else ""
        return _told(asking, why, waited=wait)

    _connection.run(place, work)


def _told(asking: Refreshing, why: str, *, waited: bool) -> Exit:
    """Print what has become of each; return the exit code."""
    page = _output.Page()
    healths = {name: _health.of(item) for name, item in sorted(asking.done.items())}
    for name, health in healths.items():
        page.line(f"{name}: {'Ready' if health.ready == 'True' else 'not Ready'} ({health.reason or 'no reason'})")
        if health.ready != "True":
            page.below(health.message)
    undone = asking.undone(why)
    for line in undone:
        page.line(line)
    if not (healths or undone):
        page.line(f"No ApiKeySecrets in namespace {asking.namespace}.")
    if asking.failed or (waited and asking.waiting):
        return Exit.FAILED
    resting = waited and asking.suspended
    ready = not resting and all(each.ready == "True" for each in healths.values())
    return Exit.FINE if ready else Exit.NOT_READY
