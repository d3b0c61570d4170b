"""What is wrong with a text, whoever issued it: white space, byte order marks, placeholders. Pure.

What is told of it never holds any of it.

Does not belong here: forms of credentials (``_table``).
"""

from __future__ import annotations

import functools
import json
from typing import Any, Literal

NEWLINE = "ends with a newline"

_FILLED_IN = "is a placeholder, not a key"
#: Placeholders are short; what is longer is not looked through for one.
_LONGEST_PLACEHOLDER = 80
#: What nobody has for a key, a name or a password: people, templates and generators leave it in the place of one.
_UNMEANT = (
    r"(?is)<[^<>]*>|\{\{.*\}\}|\$\{[a-z_][a-z0-9_]*\}|your[-_ ].*|(replace|change)[-_ ]?(me|it|this)|fix[-_ ]?me"
    r"|(insert|enter|put|add|paste|replace|fill)[-_ ]([a-z0-9]+[-_ ])*(key|token|secret|here|me|this|value)"
    r"|(sk|pk|rk)[-_](x+|\.+|\*+|your[-_ ].*)|place[-_ ]?holder"
)
#: What stands in the place of a key, and may be a name or a password: SendGrid's user of SMTP is called ``apikey``.
_PLACEHOLDER = (
    _UNMEANT + r"|\[[a-z _-]+\]|\$[a-z_][a-z0-9_]*|\$\(.*\)|%[a-z_]+%"
    r"|(my|the)[-_ ]([a-z0-9]+[-_ ])*(key|token|secret|here|me|this|value)"
    r"|(api|secret|access|auth)[-_ ]?(key|token)|to[-_ ]?do|tb[ad]"
    r"|dummy|foo(bar)?|example|sample|test|none|null|nil|undefined|n/?a|redacted|secret|password"
    r"|token|key"
)
#: Signs that stand for what is left out: sk-xxxxxxxx, ********; how many in a row, and how much may stand in front.
_FILLERS, _RUN, _LEAD = b"xX*.#_-0", 8, 16


def defect(raw: bytes, form: Literal["token", "json", "text"], *, words: bool = True) -> str:
    """Say what makes a text impossible as a credential of a form, as a clause; empty if nothing does.

    Args:
        words: whether words that may be names or passwords are placeholders as well: ``token``, ``$NAME``.
    """
    if not raw:
        return "is empty"
    if form == "text":
        return ""
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "begins with a byte order mark"
    return _of_json(raw) if form == "json" else _of_token(raw, words=words)


def is_placeholder(raw: bytes, *, words: bool = True) -> bool:
    """Whether a text stands where a key should be put; ``words`` as for ``defect``."""
    lead = raw.rstrip(raw[-1:])
    if raw[-1:] in _FILLERS and len(raw) - len(lead) >= _RUN and len(lead) <= _LEAD:
        return True
    pattern = _PLACEHOLDER if words else _UNMEANT
    return len(raw) <= _LONGEST_PLACEHOLDER and _pattern(pattern.encode()).fullmatch(raw) is not None


@functools.cache
def _pattern(pattern: bytes) -> Any:
    import re2  # takes a while to load

    return re2.compile(pattern)


def _of_token(raw: bytes, *, words: bool) -> str:
    if not raw.strip():
        return "is nothing but white space"
    inner = raw.strip()
    if is_placeholder(inner, words=words):
        return _FILLED_IN
    if inner != raw:
        lines = inner == raw.rstrip(b"\r\n")
        return NEWLINE if lines else "begins or ends with white space"
    if not raw.isascii():
        return "holds characters beyond ASCII"
    if not _pattern(rb"[!-~]+").fullmatch(raw):
        return "holds white space or control characters"
    return ""


def _of_json(raw: bytes) -> str:
    try:
        found = json.loads(raw.decode())  # of bytes, it would take UTF-16 too
    except (ValueError, RecursionError):
        return "is not JSON"
    return "" if isinstance(found, dict) else "is not a JSON object"
