"""What a verification says: which record, and what it cannot know."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from audit.logbook import DAY, KEY, OTHER_KEY, START, Part, act, edited, judged, log, records, trail, whole, written
from keywright import errors
from keywright.audit import lines, merkle, proof
from keywright.audit.heads import Head
from keywright.audit.record import Type
from keywright.audit.verdict import MAX_FINDINGS
from keywright.audit.verify import Problem, State, Verdict, Verifier

LONG = log(7, [[written(1), written(2)], [written(3), written(4), written(5)]])


def over(*places: Sequence[bytes], witnesses: Sequence[Head] = ()) -> Verdict:
    """Return what a verification of several places comes to."""
    verifier = Verifier(witnesses)
    for number, place in enumerate(places):
        verifier.begins(f"place-{number}")
        for line in place:
            verifier.take(line)
    return verifier.verdict()


def changed(seq: int, **fields: object) -> list[bytes]:
    """Return the long log with one record changed."""
    return [line if not is_number(line, seq) else edited(line, **fields) for line in LONG.lines()]


def is_number(line: bytes, seq: int) -> bool:
    return not lines.is_head(line) and json.loads(line)["seq"] == seq


@pytest.mark.parametrize("seq", range(6))
def test_a_record_that_was_changed_is_named(seq: int) -> None:
    verdict = judged(changed(seq, code="Invented"))

    (finding,) = verdict.findings
    assert verdict.state is State.TAMPERED
    assert (finding.log, finding.place) == (LONG.name, "trail.jsonl")
    # Before a head, nobody can tell which one behind the last head it was.
    last = finding.seq if finding.to is None else finding.to
    assert finding.seq is not None
    assert last is not None
    assert finding.seq <= seq <= last
    assert (finding.problem is Problem.CHANGED) == (seq not in (2, 5))


def test_a_record_that_names_another_one_before_is_the_one_that_was_changed() -> None:
    for seq in (0, 1, 3, 4):
        (finding,) = judged(changed(seq, prev="1" * 64)).findings
        assert (finding.problem, finding.seq) == (Problem.CHANGED, seq)


@pytest.mark.parametrize(
    ("found", "problem", "seq"),
    [
        (LONG.lines()[1:], Problem.MISSING, 0),
        ([each for each in LONG.lines() if not is_number(each, 4)], Problem.MISSING, 4),
        ([*LONG.lines()[:2], *LONG.lines()[1:]], Problem.OUT_OF_PLACE, 1),
        ([*LONG.lines()[:4], LONG.lines()[3], *LONG.lines()[4:]], Problem.OUT_OF_PLACE, 2),
        (LONG.lines()[:-1], Problem.UNSEALED, 3),
        (LONG.lines()[3:4], Problem.MISSING, 0),
        (whole([log(7, [[written(1)]], closed=True, name=LONG.name)]) + LONG.lines()[6:], Problem.MISSING, 3),
        ([b"", *LONG.lines()], Problem.UNREADABLE, None),
        ([*LONG.lines()[:2], b"{}", *LONG.lines()[2:]], Problem.UNREADABLE, 2),
    ],
)
def test_what_is_wrong_is_told_with_the_record(found: list[bytes], problem: Problem, seq: int | None) -> None:
    finding = judged(found).findings[0]

    assert (finding.problem, finding.seq) == (problem, seq)
    assert str(finding.line) in str(finding) if seq is None else str(seq) in str(finding)


def test_a_log_that_is_in_the_midst_and_not_there_is_missed() -> None:
    first, second, third = trail()

    assert [each.problem for each in judged(whole([first, third])).findings] == [Problem.LOG_MISSING]
    assert [each.log for each in judged(whole([first, third])).findings] == [second.name]
    foreign = log(4, [[written(9)]], at=START + 4 * DAY, key=OTHER_KEY)
    assert [each.problem for each in judged(whole([first, foreign])).findings] == [Problem.BEGINS_TWICE]


def test_a_record_behind_the_end_of_its_log_is_told() -> None:
    ended = log(1, [[], [act(Type.LOG_CLOSED, "x")], [written(1)]])

    assert [each.problem for each in judged(ended.lines()).findings] == [Problem.AFTER_THE_END]


def test_a_trail_without_its_oldest_logs_says_after_which_it_begins() -> None:
    parts = trail()
    verdict = judged(whole(parts[1:]), [part.head for part in parts])

    assert verdict.state is State.UNWITNESSED
    assert verdict.findings == ()
    assert verdict.begins_after == parts[0].head


def test_the_newest_log_may_not_be_gone_though_older_ones_are_archived() -> None:
    parts = trail()
    verdict = judged(whole(parts[1:2]), [part.head for part in parts])

    assert [(each.problem, each.log) for each in verdict.findings] == [(Problem.CUT, parts[2].name)]


def chained(*epochs: int, generations: bool = True, numbers: Sequence[int] = ()) -> list[Part]:
    """Return logs of these terms, each behind the one before; their names are numbered by generation, or as said."""
    parts: list[Part] = []
    for number, epoch in enumerate(epochs):
        name = f"{epoch:06d}-{numbers[number] if numbers else number:04d}-5f0c2a9b1d{number:02d}"
        head = parts[-1].head if parts else None
        generation = number if generations else None
        at = START + number * DAY
        parts.append(log(epoch, [[written(number + 1)]], head, at, closed=True, name=name, generation=generation))
    return parts


@pytest.mark.parametrize("left", range(1, 6))
@pytest.mark.parametrize("generations", [True, False])
@pytest.mark.parametrize(
    ("epochs", "numbers"),
    [
        ((1, 1, 1, 1, 1, 1), ()),
        # The Lease was made anew, and terms began anew with it.
        ((3, 4, 5, 0, 1, 2), ()),
        ((7, 7, 0, 0, 0, 1), (0, 1, 0, 1, 2, 0)),
        # Leaders that took the same term again, each of whom counted from the beginning.
        ((4, 4, 4, 4, 4, 4), (0, 1, 2, 0, 1, 0)),
    ],
)
def test_an_archive_makes_no_false_alarm(
    epochs: tuple[int, ...], numbers: Sequence[int], generations: bool, left: int
) -> None:
    parts = chained(*epochs, generations=generations, numbers=numbers)
    heads = [part.head for part in parts]

    verdict = judged(whole(parts[left:]), heads)

    assert (verdict.findings, verdict.state) == ((), State.UNWITNESSED)
    assert verdict.absent == tuple(sorted(part.name for part in parts[:left]))
    assert over(whole(parts[left:]), whole(parts[:left]), witnesses=heads).state is State.WHOLE


@pytest.mark.parametrize("epochs", [(1, 1, 1, 1, 1), (5, 6, 0, 0, 1)])
def test_the_newest_log_is_missed_behind_an_archive_by_its_generation(epochs: tuple[int, ...]) -> None:
    parts = chained(*epochs)
    heads = [part.head for part in parts]

    assert [(each.problem, each.log) for each in judged(whole(parts[2:4]), heads).findings] == [
        (Problem.CUT, parts[4].name)
    ]
    assert [each.log for each in judged(whole([*parts[1:2], *parts[4:]]), heads).findings] == [parts[3].name]


def test_what_nobody_can_tell_from_an_archived_log_needs_the_archive() -> None:
    """Without generations: what is cut away behind an archive may have been archived, but for who has that."""
    parts = chained(1, 1, 1, 1, generations=False)
    heads = [part.head for part in parts]

    verdict = judged(whole(parts[1:3]), heads)
    assert (verdict.state, verdict.absent) == (State.UNWITNESSED, (parts[0].name, parts[3].name))
    found = over(whole(parts[1:3]), whole(parts[:1]), witnesses=heads).findings
    assert [(each.problem, each.log) for each in found] == [(Problem.CUT, parts[3].name)]
    assert [each.log for each in judged(whole(parts[:3]), heads).findings] == [parts[3].name]


def test_a_head_that_nobody_who_counts_has_signed_is_no_witness() -> None:
    forged = OTHER_KEY.sign(LONG.name, 3, b"x" * 32), OTHER_KEY.sign("000009-0009-5f0c2a9b1d3e", 7, b"x" * 32)
    unsigned = LONG.head.model_copy(update={"root": "0" * 64}), LONG.head.model_copy(update={"size": 5})

    verdict = judged(LONG.lines(), [*forged, *unsigned, LONG.head])
    assert (verdict.state, verdict.heads, verdict.foreign) == (State.WHOLE, 1, 4)
    assert judged(LONG.lines(), [*forged, *unsigned]).state is State.UNWITNESSED
    # One that looks like another one takes nothing from that.
    displaced = LONG.head.model_copy(update={"signature": forged[0].signature})
    assert judged(LONG.lines(), [LONG.head, displaced]).state is State.WHOLE
    # What is printed beside them, or pinned, counts, and what is pinned counts alone.
    assert judged(LONG.lines(), forged, told=[OTHER_KEY.public]).state is State.TAMPERED
    assert judged(LONG.lines(), [LONG.head, *forged], [KEY.public], [OTHER_KEY.public]).foreign == 2


@pytest.mark.parametrize("pinned", [(), (KEY.public,)])
def test_a_trail_that_was_signed_anew_differs_from_the_heads_that_were_printed(pinned: Sequence[str]) -> None:
    anew = log(7, [[written(1), written(9)], [written(3), written(4), written(5)]], key=OTHER_KEY)

    (finding,) = judged(anew.lines(), [LONG.head], pinned, [KEY.public]).findings[:1]
    assert (anew.name, finding.problem) == (LONG.name, Problem.WITNESS_DIFFERS)
    alone = judged(anew.lines(), (), pinned, [KEY.public]).findings
    assert [each.problem for each in alone] == [Problem.KEY_UNKNOWN]


def test_several_places_may_hold_the_same_records_in_any_order() -> None:
    parts = trail()
    heads = [part.head for part in parts]
    earlier, later = whole(parts[:2]), whole(parts[1:])
    midst = parts[2].lines()[3:]

    for places in ([earlier, later], [later, earlier], [whole(parts), midst], [parts[1].lines(), later, earlier]):
        verdict = over(*places, witnesses=heads)
        assert (verdict.state, verdict.records) == (State.WHOLE, 9)
        assert [each.name for each in verdict.logs] == [part.name for part in parts]


def test_places_that_differ_are_told() -> None:
    other = log(7, [[written(1), written(2)], [written(3), written(4), written(6)]])

    assert [each.problem for each in over(LONG.lines(), other.lines()).findings] == [Problem.DIFFERS]
    assert [each.place for each in over(LONG.lines(), other.lines()).findings] == ["place-1"]
    assert over(LONG.lines(), LONG.lines()[2:3] + LONG.lines()[5:]).state is State.TAMPERED


def test_a_witness_of_any_moment_will_do() -> None:
    seen = LONG.batches[0].head
    verdict = judged(LONG.lines(), [seen])
    assert (verdict.state, verdict.newer) == (State.WHOLE, 3)

    merged = [*records(LONG.lines()), lines.head_line(LONG.head)]
    assert judged(merged, [seen]).state is State.WHOLE
    other = log(7, [[written(1), written(3)], [written(4)]])
    (finding,) = judged(other.lines(), [seen, LONG.head]).findings
    assert (finding.problem, finding.seq, finding.to) == (Problem.WITNESS_DIFFERS, 0, 2)
    assert judged(LONG.lines()[:4], [LONG.head]).findings[0].problem is Problem.CUT


def test_a_key_that_is_not_pinned_is_not_trusted() -> None:
    assert judged(LONG.lines(), (), [OTHER_KEY.public]).findings[0].problem is Problem.KEY_UNKNOWN
    assert judged(LONG.lines(), (), [KEY.public]).state is State.UNWITNESSED
    # What a witness has seen needs no key that he knows.
    assert judged(LONG.lines(), [LONG.head], (), [OTHER_KEY.public]).state is State.WHOLE
    assert judged(LONG.lines(), [LONG.head], [OTHER_KEY.public]).state is State.TAMPERED


def test_intents_without_an_outcome_are_told_in_whatever_order_files_are_read() -> None:
    asked = log(1, [[act(Type.ACTION_INTENT, "one"), act(Type.ACTION_INTENT, "two")]])
    done = log(2, [[act(Type.ACTION_OUTCOME, "one")]], asked.head, START + DAY)
    heads = [done.head]

    for places in ([asked, done], [done, asked]):
        verdict = over(*(part.lines() for part in places), witnesses=heads)
        assert (verdict.state, [each["id"] for each in verdict.open]) == (State.OPEN, ["two"])
    assert judged(asked.lines(), heads).state is State.TAMPERED


def test_a_file_that_is_no_trail_at_all_is_told_in_few_words() -> None:
    foreign = [f'{{"log":"{number}","seq":0,"prev":"","type":"","time":""}}'.encode() for number in range(2000)]

    assert len(judged(foreign).findings) == MAX_FINDINGS
    assert len(judged([b"x"] * 2000).findings) == MAX_FINDINGS


def proof_of(part: Part, seq: int) -> proof.Proof:
    return proof.make(list(records(part.lines())), seq, part.head, KEY.public)


@pytest.mark.parametrize("seq", range(6))
def test_a_proof_proves_its_record_and_no_other(seq: int) -> None:
    made = proof_of(LONG, seq)
    assert proof.check(proof.read(made.model_dump_json(by_alias=True).encode())).seq == seq

    root = merkle.leaf(b"x").hex()
    for wrong in (
        {"seq": seq + 1},
        {"record": edited(made.record.encode(), code="Invented").decode()},
        {"record": made.record + " "},
        {"path": (*made.path, root)},
        {"path": made.path[:-1]},
        {"head": LONG.batches[0].head},
        {"head": made.head.model_copy(update={"root": root})},
        {"public_key": OTHER_KEY.public},
    ):
        with pytest.raises(errors.Stalled):
            proof.check(made.model_copy(update=wrong))


def test_there_is_no_proof_of_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        proof_of(LONG, 6)
    for text in (b"", b"{}", b"[" * 9999, b"\xff", proof_of(LONG, 1).model_dump_json().encode()):
        with pytest.raises(errors.Stalled, match="is no proof"):
            proof.read(text)


def test_a_clock_that_goes_back_puts_nothing_out_of_its_place() -> None:
    first = log(1, [[written(1)], [written(2)]], at=START + 10 * DAY, name="000001-0000-5f0c2a9b1d3e")
    second = log(2, [[written(3)]], first.head, START, name="000002-0000-5f0c2a9b1d3e")

    found = judged(whole([second, first]), witnesses=[second.head])

    assert (found.state, [each.name for each in found.logs]) == (State.WHOLE, [first.name, second.name])
