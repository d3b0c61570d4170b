"""The types of errors, and the boundary that no foreign exception crosses."""

from __future__ import annotations

import re
import traceback

import pytest

from keywright import errors
from keywright.errors import Reason

CANARY = "sk-canary-0123456789abcdef"


def _translated(foreign: Exception) -> errors.Error:
    return errors.Outage(Reason.STORE_ERROR, f"failed with {type(foreign).__name__}")


def _out_of(failing: Exception) -> errors.Error:
    with pytest.raises(errors.Error) as caught, errors.boundary(_translated):
        raise failing
    return caught.value


def _reachable(error: BaseException) -> list[BaseException]:
    """Everything that a reporter finds by following the links of an exception."""
    found: list[BaseException] = []
    rest: list[BaseException | None] = [error]
    while rest:
        each = rest.pop()
        if each is not None and each not in found:
            found.append(each)
            rest += [each.__context__, each.__cause__]
    return found


def test_a_foreign_exception_cannot_be_reached_from_what_leaves_the_boundary() -> None:
    error = _out_of(ValueError(CANARY))

    assert error.reason is Reason.STORE_ERROR
    assert _reachable(error) == [error]
    assert CANARY not in "".join(traceback.format_exception(error))


def test_an_own_error_passes_the_boundary_as_it_is() -> None:
    own = errors.Stalled(Reason.NOT_FOUND, "answered 404 for a")

    assert _out_of(own) is own


def test_an_own_error_raised_while_a_foreign_one_was_handled_loses_it_at_the_boundary() -> None:
    def careless() -> None:
        try:
            raise ValueError(CANARY)
        except ValueError as foreign:
            raise errors.Stalled(Reason.NOT_FOUND, "answered 404 for a") from foreign

    with pytest.raises(errors.Stalled) as caught, errors.boundary(_translated):
        careless()

    assert _reachable(caught.value) == [caught.value]


def test_an_exception_group_is_foreign_too() -> None:
    error = _out_of(ExceptionGroup(CANARY, [ValueError(CANARY)]))

    assert _reachable(error) == [error]
    assert str(error) == "failed with ExceptionGroup"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_process_passes_the_boundary(kind: type[BaseException]) -> None:
    with pytest.raises(kind), errors.boundary(_translated):
        raise kind


def test_nothing_happens_where_nothing_fails() -> None:
    with errors.boundary(_translated):
        done = True

    assert done


ALL = [
    errors.Error(Reason.NOT_FOUND, "answered 404 for a", "Check the path"),
    errors.Stalled(Reason.NOT_FOUND, "answered 404 for a", "Check the path"),
    errors.Retry(Reason.STORE_BUSY, "is busy", "Wait", after=3.0),
    errors.Outage(Reason.STORE_SEALED, "is sealed", after=7.0),
    errors.LoginExpired(Reason.ACCESS_DENIED, "answered 403 for a"),
]


@pytest.mark.parametrize("error", ALL, ids=lambda each: type(each).__name__)
def test_about_names_the_subject_and_keeps_everything_else(error: errors.Error) -> None:
    before = dict(vars(error))

    named = error.about("KeyStore/vault")

    assert type(named) is type(error)
    assert str(named) == named.message == f"KeyStore/vault {error.message}"
    assert vars(named) == {**before, "message": named.message}
    assert vars(error) == before
    assert str(error) == before["message"]


def test_about_leaves_the_places_of_the_failing_behind() -> None:
    try:
        raise errors.Stalled(Reason.NOT_FOUND, "answered 404 for a")
    except errors.Stalled as error:
        named = error.about("KeyStore/vault")

    assert named.__traceback__ is None
    assert _reachable(named) == [named]


def test_reasons_are_camel_case_and_unique() -> None:
    values = [str(each) for each in Reason]

    assert len(set(values)) == len(values)
    assert [each for each in values if not re.fullmatch(r"([A-Z][a-z]+|TLS)+", each)] == []
