"""A report as data: what JSON has, and what pages are made of. Pure.

Does not belong here: how it is gathered (``state``, ``trail``), how it is shown to people (``sections``).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import alias_generators

T = TypeVar("T")

#: Rows that one list of a report has at most; how many were left off is told beside them.
LIMIT = 10_000
DAY = 86_400.0
#: Seconds within which a key "ends soon".
SOON = 30 * DAY
#: Ages of keys: below so many seconds.
AGES = (
    ("< 30 d", 30 * DAY),
    ("30–90 d", 90 * DAY),
    ("90–180 d", 180 * DAY),
    ("180 d–1 y", 365 * DAY),
    ("> 1 y", math.inf),
)
#: Stands for what is not known, or is not said.
UNKNOWN = "unknown"
NONE = "-"


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A trail that was read.

    Attributes:
        verdict: ``Whole``, ``Unwitnessed``, ``Open``, ``Tampered``, or ``Empty``.
        findings: the first things that are wrong with it.
        wrong: how many things are wrong with it.
    """

    name: str
    records: int
    verdict: str
    lost: int
    wrong: int
    findings: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """How many keys are of one sort."""

    name: str
    keys: int


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """A key that ends soon, or has ended."""

    namespace: str
    name: str
    credential: str
    issuer: str | None
    expires_at: str
    ended: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Rotated:
    """A key that is rotated.

    Attributes:
        step: how far a rotation is; ``Idle`` between two, None where none is known.
        last: what the last one came to, and when that was; None where there was none.
        next: when the next one begins by itself; None: it does not.
        owed: clean-ups at the issuer that its object tells of.
    """

    namespace: str
    name: str
    credential: str
    step: str | None
    last: str | None
    at: str | None
    next: str | None
    pinned: bool
    asks: bool
    owed: int


@dataclasses.dataclass(frozen=True, slots=True)
class NotReady:
    """An ApiKeySecret that is not Ready."""

    namespace: str
    name: str
    ready: str
    reason: str | None
    since: str | None
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What records tell that say the same of the same: once, with how often.

    Attributes:
        type: of the records.
        object: its kind and name.
        old: of a verdict: what it was.
        count: how often; a record may tell of many times.
        first: when the first of these was.
    """

    type: str
    code: str
    who: str
    verified: bool
    namespace: str | None
    object: str | None
    secret: str | None
    store: str | None
    path: str | None
    key: str | None
    credential: str | None
    issuer: str | None
    old: str | None
    new: str | None
    count: int = 0
    first: str = ""
    last: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class KeyVersions:
    """Which versions an entry of a Secret had.

    Attributes:
        changes: how often it changed.
        versions: the store's, the last ones, in the order in which they came; None where the store has no versions.
    """

    key: str
    store: str | None
    path: str | None
    changes: int
    versions: tuple[str | None, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What was written into the Secret of an object."""

    namespace: str | None
    name: str | None
    secret: str | None
    writes: int
    first: str
    last: str
    keys: tuple[KeyVersions, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Act:
    """An act of which an intent or an outcome is recorded: what a KeyAction asked for, or a step of a rotation.

    Attributes:
        state: ``done``, ``failed``, or ``open``: no outcome is recorded.
        code: what came of it; of an open one, what is to be done.
        action: name of the KeyAction that asked for it.
        begun: None where the intent is not in what was read.
    """

    state: str
    code: str
    who: str
    verified: bool
    namespace: str | None
    object: str | None
    credential: str | None
    action: str | None
    act: str | None
    reason: str | None
    reference: str | None
    begun: str | None
    ended: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Debt:
    """An outside clean-up that is owed."""

    namespace: str | None
    object: str | None
    credential: str | None
    issuer: str | None
    code: str
    since: str


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """The report in numbers; those of records are of the period, ``open`` and ``debts`` are of all that was read.

    Attributes:
        keys: credentials that are known, whatever is known of them.
        other_entries: entries of Secrets that belong to none of these.
        objects_changed: ApiKeySecrets whose Secret was written.
        writes: how often.
        violations: what was refused or denied, how often.
        lost: records that were given up because nothing could be written.
        not_understood: records of a kind that this version does not know.
    """

    objects: int = 0
    ready: int = 0
    suspended: int = 0
    keys: int = 0
    other_entries: int = 0
    ending: int = 0
    ended: int = 0
    rotation_steps: int = 0
    rotation_steps_failed: int = 0
    rotation_steps_open: int = 0
    actions: int = 0
    actions_failed: int = 0
    actions_open: int = 0
    objects_changed: int = 0
    writes: int = 0
    deletions: int = 0
    repairs: int = 0
    violations: int = 0
    debts: int = 0
    reads: int = 0
    break_glass: int = 0
    verdicts: int = 0
    lost: int = 0
    not_understood: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Head:
    """What a report is about.

    Attributes:
        cluster: where its API server answers.
        namespaces: those whose objects were read; None: all.
        since: begin of the period, RFC 3339.
        generated: when it was made, and the end of the period.
    """

    cluster: str
    namespaces: tuple[str, ...] | None
    since: str
    generated: str


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """All of it.

    Attributes:
        not_read: what was not, and why, as clauses.
        left_off: rows that a list would have had besides, by its name.
    """

    head: Head
    trails: tuple[Source, ...]
    not_read: tuple[str, ...]
    summary: Summary
    by_age: tuple[Share, ...] = ()
    by_issuer: tuple[Share, ...] = ()
    by_environment: tuple[Share, ...] = ()
    by_verdict: tuple[Share, ...] = ()
    by_rotation: tuple[Share, ...] = ()
    rotated: tuple[Rotated, ...] = ()
    ending: tuple[Ending, ...] = ()
    not_ready: tuple[NotReady, ...] = ()
    rotations: tuple[Act, ...] = ()
    actions: tuple[Act, ...] = ()
    changes: tuple[Change, ...] = ()
    deletions: tuple[Told, ...] = ()
    repairs: tuple[Told, ...] = ()
    violations: tuple[Told, ...] = ()
    debts: tuple[Debt, ...] = ()
    verdicts: tuple[Told, ...] = ()
    reads: tuple[Told, ...] = ()
    break_glass: tuple[Told, ...] = ()
    left_off: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def attention(self) -> tuple[str, ...]:
        """What a person must look at, as clauses; nothing if all is as it should be."""
        return tuple(_attention(self))


#: The numbers of the summary in words, in the order in which people read them; those of objects first.
NUMBERS = (
    ("objects", "ApiKeySecrets"),
    ("ready", "of these Ready"),
    ("suspended", "of these suspended"),
    ("keys", "Keys that are known as credentials"),
    ("other_entries", "Entries of Secrets that are no known credential"),
    ("ended", "Keys that have ended"),
    ("ending", "Keys that end within 30 days"),
    ("rotation_steps", "Steps of rotations"),
    ("rotation_steps_failed", "Steps of rotations that failed"),
    ("rotation_steps_open", "Steps of rotations without an outcome"),
    ("actions", "Actions"),
    ("actions_failed", "Actions that failed"),
    ("actions_open", "Actions without an outcome"),
    ("objects_changed", "ApiKeySecrets whose Secret was written"),
    ("writes", "Writes of Secrets"),
    ("deletions", "Removals"),
    ("repairs", "Repairs"),
    ("violations", "Times something was refused or denied"),
    ("debts", "Clean-ups owed"),
    ("verdicts", "Verdicts that changed"),
    ("reads", "Times people handled values"),
    ("break_glass", "Acts done before they were recorded"),
    ("lost", "Records given up"),
    ("not_understood", "Records that this version does not know"),
)
#: How many of them objects tell; those that call for a person when they are not 0.
OF_OBJECTS = 7
_CALLING = (
    *("ended", "ending", "violations", "debts", "break_glass", "lost", "not_understood"),
    *(f"{name}_{how}" for name in ("rotation_steps", "actions") for how in ("failed", "open")),
)


def _attention(report: Report) -> Iterator[str]:
    summary = report.summary
    if summary.objects > summary.ready:
        yield f"ApiKeySecrets that are not Ready: {summary.objects - summary.ready} of {summary.objects}"
    if invalid := sum(each.keys for each in report.by_verdict if each.name == "Invalid"):
        yield f"Keys that their issuers do not accept: {invalid}"
    if waits := sum(each.asks for each in report.rotated):
        yield f"Rotations that wait for a person: {waits}"
    for name, said in NUMBERS:
        if name in _CALLING and (number := getattr(summary, name)):
            yield f"{said}: {number}"
    for each in report.trails:
        if each.verdict == "Tampered":
            yield f"The trail of {each.name} is not whole: {each.findings[0]}"
    if report.not_read:
        yield f"What was not read, so that this report is not complete: {len(report.not_read)}"


def as_json(report: Report) -> dict[str, Any]:
    """Return a report as programs get it, with ``v``: the version of its form."""
    told: dict[str, Any] = {"v": 1, "attention": list(report.attention)}
    return told | {_camel(field.name): _plain(getattr(report, field.name)) for field in dataclasses.fields(report)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {_camel(name): each for name, each in value.items()}
    if dataclasses.is_dataclass(value):
        return {_camel(field.name): _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def _camel(name: str) -> str:
    return alias_generators.to_camel(name)


def at_most(rows: Iterable[T], limit: int = LIMIT) -> tuple[tuple[T, ...], int]:
    """Return the first rows, and how many there are besides."""
    every = tuple(rows)
    return every[:limit], max(0, len(every) - limit)
