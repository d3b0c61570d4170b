"""Whether an audit trail is whole: every edit, deletion, swap, insertion and cut shows, with the record it shows at.

Works on lines, so that a cluster's segments, an export, an archive and a workstation's file are judged alike, without
any of them being trusted. What cannot show without a witness, namely that a log ends too early or that all of it was
made anew by somebody who has its key, is said.

Does not belong here: where lines come from and how a verdict is told (``cli/``).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import pydantic_core

from . import heads, lines
from .heads import Head
from .merkle import Tree, leaf
from .record import INTENTS, NOTHING, OUTCOMES, HeadPart, Type

#: A record as JSON. Its form was checked when it was written, and its hash tells that it is still that.
Row = dict[str, Any]

_INTENTS, _OUTCOMES = frozenset(map(str, INTENTS)), frozenset(map(str, OUTCOMES))


class Problem(enum.StrEnum):
    """What is wrong with a trail. The list is closed; each is told with a log and a record."""

    UNREADABLE = "is no record and no head"
    CHANGED = "was changed"
    MISSING = "is missing"
    OUT_OF_PLACE = "is not in its place"
    NOT_OPENED = "is the first of its log, but does not open it"
    AFTER_THE_END = "stands behind the end of its log"
    HEAD_WRONG = "is vouched for by a head that does not fit"
    HEAD_FORGED = "is vouched for by a head that its key has not signed"
    KEY_UNKNOWN = "is signed with a key that you do not trust"
    UNSEALED = "is vouched for by no head; a crash can leave a last line like that"
    LOG_MISSING = "is missing with its whole log, which others name"
    BEGINS_TWICE = "begins a log that follows none, though there is another such log"
    WITNESS_DIFFERS = "and those before are not what a witness has seen"
    CUT = "was there when a witness saw it, and is not any more"


class State(enum.Enum):
    """What a trail is, all in all."""

    WHOLE = "whole"
    TAMPERED = "tampered with"
    UNWITNESSED = "whole, as far as it can be told without a witness"
    OPEN = "whole, with acts of which the outcome is not recorded"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        seq: number of the record; None where it cannot be told.
        line: number of the line in what was read.
    """

    problem: Problem
    log: str
    seq: int | None
    line: int = 0

    def __str__(self) -> str:
        what = f"record {self.seq} of log {self.log}" if self.seq is not None else f"line {self.line}"
        return f"{what} {self.problem}"


@dataclasses.dataclass(slots=True)
class Log:
    """What is known of one log.

    Attributes:
        witnessed: how many of its records a witness has seen.
        roots: of the tree, where a head stood.
    """

    name: str
    number: int
    public: str = ""
    size: int = 0
    prev: str = NOTHING
    previous: Head | None = None
    sealed: int = 0
    closed: bool = False
    broken: bool = False
    witnessed: int = 0
    first: str = ""
    last: str = ""
    roots: dict[int, str] = dataclasses.field(default_factory=dict)
    tree: Tree = dataclasses.field(default_factory=Tree)


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a verification.

    Attributes:
        records: how many there are.
        lost: how many the trail says that were given up because nothing could be written.
        open: intents without an outcome.
        begins_after: the log that the oldest one names, where that is not here: archived, or taken away.
        unwitnessed: logs of which no witness has seen anything.
    """

    state: State
    findings: tuple[Finding, ...]
    logs: tuple[Log, ...]
    records: int
    lost: int
    open: tuple[Row, ...]
    begins_after: Head | None
    unwitnessed: tuple[str, ...]


class Verifier:
    """Judges a trail, line by line.

    Args:
        witnesses: heads that were kept elsewhere.
        trusted: public keys (hex) that logs may be signed with; empty: whichever they name.
    """

    def __init__(self, witnesses: Iterable[Head] = (), trusted: Collection[str] = ()) -> None:
        self._witnesses, self._trusted = tuple(witnesses), frozenset(trusted)
        self._logs: dict[str, Log] = {}
        self._findings: list[Finding] = []
        self._open: dict[str, Row] = {}
        self._line, self._records, self._lost = 0, 0, 0
        self._at: Log | None = None

    def take(self, line: bytes) -> Row | None:
        """Judge the next line; return the record that it is, None if it is a head, or nothing."""
        self._line += 1
        if lines.is_head(line):
            self._head(line)
            return None
        row = _read(line)
        if row is None:
            log = self._at
            self._find(Problem.UNREADABLE, log, log.size if log else None)
            return None
        self._records += 1
        self._record(row, line)
        return row

    def take_all(self, every: Iterable[bytes]) -> Iterator[Row]:
        """Judge lines; yield the records in them."""
        for line in every:
            if (row := self.take(line)) is not None:
                yield row

    # Records.

    def _record(self, row: Row, line: bytes) -> None:
        name, seq = row["log"], row["seq"]
        log = self._at
        if log is None or log.name != name:
            log = self._at = self._logs.setdefault(name, Log(name, len(self._logs)))
        if not log.broken:
            self._place(log, row)
        hashed = leaf(line)
        log.tree.add(hashed)
        log.size, log.prev, log.last = seq + 1, hashed.hex(), row["time"]
        if row["type"] not in _SIMPLE:
            self._meaning(log, row)

    def _place(self, log: Log, row: Row) -> None:
        """See that a record stands where it belongs, behind the one that it names."""
        seq = row["seq"]
        if seq != log.size:
            self._find(Problem.MISSING if seq > log.size else Problem.OUT_OF_PLACE, log, min(seq, log.size))
        elif row["prev"] != log.prev:
            # The one before is not what it was when this one was written; of a first one, it is itself.
            self._find(Problem.CHANGED, log, max(0, seq - 1))
        elif log.closed:
            self._find(Problem.AFTER_THE_END, log, seq)
        elif not seq:
            self._opening(log, row)

    def _opening(self, log: Log, row: Row) -> None:
        log.first, log.public = row["time"], str(row.get("publicKey") or "")
        log.previous = _head_in(row)
        if row["type"] != Type.LOG_OPENED or not log.public:
            self._find(Problem.NOT_OPENED, log, 0)
        elif self._trusted and log.public not in self._trusted:
            self._find(Problem.KEY_UNKNOWN, log, 0)

    def _meaning(self, log: Log, row: Row) -> None:
        kind, act = row["type"], row.get("id")
        if kind == Type.LOG_CLOSED:
            log.closed = True
        elif kind == Type.RECORDS_LOST:
            self._lost += row.get("count") or 0
        elif act and kind in _INTENTS:
            self._open[act] = row
        elif act and kind in _OUTCOMES:
            self._open.pop(act, None)

    # Heads.

    def _head(self, line: bytes) -> None:
        try:
            head = lines.read_head(line)
        except ValueError:
            log = self._at
            self._find(Problem.UNREADABLE, log, log.size if log else None)
            return
        found = self._logs.get(head.log)
        if found is None:
            self._logs[head.log] = found = Log(head.log, len(self._logs))
            self._find(Problem.MISSING, found, 0)
        elif not found.broken:
            self._vouches(found, head)

    def _vouches(self, log: Log, head: Head) -> None:
        last = max(0, log.size - 1)
        if head.size > log.size:
            self._find(Problem.MISSING, log, log.size)
        elif head.size < log.size or head.root != log.tree.root().hex():
            self._find(Problem.HEAD_WRONG, log, last)
        elif head.key != heads.key_id(log.public) or not heads.is_signed(head, log.public):
            self._find(Problem.HEAD_FORGED, log, last)
        else:
            log.sealed = log.size
            log.roots[log.size] = head.root

    # All in all.

    def verdict(self) -> Verdict:
        """Return what came of it; nothing can be taken any more then."""
        for log in self._logs.values():
            if not log.broken and log.sealed < log.size:
                self._find(Problem.UNSEALED, log, log.sealed)
        begins_after = self._links()
        self._witnessed()
        unwitnessed = tuple(each.name for each in self._logs.values() if not self._covered(each))
        findings = tuple(self._findings)
        open_acts = tuple(self._open.values())
        whole = not unwitnessed and begins_after is None and bool(self._logs)
        state = State.TAMPERED if findings else State.OPEN if open_acts else State.WHOLE if whole else State.UNWITNESSED
        logs = tuple(self._logs.values())
        return Verdict(state, findings, logs, self._records, self._lost, open_acts, begins_after, unwitnessed)

    def _links(self) -> Head | None:
        """See that each log follows one that is here; one may follow a log that was archived, or none."""
        begins_after: Head | None = None
        beginnings = 0
        for log in self._logs.values():
            if log.broken:
                continue
            if log.previous is None or log.previous.log not in self._logs:
                beginnings += 1
                begins_after = begins_after or log.previous
                if beginnings > 1:
                    problem = Problem.LOG_MISSING if log.previous else Problem.BEGINS_TWICE
                    at = log.previous.log if log.previous else log.name
                    self._findings.append(Finding(problem, at, 0))
            else:
                self._compare(log.previous, Problem.HEAD_WRONG)
        return begins_after

    def _witnessed(self) -> None:
        for head in self._witnesses:
            log = self._logs.get(head.log)
            if log is None:
                if head.size:
                    self._find_once(Finding(Problem.CUT, head.log, 0))
            elif not log.broken and self._compare(head, Problem.WITNESS_DIFFERS):
                log.witnessed = max(log.witnessed, head.size)

    def _compare(self, head: Head, problem: Problem) -> bool:
        """Hold a head that stands elsewhere against the log that it is about."""
        log = self._logs[head.log]
        if log.broken:
            return False
        if head.size > log.size:
            self._find_once(Finding(Problem.CUT, log.name, log.size))
        elif log.roots.get(head.size) != head.root:
            self._find_once(Finding(problem, log.name, max(0, head.size - 1)))
        else:
            return True
        return False

    def _covered(self, log: Log) -> bool:
        """Whether a witness has seen a log, or one that names it."""
        names = {log.name}
        for other in sorted(self._logs.values(), key=lambda each: each.number):
            if other.name in names and other.witnessed:
                return True
            if other.previous and other.previous.log in names:
                names.add(other.name)
        return False

    def _find(self, problem: Problem, log: Log | None, seq: int | None) -> None:
        """Note what is wrong with a log; what else is wrong with it follows from that, as a rule."""
        if log:
            log.broken = True
        self._findings.append(Finding(problem, log.name if log else "", seq, self._line))

    def _find_once(self, finding: Finding) -> None:
        if all(each.log != finding.log for each in self._findings):
            self._findings.append(finding)


#: Types that mean nothing for the trail itself.
_SIMPLE = frozenset(map(str, Type)) - _INTENTS - _OUTCOMES - {str(Type.LOG_CLOSED), str(Type.RECORDS_LOST)}


def _read(line: bytes) -> Row | None:
    """Return a record with all that makes its place; None if it is none."""
    try:
        row = pydantic_core.from_json(line)
    except ValueError:
        return None
    if not isinstance(row, dict):
        return None
    seq, told = row.get("seq"), (row.get("log"), row.get("prev"), row.get("type"), row.get("time"))
    return row if type(seq) is int and seq >= 0 and all(type(each) is str for each in told) else None


def _head_in(row: Row) -> Head | None:
    """Return the head of the log before, as the first record of a log names it."""
    try:
        return HeadPart.model_validate(row["previous"])
    except (KeyError, ValueError):
        return None


def roots(verdict: Verdict) -> Mapping[str, str]:
    """Return the last root of each log, by its name."""
    return {log.name: log.roots[log.size] for log in verdict.logs if log.size in log.roots}
