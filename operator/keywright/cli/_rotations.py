"""What status tells of rotations: how far each is, what it waits for, and what is owed.

What is not told is None: an operator of another version may tell less, or nothing.

Does not belong here: how a rotation goes (``decide/rotate``), which command shows it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import pacing
from . import _output
from ._output import lasting, seconds_since

if TYPE_CHECKING:
    from ..cluster import Json
    from ..engine.journals import Kept

Row = dict[str, Any]

#: What status tells of a rotation, for people and programs.
FIELDS = (
    *("id", "step", "since", "cause", "why", "until", "next", "pinned", "waits", "asks", "last", "debts"),
    *("pods", "current", "laggards"),
)
#: What it tells of one clean-up that is owed.
OF_A_DEBT = ("owed", "handle", "since", "tries", "byHand", "issuer", "madeFrom", "madeUntil")
#: What each of these means, and what to do.
OWED = {
    "Revoke": "The key is still to be revoked. That is tried again by itself once nobody has the key, and `keywright"
    " debts retry` tries it now. Or revoke it at the issuer; then `keywright debts forget`.",
    "Find": "A key may have been made and cannot be found. Look for it at the issuer and remove it; then"
    " `keywright debts forget`.",
    "Die": "The key was revoked, and was not seen to be dead: its issuer accepted it when it was last tested, or it"
    " could not be tested. See there that it is dead; then `keywright debts forget`.",
    "Keep": "The key is left alive, as somebody may use it, and is not revoked by itself. When nobody needs it, remove"
    " it at the issuer; then `keywright debts forget`.",
}
#: The same of one that is to be revoked, and that Keywright does not revoke.
_BY_HAND = (
    "The key is still to be revoked, which Keywright cannot do: that is not tried by itself, however long you wait."
    " Revoke the key at its issuer; then `keywright debts forget`."
)
#: Of one of which it is not told whether it does.
_EITHER = (
    "The key is still to be revoked. Where Keywright may revoke it, and nobody has it, that is tried again by itself,"
    " and `keywright debts retry` tries it now. One that is never tried is for a person: revoke it at the issuer; then"
    " `keywright debts forget`."
)
#: Of one whose handle is not known.
_UNNAMED = (
    "The key is still to be revoked, and it is not known what its issuer calls it, so nobody tries that. Look for it"
    " there and revoke it; then `keywright debts forget --handle -`."
)

#: What is told in its place of a rotation that goes on although its object is gone.
UNDER_WAY = "Rotation"
_GOES_ON = "A rotation has not ended, although its object is gone; the operator's log says what it waits for."


def meaning(owed: str, debts: Sequence[Row]) -> list[str]:
    """Return what a word for what is owed means, and what to do, as sentences; nothing where nothing is owed so.

    Args:
        debts: all that is owed.
    """
    rows = [each for each in debts if each["owed"] == owed]
    if owed != "Revoke":
        return [OWED.get(owed, _GOES_ON if owed == UNDER_WAY else "")] if rows else []
    kinds = {each.get("byHand") if each["handle"] else "" for each in rows}
    words = {False: OWED[owed], True: _BY_HAND, None: _EITHER, "": _UNNAMED}
    return [said for kind, said in words.items() if kind in kinds]


def tries(row: Row) -> str:
    """Return how often it was tried, for people; of one that a person has to see to, that."""
    return "by hand" if row["owed"] == "Revoke" and (row.get("byHand") or not row["handle"]) else str(row["tries"] or 0)


def search(row: Row) -> str:
    """Return where and when a key was made that is to be found; empty where that is not known, or there is none."""
    if not row.get("madeFrom"):
        return ""
    where = f" by {row['issuer']}" if row.get("issuer") else ""
    return f"{row['name']}: made{where} between {row['madeFrom']} and {row['madeUntil']}."


def of(item: Json) -> list[Row]:
    """Return what the status of an object tells of the rotations of its credentials."""
    told = [_part(each) for each in (item.get("status") or {}).get("rotations") or []]
    return [{field: each.get(field) for field in ("credential", *FIELDS)} for each in told]


def owed(item: Json) -> list[Row]:
    """Return what is owed for the keys of an object, the oldest first of each credential."""
    meta = item["metadata"]
    about = {"namespace": meta["namespace"], "name": meta["name"]}
    return [
        {**about, "credential": row["credential"], **{field: _part(each).get(field) for field in OF_A_DEBT}}
        for row in of(item)
        for each in sorted(row["debts"] or (), key=lambda debt: str(_part(debt).get("since")))
    ]


def left(kept: Kept) -> list[Row]:
    """Return what a journal tells that is owed, or that goes on, and the journal's name."""
    from ..decide.rotate import told
    from ..decide.rotate.journal import Step
    from ..decide.rotate.owed import by_hand_once_gone
    from ..engine.journals import name_of

    about = kept.about
    whose = {"namespace": about.namespace, "name": about.name, "credential": about.credential}
    runs = kept.journal.step is not Step.IDLE
    under_way = {"owed": UNDER_WAY, "handle": "", "since": pacing.rfc3339(kept.journal.since), "tries": 0}
    ends = [whose | under_way | {"journal": name_of(about.key)}] if runs else []
    return ends + [
        whose
        | dict.fromkeys(OF_A_DEBT)
        | told.debt(each)
        | {"byHand": by_hand_once_gone(each) or None, "journal": name_of(about.key)}
        for each in kept.journal.debts
    ]


def _part(told: Any) -> Mapping[str, Any]:
    return told if isinstance(told, Mapping) else {}


def show(page: _output.Page, rotations: Sequence[Row]) -> None:
    """Print how far each is, and below that what there is to say."""
    page.table(
        ["CREDENTIAL", "STEP", "FOR", "CAUSE", "UNTIL", "NEXT", "LAST"],
        [
            [
                each["credential"],
                each["step"] or "-",
                lasting(seconds_since(each["since"])),
                each["cause"] or "-",
                ahead(each["until"]),
                "pinned" if each["pinned"] else ahead(each["next"]),
                _last(_part(each["last"])),
            ]
            for each in rotations
        ],
    )
    for each in rotations:
        if lines := list(_more(each)):
            page.line()
            page.line(each["credential"])
            for line in lines:
                page.below(line)


def ahead(rfc3339: str | None) -> str:
    """Return when a moment that is to come comes, for people: ``in 22 h``; ``now`` if it is there, ``-`` for None."""
    then = pacing.unix(rfc3339)
    if then is None:
        return "-"
    left = then - time.time()
    return f"in {lasting(left)}" if left >= 1 else "now"


def _last(last: Mapping[str, Any]) -> str:
    if not last:
        return "-"
    why = f" ({last['why']})" if last.get("why") else ""
    return f"{last.get('outcome') or '?'} {lasting(seconds_since(last.get('at')))} ago{why}"


def _more(row: Row) -> list[str]:
    """Return what there is to say of a rotation, as sentences."""
    lines = []
    why = f" ({row['why']})" if row["why"] else ""
    if row["asks"]:
        lines.append(f"It waits for a person{why}: {row['waits'] or 'see the Events of the object.'}")
    elif row["waits"]:
        lines.append(f"It waits{why}: {row['waits']}")
    elif row["why"]:
        lines.append(f"Why: {row['why']}.")
    if row["pods"] and row["current"] != row["pods"]:
        late = ", ".join(f"{each.get('kind')}/{each.get('name')}" for each in map(_part, row["laggards"] or ()))
        lines.append(f"{row['current']} of {row['pods']} pods are seen to use the new key{late and f'; late: {late}'}.")
    if row["pinned"]:
        lines.append("It is pinned: none begins by itself until `keywright pin --off`.")
    if number := len(row["debts"] or ()):
        owed = "One clean-up at the issuer is" if number == 1 else f"{number} clean-ups at the issuer are"
        lines.append(f"{owed} owed: `keywright debts list` tells more.")
    return lines
