"""Which of two keys a Secret has, by all that is known of it: what its status tells, what it was, what is in it. Pure.

First of all the status counts, as long as it is about what the Secret has now; where it does not tell, the Secret has
to be looked into.

Does not belong here: finding any of this out (``engine/rotate``), what follows from the answer (``machine``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence

from ...secret import SecretMap, SecretValue
from .sight import HAS, Has, Holds


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a Secret, as the status tells of it.

    Attributes:
        value: which key it is, by its fingerprint; nothing where it is neither, for sure.
        made: whether it is made of what lies where the two keys lie, or may be.
        current: whether of the version that the store has there now.
    """

    value: Has = Has.UNKNOWN
    made: bool = False
    current: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What was found in a Secret itself.

    Attributes:
        old: whether the old key is in it as it is.
        new: the same of the new key.
        ours: whether any entry in it is ours.
    """

    old: bool = False
    new: bool = False
    ours: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a Secret.

    Attributes:
        written: whether it was ever written, or is about to be.
        told: whether the status is about what it has now.
        entries: what that tells.
        store: which key the store has.
        before: what it had when that was known last, and the status told the same.
        plain: whether what is in it, is in it as it came from the store.
        found: None where it was not looked into.
    """

    written: bool = True
    told: bool = False
    entries: Sequence[Entry] = ()
    store: Holds | None = None
    before: Has | None = None
    plain: bool = False
    found: Found | None = None


def _never_written(seen: Evidence) -> Has | None:
    return None if seen.written else Has.NOTHING


def _as_told(seen: Evidence) -> Has | None:
    """Return what the status tells: by values; where an expression or an encoding is between, by the version."""
    if not seen.told:
        return None
    which = {each.value for each in seen.entries} & {Has.OLD, Has.NEW}
    for each in seen.entries:
        if each.made and each.value is Has.UNKNOWN:
            if not each.current or seen.store not in HAS:
                return None
            which.add(HAS[seen.store])
    return _one_of(which)


def _as_before(seen: Evidence) -> Has | None:
    return seen.before if seen.told else None


def _as_found(seen: Evidence) -> Has | None:
    """Return what is in it. What is not seen there may be, where something is made of it."""
    if seen.found is None:
        return None
    which = {which for which, is_there in ((Has.OLD, seen.found.old), (Has.NEW, seen.found.new)) if is_there}
    return _one_of(which) if which or seen.plain or not seen.found.ours else None


def _one_of(which: set[Has]) -> Has:
    """Return the one answer; both keys in one Secret are neither's end."""
    return Has.UNKNOWN if len(which) > 1 else next(iter(which), Has.NOTHING)


#: The first answer counts.
CHECKS: tuple[Callable[[Evidence], Has | None], ...] = (_never_written, _as_told, _as_before, _as_found)


def has(seen: Evidence) -> Has:
    """Return which of the two keys a Secret has."""
    return next((which for check in CHECKS if (which := check(seen))), Has.UNKNOWN)


def is_in(values: SecretMap, entries: SecretMap) -> bool:
    """Whether a key is in the entries of a Secret: a part of it as a whole entry, its longest part within one."""
    longest = max((len(each.reveal()) for each in values.values()), default=0)
    within = [form for each in values.values() if len(each.reveal()) == longest for form in _forms(each)]
    texts = [each.reveal() for each in entries.values()]
    whole = {each.reveal().strip() for each in values.values()}
    return any(text.strip() in whole or any(each in text for each in within) for text in texts)


def _forms(value: SecretValue) -> Iterator[bytes]:
    """Yield a value as it may stand within a text: as it is, and as within one of JSON."""
    data = value.reveal().strip()
    yield data
    with contextlib.suppress(UnicodeDecodeError):
        for ascii_only in (True, False):
            yield json.dumps(data.decode(), ensure_ascii=ascii_only)[1:-1].encode()
