"""Private keys of RSA in PEM, and JSON Web Tokens that they sign (RS256): by them one shows issuers who asks.

What somebody else wrote is loaded here, so nothing that it says may take long.

Does not belong here: what stands in a token, and who wants one (``issuers``, ``issuing``).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from . import errors
from .errors import Reason

#: Bits that a key may have, as signing takes their cube.
_BITS = range(2048, 4097)
_KEY = re.compile(r"\s*-----BEGIN ((?:RSA )?PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*")
_LENGTH = rb"(?:[\x00-\x7f]|\x81.|\x82..)"
#: How PKCS #8 (RFC 5958) begins with a key of RSA. To load one of DSA, OpenSSL may calculate for seconds.
_RSA = re.compile(
    rb"\x30" + _LENGTH + rb"\x02\x01[\x00\x01]\x30" + _LENGTH + rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01",
    re.DOTALL,
)


def loaded(pem: str) -> Any:
    """Return the private key; None if it is none that can be used.

    Whether its numbers are primes is not asked: that takes long. What they make is.
    """
    return tried(lambda: _key(pem))


def tried(calculate: Callable[[], Any]) -> Any:
    """Return what comes of a calculation with numbers that somebody made up; None if it fails."""
    try:
        with errors.boundary(lambda _: errors.Stalled(Reason.INTERNAL_ERROR, "a private key cannot be used")):
            return calculate()
    except errors.Stalled:
        return None


def _key(pem: str) -> Any:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    found = _KEY.fullmatch(pem)
    if not found or (found[1] == "PRIVATE KEY" and not _RSA.match(base64.b64decode(found[2]))):
        raise ValueError
    key = serialization.load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size not in _BITS:
        raise ValueError
    numbers = key.private_numbers()
    p, q, once = numbers.p, numbers.q, numbers.public_numbers.e * numbers.d - 1
    if p * q != numbers.public_numbers.n or once % (p - 1) or once % (q - 1):
        raise ValueError
    return key


def signed(claims: Mapping[str, Any], key: Any, **header: str) -> str:
    """Return a JSON Web Token (RFC 7519).

    Args:
        key: as ``loaded`` returns it.
        header: fields of its header beside those that every one has.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    told = {"alg": "RS256", "typ": "JWT", **header}
    text = ".".join(_base64(json.dumps(each).encode()) for each in (told, claims))
    return f"{text}.{_base64(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
