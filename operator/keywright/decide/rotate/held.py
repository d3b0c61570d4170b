"""Which of two keys a Secret has, by all that is known of it: what its status tells, what it was, what is in it. Pure.

First of all the status counts, as long as it is about what the Secret has now; where it does not tell, the Secret has
to be looked into.

Does not belong here: finding any of this out (``engine/rotate``), what follows from the answer (``machine``).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from ...secret import LONG, SecretMap
from ..filters import PERCENT
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
        old: whether the old key is in it.
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


def are_in(old: SecretMap, new: SecretMap, entries: SecretMap) -> tuple[bool, bool]:
    """Return whether either of two keys is in the entries of a Secret, or may be.

    A part counts as a whole entry, and within one if it is long enough: as it is, and as JSON, URLs and Base64 write
    it. Of a part that is a map, so does every text that the other key has not: somebody may have read that
    alone. Where one key is the beginning of the other, say, the longer one is not taken for both.
    """
    texts = [each.reveal().strip() for each in entries.values()]
    mine, theirs = ({each.reveal().strip() for each in values.values()} - {b""} for values in (old, new))
    ours, other = _within(mine, theirs), _within(theirs, mine)
    return any(_has(each, mine, ours, other) for each in texts), any(_has(each, theirs, other, ours) for each in texts)


def _has(text: bytes, whole: AbstractSet[bytes], forms: AbstractSet[bytes], others: AbstractSet[bytes]) -> bool:
    """Whether a text is a part of a key, or has one of its forms in it that is no piece of the other key's."""
    if text in whole:
        return True
    if any(form in text for form in forms):
        for each in others - forms:
            text = text.replace(each, b"\0") if any(form in each for form in forms) else text
    return any(form in text for form in forms)


def _within(parts: AbstractSet[bytes], others: AbstractSet[bytes]) -> AbstractSet[bytes]:
    """Return what of a key may stand within a text, in all forms: its parts, and the texts in those, that tell it.

    Which of them is the secret, nobody says: an id may be as long. All that are long enough count, or else the longest.
    """
    pieces, theirs = ({piece for each in key for piece in _pieces(each)} for key in (parts, others))
    longest = max(map(len, parts), default=0)
    found = {each for each in parts if len(each) >= min(LONG, longest)} | (pieces - theirs if theirs else set())
    return {form for each in found for form in _forms(each)}


def _pieces(part: bytes) -> Iterator[bytes]:
    """Yield the texts of a part that is a map, as a key of Google's is."""
    with contextlib.suppress(ValueError):
        found = json.loads(part)
        for each in found.values() if isinstance(found, dict) else ():
            if isinstance(each, str) and len(each) >= LONG:
                yield each.strip().encode()


def _forms(data: bytes) -> Iterator[bytes]:
    """Yield a value as it may stand within a text: as it is, within one of JSON, in an URL, and in Base64."""
    yield data
    with contextlib.suppress(UnicodeDecodeError):
        for ascii_only in (True, False):
            yield json.dumps(data.decode(), ensure_ascii=ascii_only)[1:-1].encode()
    if len(data) < LONG:
        return
    yield "".join(map(PERCENT.__getitem__, data)).encode()
    for before in range(3):
        # The signs that hold all of it, whatever stands before and after: a user and a colon, say.
        signs = base64.b64encode(b"\0" * before + data)[(8 * before + 5) // 6 : 8 * (before + len(data)) // 6]
        yield signs
        yield signs.translate(bytes.maketrans(b"+/", b"-_"))
    with contextlib.suppress(binascii.Error):
        decoded = base64.b64decode(data, validate=True)
        if len(decoded) >= LONG:
            yield decoded
