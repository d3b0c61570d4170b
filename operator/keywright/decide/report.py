"""What to tell people: the conditions of an object, and the Event of a transition. Pure; the time is an argument.

Messages have one shape: who answered what for which path, what is kept, when it is tried again, what to check.

Does not belong here: writing status or Events.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .. import errors
from ..errors import Reason

Conditions = list[dict[str, Any]]

#: Request ids differ from try to try; a condition is not written again for them alone.
_VOLATILE = re.compile(r"request [-0-9A-Za-z]+")

AGAIN = "It is tried again with growing pauses, at most 5 minutes."

_SINCE = re.compile(r"since ([-0-9]{10} [0-9:]{5} UTC)")


def in_order(
    message: str,
    *,
    missing: Sequence[str] = (),
    fallbacks: Mapping[str, str] | None = None,
    unused: Mapping[str, errors.Error] | None = None,
    warnings: Sequence[str] = (),
    previous: Mapping[str, str] | None = None,
) -> Conditions:
    """Return the conditions of an object that is as it should be; the message says all there is, the reason the worst.

    Args:
        missing: optional keys that their stores do not have.
        fallbacks: keys that another store gave than should have, and which.
        unused: keys that have sources which cannot be asked, and why not.
        warnings: what checks of keys have found, as clauses.
        previous: keys that hold an earlier version than the newest, and why.
    """
    reason = Reason.SYNCED
    if missing:
        reason = Reason.PARTIAL
        message += f" The stores do not have {few(missing)}."
    if unused:
        reason = Reason.SOURCE_UNUSABLE
        message += f" {cannot_stand_in(unused)}"
    if warnings:
        reason = Reason.KEY_WARNING
        message += f" {warned(warnings)}"
    if previous:
        reason = Reason.PREVIOUS_VERSION
        message += f" {stepped_back(previous)}"
    if fallbacks:
        reason = Reason.FALLBACK
        given = sorted(fallbacks)
        message += f" {few(given)} came from {few(sorted(set(fallbacks.values())))}, as the store to ask is silent."
    return [_condition("Ready", "True", reason, message)]


def unusable(sources: Mapping[str, errors.Error]) -> str:
    """Name the entries that have sources which cannot be asked, and why not, as a clause; empty if there is none."""
    if not sources:
        return ""
    why = list(dict.fromkeys(sources[each].message for each in sorted(sources)))
    more = f" and {len(why) - 3} more" if why[3:] else ""
    return f"a source of {few(sorted(sources))} cannot be asked: {', '.join(why[:3])}{more}"


def cannot_stand_in(sources: Mapping[str, errors.Error]) -> str:
    """Say the same as sentences, with what to do."""
    hint = sources[min(sources)].hint if sources else ""
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in (unusable(sources), hint) if part)


def warned(warnings: Sequence[str]) -> str:
    """Say what checks have found, as sentences."""
    more = [f"{len(warnings) - 3} more keys are in doubt"] if warnings[3:] else []
    return " ".join(f"{begun(each)}." for each in [*warnings[:3], *more])


def doubted(conditions: Conditions, said: str) -> Conditions:
    """Return conditions of an object that is Ready with a doubt added."""
    return [
        each | {"reason": str(Reason.KEY_WARNING), "message": f"{each.get('message')} {said}"[:2048]}
        if each.get("type") == "Ready"
        else each
        for each in conditions
    ]


def stepped_back(previous: Mapping[str, str]) -> str:
    """Say which keys hold an earlier version, and why; nothing if none does."""
    if not previous:
        return ""
    why = list(dict.fromkeys(previous[each] for each in sorted(previous)))
    return f"An earlier version of {few(sorted(previous))} is served: {'; '.join(why[:3])}."


def begun(clause: str) -> str:
    """Begin a sentence with a clause; names and fields stay as people write them: dataFrom[1]."""
    first = clause.partition(" ")[0]
    return clause[:1].upper() + clause[1:] if first.isalpha() and first.islower() else clause


def few(names: Sequence[str]) -> str:
    """Name the first five, and say how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def troubled(error: errors.Error, kept: str, since: str) -> Conditions:
    """Return the conditions of an object that is not as it should be.

    kstatus reads them as: Stalled = failed, a person is needed; Reconciling = in progress, time will tell.

    Args:
        kept: what the target holds meanwhile, as a sentence.
        since: time of the first failure, as in ``2026-03-01 03:12 UTC``.
    """
    message = explain(error, kept, since)
    second = "Stalled" if isinstance(error, errors.Stalled) else "Reconciling"
    return [_condition("Ready", "False", error.reason, message), _condition(second, "True", error.reason, message)]


def explain(error: errors.Error, kept: str, since: str = "") -> str:
    """Return the whole message for a person."""
    what = begun(error.message)
    when = f", since {since}" if since else ""
    hint = f"{error.hint}." if error.hint else ""
    return " ".join(part for part in (f"{what}{when}.", kept, _again(error), hint) if part)


def _again(error: errors.Error) -> str:
    fixed = error.after if error.reason is Reason.DRIFT_CONTESTED and isinstance(error, errors.Retry) else None
    return f"It is looked at again in {fixed / 60:g} minutes." if fixed else AGAIN


def since_when(old: dict[str, Any], error: errors.Error, now: str) -> str:
    """Return since when there is this trouble: as it was told of the same one, else from now on.

    The condition itself only knows since when its object is not Ready, for whatever reasons.

    Args:
        old: the condition `Ready` as it was.
        now: RFC 3339.
    """
    same = old.get("status") == "False" and old.get("reason") == error.reason
    told = _SINCE.search(str(old.get("message"))) if same else None
    return told[1] if told else clock(now)


def _condition(kind: str, status: str, reason: Reason, message: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": str(reason), "message": message[:2048]}


def merged(before: Conditions, after: Conditions, generation: int, now: str) -> Conditions:
    """Return the new conditions, each with the time of its last transition, taking over old texts that say the same.

    Args:
        now: RFC 3339.
    """
    known = {each.get("type"): each for each in before}
    result: Conditions = []
    for each in after:
        old = known.get(each["type"], {})
        same = old.get("status") == each["status"]
        at = old["lastTransitionTime"] if same and "lastTransitionTime" in old else now
        message = old["message"] if same and alike(old, each) else each["message"]
        result.append({**each, "message": message, "lastTransitionTime": at, "observedGeneration": generation})
    return result


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two conditions say the same, but for request ids."""
    texts = [_VOLATILE.sub("", str(each.get("message"))) for each in (one, other)]
    return texts[0] == texts[1] and one.get("reason") == other.get("reason")


def find(conditions: Conditions, kind: str) -> dict[str, Any]:
    """Return the condition of a type; empty if there is none."""
    return next((each for each in conditions if each.get("type") == kind), {})


def is_ready(conditions: Conditions) -> bool:
    """Whether conditions say that their object is Ready."""
    return find(conditions, "Ready").get("status") == "True"


def needs_write(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the merge patch that turns one status into another; empty if nothing differs.

    Args:
        before: the status as the API server has it.
        after: the status as it should be; what it does not name is removed.
    """
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if old != value:
            # A merge patch merges objects: what is gone from one must be named in it.
            both = isinstance(old, dict) and isinstance(value, dict)
            patch[name] = needs_write(old or {}, value) if both else value
    return patch


def clock(rfc3339: str) -> str:
    """Return a time stamp as messages show it: ``2026-03-01 03:12 UTC``."""
    return f"{rfc3339[:10]} {rfc3339[11:16]} UTC"
