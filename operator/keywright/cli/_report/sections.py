"""A report as people read it: sections with a sentence or two and a table each. Pure.

Does not belong here: the form of a page (``pages``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...decide.report import clock
from .shape import (
    NONE,
    NUMBERS,
    OF_OBJECTS,
    Act,
    Change,
    Debt,
    Ending,
    KeyVersions,
    NotReady,
    Report,
    Rotated,
    Share,
    Source,
    Told,
)

#: Rows of a table that a page shows; JSON has more of them.
SHOWN = 500

Cell = str | int


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """One section.

    Attributes:
        note: what to know about it.
        empty: what is said in place of a table without rows.
        more: rows that are not shown.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    empty: str = "None."
    more: int = 0


#: How trails are, in words.
_VERDICTS = {
    "Whole": "whole",
    "Unwitnessed": "whole, as far as it can be told without a witness",
    "Open": "whole; acts without an outcome",
    "Tampered": "NOT whole",
    "Empty": "nothing is recorded in it",
}


def head(report: Report) -> tuple[tuple[str, str], ...]:
    """Return what a report is about, as words and what they are."""
    told = report.head
    namespaces = "all" if told.namespaces is None else ", ".join(told.namespaces) or "none"
    return (
        ("Cluster", told.cluster),
        ("Namespaces", namespaces),
        ("Period", f"{clock(told.since)} to {clock(told.generated)}"),
        ("Generated", clock(told.generated)),
    )


def sections(report: Report) -> Iterator[Section]:
    """Yield the sections of a report."""
    yield _trails(report)
    yield _summary(report)
    yield from (
        _shares(title, what, rows)
        for title, what, rows in (
            ("Keys by age", "Age", report.by_age),
            ("Keys by issuer", "Issuer", report.by_issuer),
            ("Keys by environment", "Environment", report.by_environment),
            ("Keys by verdict", "Verdict", report.by_verdict),
            ("Keys by rotation", "Rotation", report.by_rotation),
        )
    )
    yield _section(report, "ending", "Ends soon", _ENDING, _ending, note=_SOON)
    yield _section(report, "rotated", "Keys that are rotated", _ROTATED, _rotated)
    yield _section(report, "not_ready", "Not Ready", _NOT_READY, _not_ready)
    yield from _of_records(report)


_SOON = "Within 30 days, or ended. A key whose whole life is no longer than that is here only once it has ended."


def _of_records(report: Report) -> Iterator[Section]:
    """Yield what a trail tells."""
    yield _section(report, "rotations", "Steps of rotations", _ACT, _act)
    yield _section(report, "actions", "Actions", _ACT, _act, note="What KeyActions asked for.")
    yield _section(report, "violations", "Refused and denied", _TOLD, _told)
    yield _section(report, "debts", "Clean-ups owed", _DEBT, _debt, note="Whenever they began.")
    yield _section(report, "changes", "Changes of keys", _CHANGE, _change, note=_VERSIONS)
    yield _section(report, "deletions", "Removed", _TOLD, _told)
    yield _section(report, "repairs", "Repairs", _REPAIR, _repair, note="Secrets that somebody had changed or deleted.")
    yield _section(report, "verdicts", "Verdicts that changed", _VERDICT, _verdict)
    yield _section(report, "reads", "Values that people handled", _TOLD, _told, note="Through the command line.")
    yield _section(report, "break_glass", "Done before it was recorded", _TOLD, _told, note=_GLASS)


_VERSIONS = "The store's versions that entries had, the last 20, in the order in which they came."
_GLASS = "Acts that could not be recorded first, as auditMode: BestEffort allows."


def _section(
    report: Report,
    name: str,
    title: str,
    columns: tuple[str, ...],
    row: Callable[[Any], Sequence[tuple[Cell, ...]]],
    *,
    note: str = "",
) -> Section:
    """Make a section of a list of the report."""
    rows = [each for found in getattr(report, name) for each in row(found)]
    more = max(0, len(rows) - SHOWN) + report.left_off.get(name, 0)
    unread = not report.trails and name not in ("ending", "not_ready", "rotated")
    empty = "Not known: no trail was read." if unread else "None."
    return Section(title, columns, tuple(rows[:SHOWN]), "" if unread else note, empty, more)


def _trails(report: Report) -> Section:
    def row(each: Source) -> tuple[Cell, ...]:
        more = (f"and {each.wrong - len(each.findings)} more",) if each.wrong > len(each.findings) else ()
        return each.name, each.records, each.lost, _VERDICTS[each.verdict], "; ".join(each.findings + more) or NONE

    columns = ("Trail", "Records", "Given up", "Verified", "Findings")
    return Section("What was recorded", columns, tuple(map(row, report.trails)), empty="No trail was read.")


def _summary(report: Report) -> Section:
    known = len(NUMBERS) if report.trails else OF_OBJECTS
    rows = [(said, getattr(report.summary, name)) for name, said in NUMBERS[:known]]
    rows += [(said, NONE) for _, said in NUMBERS[known:]]
    return Section("In numbers", ("What", "How many"), tuple(rows))


def _shares(title: str, what: str, rows: Sequence[Share]) -> Section:
    return Section(title, (what, "Keys"), tuple((each.name, each.keys) for each in rows))


_ENDING = ("Namespace", "Name", "Credential", "Issuer", "Ends", "Ended")


def _ending(each: Ending) -> list[tuple[Cell, ...]]:
    told = (each.namespace, each.name, each.credential, each.issuer or NONE, clock(each.expires_at))
    return [(*told, "yes" if each.ended else "no")]


_ROTATED = ("Namespace", "Name", "Credential", "Step", "Last", "When", "Next", "Owed")


def _rotated(each: Rotated) -> list[tuple[Cell, ...]]:
    told = (each.namespace, each.name, each.credential, each.step or NONE, each.last or NONE, _at(each.at))
    return [(*told, "pinned" if each.pinned else _at(each.next), each.owed)]


_NOT_READY = ("Namespace", "Name", "Ready", "Reason", "Since", "Message")


def _not_ready(each: NotReady) -> list[tuple[Cell, ...]]:
    return [(each.namespace, each.name, each.ready, each.reason or NONE, _at(each.since), each.message or NONE)]


_ACT = ("State", "Object", "Credential", "Act", "Asked by", "Reason", "Reference", "Action", "Code", "Begun", "Ended")


def _act(each: Act) -> list[tuple[Cell, ...]]:
    asked = (each.act or NONE, _who(each), each.reason or NONE, each.reference or NONE, each.action or NONE)
    about = _object(each.namespace, each.object), each.credential or NONE
    return [(each.state, *about, *asked, each.code, _at(each.begun), _at(each.ended))]


_TOLD = ("What", "Code", "Who", "Object", "Store", "Path", "Entry", "Times", "First", "Last")


def _told(each: Told) -> list[tuple[Cell, ...]]:
    place = (each.store or NONE, each.path or NONE, each.key or NONE)
    about = _object(each.namespace, each.object)
    return [(each.type, each.code, _who(each), about, *place, each.count, _at(each.first), _at(each.last))]


_REPAIR = ("Object", "Secret", "Code", "Times", "First", "Last")


def _repair(each: Told) -> list[tuple[Cell, ...]]:
    about = _object(each.namespace, each.object), each.secret or NONE
    return [(*about, each.code, each.count, _at(each.first), _at(each.last))]


_VERDICT = ("Object", "Credential", "Issuer", "Before", "After", "Times", "Last")


def _verdict(each: Told) -> list[tuple[Cell, ...]]:
    said = (each.credential or NONE, each.issuer or NONE, each.old or NONE, each.new or NONE)
    return [(_object(each.namespace, each.object), *said, each.count, _at(each.last))]


_DEBT = ("Object", "Credential", "Issuer", "Code", "Since")


def _debt(each: Debt) -> list[tuple[Cell, ...]]:
    told = (each.credential or NONE, each.issuer or NONE, each.code, _at(each.since))
    return [(_object(each.namespace, each.object), *told)]


_CHANGE = ("Namespace", "Name", "Secret", "Writes", "Last", "Entry", "Store", "Path", "Changes", "Versions")


def _change(each: Change) -> list[tuple[Cell, ...]]:
    """Return a line for each entry that changed."""
    told = (each.namespace or NONE, each.name or NONE, each.secret or NONE, each.writes, _at(each.last))
    return [(*told, *_entry(key)) for key in each.keys] or [(*told, NONE, NONE, NONE, 0, NONE)]


def _entry(key: KeyVersions) -> tuple[Cell, ...]:
    versions = " → ".join(each or "?" for each in key.versions) or NONE
    return key.key, key.store or NONE, key.path or NONE, key.changes, versions


def _who(each: Act | Told) -> str:
    return each.who if each.verified else f"{each.who} (not verified)"


def _object(namespace: str | None, name: str | None) -> str:
    return " ".join(part for part in (name or NONE, namespace and f"in {namespace}") if part)


def _at(rfc3339: str | None) -> str:
    return clock(rfc3339) if rfc3339 else NONE
