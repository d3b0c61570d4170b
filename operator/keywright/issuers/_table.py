"""The forms that credentials have: dated data of all issuers, and whose a text is by its form.

Does not belong here: the data (each issuer's file), reading other data from a file (``overrides``).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

#: Characters by which the table is sorted; prefixes are at least as long.
_HEAD = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """One form that credentials of an issuer have.

    Attributes:
        kind: how people call such a credential: ``project key``.
        pattern: RE2, of the whole text.
        checked: date (ISO 8601) at which this was last compared with what the vendor says or gives.
        source: where that was found, for people.
        prefix: how all of them begin. With a character that is neither letter nor digit in it, it is unmistakable: no
            other issuer's begin so. Else it takes the whole pattern to tell whose it is. Empty: they do not tell.
        part: which part of the credential has this form; empty: the issuer's first.
        public: whether it names a credential, and is no secret: that is another part.
    """

    kind: str
    pattern: str
    checked: str
    source: str
    prefix: str = ""
    part: str = ""
    public: bool = False

    def matches(self, text: str) -> bool:
        """Whether a text has this form."""
        return text.startswith(self.prefix) and _compiled(self.pattern).fullmatch(text) is not None

    def claims(self, text: str) -> bool:
        """Whether a text is surely one of these."""
        if not self.prefix or not text.startswith(self.prefix):
            return False
        return not self.prefix.isalnum() or self.matches(text)


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    import re2  # takes a while to load

    return re2.compile(pattern)


class Table:
    """The formats of all issuers.

    Args:
        formats: by the issuer's name.
    """

    def __init__(self, formats: Mapping[str, Sequence[Format]]) -> None:
        self._formats = {name: tuple(each) for name, each in formats.items()}
        self._heads: dict[str, list[tuple[str, Format]]] = {}
        for name, own in self._formats.items():
            for each in own:
                if each.prefix:
                    self._heads.setdefault(each.prefix[:_HEAD], []).append((name, each))
        for found in self._heads.values():
            # The longest first: sk-ant-api03- before sk-ant-.
            found.sort(key=lambda pair: -len(pair[1].prefix))

    def of(self, issuer: str) -> tuple[Format, ...]:
        """Return the formats of an issuer."""
        return self._formats.get(issuer, ())

    def issuers(self) -> tuple[str, ...]:
        """Return the names of all issuers that have formats."""
        return tuple(self._formats)

    def owner(self, text: str) -> tuple[str, Format] | None:
        """Return whose credential a text surely is, and of which form; None if it does not tell."""
        return next((pair for pair in self._heads.get(text[:_HEAD], ()) if pair[1].claims(text)), None)
