"""A journal that is written is read as it was, or refused: nothing of it is dropped.

Does not belong here: what other versions have written (``test_versions``).
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keywright import errors
from keywright.decide.rotate import written
from keywright.decide.rotate.journal import Ask, Cause, Debt, Half, Journal, Owed, Step, Why

WORDS = st.text(max_size=20)
TIMES = st.floats(0, 4e9)
#: JSON that cannot be written as UTF-8.
SURROGATE = r'{"version": 1, "id": "r", "step": "Idle", "since": 0, "x": "\ud800"}'
LIVES = {name: st.none() | TIMES for name in ("lives_from", "lives_until", "spent")}
HALVES = st.builds(Half, WORDS, st.none() | WORDS, st.booleans(), st.booleans(), **LIVES)
DEBTS = st.builds(Debt, st.sampled_from(Owed), WORDS, WORDS, TIMES, st.integers(0, 99), TIMES)
JOURNALS = st.builds(
    Journal,
    WORDS,
    st.sampled_from(Step),
    TIMES,
    cause=st.sampled_from(Cause),
    old=st.none() | HALVES,
    new=st.none() | HALVES,
    before=st.none() | st.frozensets(WORDS, max_size=4),
    asked_at=st.none() | TIMES,
    reached=st.sampled_from(Step),
    until=TIMES,
    urgent=st.booleans(),
    test_only=st.booleans(),
    why=st.none() | st.sampled_from(Why),
    debts=st.lists(DEBTS, max_size=3).map(tuple),
    straight=st.booleans(),
    failures=st.integers(0, 99),
    not_before=TIMES,
    pinned=st.booleans(),
)
ASKS = st.lists(st.builds(Ask, TIMES, st.frozensets(WORDS, max_size=2), WORDS, WORDS), max_size=2).map(tuple)


@settings(deadline=None)
@given(JOURNALS, ASKS, TIMES)
def test_it_is_read_as_it_was_written(journal: Journal, asks: tuple[Ask, ...], back: float) -> None:
    journal = journal.but(unanswered=asks, back_from=back)

    assert written.read(written.text(journal), "it") == journal


def test_what_only_minted_keys_have_is_left_out_elsewhere() -> None:
    plain = json.loads(written.text(Journal("r1", Step.GRACE, 0.0, old=Half("f", "k"), left=Half("g"))))
    minted = json.loads(written.text(Journal("r1", Step.IDLE, 0.0, left=Half("f", lives_until=1.0))))

    assert not any(name in LIVES for half in (plain["old"], plain["left"]) for name in half)
    assert minted["left"]["lives_until"] == 1.0
    off = Journal("r1", Step.GRACE, 0.0, old=Half("f", "k", disabled=True, off_from=1.0))
    assert ("off_from" in plain["old"], written.read(written.text(off), "it")) == (False, off)


def test_every_field_is_tried() -> None:
    drawn = {each.name for each in dataclasses.fields(Journal)}

    plain = json.loads(written.text(Journal("r1", Step.IDLE, 0.0))).keys()
    # What is left out where it has its default.
    assert drawn - {"later"} == plain - {"version"} | {"unanswered", "back_from"}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": "1"},
        {"version": True},
        {"version": None},
        {"since": "yesterday"},
        {"since": "yesterday", "step": "Issued"},
        {"debts": [{"owed": "Revoke"}]},
        {"debts": "none"},
        {"old": {"fingerprint": ["sk-1"], "handle": "h"}},
        {"why": "sk-1"},
        {"cause": "sk-1"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_and_nothing_of_it_is_told(change: dict[str, Any]) -> None:
    text = json.loads(written.text(Journal("r1", Step.IDLE, 0.0))) | change

    with pytest.raises(errors.Stalled) as refused:
        written.read(json.dumps(text), "Secret keywright/journal")

    assert refused.value.reason is errors.Reason.JOURNAL_UNREADABLE
    assert refused.value.message == "Secret keywright/journal is no journal of a rotation"
    assert "sk-1" not in str(refused.value)


WRONG = ("", "{", "[]", "1", '"text"', "{}", b"\xff\xfe", "[" * 99_999, SURROGATE)


@pytest.mark.parametrize("text", WRONG, ids=lambda text: repr(text)[:20])
def test_what_is_no_journal_is_refused(text: str | bytes) -> None:
    with pytest.raises(errors.Stalled, match="is no journal of a rotation"):
        written.read(text, "it")
