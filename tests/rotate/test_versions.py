"""Journals of other versions: what a later one has written is kept and written again, as far as no harm comes of it.

Does not belong here: operators that take over from each other (``operator/test_rotation_versions.py``).
"""

from __future__ import annotations

import dataclasses
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keywright import errors
from keywright.decide.rotate import machine, told, written
from keywright.decide.rotate.journal import LASTS, Cause, Debt, Half, Journal, Owed, Step, Why, as_later
from keywright.decide.rotate.moves import Go, Situation
from keywright.decide.rotate.told import Tale

from .cases import NOW, RULES, WELL, at
from .model import World, begun, ends
from .test_world import RULES as WAYS
from .test_written import JOURNALS

#: What the first version that was released knows, and refuses anything beside.
JOURNAL = {
    *("version", "id", "step", "since", "cause", "old", "new", "before", "asked_at", "asks", "reached", "until"),
    *("urgent", "test_only", "why", "debts", "straight", "one_way", "restored", "tries", "again", "issuer"),
    *("reissued", "failures", "not_before", "pinned", "left", "began", "stored", "placed"),
}
HALF = {"fingerprint", "handle", "disabled", "ending", "revoked", "lives_from", "lives_until", "spent"}
DEBT = {"owed", "handle", "fingerprint", "since", "tries", "due", "issuer"}
#: What it has written in mid-rotation.
BEFORE = (
    '{"again":1764500005.0,"asked_at":1764499900.0,"asks":1,"before":["key_first"],"began":1764499890.0,'
    '"cause":"Asked","debts":[{"due":1764500900.0,"fingerprint":"k1:f9","handle":"key_0",'
    '"issuer":"openai https://api.openai.com","owed":"Revoke","since":1764400000.0,"tries":2}],"failures":0,'
    '"id":"kw-0123456789abcdef","issuer":"openai https://api.openai.com","left":{"disabled":false,"ending":false,'
    '"fingerprint":"k1:f0","handle":"key_first","lives_until":1.0,"revoked":false},"new":{"disabled":false,'
    '"ending":false,"fingerprint":"k1:f1","handle":"key_1","revoked":false},"not_before":0.0,"old":{"disabled":false,'
    '"ending":true,"fingerprint":"k1:f0","handle":"key_first","revoked":false},"one_way":false,"pinned":false,'
    '"placed":0.0,"reached":"Grace","reissued":null,"restored":0,"since":1764500000.5,"step":"Grace",'
    '"stored":1764499950.0,"straight":false,"test_only":false,"tries":1,"until":1764500060.0,"urgent":false,'
    '"version":1,"why":null}'
)
#: Fields of a later version, whatever they hold.
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).map("x{}".format)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
LATER = st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)


def test_the_version_before_reads_what_is_written_now_and_the_other_way_round() -> None:
    read = written.read(BEFORE, "it")

    assert (read.step, read.old, read.debts[0].owed) == (
        Step.GRACE,
        Half("k1:f0", "key_first", ending=True),
        Owed.REVOKE,
    )
    assert written.text(read) == BEFORE


@settings(deadline=None)
@given(JOURNALS)
def test_where_nothing_is_new_nothing_is_written_that_the_version_before_does_not_know(journal: Journal) -> None:
    said = json.loads(written.text(journal))

    assert said["version"] == 1
    assert said.keys() <= JOURNAL
    assert all(half.keys() <= HALF for half in (said["old"], said["new"], said["left"]) if half)
    assert all(debt.keys() <= DEBT for debt in said["debts"])


@settings(deadline=None)
@given(JOURNALS, LATER, st.data())
def test_fields_of_a_later_version_are_written_as_they_were_read(
    journal: Journal, later: dict[str, Any], data: st.DataObject
) -> None:
    said = json.loads(written.text(journal)) | later
    for part in [*(said[name] for name in ("old", "new", "left") if said[name]), *said["debts"]]:
        part.update(data.draw(LATER))

    again = json.loads(written.text(written.read(json.dumps(said), "it")))
    assert in_order(again) == in_order(said)


def in_order(said: dict[str, Any]) -> dict[str, Any]:
    """Return a journal with what is in no order in one."""
    return said | {"before": sorted(said["before"] or ())}


MARK = as_later({"xOf": "a later version", "later": [1.5, None]})
STAYS = as_later({LASTS: ["xFrozen"], "xFrozen": {"by": "somebody"}})


def marked(journal: Journal | None) -> Journal | None:
    """Return a journal as a later version leaves it: with something on it, on each key, and on each debt."""
    if journal is None:
        return None
    halves = {name: getattr(journal, name) for name in ("old", "new", "left")}
    told_of = {name: dataclasses.replace(half, later=MARK) for name, half in halves.items() if half}
    debts = tuple(dataclasses.replace(each, later=MARK) for each in journal.debts)
    return journal.but(**told_of, debts=debts, later=as_later(json.loads(MARK) | json.loads(STAYS)))


def lost(before: Journal, after: Journal) -> list[str]:
    """Return what is not known any more of what a later version has said."""
    halves = [half for half in (after.old, after.new, after.left) if half]
    known = {half.fingerprint for half in (before.old, before.new, before.left) if half}
    gone = [f"key {half.fingerprint}" for half in halves if half.fingerprint in known and half.later != MARK]
    owed = {(each.owed, each.handle) for each in before.debts}
    gone += [f"debt {each}" for each in after.debts if (each.owed, each.handle) in owed and each.later != MARK]
    wanted = as_later(json.loads(STAYS)) if after.step is Step.IDLE else before.later
    return gone + ([] if after.later == wanted else [f"{after.later} is not {wanted}"])


@pytest.mark.parametrize("rules", WAYS.values(), ids=WAYS.keys())
@given(seed=st.integers(0, 2**32), faults=st.sampled_from((0.0, 0.3)))
@settings(max_examples=25, deadline=None)
def test_whatever_happens_in_a_rotation_a_later_version_finds_again_what_it_has_said(
    rules: Any, seed: int, faults: float
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test must be repeatable
    world = begun(World(rules, chance, faults))

    for _ in range(60):
        before = world.journal = marked(world.journal)
        if before is None or before.step is Step.IDLE:
            break
        world.turn()
        if world.journal is None:
            break
        assert lost(before, world.journal) == [], "\n".join(world.story)
        world.journal = written.read(written.text(world.journal), "it")
        world.somebody()
    ends(world)


def test_what_is_said_of_a_key_and_for_good_goes_over_into_the_next_rotation() -> None:
    rests = marked(at(Step.REVOKED, left=Half("before", "k9")))
    assert rests
    move = machine.decide(machine_at(rests))
    assert isinstance(move, Go)

    begins = machine.begin(move.journal, "r2", Cause.DUE, Half("new"), NOW)

    assert move.journal.later == begins.later == STAYS
    assert (move.journal.left, begins.old) == (Half("new", "k1", later=MARK), Half("new", "k1", later=MARK))


def machine_at(journal: Journal) -> Situation:
    """Return the situation in which all is well with a journal."""
    return Situation(RULES, journal, WELL, NOW)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "needs a later version of Keywright"),
        ({"version": 2, "step": "Paused"}, "needs a later version of Keywright"),
        ({"step": "Paused"}, "says as step what this version of Keywright does not know"),
        ({"reached": "Paused"}, "says as reached what this version of Keywright does not know"),
        ({"debts": [{"owed": "Tell", "handle": "", "fingerprint": "", "since": 0}]}, "says as owed what"),
        ({"step": "RollingBack", "why": "TooSlow"}, "says as why what this version of Keywright does not know"),
        ({"step": "Grace", "why": "TooSlow"}, "says as why what this version of Keywright does not know"),
    ],
    ids=str,
)
def test_what_must_be_understood_to_go_on_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    text = json.loads(written.text(Journal("r1", Step.IDLE, 0.0))) | change

    with pytest.raises(errors.Stalled) as refused:
        written.read(json.dumps(text), "Secret keywright/journal")

    assert refused.value.reason is errors.Reason.JOURNAL_UNREADABLE
    assert refused.value.message.startswith(f"Secret keywright/journal {said}")


def test_a_cause_and_a_reason_of_which_nothing_follows_any_more_may_be_of_a_later_version() -> None:
    text = json.loads(written.text(at(Step.ROLLED_BACK))) | {"why": "TooSlow", "cause": "Leaked"}
    back = written.read(json.dumps(text), "it")

    move = machine.decide(machine_at(back))

    assert isinstance(move, Go)
    assert (move.journal.step, move.journal.why, move.journal.cause) == (Step.IDLE, "TooSlow", "Leaked")
    assert move.journal.failures == 1
    rests = written.read(written.text(move.journal), "it")
    last = told.status(Tale("it", rests))["last"]
    assert (last["outcome"], last["why"]) == ("RolledBack", "TooSlow")
    assert told.words("TooSlow") == "A later version of Keywright calls it TooSlow."
    assert "cause" not in told.status(Tale("it", rests.at(Step.GRACE, NOW)))
    begins = machine.begin(rests, "r2", Cause.DUE, Half("f"), NOW)
    assert (begins.why, begins.cause) == (None, Cause.DUE)


def test_words_that_are_known_are_read_as_what_they_are() -> None:
    journal = at(Step.ROLLED_BACK, why=Why.ASKED, cause=Cause.INVALID, debts=(Debt(Owed.DIE, "k", "f", 1.0),))

    read = written.read(written.text(journal), "it")

    assert (type(read.why), type(read.cause), type(read.debts[0].owed)) == (Why, Cause, Owed)
