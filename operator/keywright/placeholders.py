"""Texts in which ``{name}`` stands for a value: taken apart once, filled so that no value becomes more than itself.

Does not belong here: templates of targets (``decide/template.py``), what may be named where (who declares it).
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable, Mapping

from . import errors
from .secret import SecretMap, SecretValue

#: How a value is written so that it ends where it should; None where it cannot stand there.
Escape = Callable[[SecretValue], bytes | None]

_PLACE = re.compile(r"\{([a-z][a-zA-Z0-9]{0,31})\}")
#: What may stand in the value of a header (RFC 9110, 5.5), without what only some servers take.
_HEADER = re.compile(rb"[\t -~]*")


def as_it_is(value: SecretValue) -> bytes:
    """Write a value as it is."""
    return value.reveal()


def in_json(value: SecretValue) -> bytes | None:
    """Write a value inside of a string of JSON."""
    try:
        return json.dumps(value.reveal().decode())[1:-1].encode()
    except UnicodeDecodeError:
        return None


def in_url(value: SecretValue) -> bytes:
    """Write a value as one segment of a path, or one field of a form."""
    return urllib.parse.quote_from_bytes(value.reveal(), safe="").encode()


_ESCAPES: Mapping[str, Escape] = {"application/json": in_json, "application/x-www-form-urlencoded": in_url}


class Template:
    """A text with places for values.

    Args:
        known: what may be named.
        unknown: raised where something else is.
    """

    def __init__(self, text: str, known: set[str], unknown: errors.Error) -> None:
        self._pieces = _PLACE.split(text)
        if self.names - known:
            raise unknown

    @property
    def names(self) -> set[str]:
        """What it names."""
        return set(self._pieces[1::2])

    def filled(self, values: SecretMap, escape: Escape = as_it_is) -> bytes | None:
        """Return the text with values in it; None if one of them is not there, or cannot stand in it."""
        found: list[bytes] = []
        for number, piece in enumerate(self._pieces):
            value = values.get(piece) if number % 2 else None
            written = escape(value) if value is not None else None if number % 2 else piece.encode()
            if written is None:
                return None
            found.append(written)
        return b"".join(found)


def headers(templates: Mapping[str, Template], values: SecretMap) -> dict[str, str] | None:
    """Return headers with values in them; None if one of them would be empty, or more than one line of ASCII."""
    filled = {name: each.filled(values) for name, each in templates.items()}
    sent = {name: text.decode("ascii") for name, text in filled.items() if text and _HEADER.fullmatch(text)}
    return sent if len(sent) == len(filled) else None


def escape_for(sent: Mapping[str, str]) -> Escape:
    """Return how values are written in a body, by the header that says of which type it is."""
    kind = next((value for name, value in sent.items() if name.lower() == "content-type"), "")
    return _ESCAPES.get(kind.partition(";")[0].strip().lower(), as_it_is)
