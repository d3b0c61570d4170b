"""Checksums as vendors put them at the end of tokens. Pure.

Does not belong here: which tokens have one (each issuer's file).
"""

from __future__ import annotations

import string
import zlib

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase


def crc(text: str, base: int, width: int) -> str:
    """Return the CRC-32 of an ASCII text with digits 0-9A-Za-z, padded with zeros on the left.

    Args:
        base: up to 62; up to 36, digits beyond 9 are in lower case.
        width: characters at least.
    """
    number, digits = zlib.crc32(text.encode("ascii")), ""
    while number:
        number, digit = divmod(number, base)
        digits = _DIGITS[digit] + digits
    return (digits.lower() if base <= 36 else digits).rjust(width, "0")
