"""What records tell: folded as they are read, so that what is kept depends on what they are about, not on how many
there are. Pure.

What a trail says is not trusted: a record that is none of the schema's is counted and goes no further.

Does not belong here: where lines come from (``sources``), whether a trail is whole (``audit/verify.py``).
"""

from __future__ import annotations

import bisect
import collections
import dataclasses
from collections.abc import Collection, Hashable, Mapping

import pydantic

from ...audit.record import INTENTS, KeyChange, Record, Type
from ...audit.verify import Row
from .shape import LIMIT, Act, Change, Debt, KeyVersions, Told

#: Versions of one entry that are told, the last ones.
VERSIONS = 20
#: So many times as many rows as a list may have are told apart beyond them; with more, those left off are "at least".
MORE = 10
#: How an outcome says that all went well; that of a rotation's step repeats what was done.
DONE = "Done"
#: What is told once for many: the list of the report it is in, and whether each entry that it names counts.
_TOLD: Mapping[Type, tuple[str, bool]] = {
    Type.SYNC_DELETED: ("deletions", False),
    Type.SYNC_REPAIRED: ("repairs", False),
    Type.SYNC_REFUSED: ("violations", True),
    Type.ACCESS_DENIED: ("violations", True),
    Type.POLICY_DENIED: ("violations", True),
    Type.CHECK_VERDICT: ("verdicts", False),
    Type.READ: ("reads", True),
    Type.STORED: ("reads", True),
    Type.DELETED: ("reads", True),
    Type.REKEYED: ("reads", True),
    Type.BREAK_GLASS: ("break_glass", True),
}
_ACTS: Mapping[Type, str] = {
    Type.ACTION_INTENT: "actions",
    Type.ACTION_OUTCOME: "actions",
    Type.ROTATION_INTENT: "rotations",
    Type.ROTATION_OUTCOME: "rotations",
}
#: What still counts when it was before the period: what is open.
_LASTING = frozenset(map(str, (*_ACTS, Type.CLEANUP_OWED, Type.CLEANUP_DONE)))


class Seen:
    """Which records were taken, so that one that stands in two places counts once."""

    def __init__(self) -> None:
        self._runs: dict[str, tuple[list[int], list[int]]] = {}

    def add(self, log: str, seq: int) -> bool:
        """Take note of a record; whether it is new."""
        firsts, lasts = self._runs.setdefault(log, ([], []))
        at = bisect.bisect_right(firsts, seq) - 1
        if at >= 0 and seq <= lasts[at]:
            return False
        if at >= 0 and seq == lasts[at] + 1:
            lasts[at] = seq
        else:
            firsts.insert(at + 1, seq)
            lasts.insert(at + 1, seq)
        return True


@dataclasses.dataclass(slots=True)
class _Tally:
    count: int = 0
    first: str = ""
    last: str = ""

    def add(self, count: int, since: str, time: str) -> None:
        self.count += count
        self.first = min(self.first or since, since)
        self.last = max(self.last, time)


@dataclasses.dataclass(slots=True)
class _Key:
    store: str | None
    path: str | None
    changes: int = 0
    versions: collections.deque[str | None] = dataclasses.field(
        default_factory=lambda: collections.deque(maxlen=VERSIONS)
    )


@dataclasses.dataclass(slots=True)
class _Writes:
    secret: str | None
    tally: _Tally = dataclasses.field(default_factory=_Tally)
    keys: dict[str, _Key] = dataclasses.field(default_factory=dict)


class Trail:
    """Folds records.

    Args:
        since: begin of the period, as records have times; what is open counts whenever it began.
        namespaces: those that it is about; None: all. What is in no namespace always counts.
        limit: rows that one list may have.
    """

    def __init__(self, since: str, namespaces: Collection[str] | None = None, limit: int = LIMIT) -> None:
        self._since, self._namespaces, self._limit = since, namespaces, limit
        self._seen = Seen()
        self._told: dict[str, dict[Told, _Tally]] = {name: {} for name, _ in _TOLD.values()}
        self._writes: dict[tuple[str | None, str | None], _Writes] = {}
        self._others: dict[str, set[Hashable]] = collections.defaultdict(set)
        self._acts: dict[str, list[Act]] = {name: [] for name in _ACTS.values()}
        self._begun: dict[str, Record] = {}
        self._ended: dict[str, Record] = {}
        self._owed: dict[str, Record] = {}
        self._paid: set[str] = set()
        #: How many there are of what, by names of the summary; and rows for which there was no room, by lists.
        self.counts: collections.Counter[str] = collections.Counter()
        self.left_off: collections.Counter[str] = collections.Counter()

    def take(self, row: Row) -> None:
        """Fold a record, unless it was taken before."""
        lasting = row["type"] in _LASTING
        if not self._seen.add(row["log"], row["seq"]) or (row["time"] < self._since and not lasting):
            return
        try:
            record = Record.model_validate(row)
        except pydantic.ValidationError:
            self.counts["not_understood"] += 1
            return
        space = _space(record)
        if self._namespaces is None or space is None or space in self._namespaces:
            self._take(record)

    def _take(self, record: Record) -> None:
        kind = record.type
        if kind in _TOLD:
            self._tell(record, *_TOLD[kind])
        elif kind is Type.SYNC_WRITTEN:
            self._written(record)
        elif kind in _ACTS:
            self._act(record)
        elif kind is Type.CLEANUP_OWED or kind is Type.CLEANUP_DONE:
            self._debt(record)
        elif kind is Type.RECORDS_LOST:
            self.counts["lost"] += record.count or 0

    # What is told once for many.

    def _tell(self, record: Record, name: str, each_key: bool) -> None:
        count = 1 if record.count is None else record.count
        if record.part is None or record.part.number == 1:
            self.counts[name] += count
        tallies = self._told[name]
        for change in (record.keys or (None,)) if each_key else (None,):
            told = _told(record, change)
            if told not in tallies and len(tallies) >= self._limit:
                self._leave_off(name, told)
                continue
            tallies.setdefault(told, _Tally()).add(count, record.since or record.time, record.time)

    def _leave_off(self, name: str, row: Hashable) -> None:
        """Count a row for which a list has no room: once, as long as it can be told from the others."""
        others = self._others[name]
        if row not in others and len(others) < MORE * self._limit:
            others.add(row)
            self.left_off[name] += 1

    def told(self, name: str) -> tuple[Told, ...]:
        """Return a list of what is told once for many, the latest first."""
        found = [
            dataclasses.replace(told, count=tally.count, first=tally.first, last=tally.last)
            for told, tally in self._told[name].items()
        ]
        return tuple(sorted(found, key=lambda each: each.last, reverse=True))

    # What was written.

    def _written(self, record: Record) -> None:
        key = _space(record), record.object.name if record.object else None
        first = record.part is None or record.part.number == 1
        self.counts["writes"] += first
        if key not in self._writes and len(self._writes) >= self._limit:
            self._leave_off("changes", key)
            return
        writes = self._writes.setdefault(key, _Writes(record.secret))
        writes.secret = record.secret or writes.secret
        writes.tally.add(int(first), record.time, record.time)
        for change in record.keys or ():
            if change.old != change.new:
                _changed(writes.keys.setdefault(change.key, _Key(change.store, change.path)), change)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What was written, by objects."""
        return tuple(
            Change(*key, each.secret, each.tally.count, each.tally.first, each.tally.last, _versions(each.keys))
            for key, each in sorted(self._writes.items(), key=lambda told: tuple(name or "" for name in told[0]))
        )

    # What has an intent and an outcome.

    def _act(self, record: Record) -> None:
        act = record.id or f"{record.log}/{record.seq}"
        mine, other = (self._begun, self._ended) if record.type in INTENTS else (self._ended, self._begun)
        if act not in other:
            mine[act] = record
            return
        found = other.pop(act)
        self._over(*((record, found) if mine is self._begun else (found, record)))

    def _over(self, begun: Record | None, ended: Record) -> None:
        """Note an act that has an outcome; its intent may be in what was not read."""
        if ended.time < self._since:
            return
        name = _ACTS[ended.type]
        self.counts[name] += 1
        self.counts[f"{name}_failed"] += not _went_well(begun, ended)
        self._list(name, _act_of(begun, ended))

    def _list(self, name: str, act: Act) -> None:
        if len(self._acts[name]) < self._limit:
            self._acts[name].append(act)
        else:
            self.left_off[name] += 1

    # Debts.

    def _debt(self, record: Record) -> None:
        debt = record.id or _about(record)
        if record.type is Type.CLEANUP_DONE:
            if self._owed.pop(debt, None) is None:
                self._paid.add(debt)
        elif debt in self._paid:
            # Told the other way round, as files may be.
            self._paid.discard(debt)
        else:
            self._owed.setdefault(debt, record)

    @property
    def debts(self) -> tuple[Debt, ...]:
        """Clean-ups that are owed, the oldest first."""
        owed = sorted(self._owed.values(), key=lambda each: each.time)
        return tuple(
            Debt(_space(each), _object(each), *_credential(each), each.code, each.since or each.time) for each in owed
        )

    # All in all.

    def finish(self) -> None:
        """Take stock of acts without an outcome, and of outcomes without an intent; nothing is to be taken any more."""
        for ended in self._ended.values():
            self._over(None, ended)
        for begun in self._begun.values():
            name = _ACTS[begun.type]
            self.counts[name] += 1
            self.counts[f"{name}_open"] += 1
            self._list(name, _act_of(begun, None))

    def acts(self, name: str) -> tuple[Act, ...]:
        """Return the acts of a list, the open ones first, then the latest."""
        latest = sorted(self._acts[name], key=lambda each: each.ended or each.begun or "", reverse=True)
        return tuple(sorted(latest, key=lambda each: each.state != "open"))


def _changed(key: _Key, change: KeyChange) -> None:
    key.changes += 1
    key.store, key.path = change.store or key.store, change.path or key.path
    for version in (change.old, change.new):
        told = version.version if version else None
        if version and (not key.versions or key.versions[-1] != told):
            key.versions.append(told)


def _versions(keys: Mapping[str, _Key]) -> tuple[KeyVersions, ...]:
    return tuple(
        KeyVersions(name, each.store, each.path, each.changes, tuple(each.versions))
        for name, each in sorted(keys.items())
    )


def _told(record: Record, change: KeyChange | None) -> Told:
    credential = record.credential
    return Told(
        str(record.type),
        record.code,
        record.who.name,
        record.who.verified,
        _space(record),
        _object(record),
        record.secret,
        store=change.store if change else None,
        path=change.path if change else None,
        key=change.key if change else None,
        credential=credential.name if credential else None,
        issuer=credential.issuer if credential else None,
        old=credential.old if credential else None,
        new=credential.new if credential else None,
    )


def _went_well(begun: Record | None, ended: Record) -> bool:
    """Whether an outcome says so; without the intent, that of a step is not known to."""
    return ended.code == DONE or (begun is not None and ended.code == begun.code)


def _act_of(begun: Record | None, ended: Record | None) -> Act:
    """Make an act out of what is recorded of it, of which there is at least one."""
    told = begun or ended
    assert told  # noqa: S101 - see above
    action = told.action or (ended.action if ended else None)
    code = ended.code if ended else told.code
    return Act(
        "open" if ended is None else "done" if _went_well(begun, ended) else "failed",
        code,
        told.who.name,
        told.who.verified,
        _space(told),
        _object(told),
        _credential(told)[0],
        action=action.name if action else None,
        act=action.act if action else None,
        reason=action.reason if action else None,
        reference=action.reference if action else None,
        begun=begun.time if begun else None,
        ended=ended.time if ended else None,
    )


def _space(record: Record) -> str | None:
    return record.object.namespace if record.object else None


def _object(record: Record) -> str | None:
    return f"{record.object.kind}/{record.object.name}" if record.object else None


def _credential(record: Record) -> tuple[str | None, str | None]:
    return (record.credential.name, record.credential.issuer) if record.credential else (None, None)


def _about(record: Record) -> str:
    """Name what a record is about, where it has no id."""
    return "\n".join(each or "" for each in (_space(record), _object(record), *_credential(record)))
