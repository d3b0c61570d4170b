"""What a value tells by itself: whose credential it is, and when it ends. Pure.

Does not belong here: what an object says a value is (``engine/checker.py``), any one issuer's forms (``issuers/``).
"""

from __future__ import annotations

import base64
import dataclasses
import json

from .. import errors, pacing
from ..errors import Reason
from ..issuers import _text
from ..issuers._table import Table
from ..secret import SecretValue

#: Longest values that are looked into (bytes): tokens, and certificates.
MAX_TOKEN, MAX_CERTIFICATES = 16 * 1024, 64 * 1024
#: Ends before 2000 and after 2200 are none.
_FIRST, _LAST = 946_684_800, 7_258_118_400


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What a value tells.

    Attributes:
        issuer: whose credential it surely is; None if it does not tell.
        kind: which kind of the issuer's credentials it is.
        expires_at: when it ends (RFC 3339).
        warning: what is wrong with it, as a clause behind its name; empty if nothing is.
    """

    issuer: str | None = None
    kind: str | None = None
    expires_at: str | None = None
    warning: str = ""


def look(value: SecretValue, table: Table) -> Look | None:
    """Return what a value tells by itself; None if that is nothing."""
    ends = expires_at(value)
    raw = value.reveal()
    text = raw.strip().removeprefix(b"\xef\xbb\xbf").decode("ascii", "replace") if len(raw) <= MAX_TOKEN else ""
    if owner := table.owner(text):
        kind = owner[1].kind if owner[1].matches(text) else None
        return Look(owner[0], kind, ends, _text.defect(raw, "token"))
    return Look(expires_at=ends) if ends else None


def expires_at(value: SecretValue) -> str | None:
    """Return when a value ends (RFC 3339) that is a JSON Web Token or certificates, the first of them to end."""
    raw = value.reveal()
    end: float | None = None
    if raw.startswith(b"eyJ"):
        end = _token(raw) if len(raw) <= MAX_TOKEN else None
    elif raw.lstrip().startswith(b"-----BEGIN CERTIFICATE-----") and len(raw) <= MAX_CERTIFICATES:
        end = _certificates(raw)
    return pacing.rfc3339(end) if end is not None and _FIRST <= end <= _LAST else None


def _token(raw: bytes) -> float | None:
    """Return the claim ``exp`` of a JSON Web Token (RFC 7519, 4.1.4), seconds since 1970."""
    parts = raw.strip().split(b".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)))
        end = claims.get("exp") if isinstance(claims, dict) else None
        return float(end) if isinstance(end, int | float) and not isinstance(end, bool) else None
    except (ValueError, RecursionError, OverflowError):  # the last: whole numbers of hundreds of digits
        return None


def _certificates(raw: bytes) -> float | None:
    from cryptography import x509  # noqa: PLC0415 - takes a while to load

    try:
        with errors.boundary(lambda _: errors.Stalled(Reason.SHAPE_FAILED, "holds no certificate")):
            return min(each.not_valid_after_utc.timestamp() for each in x509.load_pem_x509_certificates(raw))
    except errors.Error:
        return None
