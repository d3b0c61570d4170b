"""Who makes keys, as journals name it: another object, or another address, is another one.

Does not belong here: what follows where it is another one (``cases.py``).
"""

from __future__ import annotations

import pytest

from keywright.decide.rotate import machine, makers
from keywright.decide.rotate.journal import Cause, Debt, Half, Journal, Owed, Step
from keywright.decide.rotate.sight import Rules

OWN, CLUSTER = "KeyIssuer/team-a/openai", "ClusterKeyIssuer/openai"
HOME = "https://api.openai.com"
NOW = makers.name("openai", OWN, HOME, "proj_1")
FORMER = Journal(
    "r1",
    Step.GRACE,
    1000.0,
    old=Half("f0", "k0"),
    new=Half("f1", "k1"),
    debts=(Debt(Owed.REVOKE, "k9", "f9", 1.0, issuer="openai proj_1"),),
    issuer="openai proj_1",
)


@pytest.mark.parametrize(
    ("label", "address", "account", "is_same"),
    [
        (OWN, HOME, "proj_1", True),
        (OWN, "https://theirs.example.org", "proj_1", False),
        ("KeyIssuer/team-b/openai", HOME, "proj_1", False),
        (CLUSTER, HOME, "proj_1", False),
        (OWN, HOME, "proj_2", False),
    ],
)
def test_object_address_and_account_tell_who_makes_keys(label: str, address: str, account: str, is_same: bool) -> None:
    assert makers.same(NOW, makers.name("openai", label, address, account)) is is_same
    # Of an earlier version the address is not known; all else has to be the same.
    was = makers.known(FORMER, OWN).issuer
    other = makers.same(was, makers.name("openai", label, address, account))
    assert other is (label == OWN and account == "proj_1")


def test_of_bindings_with_accounts_of_one_name_each_is_another_one() -> None:
    one, other, only = (
        makers.name("awsIam", makers.bound(CLUSTER, binding), "https://iam.amazonaws.com", "aws/ci")
        for binding in ("0a", "0b", "")
    )

    assert (makers.same(one, one), makers.same(one, other), makers.same(other, one)) == (True, False, False)
    # Where one was the only one of its account, or is by now, it is the same.
    assert all(makers.same(*pair) for pair in ((only, one), (one, only), (only, only)))
    assert makers.people(one) == makers.people(only) == f"{CLUSTER} (aws/ci)"
    assert makers.known(FORMER.but(issuer=one, debts=()), CLUSTER).issuer == one


@pytest.mark.parametrize("label", [OWN, CLUSTER])
def test_a_rotation_that_an_earlier_version_began_goes_on_with_the_issuer_that_it_began_with(label: str) -> None:
    journal = makers.known(FORMER, label)

    assert makers.same(journal.issuer, makers.name("openai", label, HOME, "proj_1"))
    assert makers.known(journal, label) == journal


def test_what_is_left_of_earlier_rotations_is_no_cluster_issuers_to_end() -> None:
    rested = FORMER.rest(2000.0, left=FORMER.new)
    own, shared = makers.known(rested, OWN), makers.known(rested, CLUSTER)

    assert makers.same(own.debts[0].issuer, NOW)
    there = makers.name("openai", CLUSTER, HOME, "proj_1")
    assert not makers.same(shared.debts[0].issuer, there)
    begun = {
        journal: machine.begin(journal, "r2", Cause.DUE, Half("f1"), 3000.0, rules=Rules(issuer=who))
        for journal, who in ((own, NOW), (shared, there))
    }
    assert begun[own].old == Half("f1", "k1")
    assert begun[shared].old == Half("f1")


@pytest.mark.parametrize("issuer", ["", NOW, makers.name("generated", OWN, "", "")])
def test_what_this_version_wrote_is_read_as_it_is(issuer: str) -> None:
    journal = FORMER.but(issuer=issuer, debts=())

    assert makers.known(journal, OWN) == journal
    assert makers.known(FORMER, "") == FORMER


def test_an_account_may_have_blanks_and_none_may_be_there() -> None:
    path = FORMER.but(issuer="gitlab https://gitlab.com project team/app")
    here = FORMER.but(issuer=f"generated {OWN}")

    assert makers.same(
        makers.known(path, OWN).issuer, makers.name("gitlab", OWN, "", "https://gitlab.com project team/app")
    )
    assert makers.same(makers.known(here, OWN).issuer, makers.name("generated", OWN, "", ""))


def test_what_keys_are_called_at_another_account_hides_none_of_ours() -> None:
    ours = makers.name("webhook", "ClusterKeyIssuer/gate", "https://keys.example", "https://keys.example/v1/keys")
    others = {
        makers.name("webhook", "KeyIssuer/evil/x", "https://evil.example", "https://evil.example/keys"): set(),
        makers.name("webhook", "ClusterKeyIssuer/gate", "https://keys.example", "https://keys.example/v2/keys"): set(),
        ours.replace("webhook", "awsIam"): set(),
        # Whichever object says so; and what is not known.
        ours.replace("ClusterKeyIssuer/gate", "KeyIssuer/team-a/own"): {"1043", "2"},
        ours.replace("https://keys.example ", "? "): {"1043", "2"},
        "webhook https://keys.example/v1/keys": {"1043", "2"},
    }
    for issuer, found in others.items():
        debts = (Debt(Owed.REVOKE, "1043", "", 0.0, issuer=issuer), Debt(Owed.FIND, "", "", 0.0, issuer=issuer))
        journal = Journal("r1", Step.IDLE, 0.0, left=Half("f", "2"), issuer=issuer, debts=debts)
        assert makers.handles(journal, ours) == found, issuer
        # One account may be reached by two addresses.
        way = issuer.split(" ")[0] == "webhook"
        assert makers.alike(journal, ours) == ({"1043", "2"} - found if way else set()), issuer
