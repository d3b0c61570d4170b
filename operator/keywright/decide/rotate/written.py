"""A journal as text, as it lies in the cluster or in a file: JSON with the version that a reader has to know at least.

Fields that are not known are of a later version. They are kept as they are and written again, so that an upgrade or a
downgrade in mid-rotation loses nothing. A later version that would be done harm by this asks for more than ``VERSION``,
and is refused.

Does not belong here: where it lies (``engine/journals.py``), the values beside it.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pydantic

from ... import canonical, errors
from ...errors import Reason
from .journal import LASTS, Ask, Debt, Half, Journal, Step, Why, apart

#: The newest form that is understood. What is written says the oldest one whose readers do what is right with it; so
#: a field that may be left alone, and has its default elsewhere, asks for no newer one.
VERSION = 1

_JOURNAL = pydantic.TypeAdapter(Journal)
_LATER = "later"
#: What only minted keys have, those that are switched off, and those that are to be found: left out elsewhere, so that
#: the version before can go on with other rotations.
_MINTED, _OFF, _FIND = ("lives_from", "lives_until", "spent"), ("off_from",), ("made_from", "made_until")
#: The same of a journal on the way back.
_BACK = "back_from"
#: And of one with answers that were lost; to the version before, a field of a later one that outlasts a rotation.
_LOST = "unanswered"
_HALVES = ("old", "new", "left")
#: Where nothing but what is told follows from why it turned back.
_OVER = {Step.IDLE, Step.ROLLED_BACK}


def text(journal: Journal) -> str:
    """Return a journal as JSON."""
    told = _JOURNAL.dump_python(journal, mode="json")
    for part in (*filter(None, (told[name] for name in _HALVES)), *told["debts"]):
        for name in (*_MINTED, *_OFF, *_FIND):
            if part.get(name, 0) is None:
                del part[name]
    told |= {name: _whole(told[name]) for name in _HALVES if told[name]}
    told["debts"] = [_whole(each) for each in told["debts"]]
    if not told[_BACK]:
        del told[_BACK]
    asks = [_whole(each) for each in told.pop(_LOST)]
    whole = {"version": VERSION, **_whole(told)}
    if asks:
        lasts = whole.get(LASTS)
        whole |= {_LOST: asks, LASTS: [*(lasts if isinstance(lasts, list) else ()), _LOST]}
    return canonical.text(whole)


def read(written: str | bytes, where: str) -> Journal:
    """Read a journal.

    Args:
        where: it lies, for people.

    Raises:
        errors.Stalled: ``JournalUnreadable``: it needs a later version, or was changed.
    """
    try:
        found = json.loads(written)
        version = found.pop("version")
        # What cannot be written again is not taken up.
        canonical.data(found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        found, version = {}, None
    if type(version) is not int or version < 1:
        raise _unreadable(f"{where} is no journal of a rotation")
    if version > VERSION:
        raise _unreadable(f"{where} needs a later version of Keywright")
    try:
        journal = _JOURNAL.validate_python(_known(found), strict=False)
    except pydantic.ValidationError as invalid:
        unknown = _closed(invalid)
    else:
        known = journal.why is None or isinstance(journal.why, Why) or journal.step in _OVER
        unknown = "" if known else "why"
        if not unknown:
            return journal
    if unknown:
        raise _unreadable(f"{where} says as {unknown} what this version of Keywright does not know")
    raise _unreadable(f"{where} is no journal of a rotation")


def _whole(told: dict[str, Any]) -> dict[str, Any]:
    """Return what is written with the fields of a later version among its own."""
    later: dict[str, Any] = json.loads(told[_LATER] or "{}")
    return later | {name: value for name, value in told.items() if name != _LATER}


def _known(found: dict[str, Any]) -> dict[str, Any]:
    """Return what was read with the fields of a later version set apart."""
    lasts = found.get(LASTS)
    if isinstance(lasts, list) and _LOST in lasts:
        others = [each for each in lasts if each != _LOST]
        found = {name: value for name, value in found.items() if name != LASTS} | ({LASTS: others} if others else {})
    known = _apart(Journal, found)
    if isinstance(asks := known.get(_LOST), list):
        known[_LOST] = [_apart(Ask, each) if isinstance(each, dict) else each for each in asks]
    for name in _HALVES:
        if isinstance(known.get(name), dict):
            known[name] = _apart(Half, known[name])
    if isinstance(debts := known.get("debts"), list):
        known["debts"] = [_apart(Debt, each) if isinstance(each, dict) else each for each in debts]
    return known


def _apart(kind: type[Journal | Half | Debt | Ask], found: dict[str, Any]) -> dict[str, Any]:
    names = {each.name for each in dataclasses.fields(kind)} - {_LATER}
    known, later = apart(found, names)
    return known | {_LATER: later}


def _closed(invalid: pydantic.ValidationError) -> str:
    """Return the field with a word that is not known, where nothing else is wrong; empty else."""
    found = invalid.errors(include_url=False, include_context=False, include_input=False)
    names = sorted({str(each["loc"][-1]) for each in found if each["type"] == "enum"})
    return names[0] if names and all(each["type"] == "enum" for each in found) else ""


def _unreadable(said: str) -> errors.Stalled:
    hint = "Nothing is rotated there. Run the version that wrote it, or see what it says and delete it"
    return errors.Stalled(Reason.JOURNAL_UNREADABLE, said, hint)
