"""Private keys of RSA, and the JSON Web Tokens that they sign, as vendors look at them.

Does not belong here: what a vendor wants to stand in one (its file).
"""

from __future__ import annotations

import base64
import functools
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


@functools.cache
def key() -> rsa.RSAPrivateKey:
    """Return a private key: one for all, as making one takes long."""
    return rsa.generate_private_key(65537, 2048)


def pem(key: Any, form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8) -> str:
    """Return a private key as text (PEM)."""
    return str(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()), "ascii")


def decoded(text: str) -> bytes:
    """Return what a part of a token says."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def is_signed(private_key: str, signed: str, signature: bytes) -> bool:
    """Whether a key has signed a text."""
    public: Any = serialization.load_pem_private_key(private_key.encode(), None).public_key()
    try:
        public.verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def verified(token: str, private_key: str) -> dict[str, Any] | None:
    """Return the claims of a token; None if the key has not signed it."""
    signed, _, signature = token.rpartition(".")
    try:
        header, claims = (json.loads(decoded(each)) for each in signed.split("."))
        own = header["alg"] == "RS256" and is_signed(private_key, signed, decoded(signature))
    except (ValueError, KeyError):
        return None
    return dict(claims) if own else None
