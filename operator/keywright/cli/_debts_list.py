"""``keywright debts list``: which clean-ups at issuers are owed.

Does not belong here: what status tells of them (``_rotations``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from . import _connection, _output, _rotations, _types
from ._exit import Exit
from ._output import lasting, seconds_since

if TYPE_CHECKING:
    from ..cluster import Cluster, Json


@click.command("list")
@click.argument("name", type=_types.NAME, required=False)
@click.option("-A", "--all-namespaces", is_flag=True, help="Show the debts of all namespaces.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@_connection.connects
def command(place: _connection.Place, name: str | None, all_namespaces: bool, output: str) -> None:
    """Show which clean-ups at issuers are owed for the keys of a namespace; with NAME those of that ApiKeySecret.

    Exit code: 0 if nothing is owed; 3 if something is; 1 if that could not be found out.
    """
    if all_namespaces and (name or place.namespace):
        raise click.UsageError("-A shows all namespaces: it goes neither with NAME nor with -n.")

    async def work(api: Cluster) -> Exit:
        namespace = None if all_namespaces else place.namespace_in(api)
        found = [row for item in await _objects(api, namespace, name) for row in _rotations.owed(item)]
        if output != "table":
            _output.structured(output, {"debts": found})
        else:
            _show(found, namespace)
        return Exit.NOT_READY if found else Exit.FINE

    _connection.run(place, work)


async def _objects(api: Cluster, namespace: str | None, name: str | None) -> list[Json]:
    from ..engine.records import API_KEY_SECRETS

    if name:
        return [await _connection.read(api, API_KEY_SECRETS, "ApiKeySecret", namespace, name)]
    found = [item async for page in api.pages(API_KEY_SECRETS, namespace) for item in page["items"]]
    return sorted(found, key=lambda item: (item["metadata"]["namespace"], item["metadata"]["name"]))


def _show(debts: Sequence[_rotations.Row], namespace: str | None) -> None:
    page = _output.Page()
    if not debts:
        page.line(f"Nothing is owed in namespace {namespace}." if namespace else "Nothing is owed.")
        return
    lead = [] if namespace else ["namespace"]
    named = [*lead, "name", "credential", "owed", "handle"]
    page.table(
        [*map(str.upper, named), "SINCE", "TRIES"],
        [
            [
                *(str(each[field] or "-") for field in named),
                lasting(seconds_since(each["since"])),
                str(each["tries"] or 0),
            ]
            for each in debts
        ],
    )
    for word, said in _rotations.OWED.items():
        if any(each["owed"] == word for each in debts):
            page.line()
            page.line(word)
            page.below(said)
