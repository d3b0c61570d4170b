"""What Azure OpenAI has of its own: two places, of which the one that is in use is never touched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from issuers.issuing import secret
from issuing.cases import Desk, desk, parts_of
from keywright import errors
from keywright.errors import Reason
from keywright.issuers.base import Recognised, Verdict
from keywright.issuing.base import Order, Way

NAME = "kw-a"


@pytest.fixture
def office() -> Iterator[Desk]:
    with desk("azureOpenai") as found:
        yield found


def keys(office: Desk) -> dict[str, str]:
    """Return both keys."""
    return {place: each.parts["apiKey"] for place, each in office.vendor.made.items()}


def test_the_key_that_is_not_in_use_is_made_anew_and_the_other_one_revoked_later(office: Desk) -> None:
    old, before = parts_of(office.vendor.made["Key1"]), keys(office)
    order = Order(NAME, old)

    issued = office.open().issue(order)

    assert (office.open().way, office.open().slots, issued.handle) == (Way.SLOTS, 2, "Key2")
    assert isinstance(office.recognised(issued.parts), Recognised)
    assert office.probed(issued.parts).verdict is Verdict.VALID
    assert office.probed(old).verdict is Verdict.VALID
    assert keys(office)["Key1"] == before["Key1"]
    assert office.asked() == 1
    listed = office.listed(order)
    assert {place: (each.is_old, each.ours) for place, each in listed.items()} == {
        "Key1": (True, False),
        "Key2": (False, False),
    }

    for _ in range(2):
        office.revoke("Key1", issued.parts)
        assert office.probed(old).verdict is Verdict.INVALID
        assert office.probed(issued.parts).verdict is Verdict.VALID
    assert office.open().issue(Order(NAME, issued.parts)).handle == "Key1"


def test_a_key_whose_answer_was_lost_is_made_once_more(office: Desk) -> None:
    order = Order(NAME, parts_of(office.vendor.made["Key1"]))
    before = keys(office)
    issued = office.open().issue(order)

    again = office.open().issue(order)

    assert again.handle == issued.handle == "Key2"
    assert again.parts["apiKey"] != issued.parts["apiKey"]
    assert keys(office)["Key1"] == before["Key1"]


def test_what_stays_is_never_revoked_and_nothing_is_made_where_nobody_knows_what_is_in_use(office: Desk) -> None:
    before, stranger = keys(office), secret({"apiKey": "0" * 32})
    own = office.open()
    assert own.revoke

    for refused in (
        lambda: own.issue(Order(NAME)),
        lambda: own.issue(Order(NAME, stranger)),
        lambda: office.revoke("Key1", {}),
        lambda: office.revoke("Key1", stranger),
    ):
        with pytest.raises(errors.Stalled) as caught:
            refused()
        assert caught.value.reason is Reason.ISSUER_REFUSED
    own.revoke("Key3", stranger)
    # Where what stays is, somebody has filled that place meanwhile: what was there before is dead.
    own.revoke("Key1", parts_of(office.vendor.made["Key1"]))
    assert keys(office) == before
    assert office.asked() == 0


def test_an_application_that_may_not_log_in_is_denied(office: Desk) -> None:
    office.secrets = {("right", "admin"): "wrong"}

    with pytest.raises(errors.Stalled) as caught:
        office.open().issue(Order(NAME, parts_of(office.vendor.made["Key1"])))

    assert caught.value.reason is Reason.ISSUER_DENIED
    assert caught.value.message == "answered 401 (invalid_client) for a new key, at the login"
