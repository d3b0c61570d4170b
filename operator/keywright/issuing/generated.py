"""Keys that are made here: random text, UUIDs, SSH keys, passwords with their hash.

Nobody accepts such a key but who reads it, so there is nothing to list and nothing to revoke.

Does not belong here: telling its readers that there is a new one (``engine``).
"""

from __future__ import annotations

import math
import secrets
import string
import uuid
from typing import Annotated, ClassVar, Literal

import pydantic

from .. import errors
from ..errors import Reason
from ..schema import Cel, OneOf, Spec
from ..secret import SecretValue
from ..stores.base import Credentials
from .base import Issued, Issuing, Order, Way

#: Bits below which nobody may ask for a key: what can be tried at leisure is guessed.
FLOOR = 64
#: Bytes that bcrypt takes; what is behind them it would ignore.
_BCRYPT = 72

PartName = Annotated[str, pydantic.StringConstraints(max_length=32, pattern="^[a-z][a-zA-Z0-9]{0,31}$")]


class Random(Spec):
    """Random text."""

    part: PartName = "value"
    """Name of the part that holds it. Default `value`."""
    characters: Annotated[str, pydantic.StringConstraints(min_length=2, max_length=94, pattern="^[!-~]+$")] = (
        string.ascii_letters + string.digits
    )
    """What it is made of: characters of ASCII, each once. Default letters and digits."""
    length: Annotated[int, pydantic.Field(ge=8, le=4096)] = 40
    """How many random characters. Default 40."""
    prefix: Annotated[str, pydantic.StringConstraints(max_length=32, pattern="^[!-~]*$")] = ""
    """What stands in front of them, by which scanners know it when it leaks, for example `acme_`."""
    min_entropy: Annotated[int, pydantic.Field(ge=FLOOR, le=4096)] = 128
    """How many bits must be random at least. Fewer than 64 cannot be asked for. Default 128."""


class Uuid(Spec):
    """A random UUID (RFC 9562, version 4): 122 random bits."""

    part: PartName = "value"
    """Name of the part that holds it. Default `value`."""


class SshKey(Spec):
    """An SSH key pair, in the parts `privateKey` and `publicKey`, as OpenSSH writes them."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel("!has(self.bits) || (has(self.type) && self.type == 'Rsa')", "bits is RSA's"),
    )

    type: Literal["Ed25519", "Rsa"] = "Ed25519"
    """Of which kind. Default `Ed25519`."""
    bits: Literal[3072, 4096] | None = None
    """How long a key of RSA is. Default 3072."""


class BasicAuth(Spec):
    """User and password, in the parts `username`, `password` and `auth`: a line of an `htpasswd` file (bcrypt)."""

    username: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64, pattern="^[!-9;-~]+$")]
    """Name of the user."""
    password: Random = Random(length=32)
    """What the password is; its `part` does not count. Default 32 letters and digits; at most 72 characters in all."""
    cost: Annotated[int, pydantic.Field(ge=10, le=14)] = 10
    """How dear a guess is: each more doubles it. Default 10."""


class Generated(Issuing, name="generated", title="Keywright", way=Way.LOCAL):
    """Makes keys without asking anybody."""

    class Config(Spec):
        """What is made."""

        cel: ClassVar[tuple[Cel | OneOf, ...]] = (OneOf(("random", "uuid", "ssh_key", "basic_auth")),)

        random: Random | None = None
        """Random text."""
        uuid: Uuid | None = None
        """A random UUID."""
        ssh_key: SshKey | None = None
        """An SSH key pair."""
        basic_auth: BasicAuth | None = None
        """User and password."""

    names = False

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        """Look at what is to be made.

        Raises:
            errors.Stalled: ``InvalidSpec``: it could be guessed, or cannot be made.
        """
        self._config = config
        if not (config.random or config.uuid or config.ssh_key or config.basic_auth):
            raise _wrong("has nothing to make", "Set one field of generated")
        if config.random:
            _check(config.random, "generated.random")
        if basic := config.basic_auth:
            _check(basic.password, "generated.basicAuth.password")
            if len(basic.password.prefix) + basic.password.length > _BCRYPT:
                raise _wrong(
                    f"makes passwords of more than {_BCRYPT} characters, which bcrypt cannot take",
                    "Lower generated.basicAuth.password.length",
                )

    @property
    def account(self) -> str:
        """Nobody's."""
        return ""

    def issue(self, order: Order) -> Issued:
        """Make a key."""
        with errors.boundary(_bug):
            return Issued(self._made(order.name))

    def _made(self, name: str) -> dict[str, SecretValue]:
        if ssh := self._config.ssh_key:
            return _key_pair(ssh, name)
        if basic := self._config.basic_auth:
            return _login(basic)
        if random := self._config.random:
            return {random.part: _text(random)}
        return {(self._config.uuid or Uuid()).part: SecretValue(str(uuid.uuid4()))}


def _check(random: Random, where: str) -> None:
    """Refuse text that could be guessed."""
    if len(set(random.characters)) < len(random.characters):
        raise _wrong(f"{where}.characters has one character twice", "Write each once")
    bits = random.length * math.log2(len(random.characters))
    if bits < random.min_entropy:
        said = f"{where} makes keys of {bits:.0f} random bits, and its minEntropy is {random.min_entropy}"
        raise _wrong(said, "Raise length, or add characters")


def _text(random: Random) -> SecretValue:
    return SecretValue(random.prefix + "".join(secrets.choice(random.characters) for _ in range(random.length)))


def _key_pair(wanted: SshKey, comment: str) -> dict[str, SecretValue]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    if wanted.type == "Ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = rsa.generate_private_key(65537, wanted.bits or 3072)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return {"privateKey": SecretValue(private), "publicKey": SecretValue(public + f" {comment}\n".encode())}


def _login(wanted: BasicAuth) -> dict[str, SecretValue]:
    import bcrypt

    password = _text(wanted.password)
    # The same as $2b$, and what htpasswd writes itself: Apache knows no other.
    hashed = bcrypt.hashpw(password.reveal(), bcrypt.gensalt(wanted.cost)).replace(b"$2b$", b"$2y$", 1)
    line = wanted.username.encode() + b":" + hashed
    return {"username": SecretValue(wanted.username), "password": password, "auth": SecretValue(line)}


def _wrong(said: str, hint: str) -> errors.Stalled:
    return errors.Stalled(Reason.INVALID_SPEC, said, hint)


def _bug(foreign: Exception) -> errors.Error:
    said = f"could not make a key ({type(foreign).__name__} at {errors.place_of(foreign)})"
    return errors.Retry(Reason.INTERNAL_ERROR, said)
