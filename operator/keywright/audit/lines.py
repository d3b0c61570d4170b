"""The form in which records are kept and carried: lines of JSON, each a record or a head.

A head stands behind the last record that it vouches for. Files of a workstation, exports and archives are such lines;
in a cluster, a segment holds some of the records and the head behind them.

Does not belong here: whether they are whole (``verify``).
"""

from __future__ import annotations

import functools

from .. import canonical
from .record import HeadPart as Head
from .record import Part, dump

#: How the line of a head begins: no record does.
_MARK = b'{"head":'


class _HeadLine(Part):
    head: Head


def head_line(head: Head) -> bytes:
    """Return a head as a line."""
    return canonical.data({"head": dump(head)})


def is_head(line: bytes) -> bool:
    """Whether a line says to be a head."""
    return line.startswith(_MARK)


@functools.lru_cache(maxsize=4096)
def read_head(line: bytes) -> Head:
    """Read the line of a head.

    Raises:
        ValueError: it is none, or is not in canonical form: what was not written so was changed.
    """
    head = _HeadLine.model_validate_json(line, strict=True).head
    if head_line(head) != line:
        raise ValueError("not in canonical form")
    return head
