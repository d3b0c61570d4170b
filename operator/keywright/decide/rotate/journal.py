"""What is remembered of a rotation: it is written before each outside effect, and is all that a crash leaves.

Does not belong here: values (they lie beside this in the journal's Secret), what follows from it (``machine``).
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any

import pydantic

from ... import canonical
from ...issuing.base import Ask as _Ask


class Step(enum.StrEnum):
    """How far a rotation is: what is known to be done. The list is closed."""

    IDLE = "Idle"
    """None is under way; what is owed, or how often it failed, is still known."""
    ISSUING = "Issuing"
    """A new key is to be made, and may have been."""
    HELD = "Held"
    """The new key is in the journal, and nowhere else."""
    TESTED = "Tested"
    """Its issuer accepts it."""
    STORED = "Stored"
    """The store has it."""
    WRITTEN = "Written"
    """Every Secret that is made of it has it."""
    ADOPTED = "Adopted"
    """Everybody who uses one of those Secrets does so with it."""
    GRACE = "Grace"
    """The old key still works, for whoever is late."""
    REVOKED = "Revoked"
    """The old key is dead, ends by itself, or is owed to be cleaned up."""
    ROLLING_BACK = "RollingBack"
    """The old key is put back, and the new one revoked."""
    ROLLED_BACK = "RolledBack"
    """All is as it was before."""


#: The way there, in order.
FORWARD = (
    Step.ISSUING,
    Step.HELD,
    Step.TESTED,
    Step.STORED,
    Step.WRITTEN,
    Step.ADOPTED,
    Step.GRACE,
    Step.REVOKED,
)


class Cause(enum.StrEnum):
    """Why a rotation was begun. The list is closed."""

    DUE = "Due"
    """It is time."""
    EXPIRING = "Expiring"
    """The key ends soon."""
    ASKED = "Asked"
    """Somebody asked for it."""
    INVALID = "Invalid"
    """The issuer does not accept the key any more."""


class Why(enum.StrEnum):
    """Why a rotation waits, holds, or turns back. The list is closed."""

    SAME_KEY = "SameKey"
    """The issuer gave the old key once more."""
    ISSUE_REFUSED = "IssueRefused"
    """The issuer does not make a key."""
    ISSUE_UNCLEAR = "IssueUnclear"
    """The issuer did not say in time whether it made one."""
    SLOT_UNKNOWN = "SlotUnknown"
    """It is not known which of the two places is in use, so that neither is filled anew."""
    ISSUER_CHANGED = "IssuerChanged"
    """The object names another issuer than the one that made the keys: there, their names mean nothing."""
    SLOTS_FULL = "SlotsFull"
    """There are as many keys as there may be, and none of them is ours to remove."""
    TEST_FAILED = "TestFailed"
    """The new key was not accepted in time."""
    TEST_UNCLEAR = "TestUnclear"
    """The issuer did not say in time whether it accepts the new key."""
    TEST_ONLY = "TestOnly"
    """Nothing more was asked for."""
    OWNED_ELSEWHERE = "RotationOwnedElsewhere"
    """The store says that somebody else rotates this key."""
    STORE_CHANGED = "StoreChanged"
    """Somebody else has written another key to the store: theirs counts."""
    STORE_REFUSED = "StoreRefused"
    """The store does not take the new key."""
    STORE_SILENT = "StoreSilent"
    """The store did not answer in time."""
    NOT_WRITTEN = "TargetNotWritten"
    """A Secret could not be written in time."""
    READERS_UNKNOWN = "ReadersUnknown"
    """It is not known who has the key."""
    NEW_INVALID = "NewKeyInvalid"
    """The issuer does not accept the new key any more."""
    ASKED = "Asked"
    """Somebody asked for it."""
    OBJECT_GONE = "ObjectGone"
    """The object that asked for the rotation is gone."""
    NOT_MADE = "WaitsForNewKey"
    """A person has to make a new key and write it to the store."""
    NOT_ADOPTED = "NotAdopted"
    """Not everybody uses the new key."""
    NO_USERS = "NoConsumers"
    """Nobody is known to use the key, so that nobody can be seen to use the new one."""
    STILL_USED = "OldKeyStillUsed"
    """The issuer says that the old key is still used."""
    NOT_ALIVE = "NewKeyUnconfirmed"
    """It is not known that the new key works, so the old one stays."""
    OLD_NOT_ALIVE = "OldKeyUnconfirmed"
    """It is not known that the old key works, so it is not put back."""
    OLD_DEAD = "OldKeyInvalid"
    """The issuer does not accept the old key any more: there is nothing to turn back to."""
    THEIRS_UNKNOWN = "StoredKeyUnconfirmed"
    """It is not known that the key works which somebody else has written to the store, so the new one stays."""
    TO_REVOKE = "WaitsForRevocation"
    """A person has to revoke a key."""
    OLD_ENDS = "OldKeyEnds"
    """Not everybody uses the new key, and the old one ends by itself."""
    WORN_OUT = "WornOut"
    """Most of the new key's short life was over before it was in use."""
    NEW_IN_OVERLAP = "NewKeyInOverlap"
    """Nobody is seen to have the new key any more, and it lives for whoever has it elsewhere."""
    QUEUED = "WaitsForTurn"
    """Other rotations at its issuer go first."""
    SUSPENDED = "Suspended"
    """The object that asked for the rotation is suspended."""


#: What a later version calls a cause or a reason that this one does not know.
Later = Annotated[str, pydantic.StringConstraints(pattern="^[A-Z][A-Za-z]{0,62}$")]
#: Nothing is done because of a cause, nor of a reason once all is back: there, one of a later version is kept as it is.
AnyCause = Annotated[Cause | Later, pydantic.Field(union_mode="left_to_right")]
AnyWhy = Annotated[Why | Later, pydantic.Field(union_mode="left_to_right")]


class Owed(enum.StrEnum):
    """What is owed for a key that could not be cleaned up. The list is closed."""

    REVOKE = "Revoke"
    """It still is to be revoked."""
    FIND = "Find"
    """It may exist, and cannot be found: a person has to look."""
    DIE = "Die"
    """It was revoked, and was not seen to be dead when we stopped looking."""
    KEEP = "Keep"
    """It is left alive, as somebody may use it: when nobody does, a person ends it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Debt:
    """An outside clean-up that could not be done yet.

    Attributes:
        handle: the issuer's name for the key; empty where it is not known.
        fingerprint: keyed, of its values; empty where they are not known: then nobody can use it.
        issuer: who made it, as ``Rules`` names it.
        since: Unix time.
        tries: how often it was tried.
        due: Unix time of the next try.
        made_from: of a key that is to be found: Unix time before which it was not made; None where that is not known.
        made_until: the same, after which it was not.
        later: fields of a later version, as JSON; empty where there are none.
    """

    owed: Owed
    handle: str
    fingerprint: str
    since: float
    tries: int = 0
    due: float = 0.0
    issuer: str = ""
    made_from: float | None = None
    made_until: float | None = None
    later: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Ask(_Ask):
    """A key that was asked for, and of which no answer says what came of it.

    Attributes:
        issuer: who was asked, as ``Rules`` names it.
        later: fields of a later version, as JSON; empty where there are none.
    """

    issuer: str = ""
    later: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Half:
    """One of the two credentials of a rotation.

    Attributes:
        fingerprint: keyed, of its values.
        handle: the issuer's name for it; None where it has none, or it is not known.
        disabled: whether it was switched off, or may have been, so that it can be switched on again.
        ending: whether it was asked to be revoked: from then on it may be dead at any time.
        revoked: whether the issuer has said that it is.
        lives_from: of a minted one: Unix time at which it was made, or last made to live longer.
        lives_until: of a minted one: Unix time at which it ends by itself.
        spent: Unix time since which it is known that it is not made to live longer; None as long as it may be.
        off_from: Unix time at which it was switched off; None where it was not, or that is not known.
        later: fields of a later version, as JSON; empty where there are none.
    """

    fingerprint: str
    handle: str | None = None
    disabled: bool = False
    ending: bool = False
    revoked: bool = False
    lives_from: float | None = None
    lives_until: float | None = None
    spent: float | None = None
    off_from: float | None = None
    later: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Journal:
    """What is remembered of a rotation.

    Attributes:
        id: of the rotation; by it keys are named at the issuer and writes are known again.
        since: Unix time at which the step was reached.
        old: what is to be replaced; None where there is nothing yet.
        new: what replaces it, once it is there.
        before: handles of the keys that there were before a new one was asked for; None until that was looked at.
        asked_at: Unix time at which a key was last asked for; None if none was, or none was made.
        asks: how often one was asked for.
        unanswered: what was asked for before, of this rotation and of those before, and was not answered: keys may have
            been made that are not listed yet.
        reached: the furthest step on the way there, also when it is on the way back.
        until: Unix time up to which the old key is left alive in ``Grace``; on the way back, the new one.
        urgent: whether the old key does more harm than good: nobody is waited for.
        test_only: whether it ends after the test.
        why: why it turns back.
        debts: what is owed, of this rotation and of those before.
        straight: whether the issuer refused to switch the old key off, so that it is revoked without that.
        one_way: whether there is no way back, as the old key is dead.
        restored: how often the store had the old key again.
        tries: how often in a row something was done outside that came to nothing.
        again: Unix time before which it is not tried again.
        issuer: who makes the keys, as ``Rules`` names it.
        reissued: Unix time at which the last rotation ended that began because the key was not accepted, and whose new
            key the store had; None if none did.
        failures: rotations in a row that turned back.
        not_before: Unix time before which none begins by itself.
        pinned: whether none may begin by itself.
        left: the key that the last rotation left in the store: by that the next one knows the issuer's name for it.
        began: Unix time at which the rotation began; 0 of one that an older version began.
        stored: Unix time at which the store had its new key first.
        placed: the same of the last rotation that succeeded: since then the key is in use.
        back_from: Unix time since which nobody is seen to have the new key any more, on the way back; 0 before that.
        later: fields of a later version, as JSON; empty where there are none.
    """

    id: str
    step: Step
    since: float
    cause: AnyCause = Cause.DUE
    old: Half | None = None
    new: Half | None = None
    before: frozenset[str] | None = None
    asked_at: float | None = None
    asks: int = 0
    reached: Step = Step.IDLE
    until: float = 0.0
    urgent: bool = False
    test_only: bool = False
    why: AnyWhy | None = None
    debts: tuple[Debt, ...] = ()
    straight: bool = False
    one_way: bool = False
    restored: int = 0
    tries: int = 0
    again: float = 0.0
    issuer: str = ""
    reissued: float | None = None
    failures: int = 0
    not_before: float = 0.0
    pinned: bool = False
    left: Half | None = None
    began: float = 0.0
    stored: float = 0.0
    placed: float = 0.0
    unanswered: tuple[Ask, ...] = ()
    back_from: float = 0.0
    later: str = ""

    def but(self, **changes: object) -> Journal:
        """Return it with changes."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    @property
    def old_may_be_dead(self) -> bool:
        """Whether the old key is revoked, or may be by now."""
        return self.old is not None and (self.old.revoked or self.old.ending)

    @property
    def same_key(self) -> bool:
        """Whether the new key is the old one."""
        return self.old is not None and self.new is not None and self.old.fingerprint == self.new.fingerprint

    @property
    def same_handle(self) -> bool:
        """Whether both keys have one name at their issuer, which has changed the key in its place: what ends one by it
        ends the other.
        """
        old, new = self.old, self.new
        return old is not None and new is not None and old.handle is not None and old.handle == new.handle

    def naming(self, handle: str | None) -> Journal:
        """Return it with the issuer's name for the old key, where that was found and not known."""
        if handle is None or self.old is None or self.old.handle is not None:
            return self
        return self.but(old=dataclasses.replace(self.old, handle=handle))

    def at(self, step: Step, now: float, **changes: object) -> Journal:
        """Return it at another step."""
        further = step in FORWARD and (self.reached not in FORWARD or _ORDER[step] > _ORDER[self.reached])
        reached = step if further else self.reached
        if step is Step.STORED and not self.stored:
            changes = {"stored": now, **changes}
        return self.but(**{"step": step, "since": now, "reached": reached, "tries": 0, "again": 0.0, **changes})

    def rest(self, now: float, **changes: object) -> Journal:
        """Return it between rotations: only what outlasts one is kept, of a later version what it says to."""
        names = ("debts", "failures", "not_before", "pinned", "reissued", "issuer", "left", "placed", "unanswered")
        kept = {name: getattr(self, name) for name in names}
        # What is known by now is none of those, also where nobody remembers it any more.
        known = frozenset(each.handle for each in (self.old, self.new, self.left, *self.debts) if each and each.handle)
        asks = (dataclasses.replace(each, before=each.before | known) for each in self.unanswered)
        kept |= {"unanswered": tuple(asks)}
        later = lasting(self.later)
        return Journal(self.id, Step.IDLE, now, self.cause, why=self.why, later=later, **{**kept, **changes})

    def owing(self, owed: Owed, half: Half | None, now: float) -> Journal:
        """Return it with one debt more; what is owed already is not owed twice."""
        handle, fingerprint = (half.handle or "", half.fingerprint) if half else ("", "")
        if self.same_handle and half in (self.old, self.new):
            # By that name the other key would end, which is in use.
            handle = ""
        debt = Debt(owed, handle, fingerprint, now, issuer=self.issuer)
        if any((each.owed, each.handle, each.fingerprint) == (owed, handle, fingerprint) for each in self.debts):
            return self
        return self.but(debts=(*self.debts, debt))

    def using(self, half: Half | None) -> Journal:
        """Return it without a debt that says of a key that is in use that it was left alive."""
        used = half.fingerprint if half else None
        return self.but(debts=tuple(d for d in self.debts if d.owed is not Owed.KEEP or d.fingerprint != used))

    def got(self, step: Step) -> bool:
        """Whether a step on the way there was reached."""
        return self.reached in FORWARD and _ORDER[self.reached] >= _ORDER[step]


_ORDER = {step: place for place, step in enumerate(FORWARD)}
#: Names the fields of a later version that outlast a rotation: all others go with it.
LASTS = "lasts"


def lasting(later: str) -> str:
    """Return what stays of the fields of a later version when a rotation ends."""
    found = json.loads(later or "{}")
    lasts = found.get(LASTS)
    names = {LASTS, *(each for each in lasts if isinstance(each, str))} if isinstance(lasts, list) else set[str]()
    return as_later({name: value for name, value in found.items() if name in names})


def apart(found: Mapping[str, Any], names: Collection[str]) -> tuple[dict[str, Any], str]:
    """Return the fields that are known, and those of a later version as they are kept.

    Args:
        names: of the fields that are known.
    """
    later = {name: value for name, value in found.items() if name not in names}
    return {name: value for name, value in found.items() if name in names}, as_later(later)


def as_later(fields: dict[str, object]) -> str:
    """Return fields of a later version as they are kept."""
    return canonical.text(fields) if fields else ""
