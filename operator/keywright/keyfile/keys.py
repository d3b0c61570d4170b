"""Keys: from a passphrase or 32 random bytes to what opens a file and seals its entries.

Passphrases go through Argon2id or PBKDF2-HMAC-SHA256, raw keys do not; HKDF-SHA256 then makes a key for each use. The
parameters stand in the file, so they are held to bounds before anything runs: a floor, as nobody may weaken a file
(OWASP Password Storage), and a ceiling, as nobody may stop a process with it.

Does not belong here: what is sealed (``sealed``, ``contents``), where a passphrase comes from.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import threading
from collections.abc import Callable
from typing import Annotated, Literal

import pydantic
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from .. import errors
from ..errors import Reason
from ..secret import SecretValue

#: Bytes of every key, of salts, of nonces (96 bits, NIST SP 800-38D), and what GCM adds to a text.
KEY, SALT, NONCE, TAG = 32, 16, 12, 16

#: Memory that Argon2id may take where nothing else is said, and in a cluster (KiB).
MAX_MEMORY, CLUSTER_MEMORY = 1024 * 1024, 64 * 1024

#: Floor and ceiling of each parameter, by algorithm; memory in KiB. Others must be 0.
BOUNDS: dict[str, dict[str, tuple[int, int]]] = {
    "argon2id": {"memory": (19 * 1024, MAX_MEMORY), "passes": (2, 16), "lanes": (1, 16)},
    "pbkdf2-sha256": {"iterations": (600_000, 10_000_000)},
    "raw": {},
}
#: Ceilings in a cluster, where one derivation at a time is all that everybody has: about a second each.
CLUSTER_BOUNDS = {"passes": 6, "iterations": 1_500_000}
#: What a new file gets: RFC 9106's second choice, and OWASP's floor where FIPS 140 is asked for.
DEFAULTS: dict[str, dict[str, int]] = {
    "argon2id": {"memory": 64 * 1024, "passes": 3, "lanes": 4},
    "pbkdf2-sha256": {"iterations": 600_000},
    "raw": {},
}

Algorithm = Literal["argon2id", "pbkdf2-sha256", "raw"]
Hex = Annotated[str, pydantic.StringConstraints(pattern="^([0-9a-f]{2})*$", max_length=256)]

_GIVE = "Give its passphrase, by --key-file, or by passphraseRef in a cluster"
_NO_BREAK = "Write it without a line break at its end, as printf %s does"

#: One key derivation at a time in a process: two would take twice the memory.
_alone = threading.Lock()


class Kdf(pydantic.BaseModel):
    """How a file's master key is made. ``salt`` is 16 random bytes as hex digits, ``memory`` is in KiB."""

    model_config = pydantic.ConfigDict(strict=True, frozen=True, extra="forbid")

    algorithm: Algorithm
    salt: Annotated[Hex, pydantic.StringConstraints(min_length=2 * SALT, max_length=2 * SALT)]
    memory: int = 0
    passes: int = 0
    lanes: int = 0
    iterations: int = 0

    @classmethod
    def fresh(cls, algorithm: Algorithm) -> Kdf:
        """Return one with a new salt and the usual parameters."""
        return cls(algorithm=algorithm, salt=os.urandom(SALT).hex(), **DEFAULTS[algorithm])

    def check(self, memory: int) -> None:
        """Hold the parameters to their bounds, and Argon2id to so much memory (KiB).

        Raises:
            errors.Stalled: ``FileRefused``.
        """
        for name in ("memory", "passes", "lanes", "iterations"):
            value, (least, most) = getattr(self, name), BOUNDS[self.algorithm].get(name, (0, 0))
            if memory <= CLUSTER_MEMORY:
                most = min(most, CLUSTER_BOUNDS.get(name, most))
            most = min(most, memory) if name == "memory" else most
            if not least <= value <= most:
                unit = " KiB" if name == "memory" else ""
                said = f"has {self.algorithm} with {name} {value}, not within {least} and {most}{unit}"
                raise errors.Stalled(Reason.FILE_REFUSED, said, f"Seal it anew: keywright rekey --kdf {self.algorithm}")


class Master:
    """The key of one file, as the keys for each use. Has no text form."""

    __slots__ = ("_header", "_set", "_show", "_wrap")

    def __init__(self, key: bytes, salt: bytes) -> None:
        self._header, self._wrap, self._set, self._show = (
            _hkdf(key, salt, f"keywright/v1/{use}") for use in ("hdr", "wrap", "set", "show")
        )

    def header_mac(self, header: bytes) -> bytes:
        """Return the MAC of a header."""
        return hmac.digest(self._header, header, "sha256")

    def set_mac(self, records: bytes) -> bytes:
        """Return the MAC of all records with what they belong to."""
        return hmac.digest(self._set, records, "sha256")

    def shown(self) -> SecretValue:
        """Return the key of fingerprints."""
        return SecretValue(self._show)

    def wrap(self, key: bytes, about: bytes) -> bytes:
        """Return a data key, sealed together with what it is said to be."""
        return _seal(self._wrap, key, about)

    def unwrap(self, wrapped: bytes, about: bytes) -> bytes:
        """Return a data key out of what ``wrap`` made.

        Raises:
            Exception: cryptography's own, if it is not that.
        """
        return _unseal(self._wrap, wrapped, about)


def derive(kdf: Kdf, secret: SecretValue, *, memory: int = MAX_MEMORY, wait: float = -1) -> Master:
    """Make a file's key out of a passphrase, or out of a raw key.

    Args:
        memory: that Argon2id may take (KiB).
        wait: seconds for which another derivation in this process is waited for; -1: as long as it takes.

    Raises:
        errors.Stalled: ``FileRefused``: the parameters; ``AuthFailed``: no passphrase or key can be that.
        errors.Outage: ``StoreBusy``: another derivation took too long.
    """
    kdf.check(memory)
    salt = bytes.fromhex(kdf.salt)
    if kdf.algorithm == "raw":
        return Master(_raw(secret.reveal()), salt)
    _check_passphrase(secret.reveal())
    if not _alone.acquire(timeout=wait):
        raise errors.Outage(Reason.STORE_BUSY, "could not derive its key in time: others derive theirs")
    try:
        with errors.boundary(lambda _: errors.Retry(Reason.INTERNAL_ERROR, "could not derive its key")):
            return Master(_stretch(kdf, secret.reveal(), salt), salt)
    finally:
        _alone.release()


def fitting(secret: SecretValue) -> Algorithm:
    """Return how a key is made of this: ``raw`` for the base64 of 32 bytes, or for 32 bytes that nobody could type."""
    value = secret.reveal()
    raw = _decoded(value) or (len(value) == KEY and not re.fullmatch(rb"[ -~]+", value))
    return "raw" if raw else "argon2id"


def seal(key: bytes, text: SecretValue, about: bytes, random: Callable[[int], bytes] = os.urandom) -> bytes:
    """Seal a value under a key made for it alone: salt, nonce, ciphertext. ``about`` is authenticated with it.

    The salt depends on what is sealed as well: where randomness repeats itself, as after a machine was restored from a
    snapshot, no key and nonce serve two values.
    """
    value = text.reveal()
    framed = random(SALT) + len(about).to_bytes(8, "big") + about + value
    salt = hmac.digest(_hkdf(key, b"", "keywright/v1/salt"), framed, "sha256")[:SALT]
    return salt + _seal(_hkdf(key, salt, "keywright/v1/entry"), value, about, random)


def unseal(key: bytes, sealed: bytes, about: bytes) -> SecretValue:
    """Return a value out of what ``seal`` made.

    Raises:
        Exception: cryptography's own, if it is not that.
    """
    own = _hkdf(key, sealed[:SALT], "keywright/v1/entry")
    return SecretValue(_unseal(own, sealed[SALT:], about))


def _stretch(kdf: Kdf, passphrase: bytes, salt: bytes) -> bytes:
    if kdf.algorithm == "argon2id":
        slow = Argon2id(salt=salt, length=KEY, iterations=kdf.passes, lanes=kdf.lanes, memory_cost=kdf.memory)
        return slow.derive(passphrase)
    return PBKDF2HMAC(hashes.SHA256(), KEY, salt, kdf.iterations).derive(passphrase)


def _check_passphrase(given: bytes) -> None:
    if re.fullmatch(rb"[^\x00-\x1f\x7f]+", given):
        return
    needs = "is sealed under a passphrase, and what is given"
    if not given:
        raise _refused(f"{needs} is empty", _GIVE)
    if re.fullmatch(rb"[^\x00-\x1f\x7f]+[\r\n]+", given):
        raise _refused(f"{needs} ends with a line break", _NO_BREAK)
    if len(given) == KEY:
        raise _refused(f"{needs} looks like a raw key: 32 bytes", _GIVE)
    raise _refused(f"{needs} holds control characters or several lines", _NO_BREAK)


def _raw(value: bytes) -> bytes:
    key = value if len(value) == KEY else _decoded(value)
    if not key:
        said = "is sealed under a raw key, and what is given is neither 32 bytes nor their base64"
        raise _refused(said, "Give its raw key, by --key-file, or by keyRef in a cluster")
    return key


def _decoded(value: bytes) -> bytes:
    """Return 32 bytes out of their base64, a line break behind it allowed; nothing if it is not that."""
    try:
        key = base64.b64decode(value.removesuffix(b"\n"), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return key if len(key) == KEY else b""


def _refused(message: str, hint: str) -> errors.Stalled:
    return errors.Stalled(Reason.AUTH_FAILED, message, hint)


def _hkdf(key: bytes, salt: bytes, use: str) -> bytes:
    return HKDF(hashes.SHA256(), KEY, salt, use.encode()).derive(key)


def _seal(key: bytes, text: bytes, about: bytes, random: Callable[[int], bytes] = os.urandom) -> bytes:
    nonce = random(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, text, about)


def _unseal(key: bytes, sealed: bytes, about: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], about)
