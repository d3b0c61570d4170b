"""In which order segments are read, and how far somebody has come in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.audit import segment
from keywright.audit.segment import Listed
from keywright.audit.shelf import KEPT, Cursor, Shelf


def log(name: str, count: int, previous: str = "", created: str = "", *, without: tuple[int, ...] = ()) -> list[Listed]:
    return [
        Listed(segment.name(name, number), name, number, previous, 1, created)
        for number in range(count)
        if number not in without
    ]


def read(shelf: Shelf, cursor: Cursor) -> list[str]:
    """Read to the end; return the names in order, those with others missing before them marked."""
    found = []
    while ahead := cursor.next(shelf):
        found.append(f"{ahead[0]}-{ahead[1]}" + (f" after {ahead[2]}" if ahead[2] else ""))
        cursor.done(*ahead[:2])
    assert cursor.left(shelf) == 0
    return found


@pytest.mark.parametrize(
    ("listed", "order"),
    [
        ([], []),
        (log("a", 2), ["a"]),
        # Neither names nor ages, but who names whom.
        (log("a", 1, "c", "1") + log("b", 1, "", "3") + log("c", 1, "b", "2"), ["b", "c", "a"]),
        # The beginning was archived.
        (log("b", 1, "a", "1") + log("c", 1, "b", "2"), ["b", "c"]),
        # Two leaders behind one log; and two beginnings.
        (log("c", 1, "a", "2") + log("b", 1, "a", "3") + log("a", 1, "", "1"), ["a", "c", "b"]),
        (log("x", 1, "", "2") + log("y", 1, "", "1"), ["y", "x"]),
        # Made by hand.
        (log("a", 1, "b", "1") + log("b", 1, "a", "2") + log("c", 1, "c", "1"), ["a", "b", "c"]),
    ],
)
def test_logs_stand_behind_those_that_they_name(listed: list[Listed], order: list[str]) -> None:
    for turned in (listed, listed[::-1]):
        assert Shelf(turned).logs == order


def test_segments_are_read_by_number_and_what_is_missing_is_counted() -> None:
    shelf = Shelf(log("b", 2, "a", "2") + log("a", 5, "", "1", without=(0, 3)))

    assert read(shelf, Cursor()) == ["a-1 after 1", "a-2", "a-4 after 1", "b-0", "b-1"]


def test_what_is_not_called_as_segments_are_is_left_out() -> None:
    assert Shelf([Listed("a-1", "a", 1, "", 1, ""), Listed("readme", "", 0, "", 1, "")]).logs == []


def test_the_newest_log_grows_by_the_name_that_is_ahead() -> None:
    shelf, cursor = Shelf(log("a", 1) + log("b", 2, "a", "1")), Cursor()
    read(shelf, cursor)

    assert (shelf.ahead, Shelf().ahead) == ("b-000002", "")
    shelf.grow()

    assert read(shelf, cursor) == ["b-2"]
    assert shelf.ahead == "b-000003"


def test_one_that_comes_late_into_an_old_log_is_read_too() -> None:
    cursor = Cursor()
    read(Shelf(log("a", 1) + log("b", 1, "a", "1")), cursor)

    late = Shelf(log("a", 2) + log("b", 1, "a", "1"))

    assert read(late, Cursor.load(cursor.dump(late), late)) == ["a-1"]


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "x", '{"a":null}', '{"a":[]}', '{"z":7}', "1"])
def test_a_cursor_that_tells_nothing_begins_at_the_beginning(text: str) -> None:
    shelf = Shelf(log("a", 2))

    assert read(shelf, Cursor.load(text, shelf)) == ["a-0", "a-1"]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3 * KEPT), st.data())
def test_a_cursor_that_was_kept_goes_on_where_it_was(sizes: list[int], data: st.DataObject) -> None:
    names = [f"{number:06d}-x" for number in range(len(sizes))]
    listed = [
        each
        for number, size in enumerate(sizes)
        for each in log(names[number], size, names[number - 1] if number else "", str(number))
    ]
    shelf, cursor = Shelf(listed), Cursor()
    everything = read(shelf, Cursor())
    for _ in range(data.draw(st.integers(0, len(listed)))):
        ahead = cursor.next(shelf)
        assert ahead
        cursor.done(*ahead[:2])
    left = cursor.left(shelf)

    kept = cursor.dump(shelf)

    assert len(kept) < 30 * KEPT
    assert read(shelf, Cursor.load(kept, shelf)) == everything[len(everything) - left :]


def test_logs_that_are_gone_are_forgotten() -> None:
    shelf, cursor = Shelf(log("a", 1)), Cursor({"gone": 3, "a": 0})

    cursor.keep_to(shelf)

    assert cursor.dump(shelf) == '{"a":0}'
    assert cursor.left(shelf) == 0
