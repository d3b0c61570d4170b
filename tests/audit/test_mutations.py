"""100,000 changes to a trail, each as somebody could make it who has the file and not the key: all of them show."""

from __future__ import annotations

import collections
import random

import pytest

from audit.logbook import KEY, OTHER_KEY, START, Part, edited, judged, log, records, trail, whole, written
from keywright.audit import lines
from keywright.audit.merkle import leaf
from keywright.audit.verify import State

PARTS = trail()
LINES = whole(PARTS)
#: What was printed at the end of each log.
WITNESSES = [part.head for part in PARTS]
#: How many, in how many parts that run side by side.
MUTATIONS, SHARES = 100_000, 8
FOREIGN = whole([log(9, [[written(1)]], at=START, key=OTHER_KEY)])


def change_a_byte(chance: random.Random) -> list[bytes]:
    text = bytearray(b"\n".join(LINES))
    place = chance.randrange(len(text))
    text[place] = (text[place] + chance.randrange(1, 256)) % 256
    return bytes(text).split(b"\n")


def add_or_drop_a_byte(chance: random.Random) -> list[bytes]:
    text = b"\n".join(LINES)
    place = chance.randrange(len(text))
    more = chance.choice([b"", b" ", b"0", b"}", b"\n", b'"', b"\xff"])
    return (text[:place] + more + text[place + (not more) :]).split(b"\n")


def delete(chance: random.Random) -> list[bytes]:
    start = chance.randrange(len(LINES))
    return LINES[:start] + LINES[start + chance.choice([1, 1, 1, 2, 3]) :]


def duplicate(chance: random.Random) -> list[bytes]:
    place, to = chance.randrange(len(LINES)), chance.randrange(len(LINES) + 1)
    return [*LINES[:to], LINES[place], *LINES[to:]]


def swap(chance: random.Random) -> list[bytes]:
    found = list(LINES)
    one, other = chance.sample(range(len(found)), 2)
    found[one], found[other] = found[other], found[one]
    return found


def insert(chance: random.Random) -> list[bytes]:
    place = chance.randrange(len(LINES) + 1)
    return [*LINES[:place], chance.choice([b"", b"{}", b"[]", b"null", b"\xff\xfe", *FOREIGN]), *LINES[place:]]


def cut_the_tail(chance: random.Random) -> list[bytes]:
    text = b"\n".join(LINES)
    return text[: chance.randrange(len(text))].split(b"\n")


def cut_the_begin(chance: random.Random) -> list[bytes]:
    text = b"\n".join(LINES)
    return text[chance.randrange(1, len(text)) :].split(b"\n")


def take_a_log_away(chance: random.Random) -> list[bytes]:
    gone = chance.choice(PARTS)
    return whole([part for part in PARTS if part is not gone])


def sign_a_log_anew(chance: random.Random) -> list[bytes]:
    number = chance.randrange(3)
    before = PARTS[number - 1].head if number else None
    own = log(number + 1, [[written(66)]], before, key=OTHER_KEY, name=PARTS[number].name)
    return whole([own if part is PARTS[number] else part for part in PARTS])


def edit_and_link_anew(chance: random.Random) -> list[bytes]:
    """Change a record, and each one behind it in its log, so that all of them name the one before."""
    part: Part = chance.choice(PARTS)
    found, prev, at = [], "", chance.randrange(sum(len(each.lines) for each in part.batches))
    for line in part.lines():
        made = line
        if not lines.is_head(line):
            seq = int(line.partition(b'"seq":')[2].partition(b",")[0])
            made = edited(line, code="Invented") if seq == at else edited(line, prev=prev) if seq > at else line
            prev = leaf(made).hex()
        found.append(made)
    return [line for each in PARTS for line in (found if each is part else each.lines())]


CHANGES = (
    *[change_a_byte] * 8,
    *[add_or_drop_a_byte] * 2,
    *(delete, duplicate, swap, insert, cut_the_tail, cut_the_begin),
    *(take_a_log_away, edit_and_link_anew),
)


def by_log(found: list[bytes]) -> dict[bytes, list[bytes]]:
    """Return the records of each log."""
    logs = collections.defaultdict(list)
    for line in records(found):
        logs[line.partition(b'"log":"')[2].partition(b'"')[0]].append(line)
    return logs


def is_the_same(found: list[bytes]) -> bool:
    """Whether all records are what they were: then only a head is missing that a later one stands for."""
    return len(found) <= len(LINES) and {*found} <= {*LINES} and by_log(found) == by_log(LINES)


def is_shorter(found: list[bytes]) -> bool:
    """Whether it is the trail up to a head, which nobody can see who has no witness."""
    heads = [line for line in found if lines.is_head(line)]
    return found == LINES[: len(found)] and found[-1:] == heads[-1:]


def test_the_trail_as_it_was_written_is_whole() -> None:
    assert judged(LINES, WITNESSES).state is State.WHOLE
    assert judged(LINES, WITNESSES, [KEY.public]).state is State.WHOLE
    assert judged(LINES).state is State.UNWITNESSED
    assert judged(LINES).findings == ()


@pytest.mark.parametrize("share", range(SHARES))
def test_every_change_shows(share: int) -> None:
    chance = random.Random(share)  # noqa: S311 - the same changes in each run
    unseen = collections.Counter[str]()
    for number in range(MUTATIONS // SHARES):
        # Signing takes its time.
        change = CHANGES[number % len(CHANGES)] if number % 101 else sign_a_log_anew
        found = change(chance)
        if is_the_same(found):
            continue
        verdict = judged(found, WITNESSES, told=[KEY.public])
        if verdict.state is not State.TAMPERED and verdict.begins_after is None:
            unseen[f"{change.__name__} with witnesses"] += 1
        if number % 5:
            continue
        verdict = judged(found)
        seen = verdict.state is State.TAMPERED or verdict.begins_after
        if not seen and not is_shorter(found) and change is not sign_a_log_anew:
            unseen[f"{change.__name__} without a witness"] += 1

    assert unseen == {}


@pytest.mark.parametrize("length", range(len(LINES)))
def test_a_tail_that_is_cut_is_named_by_a_witness(length: int) -> None:
    verdict = judged(LINES[:length], WITNESSES, told=[KEY.public])

    assert verdict.state is State.TAMPERED
    assert {each.log for each in verdict.findings} <= {part.name for part in PARTS}


def test_a_trail_that_was_made_anew_with_another_key_is_whole_to_who_has_no_witness_and_no_key() -> None:
    anew = whole(trail(OTHER_KEY))

    assert judged(anew).state is State.UNWITNESSED
    assert judged(anew, WITNESSES, told=[KEY.public]).state is State.TAMPERED
    # Nobody tells whose heads these are: they may be anybody's.
    assert (judged(anew, WITNESSES).state, judged(anew, WITNESSES).foreign) == (State.UNWITNESSED, 3)
    assert judged(anew, (), [KEY.public]).state is State.TAMPERED
    assert judged(anew, (), (), [KEY.public]).state is State.TAMPERED
