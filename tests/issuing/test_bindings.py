"""Whose keys a tenant can have ended: those of its own binding, of which it holds the value, and no others.

Does not belong here: which binding a namespace has (``operator/test_key_issuers.py``), by whom a journal says that a
key was made (``rotate/test_makers.py``).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping

import pytest

from issuers.issuing import secret
from issuing.cases import CASES, Desk, desk, parts_of
from issuing.test_accounts import ELSEWHERE
from keywright import errors
from keywright.issuing import ISSUING
from keywright.issuing.base import Order, Way
from vendors.base import Made

#: Those that keep keys, list and revoke them. What is minted is listed nowhere, and is named by a lease of one path.
WAYS = sorted(name for name in CASES if ISSUING[name].way is not Way.MINTED)
#: Where one call of another binding may reach a key: a webhook's server has to tell by whose right it is asked.
AS_DECLARED = {"webhook"}


@pytest.fixture
def office(request: pytest.FixtureRequest) -> Iterator[Desk]:
    with desk(request.param) as found:
        yield found


@pytest.mark.parametrize("office", WAYS, indirect=True)
def test_by_another_binding_no_key_is_found_switched_or_ended(office: Desk) -> None:
    made = office.person_makes()
    other = office.open(**ELSEWHERE.get(office.name, CASES[office.name].gone))
    assert other.account != office.open().account
    order = Order("kw-b", parts_of(made), asked_at=made.at)

    for call in (other.disable, other.enable):
        with contextlib.suppress(errors.Error):
            if call:
                call(made.handle)
    with contextlib.suppress(errors.Error):
        if other.revoke:
            other.revoke(made.handle, {})
    listed = []
    with contextlib.suppress(errors.Error):
        listed = list(other.keys(order)) if other.keys else []

    assert not any(each.handle == made.handle and (each.ours or each.is_old) for each in listed)
    lives = office.vendor.made[made.handle]
    assert not lives.off


def forged(name: str, made: Made) -> Mapping[str, str]:
    """Return what somebody writes who knows all of a key that is shown, and not its value."""
    if name == "gcpServiceAccount":
        file = json.loads(made.parts["key"])
        return {"key": json.dumps(file | {"private_key": "none"})}
    if name == "awsIam":
        return {**made.parts, "secretAccessKey": "none"}
    return {part: f"{text[:16]}{'x' * (len(text) - 20)}{text[-4:]}" for part, text in made.parts.items()}


@pytest.mark.parametrize("office", WAYS, indirect=True)
def test_what_names_a_key_without_being_it_counts_only_once_the_issuer_accepts_it(office: Desk) -> None:
    office.person_makes()
    made = office.person_makes()
    own = office.open()
    assert own.keys

    with contextlib.suppress(errors.Error):
        found = [each.handle for each in own.keys(Order("kw-b", secret(forged(office.name, made)))) if each.is_old]
        assert not found or own.reads_handle
