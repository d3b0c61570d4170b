"""Issuers that answer nonsense, late, or have room for two keys alone: users keep a key that works, and it ends."""

from __future__ import annotations

import typing
from collections.abc import Callable

import pytest

from controlplane import LoseAnswer
from rotating import LISTED, declared
from sweeping.stage import Stage
from vendors.base import Request
from vendors.server import Mood

#: At which request an issuer has its mood.
WHEN: dict[str, Callable[[Request], bool]] = {
    "issue": lambda asked: asked.method == "POST",
    "list": lambda asked: asked.method == "GET" and asked.path.endswith("/api_keys"),
    "revoke": lambda asked: asked.method == "DELETE",
    "test": lambda asked: asked.path == "/v1/models",
}
MOODS = tuple(each for each in typing.get_args(Mood) if each != "documented")
#: What is tried each time.
SHORT = (("issue", "garbage"), ("revoke", "hangs up"), ("test", "echo"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try every mood in the whole sweep, each when in one world."""
    if "moody" in metafunc.fixturenames:
        whole = [tuple((when, mood) for mood in MOODS) for when in WHEN]
        metafunc.parametrize("moody", whole if metafunc.config.option.sweep == "whole" else [SHORT])


@pytest.mark.timeout(1800)
def test_an_answer_that_is_none_is_looked_into(stage: Stage, moody: tuple[tuple[str, Mood], ...]) -> None:
    stage.begins()
    for when, mood in moody:
        subject = stage.subject()
        print(f"{mood} when asked to {when}")  # noqa: T201 - where it fails this is what one wants
        stage.server.touches, stage.server.mood = WHEN[when], mood

        stage.runs(subject)

        assert stage.server.mood == "documented"


def test_a_key_that_is_known_late_is_waited_for_and_so_is_the_death_of_the_old_one(stage: Stage) -> None:
    stage.begins()
    stage.vendor.unknown_for, stage.vendor.known_for = 3.0, 3.0
    subject = stage.subject()

    stage.runs(subject)

    life = stage.vendor.lives[stage.key(subject.name) or ""]
    assert life.passed is not None and life.passed >= life.made + 3.0


def test_where_there_are_as_many_keys_as_may_be_nothing_changes(stage: Stage) -> None:
    stage.begins()
    subject = stage.subject()
    stage.vendor.cap = len(stage.vendor.made)

    stage.runs(subject, outcome="RolledBack")

    stage.vendor.cap = None
    stage.runs(subject)


def test_a_key_of_two_whose_answer_is_lost_makes_room_again(stage: Stage) -> None:
    call = LISTED | {"name": "name"}
    # A person has one more.
    stage.begins({"webhook": declared(stage.proxies["issuer"].url, list=call, maxKeys=3)})
    subject = stage.subject(key=False)
    stage.runs(subject)
    subject.first = stage.key(subject.name)
    stage.vendor.cap = 2

    with stage.proxies["issuer"].fault(LoseAnswer(), method="POST", path="/api_keys", times=1):
        stage.runs(subject)

    assert len(stage.vendor.made) == 1


def test_a_lost_key_that_cannot_be_looked_for_is_owed_and_the_old_one_stays(stage: Stage) -> None:
    stage.begins({"webhook": declared(stage.proxies["issuer"].url)})
    subject = stage.subject(key=False)
    stage.runs(subject)
    subject.first = stage.key(subject.name)

    with stage.proxies["issuer"].fault(LoseAnswer(), method="POST", path="/api_keys", times=1):
        stage.asks(subject)
        stage.ends(subject, "RolledBack")

    assert [each["owed"] for each in stage.told(subject)["debts"]] == ["Find"]
    assert stage.stored(subject)["api_key"] == stage.key(subject.name) == subject.first
    assert stage.vendor.lives[subject.first or ""].ended is None
    stage.is_recorded()


def test_a_key_without_a_name_that_is_listed_long_after_its_answer_was_lost_is_ended(stage: Stage) -> None:
    call = LISTED | {"createdAt": "created_at"}
    stage.begins({"webhook": declared(stage.proxies["issuer"].url, list=call)})
    subject = stage.subject(key=False)
    stage.runs(subject)
    subject.first = stage.key(subject.name)
    stage.vendor.hides = 1

    with stage.proxies["issuer"].fault(LoseAnswer(), method="POST", path="/api_keys", times=1):
        stage.asks(subject)
        stage.ends(subject, "Rotated")

    (late,) = stage.vendor.hidden
    assert stage.key(subject.name) not in (subject.first, stage.vendor.made[late].parts["apiKey"])
    stage.vendor.hidden.clear()
    stage.world.until(lambda: late not in stage.vendor.made, "it is ended once it is listed")
    stage.world.until(lambda: not stage.told(subject).get("debts"), "nothing is owed")
    stage.is_well(subject)
