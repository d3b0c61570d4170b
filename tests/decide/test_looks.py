"""What values tell by themselves: whose they are, when they end."""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from keywright.decide import looks
from keywright.decide.looks import Look
from keywright.issuers import table
from keywright.secret import SecretValue
from vendors import vendors

TABLE = table()


def token(claims: Any) -> bytes:
    """Make a JSON Web Token with these claims."""
    parts = [json.dumps(each).encode() for each in ({"alg": "none"}, claims)]
    return b".".join([*(base64.urlsafe_b64encode(each).rstrip(b"=") for each in parts), b"sig"])


def certificate(days: int) -> bytes:
    """Make a certificate that ends in so many days after 2030."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    begins = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begins, begins + datetime.timedelta(days))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    ("raw", "ends"),
    [
        (token({"exp": 1_900_000_000}), "2030-03-17T17:46:40Z"),
        (token({"exp": 1_900_000_000.9}), "2030-03-17T17:46:40Z"),
        (token({"exp": "1900000000"}), None),
        (token({"exp": True}), None),
        (token({"exp": 10**30}), None),
        (token({"exp": 10**400}), None),
        (token({"exp": float("inf")}), None),
        (token({"exp": float("nan")}), None),
        (token({"exp": -5}), None),
        (token({}), None),
        (token(["exp"]), None),
        (b"eyJ.e.", None),
        (b"eyJhbGciOiJub25lIn0." + b"W" * 20_000 + b".x", None),
        (certificate(10), "2030-01-11T00:00:00Z"),
        (certificate(90) + certificate(10), "2030-01-11T00:00:00Z"),
        (b"\n" + certificate(10), "2030-01-11T00:00:00Z"),
        (b"-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n", None),
        (b"-----BEGIN CERTIFICATE-----" + b"\n" * 70_000, None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
def test_tokens_and_certificates_tell_when_they_end(raw: bytes, ends: str | None) -> None:
    assert looks.expires_at(SecretValue(raw)) == ends


@given(st.integers(-(10**600), 10**600) | st.floats() | st.text() | st.lists(st.integers()))
def test_whatever_a_token_says_of_its_end_it_is_looked_at(end: Any) -> None:
    told = looks.expires_at(SecretValue(token({"exp": end})))

    assert told is None or "2000-01-01T00:00:00Z" <= told <= "2200-01-01T00:00:00Z"


def test_a_known_key_tells_whose_it_is_and_what_is_wrong_with_it() -> None:
    key = vendors()["github"]().samples()["classic personal access token"]["token"]

    assert looks.look(SecretValue(key), TABLE) == Look("github", "classic personal access token")
    spoilt = looks.look(SecretValue(f"{key}\n"), TABLE)
    assert spoilt == Look("github", "classic personal access token", warning="ends with a newline")


@pytest.mark.parametrize(
    "raw", [b"plain\n", b"changeme", b"none", b"", b"a: b\nc: d\n", b"-----BEGIN PRIVATE KEY-----\nx"]
)
def test_what_tells_nothing_is_left_alone(raw: bytes) -> None:
    assert looks.look(SecretValue(raw), TABLE) is None


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_whatever_it_is_it_is_looked_at(raw: bytes) -> None:
    found = looks.look(SecretValue(raw), TABLE)

    assert found is None or found.issuer or found.expires_at
