"""What keys of service accounts have of their own: files and private keys of any kind, and clocks."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from issuers.issuing import asking, issuer, secret
from keywright.issuers import table
from keywright.issuers.base import Finding, Malformed, Recognised, Verdict
from keywright.issuers.gcp_service_account import GcpServiceAccount
from vendors import VendorServer, serving
from vendors.gcp_service_account import GcpServiceAccount as Tokens
from vendors.gcp_service_account import key_file
from vendors.tokens import pem

NO_KEY = "has a private_key that is no RSA key of 2048 to 4096 bits in PEM"


@pytest.fixture
def google() -> Iterator[VendorServer]:
    with serving("gcpServiceAccount") as server:
        yield server


def _vendor(google: VendorServer) -> Tokens:
    assert isinstance(google.vendor, Tokens)
    return google.vendor


def _probe(google: VendorServer, file: str) -> Finding:
    return asking(issuer(google), google.url, secret({"key": file}))


def _recognised(file: str | bytes) -> object:
    return GcpServiceAccount(None, table()).recognise(secret({"key": file}))


@functools.cache
def _rsa(bits: int) -> Any:
    return rsa.generate_private_key(65537, bits)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"type": "authorized_user"}, 'is not of a service account: its type is not "service_account"'),
        ({"type": None}, 'is not of a service account: its type is not "service_account"'),
        ({"type": ["service_account"]}, 'is not of a service account: its type is not "service_account"'),
        ({"client_email": None}, "has no client_email"),
        ({"client_email": "me"}, "has a client_email that cannot be one"),
        ({"client_email": "me@here\n.example"}, "has a client_email that cannot be one"),
        ({"client_email": {"a": 1}}, "has a client_email that cannot be one"),
        ({"private_key_id": None}, "has no private_key_id"),
        ({"private_key_id": "x" * 129}, "has a private_key_id that cannot be one"),
        ({"private_key_id": "\ud800"}, "has a private_key_id that cannot be one"),
        ({"private_key": None}, "has no private_key"),
        ({"private_key": "x"}, "has a private_key that cannot be one"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----" + "\n" * 4096}, "has a private_key that cannot be one"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}, NO_KEY),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\n\ud800\n-----END PRIVATE KEY-----\n"}, NO_KEY),
        ({"token_uri": None}, "has no token_uri"),
        ({"token_uri": "http://oauth2.googleapis.com/token"}, "has a token_uri that cannot be one"),
    ],
)
def test_a_file_that_lacks_something_is_malformed(other: dict[str, Any], said: str) -> None:
    assert _recognised(key_file(**other)) == Malformed("key", said)


def test_a_private_key_that_was_escaped_twice_is_malformed() -> None:
    twice = json.loads(key_file())["private_key"].replace("\n", "\\n")

    found = _recognised(key_file(private_key=twice))

    assert found == Malformed("key", "has a private_key with backslashes in it: it was escaped twice")


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_private_keys_of_google_s_sizes_are_taken(bits: int) -> None:
    assert _recognised(key_file(private_key=pem(_rsa(bits)))) == Recognised("service account key")


def test_private_keys_in_their_older_form_are_taken() -> None:
    older = _rsa(2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )

    assert _recognised(key_file(private_key=older.decode())) == Recognised("service account key")


@pytest.mark.parametrize(
    "key",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: dsa.generate_private_key(2048),
        lambda: _rsa(1024),
    ],
    ids=["EC", "Ed25519", "DSA", "RSA of 1024 bits"],
)
def test_private_keys_of_other_kinds_are_malformed(key: Any) -> None:
    assert _recognised(key_file(private_key=pem(key()))) == Malformed("key", NO_KEY)


def _made_up(p: int, q: int, d: int, e: int = 65537) -> str:
    """Return a private key of such numbers, as nobody checks them."""
    rest = (d % (p - 1) if p > 1 else 1, d % (q - 1) if q > 1 else 1, 1)
    return _der([0, p * q, e, d, p, q, *rest])


def _der(numbers: list[int]) -> str:
    import base64

    def framed(tag: int, data: bytes) -> bytes:
        size = len(data)
        length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
        return bytes([tag]) + length + data

    body = b"".join(framed(2, each.to_bytes(each.bit_length() // 8 + 1, "big")) for each in numbers)
    text = base64.encodebytes(framed(0x30, body)).decode()
    return f"-----BEGIN RSA PRIVATE KEY-----\n{text}-----END RSA PRIVATE KEY-----\n"


def test_signing_with_made_up_numbers_takes_little(google: VendorServer) -> None:
    # e = d = 1 fits whatever p and q are; the exponents of signing are as long as fits into a file.
    exponent = 2**7000 + 1
    text = _der([0, (2**2048 + 1) * (2**2047 + 1), 1, 1, 2**2048 + 1, 2**2047 + 1, exponent, exponent, 1])

    assert _probe(google, key_file(private_key=text)).verdict in (Verdict.NOT_CHECKED, Verdict.INVALID)


def test_private_keys_whose_numbers_do_not_fit_are_malformed() -> None:
    for pem_text in (
        _made_up(1, 2**2048 + 1, 1),
        _made_up(2**1024 + 1, 2**1024 + 3, 12345),
        _made_up(2**6000 + 1, 2**6000 + 3, 1),
        _der([0, 2**2047 + 1, 65537, 5, 3, 5, 1, 1, 1]),
        _der([0] * 9),
    ):
        assert isinstance(_recognised(key_file(private_key=pem_text)), Malformed)


def test_a_private_key_that_cannot_sign_is_not_asked_about_or_does_not_live(google: VendorServer) -> None:
    # e = d = 1 fits whatever p and q are, primes or not.
    file = key_file(private_key=_made_up(2**1024 + 1, 2**1024 + 4, 1, e=1))

    assert _probe(google, file).verdict in (Verdict.NOT_CHECKED, Verdict.INVALID)


def test_json_in_another_encoding_is_not_json() -> None:
    file = key_file(project_id="é")

    assert _recognised(file.encode("utf-16-le")) == Malformed("key", "is not JSON")
    assert _recognised(b'{"a": "\x00\xdc"}') == Malformed("key", "is not JSON")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_whatever_json_it_is_given_it_says_something(value: Any) -> None:
    for each in (value, {"type": "service_account", "private_key": value}):
        assert isinstance(_recognised(json.dumps(each)), Malformed)


def test_json_of_any_depth_is_looked_at() -> None:
    # Around what Python's reader takes, too, where it is read a second time.
    for depth in (*range(800, 1100), 100_000):
        deep = '{"type": "service_account", "a": ' + "[" * depth + "]" * depth + "}"
        assert isinstance(_recognised(deep), Malformed)


def test_one_key_does_not_sign_for_another(google: VendorServer) -> None:
    file = key_file()
    google.vendor.knows({"key": file})
    other = json.dumps(json.loads(file) | {"private_key": pem(_rsa(3072))})

    assert _probe(google, other) == Finding(Verdict.INVALID, "answered 400 (invalid_grant)")


@pytest.mark.parametrize("ahead", [7200.0, -7200.0])
def test_clocks_that_differ_say_nothing_of_a_key(google: VendorServer, ahead: float) -> None:
    file = key_file()
    google.vendor.knows({"key": file})
    _vendor(google).ahead = ahead

    found = _probe(google, file)

    assert found.verdict is Verdict.UNKNOWN
    assert "clock" in found.said


def test_a_key_of_an_account_that_is_switched_off_is_invalid(google: VendorServer) -> None:
    file = key_file()
    google.vendor.knows({"key": file})
    _vendor(google).disabled.add(json.loads(file)["private_key_id"])

    assert _probe(google, file) == Finding(Verdict.INVALID, "answered 401 (disabled_client)")


def test_the_private_key_itself_is_not_sent(google: VendorServer) -> None:
    file = key_file()
    google.vendor.knows({"key": file})

    assert _probe(google, file).verdict is Verdict.VALID

    (request,) = google.requests
    inside = json.loads(file)["private_key"].splitlines()[5]
    assert inside not in f"{request.headers}{request.body!r}"


@pytest.mark.parametrize("uri", ["https://evil.example/token", "https://oauth2.s3nsapis.fr/token"])
def test_a_key_of_another_cloud_is_shown_to_nobody(google: VendorServer, uri: str) -> None:
    file = key_file(token_uri=uri)
    google.vendor.knows({"key": file})

    assert _probe(google, file).verdict is Verdict.NOT_CHECKED
    assert not google.requests
