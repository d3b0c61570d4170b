"""JSON in the one form that is signed, compared and written: the same content is the same bytes.

It is the form of RFC 8785 for what has no numbers but whole ones: keys in order, no white space, text as UTF-8.

Does not belong here: what is written so.
"""

from __future__ import annotations

import json


def text(content: object) -> str:
    """Return content in canonical form."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def data(content: object) -> bytes:
    """Return content in canonical form, as UTF-8."""
    return text(content).encode()
