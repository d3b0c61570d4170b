"""What Apps of GitHub have of their own when they mint tokens."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from issuing.cases import Desk, desk
from keywright import dates, errors
from keywright.errors import Reason
from keywright.issuers.base import Verdict
from keywright.issuing.base import Order, Way
from vendors.github import error

ORDER = Order("kw-0123abcd-1")


@pytest.fixture
def github() -> Iterator[Desk]:
    with desk("githubApp") as found:
        yield found


def refused(github: Desk, **fields: Any) -> errors.Error:
    with pytest.raises(errors.Error) as caught:
        github.open(**fields).issue(ORDER)
    return caught.value


def asked(github: Desk) -> Any:
    return json.loads(github.server.requests[-1].body)


def test_it_mints_by_number_and_by_client_id_and_can_do_nothing_else() -> None:
    with desk("githubApp") as github:
        own = github.open(appId=None, clientId="Iv23liAcme")

        issued = own.issue(ORDER)

        assert asked(github) == {}
        assert github.server.requests[-1].headers["x-github-api-version"] == "2022-11-28"
        assert github.probed(issued.parts).verdict is Verdict.VALID
        assert (own.way, own.names, own.keys, own.revoke, own.renew, own.disable) == (Way.MINTED, False, *[None] * 4)
        assert issued.handle is None


def test_a_token_reaches_as_far_as_the_issuer_says(github: Desk) -> None:
    permissions = {"contents": "read", "issues": "write"}

    github.open(repositories=["App", "docs"], permissions=permissions).issue(ORDER)
    assert asked(github) == {"repositories": ["App", "docs"], "permissions": permissions}
    github.open(repositoryIds=[3]).issue(ORDER)
    assert asked(github) == {"repository_ids": [3]}


@pytest.mark.parametrize(
    ("also", "by"),
    [
        ({"permissions": {"contents": "write"}}, "permissions"),
        ({"permissions": {"contents": "read", "issues": "read"}}, "permissions"),
        ({"permissions": {"contents": "owner"}}, "permissions"),
        ({"permissions": None}, "permissions"),
        ({"repository_selection": "all"}, "repositories"),
        ({"repositories": None}, "repositories"),
        ({"repositories": [{"id": 1, "name": "app"}, {"id": 2, "name": "docs"}]}, "repositories"),
        ({"repositories": [7]}, "repositories"),
    ],
)
def test_a_token_that_reaches_further_is_refused_and_revokes_itself(github: Desk, also: Any, by: str) -> None:
    github.vendor.also = also

    error = refused(github, repositories=["app"], permissions={"contents": "read"})

    assert (type(error), error.reason) == (errors.Stalled, Reason.ISSUER_REFUSED)
    assert error.message == f"answered 201 for a new key that reaches further than was asked for, by its {by}"
    assert github.server.requests[-1].target == "/installation/token"
    assert github.vendor.states == {}


def test_one_repository_that_was_asked_for_by_id_is_known_by_it(github: Desk) -> None:
    github.vendor.also = {"repositories": [{"id": 2, "name": "app"}]}

    assert refused(github, repositoryIds=[1]).reason is Reason.ISSUER_REFUSED


@pytest.mark.parametrize("also", [{"expires_at": None}, {"expires_at": "soon"}, {"token": None}, {"token": ""}])
def test_an_answer_without_its_token_or_its_end_tells_nothing(github: Desk, also: Any) -> None:
    github.vendor.also = also

    error = refused(github)

    assert (type(error), error.reason) == (errors.Outage, Reason.ISSUER_ANSWER_INVALID)
    assert len(github.vendor.states) == (1 if "token" in also else 0)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"installationId": 1}, "answered 404 for a new key"),
        ({"permissions": {"administration": "read"}}, "answered 422 (permissions that the installation does not have)"),
        ({"permissions": {"contents": "admin"}}, "answered 422 (permissions that the installation does not have)"),
        ({"repositories": ["app", "gone"]}, "answered 422 (a repository that the installation does not have)"),
    ],
)
def test_what_an_installation_has_not_is_refused(github: Desk, fields: Any, said: str) -> None:
    error = refused(github, **fields)

    assert (type(error), error.reason) == (errors.Stalled, Reason.ISSUER_REFUSED)
    assert said in error.message
    assert github.vendor.made == {}


@pytest.mark.parametrize(
    ("ahead", "said"),
    [(-120.0, r"its clock is 1[12]\d s behind ours"), (600.0, r"its clock is (59\d|600) s ahead of ours")],
)
def test_clocks_that_differ_are_told_with_by_how_much(github: Desk, ahead: float, said: str) -> None:
    github.vendor.ahead = ahead

    error = refused(github)

    assert (type(error), error.reason) == (errors.Stalled, Reason.ISSUER_DENIED)
    assert error.message.startswith("answered 401 (clocks differ) for a new key")
    assert re.search(said, error.message)
    assert "clock" in error.hint


@pytest.mark.parametrize("ahead", [-50.0, 400.0])
def test_clocks_may_differ_a_little(github: Desk, ahead: float) -> None:
    github.vendor.ahead = ahead

    issued = github.open().issue(ORDER)

    assert abs((dates.unix(issued.expires_at) or 0.0) - time.time() - ahead - 3600) < 60


def test_a_key_of_another_app_is_denied(github: Desk) -> None:
    error = refused(github, appId=7)

    assert error.reason is Reason.ISSUER_DENIED
    assert error.message == "answered 401 (no such App) for a new key"


@pytest.mark.parametrize(
    ("message", "headers", "after"),
    [
        ("You have exceeded a secondary rate limit.", {"Retry-After": "7"}, 7.0),
        ("API rate limit exceeded for installation", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, 0.0),
        ("You have triggered an abuse detection mechanism", {}, None),
    ],
)
def test_being_asked_to_slow_down_passes(github: Desk, message: str, headers: Any, after: float | None) -> None:
    github.vendor.refusal = error(403, message, headers)

    said = refused(github)

    assert isinstance(said, errors.Outage)
    assert (said.reason, said.after) == (Reason.ISSUER_UNAVAILABLE, after)
    assert said.message == "answered 403 for a new key: asked to slow down"


@pytest.mark.parametrize(
    "fields",
    [{"appId": None}, {"clientId": "Iv23liAcme"}, {"repositories": ["app"], "repositoryIds": [1]}],
)
def test_what_is_not_clear_is_refused_at_once(github: Desk, fields: Any) -> None:
    assert refused(github, **fields).reason is Reason.INVALID_SPEC
    assert github.server.requests == []
