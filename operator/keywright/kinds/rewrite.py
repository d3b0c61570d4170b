"""How the entries of a map are renamed, as a part of specs.

Does not belong here: renaming (``decide/rewrite.py``), the kinds that hold it (their files).
"""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from ..schema import PRINTABLE_PATTERN, Absent, OneOf, Printable, Renamed, Spec

Case = Literal["UpperSnake", "LowerSnake", "Kebab", "Camel", "Pascal"]


class Regexp(Spec):
    """Replaces what an expression finds in a name, everywhere in it."""

    source: Annotated[Printable, pydantic.StringConstraints(max_length=512)]
    """Regular expression (RE2) that is looked for, anywhere in the name unless `^` and `$` say otherwise."""
    target: Annotated[str, pydantic.StringConstraints(max_length=512, pattern=PRINTABLE_PATTERN)]
    """What stands there instead: `$1` and `${1}` are groups by number, `$name` and `${name}` by name, `$$` is a dollar.
    Write `${1}` where a letter, a digit or `_` follows. Empty to take it away."""


class Rewrite(Spec):
    """One step of renaming: exactly one of `regexp`, `prefix` and `case`."""

    cel = (OneOf(("regexp", "prefix", "case")),)
    renamed = (
        Renamed("transform", "regexp, prefix or case"),
        Absent("merge", "to take a map inside of a map apart, name it as the property"),
    )

    regexp: Regexp | None = None
    """Replaces what an expression finds."""
    prefix: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")] | (
        None
    ) = None
    """Put in front of the name."""
    case: Case | None = None
    """Spelling of the name: `UpperSnake` `API_KEY`, `LowerSnake` `api_key`, `Kebab` `api-key`, `Camel` `apiKey`,
    `Pascal` `ApiKey`. A word ends at whatever is no letter or digit, and before a capital that follows a small letter
    or is followed by one."""


#: Steps of renaming, one after the other.
Rewrites = Annotated[list[Rewrite], pydantic.Field(max_length=16)]
