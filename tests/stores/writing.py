"""What every store that writes must do. Its tests subclass ``WriteContract`` and give it a backend.

Does not belong here: reading (``contract``), what one store does differently (its test file).
"""

from __future__ import annotations

import abc
import concurrent.futures
import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from keywright import errors
from keywright.errors import Reason
from keywright.secret import SecretValue
from keywright.stores.base import Content, Mark, Ref, Store
from stores.contract import CANARY, Backend, assert_clean, failure

HERE = Ref("llm/openai")
OURS = Mark("cluster-1", "journal", "2026-11-30T16:00:00Z")


class WriteBackend(Backend):
    """What is behind a store that writes."""

    @abc.abstractmethod
    def reader(self) -> Store:
        """Open the store with credentials that may only read."""

    @abc.abstractmethod
    def goes_back(self, path: str) -> None:
        """Let a path hold what a backup has: another version than the newest, under this name or an older one."""


def token() -> str:
    return str(uuid.uuid4())


def entries(**values: str) -> dict[str, SecretValue]:
    return {name: SecretValue(value) for name, value in values.items()}


def write(store: Store, content: Content, expected: str | None, name: str | None = None, ref: Ref = HERE) -> str:
    assert store.write
    return store.write(ref, content, expected=expected, token=name or token())


def refused(store: Store, content: Content, expected: str | None, name: str | None = None) -> errors.Error:
    return failure(lambda: write(store, content, expected, name))


def held(store: Store) -> Any:
    return json.loads(store.fetch(HERE).value.reveal())


class WriteContract(abc.ABC):
    """Tests that every store passes that writes. Subclasses define the fixture ``backend``."""

    @pytest.fixture
    @abc.abstractmethod
    def backend(self) -> WriteBackend | Iterator[WriteBackend]: ...

    @pytest.fixture
    def store(self, backend: WriteBackend) -> Iterator[Store]:
        store = backend.store()
        store.login()
        yield store
        store.close()

    def test_what_is_there_is_replaced_whole_and_has_the_version_that_is_told(
        self, backend: WriteBackend, store: Store
    ) -> None:
        backend.put("llm/openai", {"api_key": "old", "org": "acme"})
        before = store.fetch(HERE)

        version = write(store, entries(api_key="new", note="ünï \u2028"), before.version)

        after = store.fetch(HERE)
        assert (after.version, after.is_map) == (version, True)
        assert json.loads(after.value.reveal()) == {"api_key": "new", "note": "ünï \u2028"}
        assert version != before.version
        assert store.fetch(Ref("llm/openai", before.version)).value == before.value

    def test_a_map_that_was_read_is_written_back_with_all_its_types(self, backend: WriteBackend, store: Store) -> None:
        whole = {"api_key": "old", "limit": 7, "on": True, "none": None, "in": {"list": [1.5, "x"]}}
        backend.put("llm/openai", whole)
        before = store.fetch(HERE)

        write(store, SecretValue(json.dumps(whole | {"api_key": "new"})), before.version)

        assert held(store) == whole | {"api_key": "new"}
        assert store.fetch(HERE).is_map

    def test_where_nothing_is_expected_nothing_may_be(self, store: Store) -> None:
        first = write(store, entries(api_key="one"), None)

        error = refused(store, entries(api_key="two"), None)

        assert (type(error), error.reason) == (errors.Retry, Reason.STORE_CHANGED)
        assert (store.fetch(HERE).version, held(store)) == (first, {"api_key": "one"})

    def test_another_version_than_was_expected_is_not_replaced(self, backend: WriteBackend, store: Store) -> None:
        backend.put("llm/openai", {"api_key": "one"})
        before = store.fetch(HERE)
        backend.put("llm/openai", {"api_key": "theirs"})
        theirs = store.fetch(HERE)

        wrong = [before.version, "no such version", token(), "99"]
        found = [refused(store, entries(api_key=CANARY), each) for each in wrong]

        assert {(type(each), each.reason) for each in found} == {(errors.Retry, Reason.STORE_CHANGED)}
        assert store.fetch(HERE) == theirs
        for error in found:
            assert "llm/openai" in error.message
            assert_clean(error, CANARY)

    def test_what_is_gone_is_not_replaced(self, store: Store) -> None:
        error = refused(store, entries(api_key=CANARY), token())

        assert (type(error), error.reason) == (errors.Retry, Reason.STORE_CHANGED)
        assert failure(lambda: store.fetch(HERE)).reason is Reason.NOT_FOUND

    def test_a_write_that_is_repeated_makes_no_second_version(self, store: Store) -> None:
        one, two = token(), token()
        first = write(store, entries(api_key="one", org="acme"), None, one)
        assert write(store, entries(org="acme", api_key="one"), None, one) == first

        second = write(store, entries(api_key="two"), first, two)
        assert write(store, entries(api_key="two"), first, two) == second

        assert store.fetch(HERE).version == second
        third = write(store, entries(api_key="three"), second)
        # By now they are no longer the current one.
        assert refused(store, entries(api_key="one", org="acme"), None, one).reason is Reason.STORE_CHANGED
        assert refused(store, entries(api_key="two"), first, two).reason is Reason.STORE_CHANGED
        assert store.fetch(HERE).version == third

    def test_another_value_under_the_name_of_a_write_is_refused(self, store: Store) -> None:
        name = token()
        first = write(store, entries(api_key="one"), None, name)

        assert refused(store, entries(api_key="two"), None, name).reason is Reason.STORE_CHANGED
        assert store.fetch(HERE).version == first

    @pytest.mark.parametrize("there", [True, False])
    def test_of_writers_at_the_same_moment_one_wins_and_the_others_are_told(
        self, backend: WriteBackend, store: Store, there: bool
    ) -> None:
        if there:
            backend.put("llm/openai", {"api_key": "old"})
        expected = store.fetch(HERE).version if there else None
        together = threading.Barrier(4)

        def attempt(number: int) -> str | errors.Error:
            together.wait()
            try:
                return write(store, entries(api_key=f"from {number}"), expected)
            except errors.Error as error:
                return error

        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            ends = list(threads.map(attempt, range(4)))

        lost = [each.reason for each in ends if isinstance(each, errors.Error)]
        assert len(lost) == 3
        assert set(lost) <= {Reason.STORE_CHANGED, Reason.PENDING_HELD_ELSEWHERE}
        (winner,) = (number for number, each in enumerate(ends) if isinstance(each, str))
        assert (store.fetch(HERE).version, held(store)) == (ends[winner], {"api_key": f"from {winner}"})
        # Nobody who lost stands in the way of the next one.
        write(store, entries(api_key="next"), str(ends[winner]))
        assert held(store) == {"api_key": "next"}

    def test_a_store_that_came_back_from_a_backup_is_not_written_over(
        self, backend: WriteBackend, store: Store
    ) -> None:
        backend.put("llm/openai", {"api_key": "one"})
        write(store, entries(api_key="two"), store.fetch(HERE).version)
        version = write(store, entries(api_key="three"), store.fetch(HERE).version)

        backend.goes_back("llm/openai")

        error = refused(store, entries(api_key="four"), version)
        assert error.reason in (Reason.STORE_CHANGED, Reason.FILE_ROLLED_BACK)

    def test_a_login_that_may_only_read_is_told_as_such(self, backend: WriteBackend) -> None:
        backend.put("llm/openai", {"api_key": "one"})
        store = backend.reader()
        store.login()
        before = store.fetch(HERE)

        error = refused(store, entries(api_key=CANARY), before.version)

        assert error.reason is Reason.STORE_READ_ONLY
        assert store.fetch(HERE) == before
        assert_clean(error, CANARY, *backend.credentials)

    def test_bytes_in_a_map_are_refused_and_what_is_too_large_is(self, backend: WriteBackend, store: Store) -> None:
        backend.put("llm/openai", {"api_key": "one"})
        before = store.fetch(HERE)

        bytes_ = refused(store, {"api_key": SecretValue(b"\xff\xfe")}, before.version)
        large = refused(store, entries(api_key=CANARY * 2_000_000), before.version)

        assert (type(bytes_), bytes_.reason) == (errors.Stalled, Reason.DECODE_FAILED)
        assert (type(large), large.reason) == (errors.Stalled, Reason.VALUE_TOO_LARGE)
        assert store.fetch(HERE) == before
        assert_clean(large, CANARY)

    def test_a_write_before_a_login_asks_for_one(self, backend: WriteBackend) -> None:
        assert isinstance(refused(backend.store(), entries(a="b"), None), errors.LoginExpired)

    def test_the_first_owner_of_a_mark_keeps_it_until_he_lets_go(self, backend: WriteBackend, store: Store) -> None:
        assert (store.claim is None) == (store.release is None) == (store.mark is None)
        if not store.claim or not store.release or not store.mark:
            return
        assert failure(lambda: store.claim(HERE, OURS, Mark())).reason is Reason.NOT_FOUND  # type: ignore[misc]
        assert failure(lambda: store.mark(HERE)).reason is Reason.NOT_FOUND  # type: ignore[misc]
        backend.put("llm/openai", {"api_key": CANARY})
        version = store.fetch(HERE).version
        other, elsewhere = Mark("cluster-1", "other", OURS.since), Mark("cluster-2", OURS.journal, OURS.since)

        assert store.mark(HERE) == Mark()
        assert (store.claim(HERE, OURS, Mark()), store.claim(HERE, elsewhere, Mark())) == (OURS, OURS)
        for theirs in (elsewhere, other):
            store.release(HERE, theirs)
            assert store.claim(HERE, theirs, Mark()) == store.mark(HERE) == OURS
        # It is taken over only by somebody who knows whose it is.
        assert store.claim(HERE, other, OURS) == store.mark(HERE) == other
        assert store.claim(HERE, elsewhere, OURS) == other
        store.release(HERE, other)
        store.release(HERE, other)
        assert store.mark(HERE) == Mark()
        assert store.claim(HERE, elsewhere, Mark()) == elsewhere

        # A mark is no version, and no write takes it away.
        assert store.fetch(HERE).version == version
        write(store, entries(api_key="new"), version)
        assert store.mark(HERE) == elsewhere
