"""Keys that are made here: what they are made of, and what is too easily guessed to be made."""

from __future__ import annotations

import re
import uuid
from typing import Any

import bcrypt
import pydantic
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from issuers.issuing import secret
from keywright import errors
from keywright.errors import Reason
from keywright.issuers import table
from keywright.issuers.base import Recognised
from keywright.issuers.custom import Custom
from keywright.issuing.base import Order, Way
from keywright.issuing.generated import Generated
from stores.contract import HeldCredentials

ORDER = Order("kw-0123abcd-1")


def made(**said: Any) -> dict[str, str]:
    """Make a key, and return its parts."""
    issued = issuing(**said).issue(ORDER)
    assert issued.handle is None
    return {name: value.reveal().decode() for name, value in issued.parts.items()}


def issuing(**said: Any) -> Generated:
    return Generated(Generated.Config.model_validate(said), HeldCredentials(), 1.0)


def test_nobody_is_asked_for_it_and_nothing_is_revoked() -> None:
    own = issuing(uuid={})

    assert own.way is Way.LOCAL
    assert (own.keys, own.revoke, own.disable, own.enable) == (None, None, None, None)


def test_random_text_is_of_its_characters_and_never_the_same() -> None:
    found = {
        made(random={"characters": "0123456789abcdef", "length": 64, "prefix": "acme_"})["value"] for _ in range(50)
    }

    assert len(found) == 50
    assert all(re.fullmatch("acme_[0-9a-f]{64}", each) for each in found)
    assert re.fullmatch("[A-Za-z0-9]{40}", made(random={"part": "apiKey"})["apiKey"])


def test_each_character_comes_as_often_as_the_others() -> None:
    text = made(random={"characters": "abcd", "length": 4096})["value"]

    # Five standard deviations from 1024: one run in half a million fails by chance.
    assert all(abs(text.count(each) - 1024) < 139 for each in "abcd")


def test_a_uuid_is_random() -> None:
    found = uuid.UUID(made(uuid={})["value"])

    assert (found.version, found.variant) == (4, uuid.RFC_4122)


@pytest.mark.parametrize(
    ("said", "kind", "begins"),
    [
        ({}, ed25519.Ed25519PrivateKey, "ssh-ed25519 "),
        ({"type": "Rsa"}, rsa.RSAPrivateKey, "ssh-rsa "),
    ],
)
def test_an_ssh_key_is_one_that_openssh_reads_and_bears_its_name(said: Any, kind: type, begins: str) -> None:
    parts = made(sshKey=said)
    private = load_ssh_private_key(parts["privateKey"].encode(), None)

    assert isinstance(private, kind)
    assert parts["publicKey"].startswith(begins)
    assert parts["publicKey"].endswith(f" {ORDER.name}\n")
    assert load_ssh_public_key(parts["publicKey"].encode()) == private.public_key()
    assert getattr(private, "key_size", 3072) == 3072


def test_a_password_comes_with_the_line_of_an_htpasswd_file() -> None:
    parts = made(basicAuth={"username": "ci"})
    user, _, hashed = parts["auth"].partition(":")

    assert (user, parts["username"]) == ("ci", "ci")
    assert re.fullmatch("[A-Za-z0-9]{32}", parts["password"])
    assert hashed.startswith("$2y$10$")
    assert bcrypt.checkpw(parts["password"].encode(), hashed.encode())
    assert not bcrypt.checkpw(parts["password"].encode()[:-1], hashed.encode())


def test_what_is_made_is_recognised_as_what_was_declared() -> None:
    declared = {"parts": [{"name": "apiKey", "pattern": "acme_[a-z0-9]{32}", "minEntropy": 64}]}
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
    parts = made(random={"part": "apiKey", "prefix": "acme_", "characters": alphabet, "length": 32})

    found = Custom(Custom.Config.model_validate(declared), table()).recognise(secret(parts))

    assert isinstance(found, Recognised)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "has nothing to make"),
        ({"random": {"length": 21}}, "generated.random makes keys of 125 random bits, and its minEntropy is 128"),
        ({"random": {"characters": "01", "length": 100}}, "makes keys of 100 random bits"),
        ({"random": {"characters": "abca"}}, "generated.random.characters has one character twice"),
        ({"basicAuth": {"username": "ci", "password": {"length": 73}}}, "more than 72 characters"),
        ({"basicAuth": {"username": "ci", "password": {"length": 12}}}, "basicAuth.password makes keys of 71 random"),
    ],
)
def test_what_could_be_guessed_is_not_made(said: Any, why: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        issuing(**said)

    assert caught.value.reason is Reason.INVALID_SPEC
    assert why in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "said",
    [
        {"random": {"minEntropy": 63}},
        {"random": {"length": 7}},
        {"random": {"characters": "a"}},
        {"random": {"characters": "a b"}},
        {"random": {"prefix": "é"}},
        {"basicAuth": {"username": "a:b"}},
        {"basicAuth": {"username": "ci", "cost": 4}},
        {"sshKey": {"type": "Dsa"}},
    ],
)
def test_what_the_fields_may_not_say_is_refused(said: Any) -> None:
    with pytest.raises(pydantic.ValidationError):
        issuing(**said)
