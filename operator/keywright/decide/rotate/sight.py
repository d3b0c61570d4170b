"""What is looked at before each step: the issuer, the store, the Secrets, who uses them.

Whatever is None was not looked at, or did not answer: nothing follows from it.

Does not belong here: looking (``engine``), what follows (``machine``).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

from ...issuers.base import Verdict
from ...issuing.base import Way
from .journal import Ask, Half, Journal, Step


class Place(enum.StrEnum):
    """Something that can be looked at."""

    KEYS = "keys"
    """The issuer's list of keys."""
    STORE = "store"
    """What the store has."""
    TARGETS = "targets"
    """What the Secrets have."""
    USERS = "users"
    """Who uses the Secrets."""
    NEW = "new"
    """Whether the issuer accepts the new key."""
    OLD = "old"
    """Whether it accepts the old one."""
    THEIRS = "theirs"
    """Whether it accepts what somebody else has written to the store."""


#: How often the time after which a key should be listed has to pass until it surely is, or was not made.
SURE = 60.0
#: What is looked at, at each step; see ``looks``.
LOOKS: Mapping[Step, frozenset[Place]] = {
    Step.IDLE: frozenset({Place.KEYS, Place.STORE, Place.USERS, Place.TARGETS}),
    Step.ISSUING: frozenset({Place.KEYS, Place.STORE, Place.USERS, Place.TARGETS}),
    Step.HELD: frozenset({Place.NEW}),
    Step.TESTED: frozenset({Place.STORE, Place.NEW}),
    Step.STORED: frozenset({Place.STORE, Place.TARGETS, Place.NEW}),
    Step.WRITTEN: frozenset({Place.STORE, Place.USERS, Place.NEW}),
    Step.ADOPTED: frozenset(),
    Step.GRACE: frozenset({Place.KEYS, Place.STORE, Place.TARGETS, Place.USERS, Place.NEW, Place.OLD}),
    Step.REVOKED: frozenset(),
    Step.ROLLING_BACK: frozenset(Place),
    Step.ROLLED_BACK: frozenset(),
}


class Holds(enum.StrEnum):
    """What the store has at the key's path."""

    OLD = "old"
    NEW = "new"
    OTHER = "other"
    """A key that is neither."""
    NOTHING = "nothing"


class Has(enum.StrEnum):
    """What a Secret has of the two keys."""

    OLD = "old"
    NEW = "new"
    NOTHING = "nothing"
    """Neither, for sure: it is waited for by nobody."""
    UNKNOWN = "unknown"
    """Perhaps the one, perhaps the other, perhaps both: as long as that may be, neither of them ends."""


#: Which of the two keys a Secret has that was made of what the store has.
HAS = {Holds.OLD: Has.OLD, Holds.NEW: Has.NEW}


@dataclasses.dataclass(frozen=True, slots=True)
class Keys:
    """What the issuer lists.

    Attributes:
        handles: of all keys that count against its limit.
        ours: of those that this rotation had made: they bear its name; or, where keys have no names, they were not
            there before, and were made when it asked for one, and neither sooner nor later.
        used_at: Unix time at which the old key was last used, where the issuer tells.
        asks: of ours, what each was probably made for, where an answer was lost.
        claimed: of ours, those that another rotation knows by such a name, perhaps at the same account.
    """

    handles: frozenset[str]
    ours: frozenset[str] = frozenset()
    used_at: float | None = None
    asks: Mapping[str, Ask] = dataclasses.field(default_factory=dict)
    claimed: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Targets:
    """How many Secrets have which key; of every object that reads it from the store.

    Attributes:
        unknown: of how many that is not known.
    """

    old: int = 0
    new: int = 0
    unknown: int = 0

    @property
    def may_be_old(self) -> int:
        """How many may have the old key."""
        return self.old + self.unknown

    @property
    def may_be_new(self) -> int:
        """How many may have the new key."""
        return self.new + self.unknown


@dataclasses.dataclass(frozen=True, slots=True)
class Users:
    """Who uses those Secrets.

    Attributes:
        found: how many there are.
        late: how many of them use another key than the Secret holds now, as far as is known.
    """

    found: int
    late: int


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """What tests of a key have come to.

    Attributes:
        verdict: as it is believed now: a refusal only when it was repeated (``decide/checks.py``).
        passes: tests in a row that it passed.
        over: seconds from the first of them to the last.
        last: what the last test said.
        tries: tests since we have been looking.
        at: Unix time of the last one that told something.
    """

    verdict: Verdict
    passes: int = 0
    over: float = 0.0
    last: Verdict = Verdict.UNKNOWN
    tries: int = 0
    at: float = 0.0


def doubtful(new: Trial | None) -> bool:
    """Whether a new key has to be compared with the old one: its issuer knows it, and does not let it do everything."""
    return new is not None and new.last is Verdict.LIMITED


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """What people ask for, beside the rotation itself.

    Attributes:
        back: to turn back.
        now: to end the old key without waiting for anybody.
        gone: nothing any more: the object that asked is gone.
    """

    back: bool = False
    now: bool = False
    gone: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What was looked at.

    Attributes:
        held: what the store has; None where that is nothing, or not known.
        own: what the Secret of the object itself has, which asks for the rotation; None where it is not known.
        ours: whether the store's mark says that we rotate this key; True where it bears no mark.
    """

    keys: Keys | None = None
    store: Holds | None = None
    held: Half | None = None
    targets: Targets | None = None
    own: Has | None = None
    users: Users | None = None
    new: Trial | None = None
    old: Trial | None = None
    theirs: Trial | None = None
    ours: bool = True
    wish: Wish = dataclasses.field(default_factory=Wish)


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What an issuer can do, and what its users have declared. Times are seconds.

    Attributes:
        issuer: who makes the keys: its object and its account; another one knows nothing of the keys of this.
        slots: how many keys there may be; None: any number.
        lists: whether the issuer lists its keys.
        names: whether a key there bears the name of its rotation; else it is known by when it was made.
        revokes: whether it revokes; else a person has to.
        disables: whether a key can be switched off and on again.
        renews: whether a minted key can be made to live longer.
        before_end: how long before its end a minted key is replaced; None: when a third of its life is left.
        tests: whether it can be asked if it accepts a key.
        passes: tests in a row that a new key has to pass.
        apart: from the first of them to the last.
        limited: whether the new key may be let do less than the old one.
        settle: after which a key that was asked for is in the list, if it was made.
        issue_within: after which an issuer that does not answer is given up.
        test_within: after which a key that is not accepted is given up.
        store_within: which one call of the store may take: so late a write may arrive whose answer was lost.
        write_within: after which a store or a Secret that is not written is given up.
        fresh: for which a test counts.
        quiet: for which the old key must not have been used before it ends, where the issuer tells.
        adopt_within: after which a person is told that not everybody uses the new key.
        overlap: from adoption to the end of the old key; on the way back, of the new one.
        observe: from switching the old key off to revoking it.
        die_within: after which a revoked key that is not seen to be dead is a debt.
        anew: whether a wait that has begun is as long as is declared by now; else as it was when it began.
        needs_users: whether somebody must be seen to use the new key before the old one ends.
    """

    way: Way = Way.ISSUE
    issuer: str = ""
    slots: int | None = None
    lists: bool = True
    names: bool = True
    revokes: bool = True
    disables: bool = False
    renews: bool = False
    before_end: float | None = None
    tests: bool = True
    passes: int = 3
    apart: float = 10.0
    limited: bool = False
    settle: float = 60.0
    issue_within: float = 900.0
    test_within: float = 900.0
    store_within: float = 30.0
    write_within: float = 3600.0
    fresh: float = 900.0
    quiet: float = 3600.0
    adopt_within: float = 86400.0
    overlap: float = 86400.0
    observe: float = 300.0
    die_within: float = 3600.0
    anew: bool = True
    needs_users: bool = True

    @property
    def sure(self) -> float:
        """Seconds after which a key that was asked for, and is still not in the list, was surely not made."""
        return SURE * self.settle

    def ends(self, half: Half | None) -> bool:
        """Whether we can end a key; else a person has to."""
        return bool(half and half.handle) and self.revokes


def looks(rules: Rules, journal: Journal, now: float) -> frozenset[Place]:
    """Return what is looked at before the next move.

    The old key is tested only where something follows from that: a test is a use as well, and an issuer may tell so.

    Args:
        now: Unix time.
    """
    places, old = LOOKS[journal.step], journal.old
    if journal.step in (Step.IDLE, Step.ISSUING) and not journal.debts:
        # Who has or uses it matters only to what is owed for it, and to a first key of which the journal may be old.
        first = journal.step is Step.ISSUING and old is None and journal.asked_at is not None
        places -= {Place.USERS} if first else {Place.USERS, Place.TARGETS}
    if journal.step is Step.IDLE and not journal.unanswered:
        places -= {Place.KEYS}
    ended_by_us = rules.ends(old) and not journal.same_handle
    if journal.step is Step.GRACE and ended_by_us and not (old and old.revoked):
        places -= {Place.OLD}
    if journal.step is Step.GRACE and now < journal.until and not (old and old.revoked):
        # Until then it matters only whether the new key lives, and is in the store, which can be looked at often;
        # and what is not known: which key the old one is, and whether there are lost ones.
        sought = journal.unanswered or (old and old.handle is None)
        places -= {Place.TARGETS, Place.USERS} | (set() if sought else {Place.KEYS})
    return places
