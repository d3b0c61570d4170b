"""What follows for a KeyAction from what is seen of it and of its ApiKeySecret, and how its status tells it. Pure.

Does not belong here: carrying it out (``engine/actions.py``), what the kind may say (``kinds/keyaction.py``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

from .. import errors
from ..errors import Reason
from . import report

#: Phases of an action that has ended.
OVER = frozenset({"Succeeded", "Failed", "Expired"})


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What is seen when an action is taken up.

    Attributes:
        phase: as its status says; empty before it was looked at.
        name: of its ApiKeySecret.
        created: Unix time at which the KeyAction was made.
        expires_after: seconds.
        now: Unix time.
        there: whether its ApiKeySecret exists, and is not being deleted.
        suspended: whether that is to be left alone.
    """

    phase: str
    name: str
    created: float
    expires_after: float
    now: float
    there: bool = True
    suspended: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """What came of an action.

    Attributes:
        code: ``Done``, or why it is not.
        message: as sentences for a person.
    """

    code: Reason
    message: str

    @property
    def phase(self) -> Literal["Succeeded", "Failed", "Expired"]:
        """The phase that the action is in then."""
        if self.code is Reason.EXPIRED_BEFORE_START:
            return "Expired"
        return "Succeeded" if self.code is Reason.DONE else "Failed"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What to do about an action: nothing, begin it, go on with what another leader began, or end it at once."""

    act: Literal["nothing", "begin", "resume", "end"]
    ended: Ended | None = None


def _over(seen: Seen) -> Step | None:
    return Step("nothing") if seen.phase in OVER else None


def _expired(seen: Seen) -> Step | None:
    if seen.phase == "Running" or seen.now <= seen.created + seen.expires_after:
        return None
    said = f"It did not begin within {seen.expires_after:g} s, as expiresAfter says, and never will. Make another one."
    return Step("end", Ended(Reason.EXPIRED_BEFORE_START, said))


def _missing(seen: Seen) -> Step | None:
    return None if seen.there else Step("end", gone(seen.name))


def _suspended(seen: Seen) -> Step | None:
    return Step("end", suspended(seen.name)) if seen.suspended else None


def _begun(seen: Seen) -> Step | None:
    return Step("resume") if seen.phase == "Running" else None


#: First answer wins. Reads as: why would it not begin now?
CHECKS: tuple[Callable[[Seen], Step | None], ...] = (_over, _expired, _missing, _suspended, _begun)


def decide(seen: Seen) -> Step:
    """Return what to do about an action, from what was seen of it."""
    return next((step for check in CHECKS if (step := check(seen))), Step("begin"))


def gone(name: str) -> Ended:
    """Return the end of an action whose ApiKeySecret is not there, or goes meanwhile."""
    return Ended(Reason.OBJECT_NOT_FOUND, f"ApiKeySecret {name} does not exist in this namespace, or is being deleted.")


def suspended(name: str) -> Ended:
    """Return the end of an action whose ApiKeySecret is to be left alone."""
    said = f"ApiKeySecret {name} is suspended: nothing is read or written until spec.suspend is false."
    return Ended(Reason.SUSPENDED, said)


def unrotated(name: str) -> Ended:
    """Return the end of an action that asks for what only an object that rotates its keys can do."""
    said = f"ApiKeySecret {name} declares no rotation."
    return Ended(Reason.NOT_ROTATED, f"{said} Have new keys made where they come from, and write them to their store.")


def failed(error: errors.Error) -> Ended:
    """Return the end of an action that an error is in the way of; nothing is tried again for it."""
    said = f"{report.begun(error.message)}."
    return Ended(error.reason, f"{said} {error.hint}." if error.hint else said)


def doubted(result: Ended, doubt: str) -> Ended:
    """Return the same with why it is not proven who asked, a clause; empty if it is."""
    more = f" It is not proven who asked: {doubt}."
    return Ended(result.code, f"{result.message[: 2048 - len(more)]}{more}") if doubt else result


def running(generation: int, now: str, doubt: str) -> dict[str, Any]:
    """Return the status of an action that begins.

    Args:
        now: RFC 3339.
        doubt: why it is not proven who asked, as a clause; empty if it is.
    """
    said = f"It is not proven who asked: {doubt}." if doubt else "It has begun."
    return {
        "observedGeneration": generation,
        "phase": "Running",
        "reason": str(Reason.RUNNING),
        "message": said,
        "verified": not doubt,
        "startedAt": now,
        "conditions": report.merged([], _conditions(["Reconciling"], Reason.RUNNING, said), generation, now),
    }


def ended(before: dict[str, Any], result: Ended, generation: int, now: str) -> dict[str, Any]:
    """Return the status of an action that has ended, or does not begin.

    kstatus reads ``Stalled`` as failed, and no condition that it knows as done.

    Args:
        before: the status as it was.
        now: RFC 3339.
    """
    types = ["Complete"] if result.phase == "Succeeded" else ["Failed", "Stalled"]
    message = result.message[:2048]
    told, known = _conditions(types, result.code, message), before.get("conditions") or []
    return {
        **before,
        "observedGeneration": generation,
        "phase": result.phase,
        "reason": str(result.code),
        "message": message,
        "completedAt": now,
        "conditions": report.merged(known, told, generation, now),
    }


def _conditions(types: list[str], reason: Reason, message: str) -> report.Conditions:
    return [{"type": each, "status": "True", "reason": str(reason), "message": message} for each in types]
