"""``keywright status``: who leads, how each ApiKeySecret is, and how the stores are.

Does not belong here: how things come to be so (``engine/``), how it is printed (``_output``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ..errors import Reason
from . import _connection, _health, _leader, _output, _types, _verdicts
from ._exit import Exit
from ._output import lasting, seconds_since
from ._section import Section

if TYPE_CHECKING:
    from ..cluster import Cluster, Json

Row = dict[str, Any]

_HOW = "Create a KeyStore and an ApiKeySecret: `kubectl explain apikeysecret.spec` tells what goes into them."

SECTION = Section.CLUSTER


@click.command("status")
@click.argument("name", type=_types.NAME, required=False)
@click.option("-A", "--all-namespaces", is_flag=True, help="Show the objects of all namespaces.")
@click.option(
    "--expiring", type=_types.DURATION, help="Show the credentials that end within this time, and nothing else."
)
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@_connection.connects
def command(
    place: _connection.Place, name: str | None, all_namespaces: bool, expiring: float | None, output: str
) -> None:
    """Show who leads, how each ApiKeySecret is, and how the stores are; with NAME those that it uses.

    With --expiring 30d, show the credentials that end within 30 days, or have ended, the first of them first.

    Exit code: 0 if all ApiKeySecrets that are shown are Ready, 3 if some are not; with --expiring 0 if no credential
    ends within that time, 3 if some do; 1 if that could not be found out.
    """
    if all_namespaces and (name or place.namespace):
        raise click.UsageError("-A shows all namespaces: it goes neither with NAME nor with -n.")

    async def work(api: Cluster) -> Exit:
        namespace = None if all_namespaces else place.namespace_in(api)
        if expiring is not None:
            return _expiring(await _objects(api, namespace, name), expiring, output)
        leader = await _leader.find(api, place.operator_namespace)
        items = await _objects(api, namespace, name)
        objects, stores = [_object(each) for each in items], await _stores(api, namespace, items, only_used=bool(name))
        if output == "table":
            _show(leader.told, objects, stores, namespace)
        else:
            told = {"leader": dataclasses.asdict(leader), "apiKeySecrets": objects, "stores": stores}
            _output.structured(output, told)
        return Exit.FINE if all(each["ready"] == "True" for each in objects) else Exit.NOT_READY

    _connection.run(place, work)


async def _objects(api: Cluster, namespace: str | None, name: str | None) -> list[Json]:
    from ..engine.records import API_KEY_SECRETS

    if name:
        return [await _connection.read(api, API_KEY_SECRETS, "ApiKeySecret", namespace, name)]
    return [item async for page in api.pages(API_KEY_SECRETS, namespace) for item in page["items"]]


def _expiring(items: Sequence[Json], within: float, output: str) -> Exit:
    """Print what ends within a time (seconds); return the exit code."""
    found = _verdicts.ending(items, within)
    page = _output.Page()
    if output != "table":
        _output.structured(output, {"credentials": found})
    elif found:
        _verdicts.show_ending(page, found)
    else:
        page.line(f"No credential whose end is known ends within {lasting(within)}.")
    return Exit.NOT_READY if found else Exit.FINE


def _object(item: Json) -> Row:
    meta, status = item["metadata"], item.get("status") or {}
    return {
        "namespace": meta["namespace"],
        "name": meta["name"],
        **dataclasses.asdict(_health.of(item)),
        "store": status.get("store"),
        "keys": status.get("keys"),
        "expires": status.get("expires"),
        "lastChanged": status.get("lastChanged"),
        "created": meta["creationTimestamp"],
    }


async def _stores(api: Cluster, namespace: str | None, items: Sequence[Json], *, only_used: bool) -> list[Row]:
    """Return how the stores are; those that objects name and that cannot be seen are told so."""
    from ..cluster import Refused
    from ..engine.catalog import CLUSTER_KIND, DEFAULT_STORE, identifier
    from ..engine.records import STORE_RESOURCES

    named = {name for item in items for name in _named(item)}
    rows: dict[str, Row] = {}
    for kind, resource in STORE_RESOURCES.items():
        ours = {name for name in named if name.startswith(f"{kind}/")}
        # Of the cluster's stores, one namespace is shown those that it uses.
        used = only_used or bool(namespace and kind == CLUSTER_KIND)
        if used and not ours:
            continue
        unseen = "It does not exist."
        try:
            async for page in api.pages(resource, None if kind == CLUSTER_KIND else namespace):
                for item in page["items"]:
                    meta = item["metadata"]
                    name = identifier(kind, meta.get("namespace", ""), meta["name"])
                    default = DEFAULT_STORE in ours and item["spec"].get("default")
                    if not used or name in ours or default:
                        rows[name] = {"store": name, **dataclasses.asdict(_health.of(item))}
        except Refused as refused:
            if refused.status != 403:
                raise
            unseen = f"You may not read {resource.plural}."
        for name in ours - rows.keys() - {DEFAULT_STORE}:
            rows[name] = {"store": name, **dataclasses.asdict(_health.Health("Unknown", message=unseen))}
    return [rows[name] for name in sorted(rows)]


def _named(item: Json) -> set[str]:
    """Return the identifiers of the stores that an object names."""
    from ..engine import records

    return set(records.uses(item["metadata"]["namespace"], item["spec"]))


def _show(leader: str, objects: Sequence[Row], stores: Sequence[Row], namespace: str | None) -> None:
    page = _output.Page()
    page.line(leader)
    page.line()
    if objects:
        _show_objects(page, objects, namespace)
    else:
        page.line(f"No ApiKeySecrets in namespace {namespace}; -A shows all." if namespace else "No ApiKeySecrets.")
        page.line(_HOW)
    if stores:
        page.line()
        page.table(
            ["STORE", "READY", "REASON", "SINCE"],
            [
                [each["store"], each["ready"], each["reason"] or "-", lasting(seconds_since(each["since"]))]
                for each in stores
            ],
        )
        _explain(page, {each["store"]: each for each in stores})


def _show_objects(page: _output.Page, objects: Sequence[Row], namespace: str | None) -> None:
    lead = [] if namespace else ["NAMESPACE"]
    end = ["EXPIRES"] if any(each["expires"] for each in objects) else []
    page.table(
        [*lead, "NAME", "READY", "REASON", "STORE", "KEYS", *end, "LAST CHANGE", "AGE"],
        [
            [
                *([] if namespace else [each["namespace"]]),
                *(each["name"], each["ready"]),
                *(each[told] or "-" for told in ("reason", "store", "keys", *(["expires"] if end else []))),
                *(lasting(seconds_since(each[when])) for when in ("lastChanged", "created")),
            ]
            for each in objects
        ],
    )
    _explain(page, {f"{each['namespace']}/{each['name']}": each for each in objects})


def _explain(page: _output.Page, rows: dict[str, Row]) -> None:
    """Print the message of each that is not Ready, or Ready with a reservation: something is missing or suspended."""
    for name, row in rows.items():
        if row["ready"] != "True" or row["reason"] not in (Reason.SYNCED, Reason.VALID):
            page.line()
            page.line(name)
            page.below(row["message"])
