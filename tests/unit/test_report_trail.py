"""What a report makes of records: each once, in any order; what is open whenever it began; nothing silently less."""

from __future__ import annotations

import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.audit.chain import stamp
from keywright.audit.record import Type
from keywright.audit.verify import Row
from keywright.cli._report.shape import Report, Summary
from keywright.cli._report.trail import Seen, Trail
from unit.reporting import DAY, NOW, change, everything, recorded, report, trail

OTHER = "000008-0000000000000001"


def rows(*lines: bytes) -> list[Row]:
    """Return the records among lines."""
    return [row for line in lines if "head" not in (row := pydantic_core.from_json(line))]


def folded(*records: Row, since: float = 30, limit: int = 100, namespaces: tuple[str, ...] | None = None) -> Trail:
    """Return what became of records."""
    made = Trail(stamp(NOW - since * DAY), namespaces, limit)
    for each in records:
        made.take(each)
    made.finish()
    return made


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 12))))
def test_a_record_is_new_once(places: list[tuple[str, int]]) -> None:
    seen, model = Seen(), set()

    for log, seq in places:
        assert seen.add(log, seq) == ((log, seq) not in model)
        model.add((log, seq))


def test_what_stands_in_the_cluster_and_in_an_export_counts_once() -> None:
    once, lines = rows(*trail(*everything())), trail(*everything())

    assert folded(*once, *rows(*lines)).counts == folded(*once).counts


@given(st.permutations(rows(*trail(*everything()))))
def test_the_order_in_which_records_come_changes_no_number(shuffled: list[Row]) -> None:
    ordered, other = folded(*rows(*trail(*everything()))), folded(*shuffled)

    assert other.counts == ordered.counts
    assert other.debts == ordered.debts
    assert [each.state for each in other.acts("actions")] == ["failed", "done"]
    assert [each.state for each in other.acts("rotations")] == ["open"]


def test_what_was_before_the_period_counts_only_if_it_is_still_open() -> None:
    made = report([], trail(*everything()), since=0.01)

    assert made.summary == Summary(rotation_steps=1, rotation_steps_open=1, debts=1)
    assert [each.credential for each in made.debts] == ["token"]


def test_an_outcome_without_its_intent_is_told_with_what_is_known() -> None:
    made = folded(*rows(*trail(recorded(Type.ROTATION_OUTCOME, 1, "StoreUnreachable", name="llm", id="x"))))

    (act,) = made.acts("rotations")
    assert (act.state, act.code, act.begun, act.ended) == ("failed", "StoreUnreachable", None, stamp(NOW - DAY))


def test_a_step_of_a_rotation_that_says_again_what_was_done_went_well() -> None:
    steps = [("Issue", "Issue"), ("Mark", "RotationOwnedElsewhere"), ("Revoke", "Unknown")]
    told = [
        (recorded(Type.ROTATION_INTENT, 2, do, name="llm", id=do), recorded(Type.ROTATION_OUTCOME, 1, came, id=do))
        for do, came in steps
    ]

    made = folded(*rows(*trail(*(each for pair in told for each in pair))))

    states = {each.code: each.state for each in made.acts("rotations")}
    assert states == {"Issue": "done", "RotationOwnedElsewhere": "failed", "Unknown": "failed"}
    assert (made.counts["rotations"], made.counts["rotations_failed"]) == (3, 2)


def test_debts_without_an_id_are_told_apart_by_what_they_are_about() -> None:
    owed = [recorded(Type.CLEANUP_OWED, 3, name=each) for each in ("one", "two")]

    made = folded(*rows(*trail(*owed, recorded(Type.CLEANUP_DONE, 2, name="one"))))

    assert [each.object for each in made.debts] == ["ApiKeySecret/two"]


def test_a_write_that_was_told_in_parts_is_one_and_the_last_versions_are_kept() -> None:
    parts = [
        recorded(Type.SYNC_WRITTEN, 1, name="llm", keys=(change(key, "1", "2"),), part={"number": number, "of": 2})
        for number, key in enumerate("AB", 1)
    ]
    many = [recorded(Type.SYNC_WRITTEN, 1, name="llm", keys=(change("A", f"{n}", f"{n + 1}"),)) for n in range(2, 40)]
    same = recorded(Type.SYNC_WRITTEN, 1, name="llm", keys=(change("B", "2", "2"),))

    (found,) = folded(*rows(*trail(*parts, *many, same))).changes

    assert found.writes == 40
    assert [(each.key, each.changes) for each in found.keys] == [("A", 39), ("B", 1)]
    assert found.keys[0].versions == tuple(map(str, range(21, 41)))
    assert found.keys[1].versions == ("1", "2")


@pytest.mark.parametrize(
    "change_to", [{"type": "a.later.one"}, {"more": 1}, {"time": "9"}, {"object": "x"}, {"code": 7}]
)
def test_what_this_version_does_not_know_is_counted_and_calls_for_a_person(change_to: Row) -> None:
    lines = trail(recorded(Type.SYNC_REFUSED, 1, name="llm"))
    row = pydantic_core.from_json(lines[1]) | change_to

    made = folded(row)

    assert made.counts == {"not_understood": 1}


def test_what_has_no_room_is_counted_and_told() -> None:
    many = [recorded(Type.SYNC_REFUSED, 1, name=f"o{n}") for n in range(5)]
    writes = [recorded(Type.SYNC_WRITTEN, 1, name=f"o{n}", keys=(change("A", None, "1"),)) for n in range(5)]
    acts = [recorded(Type.ROTATION_OUTCOME, 1, name="o", id=f"a{n}") for n in range(5)]

    made = report([], trail(*many, *many, *writes, *writes, *acts), limit=3)

    assert made.left_off == {"violations": 2, "changes": 2, "rotations": 2}
    assert [len(each) for each in (made.violations, made.changes, made.rotations)] == [3, 3, 3]
    assert (made.summary.violations, made.summary.objects_changed, made.summary.rotation_steps) == (10, 5, 5)
    assert made.summary.writes == 10


def test_what_is_told_apart_among_what_has_no_room_has_an_end_too() -> None:
    writes = [recorded(Type.SYNC_WRITTEN, 1, name=f"o{n}") for n in range(20)]

    made = report([], trail(*writes), limit=1)

    assert (made.left_off, made.summary.writes) == ({"changes": 10}, 20)


def test_of_one_namespace_are_its_records_and_those_of_none() -> None:
    theirs = [recorded(Type.SYNC_REFUSED, 1, name="llm", namespace=each) for each in ("team-a", "team-b")]

    made = report([], trail(*theirs, recorded(Type.READ, 1)), namespaces=("team-b",))

    assert [each.namespace for each in made.violations] == ["team-b"]
    assert made.summary.reads == 1


def cut(lines: list[bytes]) -> Report:
    return report([], lines)


@pytest.mark.parametrize(
    ("lines", "verdict", "finding"),
    [
        (trail(), "Unwitnessed", ""),
        ([], "Empty", ""),
        (trail(recorded(Type.ROTATION_INTENT, 1, id="x")), "Open", ""),
        ([b"no record"], "Tampered", "line 1 of the trail is no record and no head"),
        (trail(*everything())[:3] + trail(*everything())[4:], "Tampered", "record 3 of log 000007-5f0c2a9b1d3e4f60"),
    ],
)
def test_the_report_says_whether_the_trail_is_whole(lines: list[bytes], verdict: str, finding: str) -> None:
    made = report([], lines)

    assert made.trails[0].verdict == verdict
    assert "".join(made.trails[0].findings[:1]).startswith(finding)
    assert any("is not whole" in each for each in made.attention) == (verdict == "Tampered")


def test_a_log_after_another_is_read_on() -> None:
    lines = [*trail(*everything()), *trail(recorded(Type.SYNC_REFUSED, 1, name="llm"), log=OTHER)]

    assert report([], lines).summary.violations == 4
