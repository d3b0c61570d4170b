from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest

from issuers.issuing import asking, issuer, secret
from keywright.issuers import ISSUERS, table
from keywright.issuers.base import Finding, Malformed, Recognised, Verdict
from keywright.issuers.github import checksum
from vendors import VendorServer, serving
from vendors.base import Response
from vendors.github import GitHub, error, short

WRONG = Malformed("token", "fails its checksum: a character is missing or wrong")


@pytest.fixture
def github() -> Iterator[VendorServer]:
    with serving("github") as server:
        yield server


def _recognised(token: str) -> object:
    return ISSUERS["github"](None, table()).recognise(secret({"token": token}))


def _probed(github: VendorServer, token: str) -> Finding:
    return asking(issuer(github), github.url, secret({"token": token}))


def _vendor(github: VendorServer) -> GitHub:
    assert isinstance(github.vendor, GitHub)
    return github.vendor


# Checksums.


def test_the_checksum_is_githubs() -> None:
    assert checksum("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ") == "0mLq17"


@pytest.mark.parametrize("prefix", ["ghp_", "gho_", "ghu_", "ghs_"])
def test_a_token_with_a_wrong_character_is_malformed(prefix: str) -> None:
    token = short(prefix)

    assert isinstance(_recognised(token), Recognised)
    for at in range(len(prefix), len(token)):
        spoilt = token[:at] + ("a" if token[at] != "a" else "b") + token[at + 1 :]
        assert _recognised(spoilt) == WRONG


def test_two_characters_in_the_wrong_order_are_found() -> None:
    token = "ghp_" + "ab" * 15 + checksum("ab" * 15)

    assert isinstance(_recognised(token), Recognised)
    assert _recognised("ghp_ba" + token[6:]) == WRONG


@pytest.mark.parametrize("kind", ["fine-grained personal access token", "stateless installation token"])
def test_tokens_without_a_known_checksum_are_not_computed(kind: str) -> None:
    token = GitHub().samples()[kind]["token"]

    assert _recognised(token[:-1] + ("a" if token[-1] != "a" else "b")) == Recognised(kind)


# Addresses.


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://api.github.com", True),
        ("https://api.acme.ghe.com", True),
        ("https://api.acme.ghe.com.example.net", False),
        ("https://ghe.com", False),
        ("http://api.acme.ghe.com", False),
        ("https://github.example.com/api/v3", False),
    ],
)
def test_the_hosts_of_github_are_its_own(url: str, own: bool) -> None:
    assert ISSUERS["github"].may_be_at(url) is own


# Expiry.


def _in(seconds: float) -> str:
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S UTC")


def test_the_end_of_a_token_is_told(github: VendorServer) -> None:
    token = short("ghp_")
    github.vendor.knows({"token": token}, ends="2098-07-06 05:04:03 +0200")

    assert _probed(github, token).expires_at == "2098-07-06T03:04:03Z"


@pytest.mark.parametrize("left", [-86400, 0, 5])
def test_an_end_that_is_the_time_of_the_answer_is_not_believed(github: VendorServer, left: float) -> None:
    token = short("ghp_")
    github.vendor.knows({"token": token}, ends=_in(left))

    assert _probed(github, token) == Finding(Verdict.VALID, "answered 200")


@pytest.mark.parametrize("ends", ["soon", "2098-13-01 00:00:00 UTC", "0001-01-01 00:00:00 +1400", "x" * 10_000])
def test_an_end_that_is_no_time_is_left_out(github: VendorServer, ends: str) -> None:
    token = short("ghp_")
    github.vendor.knows({"token": token}, ends=ends)

    assert _probed(github, token) == Finding(Verdict.VALID, "answered 200")


# What a 403 means.


@pytest.mark.parametrize(
    ("message", "headers"),
    [
        ("API rate limit exceeded for user ID 1.", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4070908800"}),
        ("Forbidden", {"X-RateLimit-Remaining": "0"}),
        ("You have exceeded a secondary rate limit.", {"Retry-After": "60"}),
        ("You have exceeded a secondary rate limit.", {}),
        ("Maximum number of login attempts exceeded. Please try again later.", {}),
    ],
)
def test_a_limit_says_nothing_of_the_token(github: VendorServer, message: str, headers: dict[str, str]) -> None:
    token = short("ghp_")
    github.vendor.knows({"token": token})
    _vendor(github).refusal = error(403, message, headers)

    found = _probed(github, token)

    assert found.verdict is Verdict.UNKNOWN
    assert found.said == "answered 403: asked to slow down"
    assert (found.after is not None) == ("X-RateLimit-Reset" in headers or "Retry-After" in headers)


def test_the_end_of_a_limit_is_waited_for(github: VendorServer) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4070908800"}
    _vendor(github).refusal = error(403, "API rate limit exceeded", headers)

    after = _probed(github, short("ghp_")).after

    assert after is not None
    assert after > 1e9


def test_a_suspended_account_is_not_alive(github: VendorServer) -> None:
    _vendor(github).refusal = error(403, "Sorry. Your account was suspended.")

    assert _probed(github, short("ghp_")) == Finding(Verdict.INVALID, "answered 403 (account suspended)")


def test_a_401_that_is_not_about_the_token_says_nothing(github: VendorServer) -> None:
    for message in ("Requires authentication", "Must specify two-factor authentication OTP code."):
        _vendor(github).refusal = error(401, message)
        assert _probed(github, short("ghp_")) == Finding(Verdict.UNKNOWN, "answered 401")


def test_a_refusal_without_githubs_form_says_nothing(github: VendorServer) -> None:
    for status in (401, 403):
        _vendor(github).refusal = Response(status, {"message": "Unauthorized"})
        assert _probed(github, short("ghp_")).verdict is Verdict.UNKNOWN
