"""What an issuer calls a key is its id, and never its secret, whichever of them is longer."""

from __future__ import annotations

import pytest

from keywright.decide.rotate import calls
from keywright.decide.rotate.journal import Half
from keywright.issuing.base import Issued, Listed
from keywright.secret import SecretMap, SecretValue

#: Ids and secrets as issuers make them.
PAIRS = {
    "shorter": ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    "longer": ("SK" + "a" * 32, "b" * 32),
    "as long": ("a" * 32, "b" * 32),
    "UUIDs": ("1b4e28ba-2fa1-11d2-883f-0016d3cca427", "6fa459ea-ee8a-3ca4-894e-db77e160355e"),
    "a short secret": ("42", "b" * 8),
    "a shorter one": ("1043", "hunter"),
}
ID = frozenset({"id"})
pairs = pytest.mark.parametrize(("own", "secret"), PAIRS.values(), ids=PAIRS)


def parts(**texts: str) -> SecretMap:
    return {name: SecretValue(text) for name, text in texts.items()}


def takes(handle: str, key: SecretMap, ids: frozenset[str] = ID) -> bool:
    """Whether what a key is called may be shown: when it is made, and when it is listed, which is one question."""
    issued = Issued(key, handle)
    made = calls.unfit(issued, key, None, ids=ids, formed=False, tests=False) is None
    told = calls.named(Half("f"), issued, ids).handle == handle
    assert made == told == (calls.shows([Listed("other"), Listed(handle)], ids, key) is None)
    return made


@pairs
def test_a_key_may_be_called_by_its_id(own: str, secret: str) -> None:
    assert takes(own, parts(id=own, secret=secret))
    assert takes("key_1", parts(id=own, secret=secret))


@pairs
def test_it_may_not_be_called_by_its_secret(own: str, secret: str) -> None:
    for handle in (secret, f"of/{secret}", f"{own}:{secret}"):
        assert not takes(handle, parts(id=own, secret=secret)), handle
        assert not takes(handle, parts(id=own, secret=secret), frozenset()), handle


def test_what_nobody_has_said_to_be_the_id_is_a_secret_if_it_is_long_enough() -> None:
    sid, secret = PAIRS["longer"]

    assert not takes(sid, parts(id=sid, secret=secret), frozenset())
    assert not takes(PAIRS["shorter"][0], parts(id=PAIRS["shorter"][0], secret=PAIRS["shorter"][1]), frozenset())
    assert takes("1043", parts(id="1043", secret=secret), frozenset())


def test_what_is_no_id_by_its_length_is_none_whoever_says_so() -> None:
    own, secret = PAIRS["shorter"]

    assert not takes(secret, parts(id=own, secret=secret), frozenset({"secret"}))
    assert not takes(secret, parts(secret=secret), frozenset({"secret"}))
    # Both are the same: then it is the secret.
    assert not takes(secret, parts(id=secret, secret=secret))


def test_nothing_is_told_of_a_key_without_values() -> None:
    assert takes("key_1", {}) is True
