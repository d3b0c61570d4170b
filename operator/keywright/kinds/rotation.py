"""How a credential is rotated, as a part of an ApiKeySecret's spec and status.

Does not belong here: when that is due (``decide/due.py``), how it goes (``decide/rotate``), who makes the new keys
(``issuing/``).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import pydantic

from .. import schema
from ..schema import Absent, Cel, Duration, ListMap, ObjectName, Printable, Renamed, Spec, Time
from .pods import PodsStatus

Cron = Annotated[Printable, pydantic.StringConstraints(max_length=128)]
Zone = Annotated[str, pydantic.StringConstraints(max_length=64, pattern="^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$")]
#: How long an old key still works where nothing is said, as people and rules (CEL) both write it.
OVERLAP = "24h"
#: The same of how a new key is tested: how long that takes at least, and at most.
APART, WITHIN = "10s", "15m"


def _or(name: str, usual: str) -> str:
    """Return a duration in a rule (CEL), and what it is where nothing is said."""
    return f"(has(self.{name}) ? self.{name} : duration('{usual}'))"


class Window(Spec):
    """A time in which rotations, or restarts, may begin, again and again."""

    start: Cron
    """When it opens: five fields as in cron, `0 2 * * SUN`."""
    duration: Annotated[Duration, Cel("self >= duration('5m') && self <= duration('168h')", "must be 5m to 7d")]
    """How long it stays open: `4h`."""
    time_zone: Zone = "UTC"
    """Time zone of `start`, as the IANA names it: `Europe/Berlin`. Default `UTC`."""

    @property
    def seconds(self) -> float:
        """Seconds for which it stays open."""
        return schema.seconds(self.duration)


class Trial(Spec):
    """How a new key is tested before anybody gets it."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            f"{_or('apart', APART)} + {_or('apart', APART)} <= {_or('within', WITHIN)}",
            f"within ({WITHIN} if omitted) must be at least twice apart ({APART} if omitted), or no key passes in time",
        ),
    )

    passes: Annotated[int, pydantic.Field(ge=1, le=20)] = 3
    """How many tests in a row it has to pass. Default 3."""
    apart: Annotated[Duration, Cel("self <= duration('1h')", "must be at most 1h")] = APART
    """How long the first and the last of them are apart, at least, so that it is known everywhere. Default `10s`."""
    within: Annotated[
        Duration, Cel("self >= duration('10s') && self <= duration('24h')", "must be between 10s and 24h")
    ] = WITHIN
    """After how long a key that is not accepted is given up: it is revoked, and all stays as it was. At least twice
    `apart`. Default `15m`."""
    allow_limited: bool = False
    """Whether a key is taken that may do less than the old one, as its `KeyIssuer` asks for fewer scopes."""

    @property
    def apart_seconds(self) -> float:
        """Seconds from the first test that is passed to the last."""
        return schema.seconds(self.apart)

    @property
    def within_seconds(self) -> float:
        """Seconds after which a key that is not accepted is given up."""
        return schema.seconds(self.within)


class RotationSpec(Spec):
    """When a credential gets a new key, and how the old one ends."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel("!has(self.timeZone) || has(self.schedule)", "timeZone is of schedule"),
        Cel(
            f"!has(self.every) || self.every > {_or('overlap', OVERLAP)}",
            f"every must be longer than overlap ({OVERLAP} if omitted): no rotation begins before the old key ends",
        ),
    )
    renamed: ClassVar[tuple[Renamed | Absent, ...]] = (
        Renamed("interval", "every"),
        Renamed("rotationInterval", "every"),
        Renamed("renewBefore", "beforeExpiry"),
        Renamed("gracePeriod", "overlap"),
        Absent("exposePrevious", "who is late uses the old key until the overlap is over"),
        Absent("onDelete", "a deletion revokes nothing; see `keywright debts`"),
    )

    every: Annotated[Duration, Cel("self >= duration('10s')", "must be at least 10s")] | None = None
    """How old a key gets: `30d`. Longer than `overlap`, as no rotation begins before the old key has ended. Keys of one
    age are spread over a tenth of that, at most a day."""
    schedule: Cron | None = None
    """When it gets a new one, as in cron: `30 2 1 * *` is the first of each month at 02:30. What comes while a rotation
    is under way, its `overlap` included, is made up for once, when that is over."""
    time_zone: Zone = "UTC"
    """Time zone of `schedule`, as the IANA names it. Default `UTC`."""
    before_expiry: Duration | None = None
    """How long before its end it gets a new one, where that is known: `7d`."""
    windows: Annotated[list[Window], pydantic.Field(max_length=8)] = pydantic.Field(default_factory=list)
    """When rotations may begin. Without any: always. One that must not wait, as the key ends before, does not."""
    on_invalid: Literal["Report", "Reissue"] = "Report"
    """What follows when the issuer does not accept the key any more. `Report`: that is told. `Reissue`: a new one is
    made at once, without any overlap, at most once in six hours; where none came of it, it is tried again after an
    hour, then after two, and so on. The key that the store has is tested before."""
    overlap: Annotated[Duration, Cel("self <= duration('2160h')", "must be at most 90d")] = OVERLAP
    """How long the old key still works once everybody is seen to use the new one; a change counts for a wait that has
    begun as well. Where a rotation turns back, the new key works for as long, once nobody is seen to have it, if it was
    in the store: others may have read it there. Default `24h`."""
    observe: Annotated[Duration, Cel("self <= duration('24h')", "must be at most 24h")] = "5m"
    """How long the old key is switched off before it is revoked, where its issuer can switch keys off and on: until
    then somebody who still needs it can have it back. A change counts as that of `overlap`. Default `5m`."""
    adoption_timeout: Annotated[Duration, Cel("self >= duration('10s')", "must be at least 10s")] = "24h"
    """After how long a person is told that not everybody uses the new key. The old one is not revoked for that."""
    consumers: Literal["Required", "Optional"] = "Required"
    """Whether somebody must be seen to use the new key before the old one ends. `Optional` is for keys whose users
    Keywright cannot see, as they are outside of the cluster; they have the overlap."""
    test: Trial = pydantic.Field(default_factory=Trial)
    """How a new key is tested."""

    @property
    def every_seconds(self) -> float | None:
        """Age in seconds that a key gets; None: no matter."""
        return schema.seconds(self.every) if self.every else None

    @property
    def before_expiry_seconds(self) -> float | None:
        """Seconds before its end at which it gets a new one; None: that does not matter."""
        return schema.seconds(self.before_expiry) if self.before_expiry else None

    @property
    def overlap_seconds(self) -> float:
        """Seconds for which the old key still works."""
        return schema.seconds(self.overlap)

    @property
    def observe_seconds(self) -> float:
        """Seconds from switching the old key off to revoking it."""
        return schema.seconds(self.observe)

    @property
    def adoption_seconds(self) -> float:
        """Seconds after which a person is told that not everybody uses the new key."""
        return schema.seconds(self.adoption_timeout)


class DebtStatus(Spec):
    """An outside clean-up that could not be done yet."""

    owed: Literal["Revoke", "Find", "Die", "Keep"]
    """What: `Revoke`: the key still is to be revoked; `Find`: one may have been made that cannot be found; `Die`: it
    was revoked, and was not seen to be dead; `Keep`: it is left alive, as somebody may use it, until a person ends it.
    """
    handle: Annotated[str, pydantic.StringConstraints(max_length=512)]
    """The issuer's name of the key; empty where it is not known."""
    since: Time
    """Since when."""
    tries: int
    """How often it was tried."""
    by_hand: bool | None = None
    """Of one that is to be revoked: whether a person has to do that, as Keywright cannot: `true` is never tried again
    by itself."""
    issuer: Annotated[str, pydantic.StringConstraints(max_length=1024)] | None = None
    """Of one that is to be found: who was asked for it, and the account there."""
    made_from: Time | None = None
    """The same: when it was made at the earliest."""
    made_until: Time | None = None
    """The same: when at the latest."""


class LastRotation(Spec):
    """The rotation before."""

    id: Annotated[str, pydantic.StringConstraints(max_length=63)]
    """Its id; keys bear it as a name at issuers that know names."""
    outcome: Literal["Rotated", "RolledBack", "Tested"]
    """What came of it."""
    at: Time
    """When."""
    why: Annotated[str, pydantic.StringConstraints(max_length=63)] | None = None
    """Why it turned back."""


class RotationStatus(PodsStatus):
    """How far the rotation of a credential is. Pods are told of while the new key is taken up."""

    credential: Annotated[ObjectName, pydantic.StringConstraints(max_length=63)]
    """Name of the credential."""
    step: Literal[
        "Idle",
        "Issuing",
        "Held",
        "Tested",
        "Stored",
        "Written",
        "Adopted",
        "Grace",
        "Revoked",
        "RollingBack",
        "RolledBack",
    ]
    """The step that it has reached; see the reference of rotations."""
    since: Time | None = None
    """When it has reached it."""
    id: Annotated[str, pydantic.StringConstraints(max_length=63)] | None = None
    """Its id; keys bear it as a name at issuers that know names."""
    cause: Literal["Due", "Expiring", "Asked", "Invalid"] | None = None
    """Why it began."""
    why: Annotated[str, pydantic.StringConstraints(max_length=63)] | None = None
    """What it waits for, or why it turns back."""
    waits: Annotated[str, pydantic.StringConstraints(max_length=1024)] | None = None
    """The same, for a person."""
    asks: bool | None = None
    """Whether a person has to do something."""
    until: Time | None = None
    """In `Grace`: until when the old key is left alive; in `RollingBack`: until when the new one is."""
    next: Time | None = None
    """When the next one begins by itself."""
    pinned: bool | None = None
    """Whether none begins by itself, as somebody wants it."""
    last: LastRotation | None = None
    """The one before."""
    debts: Annotated[list[DebtStatus], pydantic.Field(max_length=20)] | None = None
    """What is owed: the first 20."""


#: One for each credential.
Rotations = Annotated[list[RotationStatus], ListMap("credential"), pydantic.Field(max_length=32)]
