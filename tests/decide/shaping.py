"""Shapes of entries, asked for in one line, and a certificate with its key.

Does not belong here: what is expected of them (``test_shapes.py``, ``test_shape_attacks.py``).
"""

from __future__ import annotations

import datetime
import functools
import traceback
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from keywright import errors
from keywright.decide import shapes
from keywright.kinds.shapes import Shapes
from keywright.secret import SecretValue

CANARY = "kw-canary-6f1d2c9b4a"


def shaped(spec: dict[str, Any], **entries: str | bytes) -> shapes.Shaped:
    values = {name: SecretValue(value) for name, value in entries.items()}
    return shapes.shape(Shapes.model_validate(spec), values)


def made(spec: dict[str, Any], **entries: str | bytes) -> dict[str, bytes]:
    return {name: value.reveal() for name, value in shaped(spec, **entries).entries.items()}


def refusal(spec: dict[str, Any], **entries: str | bytes) -> errors.Stalled:
    with pytest.raises(errors.Stalled) as caught:
        shaped(spec, **entries)
    error = caught.value
    told = "".join(traceback.TracebackException.from_exception(error).format())
    assert CANARY not in f"{told} {error!r} {error.hint}"
    assert error.__context__ is None and error.hint
    return error


@functools.cache
def certificate(name: str = "one") -> tuple[str, str]:
    """Return a certificate of its own making, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), start, start)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    return pem, in_pem(key, serialization.NoEncryption())


def in_pem(key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


GHCR = {"server": "ghcr.io", "username": "bot", "passwordFrom": "TOKEN"}
TLS = {"tls": {"certificateFrom": "CERT", "privateKeyFrom": "KEY"}}
