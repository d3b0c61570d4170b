"""``keywright consumers``: who uses the Secret of an ApiKeySecret, and which pods have its present values.

Does not belong here: how that is found out (``engine/consumers.py``), how it is printed (``_output``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from .. import errors, pacing
from ..errors import Reason
from . import _connection, _output, _types
from ._exit import Exit
from ._output import lasting, seconds_since
from ._section import Section

if TYPE_CHECKING:
    from ..cluster import Cluster, Json
    from ..decide.consumers import Census, Pod, Written
    from ..decide.uses import Use

Row = dict[str, Any]

SECTION = Section.CLUSTER

_NOBODY = "Nobody who shows it uses Secret {}. What a program asks of the API server itself cannot be seen."


@click.command("consumers")
@click.argument("name", type=_types.NAME)
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@_connection.connects
def command(place: _connection.Place, name: str, output: str) -> None:
    """Show who uses the Secret of the ApiKeySecret NAME, by which keys, and which pods have its present values.

    Workloads are shown with what their templates say, pods with what they have: Current, Starting, Coming (the kubelet
    is replacing its files), Unread (they are replaced; whether the program has read them again is not known), Old,
    Ending or Ended.

    Takes the rights to list pods and workloads in the namespace, and to get the Secret; no values are read.

    Exit code: 0 if all pods have the present values, or have ended; 3 if some may not; 1 if that could not be found
    out.
    """

    async def work(api: Cluster) -> Exit:
        from ..engine.records import API_KEY_SECRETS

        namespace = place.namespace_in(api)
        item = await _connection.read(api, API_KEY_SECRETS, "ApiKeySecret", namespace, name)
        known, found = await _find(api, item)
        if output == "table":
            _show(known, found)
        else:
            _output.structured(output, _told(known, found))
        return Exit.FINE if found.adopted else Exit.NOT_READY

    _connection.run(place, work)


async def _find(api: Cluster, item: Json) -> tuple[Written, Census]:
    """Return the Secret of an object as it was written, and who uses it."""
    from .. import kinds
    from ..decide import consumers as decide
    from ..decide import rollout
    from ..engine import consumers
    from ..engine.queue import Key

    key = Key(item["metadata"]["namespace"], item["metadata"]["name"])
    spec, status = kinds.ApiKeySecret.read_spec(item["spec"]), item.get("status") or {}
    secret = spec.target_name(key.name)
    known = await consumers.written(api, key, secret)
    if known is None:
        hint = "keywright status tells how the ApiKeySecret is"
        raise errors.Stalled(Reason.SECRET_MISSING, f"ApiKeySecret {key} has written no Secret {secret} yet", hint)
    if known.version == (status.get("target") or {}).get("resourceVersion"):
        # Else the status tells of other values than the Secret has.
        told = status.get("rollout") or {}
        known = decide.since(dataclasses.replace(known, mark=rollout.mark(told)), told.get("since"))
    named = rollout.refs(spec.rollout) if spec.rollout else frozenset()
    return known, await consumers.census(api, key.namespace, known, named)


def _told(known: Written, found: Census) -> Row:
    pods = sorted(found.pods, key=lambda each: (each.owner, each.name))
    return {
        "secret": known.secret,
        "written": pacing.rfc3339(known.at),
        "pods": len(found.pods),
        "current": len(found.pods) - len(found.unsettled),
        "consumers": [
            {"kind": each.ref.kind, "name": each.ref.name, "uses": _uses(each.uses)}
            for each in sorted(found.workloads, key=lambda each: each.ref)
        ],
        "running": [
            {
                "pod": each.name,
                "of": dataclasses.asdict(each.owner),
                "holds": str(each.hold),
                "created": each.started,
                "uses": _uses(each.uses),
            }
            for each in pods
        ],
    }


def _uses(uses: Iterable[Use]) -> list[Row]:
    return [
        {"way": str(each.way), "container": each.container or None, "key": each.key, "place": each.place or None}
        for each in uses
    ]


def _show(known: Written, found: Census) -> None:
    page = _output.Page()
    if not found.workloads and not found.pods:
        page.line(_NOBODY.format(known.secret))
        return
    current = len(found.pods) - len(found.unsettled)
    since = lasting(seconds_since(pacing.rfc3339(known.at)))
    page.line(f"Secret {known.secret}, written {since} ago: {current} of {len(found.pods)} pods have what is in it.")
    made = {each.ref for each in found.workloads}
    rows = [(str(each.ref), each.uses) for each in sorted(found.workloads, key=lambda each: each.ref)]
    # Of what has no workload that says it, and of what an older template had, the pods tell.
    rows += sorted({str(each.owner): each.uses for each in found.pods if each.owner not in made}.items())
    page.line()
    page.table(
        ["CONSUMER", "CONTAINER", "KEY", "AS"],
        [[name, each.container or "-", each.key or "all", _place(each)] for name, uses in rows for each in uses],
    )
    if found.pods:
        page.line()
        _show_pods(page, found.pods)


def _show_pods(page: _output.Page, pods: Iterable[Pod]) -> None:
    page.table(
        ["POD", "OF", "HOLDS", "AGE"],
        [
            [each.name, str(each.owner), str(each.hold), lasting(seconds_since(each.started))]
            for each in sorted(pods, key=lambda each: (each.owner, each.name))
        ],
    )


def _place(use: Use) -> str:
    return f"{use.way} {use.place}".strip()
