"""Values that are made to take long: whatever their bytes, a shape takes a trifle, as all tenants wait for it.

Each attack runs in a process of its own that is killed after a few seconds of CPU.
"""

from __future__ import annotations

import base64
import json
import math
import subprocess
import sys
from typing import Any

import pytest

from decide.shaping import GHCR, TLS, certificate, made, refusal
from keywright.errors import Reason

MIB = 1024 * 1024
#: Seconds of CPU that a process may take, its start with all libraries included: 0.4 of it.
MAY_TAKE = 3

CHILD = f"""
import json, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({MAY_TAKE}, {MAY_TAKE}))
from keywright import errors
from keywright.decide import shapes
from keywright.kinds.shapes import Shapes
from keywright.secret import SecretValue
spec, several = json.load(sys.stdin)
for entries in several:
    try:
        shapes.shape(Shapes.model_validate(spec), {{name: SecretValue(value) for name, value in entries.items()}})
        print("made")
    except errors.Stalled as error:
        print(error.reason)
"""


def outcomes(spec: dict[str, Any], *several: dict[str, str]) -> set[str]:
    """Return what becomes of entries in a process that may not take long."""
    command = [sys.executable, "-c", CHILD]
    ran = subprocess.run(command, input=json.dumps([spec, several]), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr or ran.returncode
    return set(ran.stdout.split())


def der(tag: int, *parts: bytes) -> bytes:
    """Return a value in DER."""
    content = b"".join(parts)
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag]) + (size or b"\0" if len(content) < 128 else bytes([0x80 | len(size)]) + size) + content


def number(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def pem(label: str, content: bytes) -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(content).decode()}-----END {label}-----\n"


def odd(bits: int) -> int:
    return 3 * (1 << bits - 2) | 1


DSA, DHX, ECDSA = (der(6, bytes.fromhex(each)) for each in ("2a8648ce380401", "2a8648ce3e0201", "2a8648ce3d040302"))


def dsa_key(bits: int) -> str:
    """Return a DSA key whose public half is calculated when it is loaded."""
    p = odd(bits)
    algorithm = der(0x30, DSA, der(0x30, number(p), number(p - 2), number(3)))
    return pem("PRIVATE KEY", der(0x30, number(0), algorithm, der(4, number(p >> 1))))


def dh_certificate(bits: int) -> str:
    """Return a certificate with a key whose parameters are checked when it is loaded."""
    q = odd(bits)
    key = der(0x30, der(0x30, DHX, der(0x30, number(q), number(3), number(q >> 1))), der(3, b"\0", number(q >> 1)))
    name = der(0x30, der(0x31, der(0x30, der(6, b"\x55\x04\x03"), der(12, b"a"))))
    times = der(0x30, der(0x17, b"260101000000Z"), der(0x17, b"260101000000Z"))
    signature = der(0x30, ECDSA)
    told = der(0x30, der(0xA0, number(2)), number(1), signature, name, times, name, key)
    return pem("CERTIFICATE", der(0x30, told, signature, der(3, b"\0x")))


def rsa_key(p: int, q: int, e: int = 65537, /, **other: int) -> str:
    d = pow(e, -1, math.lcm(p - 1, q - 1))
    numbers = {"n": p * q, "e": e, "d": d, "p": p, "q": q, "dp": d % (p - 1), "dq": d % (q - 1), "i": pow(q, -1, p)}
    return pem("RSA PRIVATE KEY", der(0x30, number(0), *map(number, (numbers | other).values())))


def mersenne(small: int, large: int, e: int = 65537) -> str:
    return rsa_key(2**large - 1, 2**small - 1, e)


KEYS = {
    "two large primes, to be checked": lambda: mersenne(9689, 9941),
    "two primes that fit": lambda: mersenne(4253, 4423),
    "a large exponent": lambda: mersenne(4253, 4423, 2**8000 + 1),
    "DSA that fits": lambda: dsa_key(30_000),
    "DSA": lambda: dsa_key(60_000),
    "many beginnings": lambda: "-----BEGIN PRIVATE KEY-----\n" * 30_000,
    "many keys": lambda: certificate()[1] * (MIB // 300),
    "dashes": lambda: "-" * 1_000_000,
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_takes_a_trifle_whatever_its_numbers(name: str) -> None:
    assert outcomes(TLS, {"CERT": certificate()[0], "KEY": KEYS[name]()}) == {"ShapeFailed"}


CERTIFICATES = {
    "DH": lambda: dh_certificate(30_000),
    "many": lambda: certificate()[0] * (MIB // 500),
    "many beginnings": lambda: "-----BEGIN CERTIFICATE-----\n" * 30_000,
}


@pytest.mark.parametrize("name", CERTIFICATES)
@pytest.mark.parametrize("which", ["CERT", "CA"])
def test_a_certificate_takes_a_trifle_whatever_it_holds(name: str, which: str) -> None:
    (pem, key), spec = certificate(), {"tls": {**TLS["tls"], "caFrom": "CA"}}

    entries = {"CERT": pem, "CA": pem, "KEY": key} | {which: CERTIFICATES[name]()}
    assert outcomes(spec, entries) == {"made" if name == "many" or (name, which) == ("DH", "CA") else "ShapeFailed"}


SIGNS = ("${", "$\\", "$\r", "$'", "\0", "${}", "'", "-----BEGIN PRIVATE KEY", "A", "\n", " ")


@pytest.mark.parametrize(
    "spec",
    [
        {"dotenv": {}},
        {"json": {}},
        {"sshAuth": {"privateKeyFrom": "KEY"}},
        {"basicAuth": {"username": "u", "passwordFrom": "KEY"}},
        {"dockerConfig": {"registries": [{"server": "ghcr.io", "username": "u", "passwordFrom": "KEY"}]}},
    ],
    ids=lambda spec: next(iter(spec)),
)
def test_text_takes_a_trifle_whatever_its_signs(spec: dict[str, Any]) -> None:
    values = [sign * (MIB // len(sign)) for sign in SIGNS]
    values += ["-----BEGIN " + "A" * 1_000_000, "-----BEGIN " + "PRIVATE KEY " * 80_000]

    assert outcomes(spec, *({"KEY": each} for each in values)) <= {"made", "ShapeFailed"}


def test_one_large_password_for_many_registries_is_refused_before_it_is_written_down() -> None:
    many = [GHCR | {"server": f"{each}.example.com"} for each in range(32)]

    error = refusal({"dockerConfig": {"registries": many}}, TOKEN="\0" * (MIB // 2))
    assert (error.reason, "example.com with entry TOKEN" in error.message) == (Reason.VALUE_TOO_LARGE, True)
    twice: dict[str, Any] = {"dotenv": {}, "json": {}}
    assert refusal(twice, A="x" * (MIB // 2), B="x" * 10).reason == Reason.VALUE_TOO_LARGE
    assert len(made(twice, A="x" * (MIB // 3))) == 2


P, Q = 2**1279 - 1, 2**2203 - 1


@pytest.mark.parametrize("wrong", [{"p": P + 2}, {"d": 65539}, {"n": P * Q + 2}])
def test_an_rsa_key_whose_numbers_do_not_fit_each_other_is_none(wrong: dict[str, int]) -> None:
    error = refusal(TLS, CERT=certificate()[0], KEY=rsa_key(P, Q, **wrong))

    assert "entry KEY is not one" in error.message
    assert "not that of the certificate" in refusal(TLS, CERT=certificate()[0], KEY=rsa_key(P, Q)).message


def test_a_private_key_of_more_than_an_rsa_key_takes_is_refused() -> None:
    error = refusal(TLS, CERT=certificate()[0], KEY=certificate()[1] + " " * 16 * 1024)

    assert (error.reason, "16 KiB at most" in error.message) == (Reason.SHAPE_FAILED, True)
