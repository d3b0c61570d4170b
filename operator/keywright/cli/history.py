"""``keywright history``: how far the rotations of an object are, who asked for what, and what was done last.

Does not belong here: the audit trail, which tells all there was (``audit``), Events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from . import _connection, _output, _rotations, _types
from ._exit import Exit
from ._output import lasting, seconds_since
from ._section import Section

if TYPE_CHECKING:
    from ..cluster import Cluster, Json

Row = dict[str, Any]

SECTION = Section.ROTATION

#: KeyActions that are shown to people; programs are told all.
_SHOWN = 20
_ASKED = ("action", "credential", "testOnly", "takeOver", "debt", "madeFrom", "requestedBy", "reason", "reference")


@click.command("history")
@click.argument("name", type=_types.NAME)
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@_connection.connects
def command(place: _connection.Place, name: str, output: str) -> None:
    """Show how far the rotations of the ApiKeySecret NAME are, who asked for what, and what was done last.

    Who asked is read from KeyActions, which may have been cleared away; `keywright audit log` tells all there was.

    Exit code: 0; 3 if a rotation waits for a person; 1 if that could not be found out.
    """

    async def work(api: Cluster) -> Exit:
        from ..engine.records import API_KEY_SECRETS

        namespace = place.namespace_in(api)
        item = await _connection.read(api, API_KEY_SECRETS, "ApiKeySecret", namespace, name)
        rotations = _rotations.of(item)
        told = {
            "namespace": namespace,
            "name": name,
            "rotations": rotations,
            "keyActions": await _actions(api, namespace, name),
            "history": (item.get("status") or {}).get("history") or [],
        }
        if output == "table":
            _show(told)
        else:
            _output.structured(output, told)
        return Exit.NOT_READY if any(each["asks"] for each in rotations) else Exit.FINE

    _connection.run(place, work)


async def _actions(api: Cluster, namespace: str, name: str) -> list[Row] | None:
    """Return the KeyActions about an object, newest first; None if they may not be seen."""
    from ..cluster import Refused
    from ..engine.actions import KEY_ACTIONS

    try:
        found = [item async for page in api.pages(KEY_ACTIONS, namespace) for item in page["items"]]
    except Refused as refused:
        if refused.status != 403:
            raise
        return None
    rows = [_action(each) for each in found if each["spec"].get("apiKeySecret") == name]
    return sorted(rows, key=lambda row: (row["created"], row["name"]), reverse=True)


def _action(item: Json) -> Row:
    meta, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    return {
        "name": meta["name"],
        **{field: spec.get(field) for field in _ASKED},
        "verified": status.get("verified"),
        "phase": status.get("phase"),
        "code": status.get("reason"),
        "message": status.get("message"),
        "created": meta["creationTimestamp"],
        "startedAt": status.get("startedAt"),
        "completedAt": status.get("completedAt"),
    }


def _show(told: Mapping[str, Any]) -> None:
    page = _output.Page()
    if told["rotations"]:
        _rotations.show(page, told["rotations"])
    else:
        page.line(f"No rotation is known of ApiKeySecret {told['namespace']}/{told['name']}.")
    page.line()
    _show_actions(page, told["keyActions"])
    if told["history"]:
        page.line()
        _show_acts(page, told["history"])


def _show_actions(page: _output.Page, actions: Sequence[Row] | None) -> None:
    if not actions:
        page.line("You may not list keyactions." if actions is None else "There is no KeyAction about it.")
        return
    page.table(
        ["ASKED FOR", "CREDENTIAL", "BY", "WHY", "PHASE", "OUTCOME", "AGE"],
        [
            [
                _asked(each),
                each["credential"] or "-",
                _by(each),
                " ".join(filter(None, (each["reason"], each["reference"]))),
                each["phase"] or "-",
                each["code"] or "-",
                lasting(seconds_since(each["created"])),
            ]
            for each in actions[:_SHOWN]
        ],
    )
    if len(actions) > _SHOWN:
        page.line(f"and {len(actions) - _SHOWN} older ones: -o json tells them.")


def _asked(row: Row) -> str:
    more = "test only" if row["testOnly"] else "taken over" if row["takeOver"] else ""
    return f"{row['action']} ({more})" if more else str(row["action"])


def _by(row: Row) -> str:
    if not row["requestedBy"]:
        return "-"
    # Before it was taken up, nobody has looked.
    return f"{row['requestedBy']} (unverified)" if row["verified"] is False else str(row["requestedBy"])


def _show_acts(page: _output.Page, acts: Sequence[Mapping[str, Any]]) -> None:
    page.table(
        ["DONE", "WHY", "OF", "KEYS", "AGE"],
        [
            [
                *(str(each.get(field) or "-") for field in ("act", "reason")),
                _of(each),
                ", ".join(each.get("keys") or ()) or "-",
                lasting(seconds_since(each.get("time"))),
            ]
            for each in acts
        ],
    )


def _of(act: Mapping[str, Any]) -> str:
    """Return what an act was done to."""
    known = (
        f"{kind} {act[field]}" for field, kind in (("secret", "Secret"), ("credential", "credential")) if act.get(field)
    )
    return ", ".join(known) or "-"
