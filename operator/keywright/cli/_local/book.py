"""What is remembered of the rotation of one entry: in the encrypted file, beside the keys, and sealed as they are.

It lies below a path of Keywright's own, which nobody lists, reads or writes as a key. It is written before each effect,
over the version that it rests on alone; values go once the rotation is over.

Does not belong here: what follows from it (``decide/rotate``).
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ... import canonical, errors
from ...decide.rotate import written
from ...decide.rotate.journal import Journal, Step
from ...errors import Reason
from ...secret import SecretMap, SecretValue
from .._keyfile import Keys

if TYPE_CHECKING:
    from ...keyfile.contents import Contents


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """A journal as it lies there.

    Attributes:
        old: the parts of the key that is replaced; empty where there are none.
        new: those of the new one; empty as long as there are none.
        layout: whose key it is and which property holds which part: goes on as it began.
        act: id of what was begun outside, in the audit trail; empty once it is recorded what came of that.
        came: what came of it, as the trail says that; empty: not known yet.
        version: of its entry; 0: it is not there yet.
        later: what a later version has written besides, as JSON; it goes with the rotation as the values do.
    """

    journal: Journal
    layout: Mapping[str, Any]
    old: SecretMap = dataclasses.field(default_factory=dict)
    new: SecretMap = dataclasses.field(default_factory=dict)
    act: str = ""
    came: str = ""
    version: int = 0
    later: SecretValue = dataclasses.field(default_factory=lambda: SecretValue("{}"))

    @property
    def runs(self) -> bool:
        """Whether a rotation is under way."""
        return self.journal.step is not Step.IDLE

    def but(self, journal: Journal, *, new: SecretMap | None = None) -> Kept:
        """Return it with another journal, and the parts of a new key where they are given; at rest it has none."""
        if journal.step is Step.IDLE:
            return dataclasses.replace(self, journal=journal, old={}, new={}, later=SecretValue("{}"))
        return dataclasses.replace(self, journal=journal, new=self.new if new is None else new)


#: Below which name the file remembers rotations.
_PLACE = "rotations/"


class Book:
    """The journal of one entry.

    Args:
        path: of the entry.
    """

    def __init__(self, keys: Keys, path: str) -> None:
        self._keys, self._path, self._name = keys, path, f"{_PLACE}{path}"

    def read(self) -> Kept | None:
        """Return what is remembered; None if nothing is.

        Raises:
            errors.Stalled: ``JournalUnreadable``.
        """
        found = self._keys.open().remembered(self._name)
        return self._read(*found) if found else None

    def neighbours(self) -> dict[str, Journal]:
        """Return by its path what is remembered of the rotation of each other entry, as far as it can be read."""
        found = dict[str, Journal]()
        for path, value in self._keys.open().all_remembered(_PLACE).items():
            if path == self._path:
                continue
            with contextlib.suppress(errors.Stalled):
                found[path] = self._read(0, value).journal
        return found

    def write(self, kept: Kept) -> Kept:
        """Write it over the version that it rests on; return it with its new version.

        Raises:
            errors.Retry: ``Conflict``: it is not that version any more.
            errors.Stalled: ``ValueTooLarge``; what the file raises.
        """
        value = _text(kept)

        def changed(contents: Contents) -> Contents:
            found = contents.remembered(self._name)
            if (found[0] if found else 0) != kept.version:
                said = f"the rotation of {self._path} was taken up by somebody else"
                raise errors.Retry(Reason.CONFLICT, said, "Call the command again")
            return contents.remember(self._name, value)

        found = self._keys.write(changed).remembered(self._name)
        return dataclasses.replace(kept, version=found[0] if found else 0)

    def _read(self, version: int, value: SecretValue) -> Kept:
        where = f"what the encrypted file remembers of {self._path}"
        try:
            said = json.loads(value.reveal())
            old, new = ({name: SecretValue(base64.b64decode(each)) for name, each in said[k].items()} for k in _VALUES)
            text, layout, act = str(said["journal"]), dict(said["layout"]), str(said["act"])
            came = str(said.get("came", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            said, text, layout, act, came, old, new = {}, "", {}, "", "", {}, {}
        later = SecretValue(canonical.text({name: each for name, each in said.items() if name not in _OURS}))
        return Kept(written.read(text, where), layout, old, new, act, came, version, later)


_VALUES = ("old", "new")
_OURS = {"journal", "layout", "act", "came", "room", *_VALUES}


def _text(kept: Kept) -> SecretValue:
    values = {
        name: {part: base64.b64encode(each.reveal()).decode() for part, each in parts.items()}
        for name, parts in zip(_VALUES, (kept.old, kept.new), strict=True)
    }
    told = json.loads(kept.later.reveal())
    told |= {"journal": written.text(kept.journal), "layout": dict(kept.layout), **values}
    told |= {"act": kept.act, "came": kept.came}
    if not kept.new and kept.runs:
        # Room for the new key, which would be made already when it is found to have none.
        told["room"] = "." * sum(map(len, values["old"].values()))
    return SecretValue(canonical.text(told))
