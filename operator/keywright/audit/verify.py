"""Whether an audit trail is whole: every edit, deletion, swap, insertion and cut shows, with the record it shows at.

Works on lines, so that a cluster's segments, an export, an archive and a workstation's file are judged alike, without
any of them being trusted. What cannot show without a witness, namely that a log ends too early or that all of it was
made anew by somebody who has its key, is said.

Several places may be read one after the other, and may hold the same records: an archive, a later export, the cluster.
Within one place nothing may stand twice.

Does not belong here: what it comes to (``verdict``), where lines come from and how a verdict is told (``cli/``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import pydantic_core

from . import heads, lines
from .heads import Head
from .merkle import leaf
from .record import INTENTS, NOTHING, OUTCOMES, HeadPart, Type
from .verdict import MAX_FINDINGS, Finding, Judgement, Log, Problem, Row, State, Verdict, unwitnessed

__all__ = ["Finding", "Log", "Problem", "Row", "State", "Verdict", "Verifier"]

_INTENTS, _OUTCOMES = frozenset(map(str, INTENTS)), frozenset(map(str, OUTCOMES))
#: Types that mean something for the trail itself.
_TELLING = _INTENTS | _OUTCOMES | {str(Type.LOG_CLOSED), str(Type.RECORDS_LOST)}


class Verifier:
    """Judges a trail, line by line.

    Args:
        witnesses: heads that were kept elsewhere; one counts if a key has signed it that is trusted, or, where none is
            named, one that is told of or that a log of the trail names.
        trusted: the public keys (hex) that logs may be signed with; empty: whichever they name.
        told: public keys that a witness tells of: what no witness has seen must be signed with one of them, if any.
    """

    def __init__(
        self, witnesses: Iterable[Head] = (), trusted: Collection[str] = (), told: Collection[str] = ()
    ) -> None:
        # A head is printed every minute, also where nothing has happened.
        self._witnesses = tuple(dict.fromkeys(witnesses))
        self._trusted, self._told = frozenset(trusted), frozenset(told)
        self._logs: dict[str, Log] = {}
        self._findings: list[Finding] = []
        self._open: dict[str, Row] = {}
        self._ended: set[str] = set()
        self._place, self._line, self._records, self._lost = "the trail", 0, 0, 0
        self._at: Log | None = None
        #: The record at which it showed that the one before was changed, unless it was itself, with its finding.
        self._doubt: tuple[Log, bytes, int] | None = None

    @property
    def records(self) -> int:
        """How many different records there were up to now."""
        return self._records

    def begins(self, place: str) -> None:
        """Go on with another place, which may hold again what others held."""
        self.names(place)
        self._at = None
        for log in self._logs.values():
            log.at, log.headed = None, 0

    def names(self, place: str) -> None:
        """Count lines from here on in a part of the place that is read, such as an object."""
        self._place, self._line = place, 0

    def take(self, line: bytes) -> Row | None:
        """Judge the next line; return the record that it is, None if it is a head, nothing, or was here before."""
        self._line += 1
        if lines.is_head(line):
            self._head(line)
            return None
        row = _read(line)
        if row is None:
            self._find(Problem.UNREADABLE, self._at)
            return None
        hashed, seq, log = leaf(line), row["seq"], self._at
        if log is None or log.name != row["log"] or log.at is None:
            log = self._turn_to(row["log"], seq)
        if seq != log.at or row["prev"] != log.prev or seq < log.size or log.closed or not seq:
            new = self._look(log, row, hashed)
        else:
            new = True
        log.at, log.prev = seq + 1, hashed.hex()
        if not new:
            return None
        self._records += 1
        if seq == log.size:
            log.size = seq + 1
            log.fresh.append(hashed)
        log.last = row["time"]
        if row["type"] in _TELLING:
            self._meaning(log, row)
        return row

    def take_all(self, every: Iterable[bytes]) -> Iterator[Row]:
        """Judge lines; yield the records in them."""
        for line in every:
            if (row := self.take(line)) is not None:
                yield row

    def verdict(self) -> Verdict:
        """Return what came of it; nothing can be taken any more then."""
        judgement = Judgement(self._logs)
        judgement.findings = list(self._findings)
        judgement.judge(self._witnesses, self._trusted, self._told)
        logs = judgement.in_order()
        findings, acts = tuple(judgement.findings[:MAX_FINDINGS]), tuple(self._open.values())
        unseen = tuple(unwitnessed(logs))
        whole = bool(logs) and not unseen and judgement.begins_after is None
        state = State.TAMPERED if findings else State.OPEN if acts else State.WHOLE if whole else State.UNWITNESSED
        newer = sum(each.size - each.covered for each in logs if each.covered)
        return Verdict(
            state,
            findings,
            logs,
            self._records,
            self._lost,
            acts,
            judgement.begins_after,
            unseen,
            newer,
            judgement.heads,
            judgement.foreign,
            tuple(judgement.absent),
        )

    # Records.

    def _turn_to(self, name: str, seq: int) -> Log:
        """Go on with a log: where it was left, or where this place begins with it."""
        log = self._at = self._logs.setdefault(name, Log(name))
        if log.at is None:
            # What other places held may stand here again from anywhere on.
            log.at = min(seq, log.size)
            log.prev = log.leaf(log.at - 1).hex() if log.at else NOTHING
        return log

    def _look(self, log: Log, row: Row, hashed: bytes) -> bool:
        """See what is with a record that does not simply come next; return whether it is a new one."""
        seq = row["seq"]
        if log.broken:
            self._resolve(log, row)
            return True
        at = log.at or 0
        if seq != at:
            self._find(Problem.MISSING if seq > at else Problem.OUT_OF_PLACE, log, min(seq, at))
        elif row["prev"] != log.prev:
            self._broken_at(log, seq, hashed)
        elif seq < log.size:
            if hashed != log.leaf(seq):
                self._find(Problem.DIFFERS, log, seq)
            return False
        elif log.closed:
            self._find(Problem.AFTER_THE_END, log, seq)
        elif not seq:
            self._opening(log, row)
        return True

    def _broken_at(self, log: Log, seq: int, hashed: bytes) -> None:
        """Note that a record names another one than is before it: that one was changed, or this one was."""
        if not seq or log.headed == seq:
            # There is none before, or a head vouches for it.
            self._find(Problem.CHANGED, log, seq)
            return
        self._doubt = log, hashed, seq
        self._find(Problem.CHANGED, log, seq - 1)

    def _resolve(self, log: Log, row: Row) -> None:
        """See in the record behind whether one that names another one before it was changed itself."""
        if self._doubt and self._doubt[0] is log and self._doubt[2] + 1 == row["seq"]:
            _, hashed, seq = self._doubt
            if row["prev"] != hashed.hex():
                wrong = Finding(Problem.CHANGED, log.name, seq - 1)
                self._findings = [
                    Finding(Problem.CHANGED, log.name, seq, None, each.place, each.line)
                    if (each.problem, each.log, each.seq) == (wrong.problem, wrong.log, wrong.seq)
                    else each
                    for each in self._findings
                ]
            self._doubt = None

    def _opening(self, log: Log, row: Row) -> None:
        log.first, log.public = row["time"], str(row.get("publicKey") or "")
        log.previous = _head_in(row)
        generation = row.get("generation")
        log.generation = generation if type(generation) is int else None
        if row["type"] != Type.LOG_OPENED or not log.public:
            self._find(Problem.NOT_OPENED, log, 0)

    def _meaning(self, log: Log, row: Row) -> None:
        kind, act = row["type"], row.get("id")
        if kind == Type.LOG_CLOSED:
            log.closed = True
        elif kind == Type.RECORDS_LOST:
            count = row.get("count")
            self._lost += count if isinstance(count, int) else 0
        elif not isinstance(act, str):
            return
        elif kind in _INTENTS:
            # Places may be read in any order.
            if act not in self._ended:
                self._open[act] = row
        elif self._open.pop(act, None) is None:
            self._ended.add(act)

    # Heads.

    def _head(self, line: bytes) -> None:
        try:
            head = lines.read_head(line)
        except ValueError:
            self._find(Problem.UNREADABLE, self._at)
            return
        log = self._logs.get(head.log)
        if log is None or log.at is None:
            log = self._logs.setdefault(head.log, Log(head.log))
            self._find(Problem.MISSING, log, log.size)
        elif not log.broken:
            self._vouches(log, log.at, head)

    def _vouches(self, log: Log, at: int, head: Head) -> None:
        if head.size > at:
            self._find(Problem.MISSING, log, at)
        elif head.size == log.headed:
            self._find(Problem.OUT_OF_PLACE, log, at - 1)
        elif head.size < at or head.root != log.root(at):
            self._find(Problem.HEAD_WRONG, log, log.headed, at - 1)
        elif head.key != heads.key_id(log.public) or not heads.is_signed(head, log.public):
            self._find(Problem.HEAD_FORGED, log, log.headed, at - 1)
        else:
            log.headed = at
            log.roots[at] = head.root
            if at > log.sealed:
                log.sealed, log.head = at, head

    def _find(self, problem: Problem, log: Log | None, seq: int | None = None, to: int | None = None) -> None:
        """Note what is wrong with a log; what else is wrong with it follows from that, as a rule."""
        if log and seq is None:
            seq = log.at
        if log and log.broken:
            return
        if log:
            log.broken = True
        if len(self._findings) < MAX_FINDINGS:
            name = log.name if log else ""
            self._findings.append(Finding(problem, name, seq, to, self._place, self._line))


def _read(line: bytes) -> Row | None:
    """Return a record with all that makes its place; None if it is none."""
    try:
        row = pydantic_core.from_json(line, allow_inf_nan=False)
    except ValueError:
        return None
    if type(row) is not dict:
        return None
    seq = row.get("seq")
    if type(seq) is not int or not 0 <= seq < 1 << 53:
        return None
    told = type(row.get("log")), type(row.get("prev")), type(row.get("type")), type(row.get("time"))
    return row if told == _TEXTS else None


_TEXTS = (str, str, str, str)


def _head_in(row: Row) -> Head | None:
    """Return the head of the log before, as the first record of a log names it."""
    try:
        return HeadPart.model_validate(row["previous"])
    except (KeyError, ValueError):
        return None
