"""What an audit trail is, all in all: how its logs hang together, what witnesses say to it, and what is wrong.

Does not belong here: the judgement of single lines (``verify``), how a verdict is told (``cli/``).
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from . import heads
from .heads import Head
from .merkle import Tree
from .record import NOTHING

#: A record as JSON. Its form was checked when it was written, and its hash tells that it is still that.
Row = dict[str, Any]

#: Findings that are told; what is behind them is a consequence, or a file that is no trail at all.
MAX_FINDINGS = 100
#: Bytes of a leaf's hash.
_HASH = 32
#: How logs of a cluster are called: by the leader's term, and a number that is no larger than their generation.
_OF_A_CLUSTER = re.compile(r"[0-9]{6,}-(?P<number>[0-9]{4,15})-[0-9a-f]{12}")


class Problem(enum.StrEnum):
    """What is wrong with records. The list is closed."""

    UNREADABLE = "is no record and no head"
    CHANGED = "was changed"
    MISSING = "is missing"
    OUT_OF_PLACE = "is not in its place"
    DIFFERS = "is not the same in two of the places that were read"
    NOT_OPENED = "is the first of its log, but does not open it"
    AFTER_THE_END = "stands behind the end of its log"
    HEAD_WRONG = "is vouched for by a head that does not fit: it was changed, or added, or some are missing"
    HEAD_FORGED = "is vouched for by a head that its key has not signed"
    KEY_UNKNOWN = "is signed with a key that you do not trust"
    UNSEALED = "is vouched for by no head; a crash can leave a last line like that"
    LOG_MISSING = "is missing with its whole log, which others name"
    BEGINS_TWICE = "begins a log that follows none, though there is another such log; are these of two clusters?"
    WITNESS_DIFFERS = "is not what a witness has seen"
    CUT = "was there when a witness, or the log behind, saw it, and is not any more"


class State(enum.Enum):
    """What a trail is, all in all."""

    WHOLE = "whole"
    TAMPERED = "tampered with"
    UNWITNESSED = "whole, as far as it can be told without a witness"
    OPEN = "whole, with acts of which the outcome is not recorded"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    Attributes:
        seq: number of the record; None where it cannot be told.
        to: number of the last one, where it is one of several and nobody can tell which.
        place: what was read, such as a file, and the number of the line in it; 0 if it shows at no line.
    """

    problem: Problem
    log: str
    seq: int | None
    to: int | None = None
    place: str = "the trail"
    line: int = 0

    def __str__(self) -> str:
        if self.seq is None:
            return f"line {self.line} of {self.place} {self.problem}"
        which = f"record {self.seq}" if self.to in (None, self.seq) else f"one of the records {self.seq} to {self.to}"
        return f"{which} of log {self.log} {self.problem}"


@dataclasses.dataclass(slots=True)
class Log:
    """What is known of one log.

    Attributes:
        public: of what signs its heads (hex).
        previous: head of the log before, as its first record names it.
        generation: how many are before it, as that says; None where it does not.
        size: how many records are known, of which those before ``sealed`` have a head behind them.
        covered: how many of them a witness vouches for.
        head: the newest head that fits.
        first, last: when its first and its last record were made.
        at: number of the record that comes next in what is being read; None before there was one.
        prev: hash of the one before that.
        headed: size in the last head that was read.
        fresh: hashes of records that are not in the tree yet.
        roots: over its first records (hex), where a head stood.
    """

    name: str
    public: str = ""
    previous: Head | None = None
    generation: int | None = None
    size: int = 0
    sealed: int = 0
    covered: int = 0
    closed: bool = False
    broken: bool = False
    head: Head | None = None
    first: str = ""
    last: str = ""
    at: int | None = None
    prev: str = NOTHING
    headed: int = 0
    fresh: list[bytes] = dataclasses.field(default_factory=list)
    roots: dict[int, str] = dataclasses.field(default_factory=dict)
    _leaves: bytearray = dataclasses.field(default_factory=bytearray)
    _tree: Tree = dataclasses.field(default_factory=Tree)
    _below: Tree = dataclasses.field(default_factory=Tree)

    def leaf(self, seq: int) -> bytes:
        """Return the hash of a record."""
        self._settle()
        return bytes(self._leaves[seq * _HASH : (seq + 1) * _HASH])

    def root(self, size: int) -> str:
        """Return the root (hex) over its first records."""
        self._settle()
        if size == self.size:
            return self._tree.root().hex()
        if size not in self.roots:
            # Those who ask for several begin with the smallest.
            if size < self._below.size:
                self._below = Tree()
            for seq in range(self._below.size, size):
                self._below.add(self.leaf(seq))
            self.roots[size] = self._below.root().hex()
        return self.roots[size]

    def _settle(self) -> None:
        for each in self.fresh:
            self._tree.add(each)
        self._leaves += b"".join(self.fresh)
        self.fresh.clear()


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a verification.

    Attributes:
        findings: what is wrong, at most ``MAX_FINDINGS``.
        logs: by when they begin.
        records: how many there are.
        lost: how many the trail says that were given up because nothing could be written.
        open: intents without an outcome.
        begins_after: the log that the oldest one names, where that is not here: archived, or taken away.
        unwitnessed: logs of which no witness has seen anything.
        newer: how many records of the others are newer than what a witness has seen.
        heads: how many heads of witnesses counted.
        foreign: how many did not, because no key of the trail, and none that is trusted or told of, has signed them.
        absent: logs that a witness has seen, and that are not here: archived, or taken away, nobody can tell.
    """

    state: State
    findings: tuple[Finding, ...]
    logs: tuple[Log, ...]
    records: int
    lost: int
    open: tuple[Row, ...]
    begins_after: Head | None
    unwitnessed: tuple[str, ...]
    newer: int
    heads: int
    foreign: int
    absent: tuple[str, ...]


class Judgement:
    """Holds the logs of a trail against each other, and against what witnesses have seen.

    Args:
        logs: all of them, read to their ends.
    """

    def __init__(self, logs: Mapping[str, Log]) -> None:
        self._logs = logs
        self.findings: list[Finding] = []
        self.begins_after: Head | None = None
        self.heads, self.foreign = 0, 0
        self.absent: list[str] = []

    def judge(self, witnesses: Sequence[Head], pinned: frozenset[str], told: frozenset[str]) -> None:
        """Find what is wrong.

        Args:
            witnesses: heads that were kept elsewhere.
            pinned: the only public keys that may be trusted; empty: any.
            told: public keys that witnesses tell of.
        """
        for log in self._logs.values():
            if not log.broken and log.sealed < log.size:
                self._find(Finding(Problem.UNSEALED, log.name, log.sealed, log.size - 1))
        self._links()
        seen = heads.signed(witnesses, pinned or told | {log.public for log in self._logs.values()})
        self.heads, self.foreign = len(seen), len(witnesses) - len(seen)
        self._witnesses(seen)
        self._cover()
        for log in self._logs.values():
            trusted = log.public in pinned if pinned else not told or log.covered or log.public in told
            if log.public and not log.broken and not trusted:
                self._find(Finding(Problem.KEY_UNKNOWN, log.name, 0))

    def in_order(self) -> tuple[Log, ...]:
        """Return the logs by when they begin: each behind the one that it follows."""
        by_time = sorted(self._logs.values(), key=lambda log: (log.first, log.name))
        placed: dict[str, Log] = {}
        for log in by_time:
            way, names = [log], {log.name}
            while (before := self._before(way[-1])) and before.name not in names | placed.keys():
                way.append(before)
                names.add(before.name)
            placed |= {each.name: each for each in reversed(way)}
        return tuple(placed.values())

    def _before(self, log: Log) -> Log | None:
        return self._logs.get(log.previous.log) if log.previous else None

    # How logs hang together.

    def _links(self) -> None:
        """See that each log follows one that is here; one of a trail may follow a log that was archived, or none."""
        begun: dict[str, Log] = {}
        for log in self.in_order():
            if log.broken:
                continue
            if self._before(log):
                assert log.previous  # noqa: S101 - as there is one before
                self._compare(log.previous, Problem.HEAD_WRONG)
                continue
            trail = "cluster" if _OF_A_CLUSTER.fullmatch(log.name) else log.public
            first = begun.setdefault(trail, log)
            self.begins_after = self.begins_after or log.previous
            if first is not log and not (log.previous and log.previous == first.previous):
                problem = Problem.LOG_MISSING if log.previous else Problem.BEGINS_TWICE
                self._find(Finding(problem, log.previous.log if log.previous else log.name, 0))

    # What witnesses have seen.

    def _witnesses(self, witnesses: Iterable[Head]) -> None:
        # The smallest first: the first that differs tells best where.
        for head in sorted(witnesses, key=lambda each: (each.log, each.size)):
            log = self._logs.get(head.log)
            if log is None:
                if head.size:
                    self._missed(head.log)
            elif self._compare(head, Problem.WITNESS_DIFFERS):
                log.covered = head.size

    def _missed(self, name: str) -> None:
        """Note that a log is not here that a witness has seen."""
        if not self._may_be_archived(name):
            self._find_once(Finding(Problem.CUT, name, 0))
        elif name not in self.absent:
            self.absent.append(name)

    def _may_be_archived(self, name: str) -> bool:
        """Whether a log that is not here may have been archived: then it shows nothing that it is not here.

        Terms begin anew with a Lease that is made anew, so names alone are in no order. But archives leave the newest
        generation, and no log has a larger number in its name than its generation.
        """
        if self.begins_after is None:
            return False
        there = [log.generation for log in self._logs.values() if _OF_A_CLUSTER.fullmatch(log.name)]
        known = [each for each in there if each is not None]
        found = _OF_A_CLUSTER.fullmatch(name)
        return not found or not known or len(known) < len(there) or int(found["number"]) <= max(known)

    def _compare(self, head: Head, problem: Problem) -> bool:
        """Hold a head that stands elsewhere against the log that it is about."""
        log = self._logs[head.log]
        if log.broken:
            return False
        if head.size > log.size:
            self._find_once(Finding(Problem.CUT, log.name, log.size))
        elif log.root(head.size) != head.root:
            self._find_once(Finding(problem, log.name, min(log.covered, head.size - 1), head.size - 1))
        else:
            return True
        return False

    def _cover(self) -> None:
        """Let what a witness has seen vouch for the logs before, as far as the log behind names them."""
        for log in self._logs.values():
            at: Log | None = log if log.covered else None
            while at and at.previous and (before := self._before(at)) and before.covered < at.previous.size:
                before.covered = min(at.previous.size, before.size)
                at = before

    def _find(self, finding: Finding) -> None:
        self.findings.append(finding)

    def _find_once(self, finding: Finding) -> None:
        if all(each.log != finding.log for each in self.findings):
            self._find(finding)


def unwitnessed(logs: Iterable[Log]) -> Iterator[str]:
    """Yield the names of the logs of which no witness has seen anything."""
    yield from (each.name for each in logs if not each.covered)
