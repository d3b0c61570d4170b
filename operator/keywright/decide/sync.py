"""What to do about one target Secret, from what was observed: an ordered list of named checks, the first answer wins.

Does not belong here: gathering the observation and doing what was decided (``engine/reconcile.py``).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Literal

from .. import errors
from ..errors import Reason

#: Secret types that hold keys. Others get their content from Kubernetes or mean something to other controllers.
ALLOWED_TYPES = frozenset(
    {
        "Opaque",
        "kubernetes.io/basic-auth",
        "kubernetes.io/ssh-auth",
        "kubernetes.io/tls",
        "kubernetes.io/dockerconfigjson",
    }
)

Adopt = Literal["Never", "IfEqual", "Always"]


@dataclasses.dataclass(frozen=True, slots=True)
class Applied:
    """What we last wrote, as far as we remember: a hint, checked before anything rests on it."""

    uid: str
    resource_version: str
    fingerprint: str


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """A Secret as its metadata shows it.

    Attributes:
        owner: namespace/name of the ApiKeySecret that it says to belong to.
        owner_uid: UID of the ApiKeySecret with which it goes, None if it is kept.
        controller: what else controls it, as kind/name; None if nothing does.
        merged: namespace/name of the ApiKeySecrets that say to merge entries into it, and whether these go with them.
        made_of: of which keys field managers say to have made their entries.
    """

    uid: str
    resource_version: str
    owner: str | None
    owner_uid: str | None = None
    controller: str | None = None
    merged: tuple[tuple[str, bool], ...] = ()
    made_of: tuple[tuple[str, str], ...] = ()

    def is_of(self, owner: str) -> bool:
        """Whether it says that an ApiKeySecret owns it, or merges entries into it."""
        return self.owner == owner or owner in dict(self.merged)


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What a look into the Secret found, compared with what it should be; no values."""

    entries_equal: bool
    dressing_equal: bool
    type_equal: bool
    immutable: bool
    ours: bool = False
    """Our own field manager wrote entries of it, whatever its annotation says."""
    taken: tuple[str, ...] = ()
    """Entries that are there with another value and are not ours, where it is somebody else's Secret."""


@dataclasses.dataclass(frozen=True, slots=True)
class Observed:
    """Everything that the decision rests on.

    Attributes:
        owner: namespace/name of the ApiKeySecret.
        goes: whether the Secret is to go with the ApiKeySecret.
        fingerprint: of the entries as the stores say, or of those that were applied when no store was asked.
        spec_changed: the object says something else than when it was last applied.
        applied: what we wrote last, None if we do not know.
        seen: the Secret in the target's place, None if there is none, or none that is marked as ours.
        content: what a look into it found, None before a look.
        looked: whether there was a look.
        merges: whether the entries go into a Secret that somebody else makes.
    """

    owner: str
    adopt: Adopt
    fingerprint: str
    spec_changed: bool
    applied: Applied | None
    seen: Seen | None
    content: Content | None = None
    goes: bool = True
    looked: bool = False
    merges: bool = False

    @property
    def says_the_same(self) -> bool:
        """Whether the object and the stores say what they said when we wrote: a difference is somebody else's doing."""
        return self.applied is not None and self.applied.fingerprint == self.fingerprint and not self.spec_changed


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What to do: nothing, look into the Secret first, or write it.

    Attributes:
        act: ``create`` (only if absent), ``update`` (only at ``resource_version``), ``look``, ``nothing``.
        why: name of the check that decided.
        repair: somebody else had changed the Secret.
    """

    act: Literal["create", "update", "look", "nothing"]
    why: str
    resource_version: str | None = None
    repair: bool = False


Check = Callable[[Observed], Plan | None]


def missing(o: Observed) -> Plan | None:
    """Create where nothing is, and only if that is still so."""
    if o.seen is not None:
        return None
    lost = o.applied is not None and not o.spec_changed
    return Plan("create", "missing", repair=lost)


def owned_elsewhere(o: Observed) -> Plan | None:
    """Leave alone what another ApiKeySecret wrote."""
    assert o.seen  # noqa: S101 - missing() has answered
    if o.seen.owner in (None, o.owner):
        return None
    raise errors.Stalled(
        Reason.TARGET_OWNED_ELSEWHERE,
        f"is written by {_named(o.seen.owner)}",
        "Choose another target.name, or remove the other object",
    )


def _named(owner: str | None) -> str:
    """Name an ApiKeySecret as a Secret's annotation does, which anybody may have written."""
    named = owner and re.fullmatch(r"[a-z0-9.-]{1,63}/[a-z0-9.-]{1,253}", owner)
    return f"ApiKeySecret {owner}" if named else "another ApiKeySecret, as its annotation says"


def foreign(o: Observed) -> Plan | None:
    """Leave alone what is nobody's that we know, unless `adopt` says to take it."""
    assert o.seen  # noqa: S101
    # What we merged into it does not make it ours.
    ours = o.content is not None and o.content.ours and o.owner not in dict(o.seen.merged)
    if o.seen.owner == o.owner or o.adopt == "Always" or ours:
        return None
    stripped = o.applied is not None and o.applied.uid == o.seen.uid
    if (stripped or o.adopt == "IfEqual") and o.content is None:
        return Plan("look", "foreign")
    if o.adopt == "IfEqual" and o.content and o.content.entries_equal:
        return None
    hint = "Choose another target.name, delete the Secret, or set target.adopt"
    raise errors.Stalled(Reason.TARGET_EXISTS, "is there already and is not ours", hint)


def controlled(o: Observed) -> Plan | None:
    """Leave alone what goes with something else: a Secret has one controller."""
    assert o.seen  # noqa: S101
    if not o.goes or o.seen.controller is None:
        return None
    hint = "Remove its ownerReference (External Secrets: creationPolicy Orphan), or choose another target.name"
    raise errors.Stalled(Reason.TARGET_OWNED_ELSEWHERE, f"is controlled by {o.seen.controller}", hint)


def mark_missing(o: Observed) -> Plan | None:
    """Look for the Secret to merge into: it need not be marked as ours."""
    if o.seen is not None:
        return None
    if not o.looked:
        return Plan("look", "mark_missing")
    hint = "Create it, or set target.creationPolicy: Owner"
    raise errors.Retry(Reason.TARGET_MISSING, "is not there to be merged into", hint)


def taken(o: Observed) -> Plan | None:
    """Leave alone the entries of others, also where the API server would let us take them."""
    if o.content is None or not o.content.taken:
        return None
    named = ", ".join(o.content.taken[:5])
    hint = "Take it out of this object, or have it taken out of the Secret"
    raise errors.Stalled(Reason.KEY_OWNED_ELSEWHERE, f"holds what somebody else wrote as {named}", hint)


def unseen(o: Observed) -> Plan | None:
    """Look before deciding where the version is not the one we wrote."""
    assert o.seen  # noqa: S101
    known = o.applied and (o.applied.uid, o.applied.resource_version) == (o.seen.uid, o.seen.resource_version)
    return None if known or o.content else Plan("look", "unseen")


def unwritable(o: Observed) -> Plan | None:
    """Say so where a look has shown that no update can succeed."""
    if o.content is None:
        return None
    if not o.content.type_equal:
        raise type_differs()
    if o.content.immutable and not o.content.entries_equal:
        raise immutable(merges=o.merges)
    return None


def immutable(*, merges: bool) -> errors.Stalled:
    """Make the error for an immutable Secret; who raises it puts the Secret's name in front.

    Args:
        merges: somebody else makes the Secret.
    """
    hint = "Delete the Secret to have it made anew" + (" by whoever makes it" if merges else "")
    return errors.Stalled(Reason.TARGET_IMMUTABLE, "is immutable and differs", hint)


def type_differs() -> errors.Stalled:
    """Make the error for a Secret of another type; who raises it puts the Secret's name in front."""
    hint = "Delete the Secret to have it made anew, choose another target.name, or set target.type to what it is"
    said = "has another type than target.type or the object's shape says"
    return errors.Stalled(Reason.TARGET_TYPE_DIFFERS, said, hint)


def entries_differ(o: Observed) -> Plan | None:
    """Write where the stores say something else than what is there."""
    assert o.seen  # noqa: S101
    if o.content is not None:
        if o.content.entries_equal:
            return None
        # Where it is somebody else's to make, a new one is no quarrel.
        renewed = o.merges and o.applied is not None and o.applied.uid != o.seen.uid
        repair = o.says_the_same and not renewed
        return Plan("update", "entries_differ", o.seen.resource_version, repair=repair)
    if o.applied and o.applied.fingerprint == o.fingerprint:
        return None
    return Plan("update", "entries_differ", o.seen.resource_version)


def dressing_differs(o: Observed) -> Plan | None:
    """Write where labels, annotations or the owner are not as the object says."""
    assert o.seen  # noqa: S101
    if o.content is not None:
        if o.content.dressing_equal:
            return None
        return Plan("update", "dressing_differs", o.seen.resource_version, repair=o.says_the_same)
    return Plan("update", "spec_changed", o.seen.resource_version) if o.spec_changed else None


#: First answer wins. Reads as: why would we touch the target?
CHECKS: tuple[Check, ...] = (
    missing,
    owned_elsewhere,
    foreign,
    controlled,
    unseen,
    unwritable,
    entries_differ,
    dressing_differs,
)

#: The same for a Secret that somebody else makes: whose it is does not matter.
MERGE_CHECKS: tuple[Check, ...] = (
    mark_missing,
    unseen,
    taken,
    unwritable,
    entries_differ,
    dressing_differs,
)

NOTHING = Plan("nothing", "in_order")


def decide(observed: Observed) -> Plan:
    """Say what to do about the target. Pure: same input, same plan.

    Raises:
        errors.Stalled: the target must not, or cannot, be written; who catches it puts the Secret's name in front.
    """
    checks = MERGE_CHECKS if observed.merges else CHECKS
    return next((plan for check in checks if (plan := check(observed))), NOTHING)
