"""What everything that has keys made must do, each against its vendor's server, and against one that misbehaves."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import pathlib
import re
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from issuing.cases import CASES, Desk, desk, parts_of
from keywright import crd, dates, errors, logs
from keywright.errors import Reason
from keywright.issuers import ISSUERS
from keywright.issuers.base import Recognised, Verdict
from keywright.issuing import ISSUING
from keywright.issuing.base import Issuing, Order, Way
from vendors.server import Mood

DOCS = pathlib.Path(__file__).parents[2] / "docs/issuers"
NAME = "kw-0123abcd-1"
MOODS: list[Mood] = ["slow down", "broken", "redirect", "echo", "huge", "html", "garbage", "hangs up", "proxy"]
ISSUES = sorted(name for name in CASES if ISSUING[name].way is Way.ISSUE)
MINTS = sorted(name for name in CASES if ISSUING[name].way is Way.MINTED)


#: Where those are told of whose page is called otherwise.
PAGES = {"awsIam": "aws", "githubApp": "github"}


@pytest.mark.parametrize("name", sorted(ISSUING))
def test_what_makes_keys_has_its_page_which_says_what_is_not_possible(name: str) -> None:
    stem = ISSUING[name].__module__.rpartition(".")[2]
    page = (DOCS / f"{PAGES.get(name, stem)}.md").read_text()

    assert f"`{name}`" in page or f"  {name}:" in page
    assert "not possible" in page.lower()


@pytest.fixture(params=sorted(CASES))
def office(request: pytest.FixtureRequest) -> Iterator[Desk]:
    with desk(request.param, *map(request.getfixturevalue, CASES[request.param].servers)) as found:
        yield found


@pytest.fixture(params=ISSUES)
def issuer(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """One that makes one more key."""
    with desk(request.param) as found:
        yield found


@pytest.fixture(params=MINTS)
def mint(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """One whose keys live for a short while."""
    with desk(request.param, *map(request.getfixturevalue, CASES[request.param].servers)) as found:
        yield found


def calls(own: Issuing, handle: str, order: Order) -> dict[str, Callable[[], Any]]:
    """Return what it can be asked for."""
    found: dict[str, Callable[[], Any]] = {}
    if own.way is not Way.MANUAL:
        found["issue"] = lambda: own.issue(order)
    if keys := own.keys:
        found["keys"] = lambda: keys(order)
    for name, switch in (("disable", own.disable), ("enable", own.enable)):
        if switch:
            found[name] = functools.partial(switch, handle)
    if own.renew:
        found["renew"] = functools.partial(own.renew, handle)
    if own.revoke:
        # Of two places the one that is not in use: the other is refused.
        found["revoke"] = functools.partial(own.revoke, "Key2" if own.way is Way.SLOTS else handle, order.old)
    return found


def test_everything_that_asks_somebody_is_tested_here() -> None:
    asks = {name for name, each in ISSUING.items() if each.issue is not Issuing.issue or each.keys}

    assert set(CASES) == asks - {name for name, each in ISSUING.items() if each.way is Way.LOCAL}


@pytest.mark.parametrize("name", sorted(ISSUING))
def test_it_is_called_as_its_file_and_its_fields_can_be_a_crd(name: str) -> None:
    stem = ISSUING[name].__module__.rpartition(".")[2]

    assert re.sub("_(.)", lambda found: found[1].upper(), stem) == name
    assert ISSUING[name].issuer in {"", *ISSUERS}
    assert crd.structural(ISSUING[name].Config, f"spec.{name}")["type"] == "object"


def test_a_new_key_is_recognised_accepted_and_listed_as_ours(issuer: Desk) -> None:
    old = issuer.person_makes()
    before = frozenset(issuer.handles())
    order = Order(NAME, parts_of(old), old.handle, before, time.time())

    issued = issuer.open().issue(order)

    assert issued.handle
    assert isinstance(issuer.recognised(issued.parts), Recognised)
    assert issuer.probed(issued.parts).verdict is Verdict.VALID
    assert issuer.probed(order.old).verdict is Verdict.VALID
    assert issuer.asked() == 1
    listed = issuer.listed(order)
    assert set(listed) == {old.handle, issued.handle}
    assert (listed[issued.handle].ours, listed[issued.handle].is_old) == (True, False)
    assert (listed[old.handle].ours, listed[old.handle].is_old) == (False, True)
    assert listed[issued.handle].created_at
    again = issuer.listed(Order("kw-another-2", order.old, old.handle, frozenset(listed)))
    assert not any(each.ours for each in again.values())


def test_a_key_whose_answer_was_lost_is_found_and_revoked(issuer: Desk) -> None:
    old = issuer.person_makes()
    order = Order(NAME, parts_of(old), old.handle, frozenset(issuer.handles()), time.time())
    issuer.server.mood = "forgets"

    with pytest.raises(errors.Retry) as caught:
        issuer.open().issue(order)

    issuer.server.mood = "documented"
    assert caught.value.reason is Reason.ISSUER_UNAVAILABLE
    assert issuer.asked() == 1
    orphans = [handle for handle, each in issuer.listed(order).items() if each.ours]
    assert set(orphans) == issuer.handles() - {old.handle}
    assert len(orphans) == 1
    issuer.revoke(orphans[0], order.old)
    assert issuer.handles() == {old.handle}


def test_a_key_that_somebody_else_made_before_or_after_is_not_ours(issuer: Desk) -> None:
    old, made = issuer.person_makes(), issuer.person_makes()
    now, far = time.time(), 700.0

    for asked in (now - far, now + far):
        order = Order(NAME, parts_of(old), old.handle, frozenset({old.handle}), asked)
        assert [each.handle for each in issuer.listed(order).values() if each.ours] == []
    # Where keys bear no names, one that was made at the same time may be ours.
    order = Order(NAME, parts_of(old), old.handle, frozenset({old.handle}), now)
    ours = [each.handle for each in issuer.listed(order).values() if each.ours]
    assert ours == ([] if issuer.open().names else [made.handle])


def test_a_minted_key_is_accepted_and_tells_when_it_ends(mint: Desk) -> None:
    asked = time.time()

    issued = mint.open().issue(Order(NAME))

    assert mint.asked() == 1
    assert mint.probed(issued.parts).verdict is Verdict.VALID
    assert asked < (dates.unix(issued.expires_at) or 0.0) <= time.time() + mint.case.lives
    assert mint.open().keys is None


def test_of_a_minted_key_whose_answer_was_lost_it_is_open_whether_it_was_made(mint: Desk) -> None:
    mint.server.mood = "forgets"

    with pytest.raises(errors.Retry) as caught:
        mint.open().issue(Order(NAME))

    assert caught.value.reason is Reason.ISSUER_UNAVAILABLE
    assert mint.asked() == 1


def test_what_is_revoked_is_dead_and_can_be_revoked_again(office: Desk) -> None:
    if office.open().way is Way.SLOTS or not office.open().revoke:
        return
    old, new = office.person_makes("one"), office.person_makes("two")

    for handle in (old.handle, old.handle, office.case.never):
        office.revoke(handle, parts_of(new))

    assert office.handles() == {new.handle}
    assert office.probed(parts_of(old)).verdict is Verdict.INVALID
    assert office.probed(parts_of(new)).verdict is Verdict.VALID
    assert not office.open().keys or old.handle not in office.listed(Order(NAME))


def test_a_key_that_is_switched_off_can_be_switched_on_again(office: Desk) -> None:
    own, old = office.open(), office.person_makes()
    if not own.disable or not own.enable:
        return
    for _ in range(2):
        own.disable(old.handle)
        assert office.listed(Order(NAME))[old.handle].disabled or not office.case.shows_off
        assert office.probed(parts_of(old)).verdict is Verdict.INVALID or not office.case.minds_off
    for _ in range(2):
        own.enable(old.handle)
        assert not office.listed(Order(NAME))[old.handle].disabled
        assert office.probed(parts_of(old)).verdict is Verdict.VALID
    with pytest.raises(errors.Stalled):
        own.disable(office.case.never)


def test_who_is_denied_is_told_so_and_nothing_is_done(office: Desk) -> None:
    own, old = office.open(), office.person_makes()
    before, office.vendor.denies = office.handles(), True

    for name, call in calls(own, old.handle, Order(NAME, parts_of(old), old.handle)).items():
        with pytest.raises(errors.Stalled) as caught:
            call()
        assert (name, caught.value.reason) == (name, Reason.ISSUER_DENIED)
        assert "answered 403" in caught.value.message
        assert caught.value.hint
    assert office.handles() == before
    assert office.probed(parts_of(old)).verdict is Verdict.VALID


def test_another_account_is_no_key_that_is_gone(office: Desk) -> None:
    if not office.case.gone:
        return
    old = office.person_makes()
    own, before = office.open(**office.case.gone), office.handles()

    for name, call in calls(own, old.handle, Order(NAME, parts_of(old), old.handle)).items():
        with pytest.raises(errors.Stalled) as caught:
            call()
        assert (name, caught.value.reason) in {(name, Reason.ISSUER_REFUSED), (name, Reason.ISSUER_DENIED)}
    assert office.handles() == before


def test_an_answer_that_is_none_leaves_open_what_was_done_and_nothing_of_it_is_told(office: Desk) -> None:
    old = office.person_makes()
    order = Order(NAME, parts_of(old), old.handle)
    for mood in MOODS:
        office.server.mood = mood
        for name in calls(office.open(), old.handle, order):
            before = len(office.server.requests)
            with told() as stream, pytest.raises(errors.Error) as caught:
                calls(office.open(), old.handle, order)[name]()
            assert len(office.server.requests) == before + 1, (mood, name)
            assert caught.value.__context__ is None
            # Whoever declares calls declares that all JSON is the issuer's.
            if (office.name, mood) != ("webhook", "echo"):
                assert isinstance(caught.value, errors.Retry), (mood, name)
                assert caught.value.reason in {Reason.ISSUER_UNAVAILABLE, Reason.ISSUER_ANSWER_INVALID}, (mood, name)
                assert (caught.value.after == 1) == (mood == "slow down"), (mood, name)
            text = "".join(traceback.format_exception(caught.value)) + caught.value.hint + stream.getvalue()
            for value in (*office.secrets.values(), *old.parts.values()):
                assert str(value) not in text, (mood, name)


@contextlib.contextmanager
def told() -> Iterator[io.StringIO]:
    """Take down what is logged, as far as the operator lets it be: SDKs print what they send and get."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(lambda record: record.levelno >= logs.CAPPED.get(record.name.partition(".")[0], 0))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(logging.WARNING)


def test_an_answer_that_does_not_come_is_not_waited_for(office: Desk) -> None:
    own, old = office.open(0.3), office.person_makes()
    office.server.mood, office.server.pause = "slow", 30

    for call in calls(own, old.handle, Order(NAME, parts_of(old), old.handle)).values():
        with pytest.raises(errors.Retry) as caught:
            call()
        assert caught.value.reason is Reason.ISSUER_UNAVAILABLE


@pytest.mark.parametrize("spoilt", ["{}\n", "{}é", ""])
def test_an_admin_credential_that_cannot_be_one_is_not_sent(office: Desk, spoilt: str) -> None:
    if office.name in {"gcpServiceAccount", "githubApp"} and spoilt.isascii() and spoilt:
        return  # It is JSON, or PEM, which may end with a newline.
    old = office.person_makes()
    office.secrets = {key: spoilt.format(value) for key, value in office.secrets.items()}

    for call in calls(office.open(), old.handle, Order(NAME, parts_of(old), old.handle)).values():
        with pytest.raises(errors.Stalled) as caught:
            call()
        assert caught.value.reason in {Reason.CREDENTIAL_MISSING, Reason.INVALID_SPEC}
        assert office.vendor.admin not in str(caught.value) + caught.value.hint
    assert office.server.requests == []


def test_no_value_stands_in_an_address(office: Desk) -> None:
    old = office.person_makes()

    for call in calls(office.open(), old.handle, Order(NAME, parts_of(old), old.handle)).values():
        call()
    for value in (*office.secrets.values(), *old.parts.values()):
        assert not [each.target for each in office.server.requests if str(value) in each.target]
