"""What single vendors have of their own when they make, list and revoke keys."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from issuers.issuing import secret
from issuing.cases import CASES, Desk, desk, parts_of
from keywright import errors
from keywright.errors import Reason
from keywright.issuers.base import Verdict
from keywright.issuing import ISSUING
from keywright.issuing.base import Order, Way
from stores.contract import HeldCredentials
from vendors.base import Made, Request, Response
from vendors.server import MoodyServer

NAME = "kw-0123abcd-1"


def refused(name: str, status: int, body: Any, **headers: str) -> errors.Error:
    """Return what comes of an answer when keys are listed."""
    server = MoodyServer(lambda _: Response(status, body, headers))
    try:
        kind = ISSUING[name]
        own = kind(kind.Config.model_validate(CASES[name].config(server.url)), _held(), 5.0)
        assert own.keys
        with pytest.raises(errors.Error) as caught:
            own.keys(Order(NAME))
        return caught.value
    finally:
        server.close()


def _held() -> HeldCredentials:
    return HeldCredentials({("right", "admin"): "shown"})


def _openai(code: str | None, **more: Any) -> Mapping[str, Any]:
    return {"error": {"message": "of theirs", "type": "invalid_request_error", "code": code, "param": None, **more}}


DENIED, REFUSED, INVALID = Reason.ISSUER_DENIED, Reason.ISSUER_REFUSED, Reason.ISSUER_ANSWER_INVALID


@pytest.mark.parametrize(
    ("name", "status", "body", "reason", "said"),
    [
        ("openai", 401, _openai("invalid_api_key"), DENIED, "answered 401 (invalid_api_key) for the list of keys"),
        ("openai", 403, _openai(None), DENIED, "answered 403 (invalid_request_error) for the list of keys"),
        ("openai", 404, _openai("something_new", type="new"), REFUSED, "answered 404 for the list of keys"),
        ("openai", 404, {"error": {"message": "no route"}}, INVALID, "and not in the form of its answers"),
        ("openai", 200, {"data": [{"name": "no id"}]}, INVALID, "and not in the form of its answers"),
        ("openai", 200, {"data": {}}, INVALID, "and not in the form of its answers"),
        ("openai", 200, {"data": [], "has_more": True}, INVALID, "and not in the form of its answers"),
        ("gitlab", 401, {"message": "401 Unauthorized"}, DENIED, "answered 401 for the list of keys"),
        ("gitlab", 401, {"message": "Unauthorized"}, INVALID, "and not in the form of its answers"),
        (
            "gitlab",
            403,
            {"error": "insufficient_scope", "error_description": "of theirs"},
            DENIED,
            "answered 403 (insufficient_scope) for the list of keys",
        ),
        ("gitlab", 400, {"error": "scopes is missing"}, REFUSED, "answered 400 for the list of keys"),
        ("gitlab", 200, {"message": "no list"}, INVALID, "and not in the form of its answers"),
        (
            "anthropic",
            403,
            {"type": "error", "error": {"type": "permission_error", "message": "of theirs"}},
            DENIED,
            "answered 403 (permission_error) for the list of keys",
        ),
        ("anthropic", 404, {"type": "error", "error": {"type": "new_error"}}, INVALID, "not in the form"),
        ("anthropic", 200, {"data": [7]}, INVALID, "and not in the form of its answers"),
    ],
)
def test_only_the_vendors_own_words_refuse(name: str, status: int, body: Any, reason: Reason, said: str) -> None:
    error = refused(name, status, body)

    assert error.reason is reason
    assert said in error.message
    assert isinstance(error, errors.Stalled) == (reason is not INVALID)
    assert "of theirs" not in error.message + error.hint


def test_a_list_without_an_end_is_given_up() -> None:
    endless = {"data": [], "has_more": True, "last_id": "again"}

    assert refused("openai", 200, endless).reason is INVALID
    assert refused("anthropic", 200, endless).reason is INVALID
    assert refused("gitlab", 200, [], **{"X-Next-Page": "2"}).reason is INVALID


def _all(office: Desk) -> list[str]:
    made = [office.person_makes(f"n{number}").handle for number in range(5)]
    assert list(office.listed(Order(NAME))) == made
    return made


def test_every_page_is_read() -> None:
    for name in ("openai", "gitlab", "anthropic"):
        with desk(name) as office:
            _all(office)
            lists = [each for each in office.server.requests if each.method == "GET"]
            assert len(lists) >= 3, name


def test_a_key_of_another_account_or_workspace_is_never_ended() -> None:
    with desk("openai") as office:
        own, person = office.person_makes(), "key_person"
        office.vendor.account, before = "user-other", office.vendor.account
        other = office.person_makes()
        with pytest.raises(errors.Stalled) as caught:
            office.revoke(other.handle, {})
        assert caught.value.reason is REFUSED
        assert caught.value.message == "was not asked for the revocation of a key: it is of another service account"
        office.vendor.account = before
        with pytest.raises(errors.Stalled):
            office.revoke(person, {})
        office.revoke(own.handle, {})
        assert office.handles() == {other.handle}
        assert [each.method for each in office.server.requests].count("DELETE") == 1
    with desk("anthropic") as office:
        made, workspace = office.person_makes(), office.open(workspace="wrkspc_1")
        assert workspace.revoke
        assert workspace.disable
        with pytest.raises(errors.Stalled) as caught:
            workspace.revoke(made.handle, {})
        assert caught.value.message.endswith("it is of another workspace")
        with pytest.raises(errors.Stalled):
            workspace.disable(made.handle)
        assert {each.method for each in office.server.requests} == {"GET"}
        office.vendor.workspace = "wrkspc_1"
        workspace.revoke(made.handle, {})
        assert office.handles() == set()


def test_a_key_of_openai_has_its_scopes_and_its_end_and_tells_when_it_was_used() -> None:
    with desk("openai") as office:
        issued = office.open(scopes=["model.request"], lifetime="30d").issue(Order(NAME))

        assert json.loads(office.server.requests[-1].body) == {
            "name": NAME,
            "scopes": ["model.request"],
            "expires_in_seconds": 30 * 86_400,
        }
        assert issued.handle
        assert issued.expires_at
        office.vendor.made[issued.handle].used = now = time.time()
        assert office.listed(Order(NAME))[issued.handle].used_at == int(now)


def test_a_token_of_gitlab_has_an_end_and_more_days_than_allowed_are_refused() -> None:
    with desk("gitlab") as office:
        issued = office.open(lifetime="30d", accessLevel=20).issue(Order(NAME))

        said = json.loads(office.server.requests[-1].body)
        assert (said["access_level"], said["scopes"]) == (20, ["read_api"])
        assert issued.expires_at == f"{said['expires_at']}T00:00:00Z"
        with pytest.raises(errors.Stalled) as caught:
            office.open(lifetime="400d").issue(Order(NAME))
        assert caught.value.reason is REFUSED
        assert "rotate" not in " ".join(each.target for each in office.server.requests)


@pytest.mark.parametrize("fields", [{"group": "team"}, {"project": None}, {"lifetime": "23h"}])
def test_what_gitlab_cannot_be_asked_for_is_refused_at_once(fields: Mapping[str, Any]) -> None:
    with desk("gitlab") as office, pytest.raises(errors.Stalled) as caught:
        office.open(**fields)
    assert caught.value.reason is Reason.INVALID_SPEC


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_a_key_whose_handle_nobody_knows_is_known_by_how_it_begins_and_ends(name: str) -> None:
    with desk(name) as office:
        _all(office)
        old = office.person_makes("mine")
        listed = office.listed(Order(NAME, parts_of(old)))
        assert [handle for handle, each in listed.items() if each.is_old] == [old.handle]

        twin = office.person_makes("twin")
        twin.parts = old.parts
        listed = office.listed(Order(NAME, parts_of(old)))
        assert not any(each.is_old for each in listed.values())


@pytest.mark.parametrize("name", ["gitlab", "webhook"])
def test_a_key_that_was_made_by_hand_says_itself_which_one_it_is(name: str) -> None:
    with desk(name) as office:
        _all(office)
        old, kept = office.person_makes("mine"), office.person_makes("kept")
        listed = office.listed(Order(NAME, parts_of(old)))
        assert [handle for handle, each in listed.items() if each.is_old] == [old.handle]
        # It is asked with nothing but itself, and where its keys are made.
        (asked,) = _with(office, old)
        assert office.vendor.admin not in str(asked)

        known = office.listed(Order(NAME, parts_of(old), kept.handle))
        assert [handle for handle, each in known.items() if each.is_old] == [kept.handle]
        assert len(_with(office, old)) == 1
        office.vendor.end(old.handle)
        dead = office.listed(Order(NAME, parts_of(old)))
        assert kept.handle in dead
        assert not any(each.is_old for each in dead.values())


def _with(office: Desk, made: Made) -> list[Request]:
    """Return the requests that bore a key."""
    values = set(made.parts.values())
    return [each for each in office.server.requests if any(value in str(each) for value in values)]


def test_a_token_that_gitlab_does_not_place_or_that_cannot_be_sent_is_none_of_the_list() -> None:
    with desk("gitlab") as office:
        mine = office.person_makes("mine")
        others, limited, broken = ({"token": f"glpat-{number}" * 3} for number in range(3))
        office.vendor.knows(others)
        office.vendor.knows(limited, "limited")
        for parts in (others, limited, {}, {"token": "two words"}, {"token": "{token}\n".format(**broken)}):
            listed = office.listed(Order(NAME, secret(parts)))
            assert {handle: each.is_old for handle, each in listed.items()} == {mine.handle: False}
        asked = [each.headers["private-token"] for each in office.server.requests if each.path.endswith("/self")]
        assert asked == [others["token"], limited["token"]]

        # One that does not say for now is asked again.
        for refusal in (Response(503), Response(429, {"message": "429 Too Many Requests"})):
            office.vendor.refusal = refusal
            with pytest.raises(errors.Outage, match="for the list of keys"):
                office.listed(Order(NAME, parts_of(mine)))


def test_anthropic_makes_no_key_and_may_refuse_to_switch_one_on() -> None:
    with desk("anthropic") as office:
        own, old = office.open(), office.person_makes()
        assert (own.way, own.names) == (Way.MANUAL, False)
        assert own.disable
        assert own.enable
        own.disable(old.handle)
        office.vendor.full = True

        with pytest.raises(errors.Stalled) as caught:
            own.enable(old.handle)

        assert caught.value.reason is REFUSED
        assert "OrgAPIKeyLimitExceeded" not in caught.value.message
        office.revoke(old.handle, {})
        assert office.probed(parts_of(old)).verdict is Verdict.INVALID
        with pytest.raises(errors.Stalled):
            own.enable(old.handle)


def test_google_makes_no_eleventh_key_and_knows_the_old_one_by_its_file() -> None:
    with desk("gcpServiceAccount") as office:
        old = _ten(office)

        with pytest.raises(errors.Stalled) as caught:
            office.open().issue(Order(NAME))

        assert office.open().slots == 10
        assert caught.value.message == "answered 400 (FAILED_PRECONDITION) for a new key"
        listed = office.listed(Order(NAME, parts_of(old), before=frozenset(office.handles()), asked_at=time.time()))
        assert [handle for handle, each in listed.items() if each.is_old] == [old.handle]
        assert not any(each.ours for each in listed.values())
        old.parts = {"key": "no JSON"}
        assert not any(each.is_old for each in office.listed(Order(NAME, parts_of(old))).values())


def _ten(office: Desk) -> Any:
    assert office.listed(Order(NAME)) == {}
    return [office.person_makes() for _ in range(10)][3]


def test_who_may_not_log_in_at_google_is_denied_and_a_file_that_is_no_key_is_not_sent() -> None:
    with desk("gcpServiceAccount") as office:
        office.vendor.states.clear()
        with pytest.raises(errors.Stalled) as caught:
            office.open().issue(Order(NAME))
        assert caught.value.reason is DENIED
        assert caught.value.message == "answered 400 (invalid_grant) for a new key, at the login"

        asked = len(office.server.requests)
        office.secrets = {("right", "admin"): '{"type": "authorized_user"}'}
        with pytest.raises(errors.Stalled) as caught:
            office.open().issue(Order(NAME))
        assert caught.value.reason is Reason.CREDENTIAL_MISSING
        assert len(office.server.requests) == asked
