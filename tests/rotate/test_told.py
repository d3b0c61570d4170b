"""What is told of rotations has a word for everything, and the API the words of the machine."""

from __future__ import annotations

from typing import get_args

import pytest

from keywright.decide.rotate import told
from keywright.decide.rotate.journal import Cause, Debt, Half, Journal, Owed, Step, Why
from keywright.decide.rotate.sight import Rules
from keywright.decide.rotate.told import Tale
from keywright.kinds.rotation import DebtStatus, LastRotation, RotationStatus
from keywright.schema import Spec


@pytest.mark.parametrize(
    ("model", "field", "words"),
    [(RotationStatus, "step", Step), (RotationStatus, "cause", Cause), (DebtStatus, "owed", Owed)],
)
def test_the_status_knows_the_words_of_the_machine_and_no_others(
    model: type[Spec], field: str, words: type[Step | Cause | Owed]
) -> None:
    annotation = model.model_fields[field].annotation
    known = [
        each for each in (annotation, *get_args(annotation)) if get_args(each) and str in map(type, get_args(each))
    ]

    assert get_args(known[0]) == tuple(map(str, words))


def test_each_outcome_is_one_that_the_status_knows() -> None:
    found = {str((told.last(Journal("r", Step.IDLE, 0.0, why=why)) or {})["outcome"]) for why in (None, *Why)}

    assert found == set(get_args(LastRotation.model_fields["outcome"].annotation))


def test_of_a_key_that_a_person_has_to_find_it_is_told_where_and_when_it_was_made() -> None:
    who = "awsIam KeyIssuer/team-a/aws https://iam.amazonaws.com aws/ci"
    debts = (
        Debt(Owed.FIND, "", "", 600.0, issuer=who, made_from=0.0, made_until=300.0),
        Debt(Owed.FIND, "", "", 600.0, issuer="openai proj_1"),
        Debt(Owed.REVOKE, "k1", "f", 600.0, issuer=who),
    )
    common = {"handle": "", "since": "1970-01-01T00:10:00Z", "tries": 0}
    span = {"madeFrom": "1970-01-01T00:00:00Z", "madeUntil": "1970-01-01T00:05:00Z"}

    rows = told.status(Tale("it", Journal("r", Step.IDLE, 0.0, debts=debts)))["debts"]

    assert rows == [
        {"owed": "Find", **common, "issuer": "KeyIssuer/team-a/aws (aws/ci)", **span},
        {"owed": "Find", **common},
        {"owed": "Revoke", **common, "handle": "k1"},
    ]
    assert all(DebtStatus.model_validate(each) for each in rows)


@pytest.mark.parametrize(
    ("rules", "debt", "by_hand"),
    [
        (Rules(issuer="a 1"), Debt(Owed.REVOKE, "k1", "f", 0.0, issuer="a 1"), False),
        (Rules(issuer="a 1", revokes=False), Debt(Owed.REVOKE, "k1", "f", 0.0, issuer="a 1"), True),
        (Rules(issuer="a 1"), Debt(Owed.REVOKE, "", "f", 0.0, issuer="a 1"), True),
        (Rules(issuer="a 1"), Debt(Owed.REVOKE, "k1", "f", 0.0, issuer="b 1"), True),
        (Rules(issuer="a 1", revokes=False), Debt(Owed.DIE, "k1", "f", 0.0, issuer="a 1"), None),
        (None, Debt(Owed.REVOKE, "k1", "f", 0.0, issuer="a 1"), None),
    ],
)
def test_of_a_key_that_is_to_be_revoked_it_is_told_whether_a_person_has_to(
    rules: Rules | None, debt: Debt, by_hand: bool | None
) -> None:
    (row,) = told.status(Tale("it", Journal("r", Step.IDLE, 0.0, debts=(debt,)), rules=rules))["debts"]

    assert row.get("byHand") is by_hand
    assert DebtStatus.model_validate(row).by_hand is by_hand


def test_who_has_to_end_a_key_is_told_what_ends_the_wait() -> None:
    grace = Journal("r", Step.GRACE, 0.0, old=Half("old", "k0"), new=Half("new", "k1"))
    one_name = grace.but(new=Half("new", "k0"))

    def said(journal: Journal, *, tested: bool = True) -> str:
        return Tale("it", journal, Why.TO_REVOKE, asks=True, rules=Rules(tests=tested)).waits()

    assert said(grace) == told.words(Why.TO_REVOKE)
    assert "Nobody can be asked whether it is dead: `keywright revoke` ends this" in said(grace, tested=False)
    assert "Old and new key have one name at their issuer" in said(one_name)
    assert "`keywright debts forget`" in said(one_name) and "`keywright debts forget`" in said(grace, tested=False)


def test_whatever_is_waited_for_has_its_sentence() -> None:
    assert told.WORDS.keys() == set(Why)


def test_of_a_key_that_is_switched_off_nobody_is_told_that_it_works() -> None:
    works, off = (
        Tale("it", Journal("r", Step.GRACE, 0.0, old=Half("f", "k", disabled=disabled))).sentence()
        for disabled in (False, True)
    )

    assert works == "Credential it: Everybody has the new key; the old one still works."
    assert "the old one is switched off, and is revoked if nobody wants it back" in off


def test_on_the_way_back_it_is_told_until_when_the_new_key_works() -> None:
    back = Journal("r", Step.ROLLING_BACK, 0.0, until=600.0, why=Why.ASKED)

    assert "until" not in told.status(Tale("it", back))
    status = told.status(Tale("it", back.but(back_from=1.0), Why.NEW_IN_OVERLAP))
    assert (status["until"], status["why"]) == ("1970-01-01T00:10:00Z", "NewKeyInOverlap")
    assert RotationStatus.model_validate(status)
    assert "it still works until the overlap is over" in status["waits"]


def test_who_is_behind_is_named_in_ones_own_namespace_and_counted_elsewhere() -> None:
    own = tuple(("a", f"object-{number}", f"secret-{number}") for number in range(7))
    others = (("b", "theirs", "hidden"), ("b", "theirs-too", "hidden-too"), ("c", "theirs", "hidden"))

    def waits(step: Step, why: Why | None, *secrets: tuple[str, str, str]) -> str:
        behind = told.Behind("a", secrets)
        return told.Tale("openai", Journal("r", step, 0.0), why, asks=True, behind=behind).waits()

    assert waits(Step.STORED, Why.NOT_WRITTEN, own[0], *others) == (
        "Not every Secret has the new key yet. These are behind: Secret secret-0, 2 of namespace b, 1 of namespace c."
    )
    assert waits(Step.STORED, Why.NOT_WRITTEN, *own).endswith(", Secret secret-4, 2 more.")
    back = waits(Step.ROLLING_BACK, Why.NOT_WRITTEN, own[0])
    assert back == "There are Secrets that still have the new key, or may have it. These are behind: Secret secret-0."
    assert waits(Step.ROLLING_BACK, Why.NOT_WRITTEN) == told.WORDS[Why.NOT_WRITTEN]
    assert waits(Step.ROLLING_BACK, Why.NOT_ADOPTED).startswith("Not everybody is seen to use the old key again;")
    assert waits(Step.WRITTEN, Why.NOT_ADOPTED, *own) == told.WORDS[Why.NOT_ADOPTED]
    assert told.Behind("a", others).names() == "b/theirs, b/theirs-too, c/theirs"
