"""``keywright debts list``: which clean-ups at issuers are owed.

Does not belong here: what status tells of them (``_rotations``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .. import errors
from . import _connection, _output, _rotations, _types
from ._exit import Exit
from ._output import lasting, seconds_since

if TYPE_CHECKING:
    from ..cluster import Cluster, Json


@click.command("list")
@click.argument("name", type=_types.NAME, required=False)
@click.option("-A", "--all-namespaces", is_flag=True, help="Show the debts of all namespaces.")
@click.option("--gone", is_flag=True, help="Show the debts of objects that are gone, as the operator's journals tell.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@_connection.connects
def command(place: _connection.Place, name: str | None, *, all_namespaces: bool, gone: bool, output: str) -> None:
    """Show which clean-ups at issuers are owed for the keys of a namespace; with NAME those of that ApiKeySecret.

    With --gone, those whose ApiKeySecrets are gone, of all namespaces. For that you need the right to list Secrets in
    the operator's namespace, where the journals are; no key is shown.

    Exit code: 0 if nothing is owed; 3 if something is; 1 if that could not be found out.
    """
    if all_namespaces and (name or place.namespace):
        raise click.UsageError("-A shows all namespaces: it goes neither with NAME nor with -n.")
    if gone and (name or place.namespace or all_namespaces):
        raise click.UsageError("--gone shows all namespaces: it goes neither with NAME nor with -n or -A.")

    async def work(api: Cluster) -> Exit:
        namespace = None if all_namespaces or gone else place.namespace_in(api)
        objects = await _objects(api, namespace, name)
        found = [row for item in objects for row in _rotations.owed(item)]
        unread: list[errors.Stalled] = []
        if gone:
            found, unread = await _left(api, place.operator_namespace, objects)
        if output != "table":
            _output.structured(output, {"debts": found})
        else:
            _show(found, namespace)
        for error in unread:
            click.echo(f"Error: {error}. {error.hint}.", err=True)
        return Exit.FAILED if unread else Exit.NOT_READY if found else Exit.FINE

    _connection.run(place, work)


async def _objects(api: Cluster, namespace: str | None, name: str | None) -> list[Json]:
    from ..engine.records import API_KEY_SECRETS

    if name:
        return [await _connection.read(api, API_KEY_SECRETS, "ApiKeySecret", namespace, name)]
    found = [item async for page in api.pages(API_KEY_SECRETS, namespace) for item in page["items"]]
    return sorted(found, key=lambda item: (item["metadata"]["namespace"], item["metadata"]["name"]))


async def _left(
    api: Cluster, system: str, objects: Sequence[Json]
) -> tuple[list[_rotations.Row], list[errors.Stalled]]:
    """Return what journals tell of objects that are not there, and why others could not be read.

    Raises:
        errors.Stalled: none may be read.
    """
    from ..engine.journals import Journals

    there = {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in objects}
    rows: list[_rotations.Row] = []
    unread = []
    async for kept in Journals(api, system).all():
        if isinstance(kept, errors.Stalled):
            unread.append(kept)
        elif (kept.about.namespace, kept.about.name) not in there:
            rows += _rotations.left(kept)
    return rows, unread


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
                _rotations.tries(each),
            ]
            for each in debts
        ],
    )
    journals = sorted({each["journal"] for each in debts if each.get("journal")})
    if journals:
        page.line()
        page.line("Their objects are gone. What is settled is forgotten with its journal, a Secret in the operator's")
        page.line(f"namespace: {', '.join(journals)}.")
    for word in (*_rotations.OWED, _rotations.UNDER_WAY):
        if said := _rotations.meaning(word, debts):
            page.line()
            page.line(word)
            for line in said:
                page.below(line)
            for line in filter(None, (_rotations.search(each) for each in debts if each["owed"] == word)):
                page.below(line)
