from __future__ import annotations

from collections.abc import Iterator

import pytest

from issuers.issuing import asking, issuer, secret
from keywright.issuers import ISSUERS, table
from keywright.issuers.base import Finding, Malformed, Recognised, Verdict
from keywright.issuers.gitlab import checksum
from vendors import VendorServer, serving
from vendors.base import Response, word
from vendors.gitlab import GitLab, routable

WRONG = Malformed("token", "fails its checksum: a character is missing or wrong")
ROUTABLE = Recognised("routable access token")


@pytest.fixture
def gitlab() -> Iterator[VendorServer]:
    with serving("gitlab") as server:
        yield server


def _recognised(token: str) -> object:
    return ISSUERS["gitlab"](None, table()).recognise(secret({"token": token}))


def _probed(gitlab: VendorServer, token: str) -> Finding:
    return asking(issuer(gitlab), gitlab.url, secret({"token": token}))


def _vendor(gitlab: VendorServer) -> GitLab:
    assert isinstance(gitlab.vendor, GitLab)
    return gitlab.vendor


# Checksums.


def test_the_checksum_is_gitlabs() -> None:
    # From the tests of GitLab's own decoder.
    assert checksum("glr" + "tr-W5m1cHR6skC98Bx7XkuYjmM6MQpnOjgKbzpyegp0OjIQ.01.18") == "1uebm4k"


@pytest.mark.parametrize("version", ["", "01"])
def test_a_routable_token_with_a_wrong_character_is_malformed(version: str) -> None:
    token = routable(version)

    assert _recognised(token) == ROUTABLE
    for at in [*range(6, 12), *range(len(token) - 7, len(token))]:
        spoilt = token[:at] + ("a" if token[at] != "a" else "b") + token[at + 1 :]
        assert _recognised(spoilt) == WRONG


def test_a_version_that_is_not_known_is_not_computed() -> None:
    token = routable("02")

    assert _recognised(token[:-1] + ("a" if token[-1] != "a" else "b")) == ROUTABLE


def test_a_classic_token_has_no_checksum() -> None:
    assert _recognised("glpat-" + word(20)) == Recognised("access token")


# Dates.


def test_when_a_token_was_made_and_when_it_ends_is_told(gitlab: VendorServer) -> None:
    token = routable()
    gitlab.vendor.knows({"token": token}, ends="2098-07-06")

    found = _probed(gitlab, token)

    assert (found.created_at, found.expires_at) == ("2026-01-02T03:04:05Z", "2098-07-06T00:00:00Z")


@pytest.mark.parametrize("written", ["", "never", "2098-02-30", "x" * 10_000])
def test_dates_that_are_none_are_left_out(gitlab: VendorServer, written: str) -> None:
    token = routable()
    gitlab.vendor.knows({"token": token}, ends=written)
    _vendor(gitlab).created = written

    assert _probed(gitlab, token) == Finding(Verdict.VALID, "answered 200")


# What a refusal means.


@pytest.mark.parametrize(
    ("status", "body", "verdict", "said"),
    [
        (
            401,
            {"error": "invalid_token", "error_description": "Token was revoked."},
            Verdict.INVALID,
            "answered 401 (invalid_token)",
        ),
        (
            403,
            {"message": "403 Forbidden - Your account has been blocked."},
            Verdict.INVALID,
            "answered 403 (account blocked)",
        ),
        (403, {"message": "403 Forbidden - You must accept the Terms"}, Verdict.LIMITED, "answered 403"),
        (
            400,
            {"message": "400 Bad request - This endpoint requires token type to be a personal access token"},
            Verdict.LIMITED,
            "answered 400 (no personal access token)",
        ),
        (
            401,
            {"message": "Unauthorized"},
            Verdict.UNKNOWN,
            "answered 401, and not in the form of its answers",
        ),
        (401, {"error": "invalid_token"}, Verdict.UNKNOWN, "answered 401 (invalid_token)"),
        (401, {"message": "401 Login required"}, Verdict.UNKNOWN, "answered 401"),
        (401, {"error": "unauthorized"}, Verdict.UNKNOWN, "answered 401, and not in the form of its answers"),
        (403, {"message": "Forbidden"}, Verdict.UNKNOWN, "answered 403, and not in the form of its answers"),
        (401, {"error": ["invalid_token"]}, Verdict.UNKNOWN, "answered 401, and not in the form of its answers"),
        (404, {"message": "404 Not Found"}, Verdict.UNKNOWN, "answered 404"),
    ],
)
def test_a_refusal_is_judged_by_what_gitlab_says(
    gitlab: VendorServer, status: int, body: object, verdict: Verdict, said: str
) -> None:
    _vendor(gitlab).refusal = Response(status, body)

    assert _probed(gitlab, routable()) == Finding(verdict, said)
