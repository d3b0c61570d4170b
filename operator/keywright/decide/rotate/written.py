"""A journal as text, as it lies in the cluster or in a file: JSON with a version, read strictly.

Whatever is not known is refused and not dropped: it may be what a later version must not forget.

Does not belong here: where it lies (``engine/journals.py``), the values beside it.
"""

from __future__ import annotations

import json

import pydantic

from ... import canonical, errors
from ...errors import Reason
from .journal import Journal

#: Version of this form. It grows when a journal may hold something that an earlier version would read wrongly.
VERSION = 1

_JOURNAL = pydantic.TypeAdapter(Journal)
#: What only minted keys have: left out elsewhere, so that the version before can go on with other rotations.
_MINTED = ("lives_from", "lives_until", "spent")


def text(journal: Journal) -> str:
    """Return a journal as JSON."""
    told = _JOURNAL.dump_python(journal, mode="json")
    for half in filter(None, (told["old"], told["new"], told["left"])):
        for name in _MINTED:
            if half[name] is None:
                del half[name]
    return canonical.text({"version": VERSION, **told})


def read(written: str | bytes, where: str) -> Journal:
    """Read a journal.

    Args:
        where: it lies, for people.

    Raises:
        errors.Stalled: ``JournalUnreadable``: it is of a later version, or was changed.
    """
    try:
        found = json.loads(written)
        version = found.pop("version")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _unreadable(f"{where} is no journal of a rotation") from None
    if version != VERSION:
        raise _unreadable(f"{where} was written by another version of Keywright")
    try:
        return _JOURNAL.validate_python(found, strict=False)
    except pydantic.ValidationError:
        raise _unreadable(f"{where} is no journal of a rotation") from None


def _unreadable(said: str) -> errors.Stalled:
    hint = "Nothing is rotated there. Run the version that wrote it, or see what it says and delete it"
    return errors.Stalled(Reason.JOURNAL_UNREADABLE, said, hint)
