"""A credential as a person gives it: out of a pipe, or typed unseen. Never as an argument: those are seen by everybody.

Does not belong here: what is found about it (``_probing``), whose it is (``issuers/``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from .. import errors
from ..errors import Reason
from ..secret import SecretMap, SecretValue
from . import _keyfile

if TYPE_CHECKING:
    from ..issuers.base import Part

#: How parts stand in a pipe: one value byte for byte, lines PART=VALUE, or a JSON object.
Layout = Literal["value", "lines", "json"]

#: Bytes of a credential: no Secret holds more (Kubernetes).
MAX_GIVEN = 1 << 20
_TYPED = "Pipe it in"


def value(question: str) -> SecretValue:
    """Return a value: typed where the standard input is a terminal, else all of it, byte for byte.

    Raises:
        errors.Stalled: there is too much of it, or what is typed cannot be all of it.
    """
    return SecretValue(_typed(question) if sys.stdin.isatty() else _piped())


def parts(title: str, of: Sequence[Part], layout: Layout | None) -> SecretMap:
    """Return the parts of a credential of an issuer.

    Args:
        title: the issuer, for people.
        of: the parts that it knows.
        layout: None: as a value where one part is required, else as lines. What is typed is asked for part by part.

    Raises:
        errors.Stalled: they cannot be read.
        click.UsageError: they are not those of the issuer.
    """
    required = [each.name for each in of if each.required]
    if sys.stdin.isatty():
        return _asked(title, of)
    layout = layout or ("value" if len(required) <= 1 else "lines")
    if layout == "value":
        if len(required) > 1:
            raise click.UsageError(f"{title} needs {', '.join(required)}: give them by --parts lines, or json.")
        return {(required or [of[0].name])[0]: SecretValue(_piped())}
    found = _of_lines(_piped()) if layout == "lines" else _of_json(_piped())
    _belong(title, of, found)
    return found


def _belong(title: str, of: Sequence[Part], found: Mapping[str, object]) -> None:
    """Refuse parts that the issuer does not know, and the lack of those that it needs; their names are not repeated."""
    known = {each.name: each.required for each in of}
    if found.keys() - known.keys():
        raise click.UsageError(f"The standard input names a part that {title} does not know: {', '.join(known)}.")
    if lacking := [name for name, needed in known.items() if needed and name not in found]:
        raise click.UsageError(f"The standard input lacks {', '.join(lacking)}, which {title} needs.")


def _asked(title: str, of: Sequence[Part]) -> SecretMap:
    found = {}
    for part in of:
        if part.form == "json" and part.required:
            # The other lines would be commands of the shell.
            raise errors.Stalled(Reason.DECODE_FAILED, "a value of several lines cannot be typed", _TYPED)
        given = _typed(f"{part.name} of {title}" + ("" if part.required else " (empty: none)"))
        if given or part.required:
            found[part.name] = SecretValue(given)
    return found


def _typed(question: str) -> bytes:
    return _keyfile.typed(question, default="", show_default=False)


def _piped() -> bytes:
    # One more than there may be: a pipe need not have an end.
    found = sys.stdin.buffer.read(MAX_GIVEN + 1)
    if len(found) <= MAX_GIVEN:
        return found
    said = f"the standard input holds more than {MAX_GIVEN >> 10} KiB, and no credential does"
    raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Pipe in the credential alone")


def _of_lines(given: bytes) -> dict[str, SecretValue]:
    """Read lines PART=VALUE; all behind the first ``=`` is the value, but for the line feed."""
    found: dict[str, SecretValue] = {}
    for number, line in enumerate(given.removesuffix(b"\n").split(b"\n"), 1):
        name, sign, raw = line.partition(b"=")
        part = name.decode("ascii", "replace")
        if not sign or part in found:
            said = f"line {number} of the standard input is not PART=VALUE, or names a part again"
            raise errors.Stalled(Reason.DECODE_FAILED, said, "Write one line for each part, or use --parts json")
        found[part] = SecretValue(raw)
    return found


def _of_json(given: bytes) -> dict[str, SecretValue]:
    wrong = errors.Stalled(
        Reason.DECODE_FAILED,
        "the standard input is no JSON object of texts, with each part once",
        'Write it like {"accessKeyId": "…", "secretAccessKey": "…"}',
    )
    with errors.boundary(lambda _: wrong):
        # Strict: a name that stands twice is a mistake, and the last one would win without a word.
        found = json.loads(given.decode(), object_pairs_hook=_once)
        if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
            raise wrong
        return {name: SecretValue(each) for name, each in found.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)
