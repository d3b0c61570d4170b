"""In the middle of a rotation somebody changes what it is about: nobody loses a key, and nothing is left over."""

from __future__ import annotations

import pytest

from build import key_action
from keywright import pacing
from sweeping.stage import Stage, Subject


@pytest.fixture
def rotating(stage: Stage) -> Stage:
    """A stage with an operator."""
    stage.begins()
    return stage


def ours(stage: Stage, subject: Subject) -> list[str]:
    """Return the keys of a rotation that are alive."""
    return [each.parts["apiKey"] for each in stage.vendor.made.values() if each.name.startswith(f"kw-{subject.uid}-")]


def test_a_wish_that_changes_on_the_way_counts_from_then_on(rotating: Stage) -> None:
    stage, subject = rotating, rotating.subject()
    stage.wants(subject, overlap="1h")

    with stage.watching(subject) as watcher:
        with stage.held(subject, "store"):
            stage.wants(subject, overlap="0")
        stage.ends(subject, "Rotated")

    assert watcher.wrong(stage.vendor.lives, subject.first) == []
    stage.is_well(subject)
    # Also for a wait that has begun.
    other = stage.subject()
    stage.spreads(other)
    before = pacing.unix(stage.told(other)["until"])
    assert before
    stage.wants(other, overlap="3h")
    stage.world.until(lambda: pacing.unix(stage.told(other)["until"]) == before + 7200, "it is longer")
    stage.wants(other, overlap="0")
    stage.ends(other, "Rotated")
    stage.is_well(other)


def test_a_key_that_is_wanted_no_more_is_revoked_before_anybody_has_it(rotating: Stage) -> None:
    stage, subject = rotating, rotating.subject()
    other = stage.subject()

    with stage.watching(subject) as watcher:
        with stage.held(subject, "issue"):
            stage.wants(subject, path=other.path)
        stage.world.until(lambda: stage.key(subject.name) == other.first, "it has the other key")
        stage.world.until(lambda: not ours(stage, subject), "the new key is revoked")

    wrong = watcher.wrong(stage.vendor.lives, subject.first)
    # The other one needs no test: it is in use.
    assert [each for each in wrong if each != "the Secret had a key that was not tested"] == []
    assert stage.stored(subject)["api_key"] == stage.key(f"{subject.name}-reader") == subject.first
    assert stage.vendor.lives[subject.first or ""].ended is None


def test_a_deleted_object_leaves_no_key_that_nobody_has(rotating: Stage) -> None:
    stage, subject = rotating, rotating.subject()

    with stage.held(subject, "issue"):
        stage.world.delete("ApiKeySecret", subject.name)

    stage.world.until(lambda: stage.vendor.made and not ours(stage, subject), "the new key is revoked")
    stage.world.until(lambda: not stage.journals(subject, over=False), "the journal is forgotten")
    stage.world.has_gone(subject.name)
    assert stage.stored(subject)["api_key"] == stage.key(f"{subject.name}-reader") == subject.first
    stage.is_recorded()


def test_a_deletion_revokes_no_key_that_somebody_may_use(rotating: Stage) -> None:
    stage, subject = rotating, rotating.subject()
    stage.wants(subject, overlap="1h")
    stage.asks(subject)
    stage.world.until(lambda: stage.told(subject).get("step") == "Grace", "the new key is in use")

    stage.world.delete("ApiKeySecret", subject.name)

    stage.world.has_gone(subject.name)
    stage.world.until(lambda: stage.journals(subject, over=False) and stage.at_rest(subject), "its rotation is over")
    (new,) = ours(stage, subject)
    assert stage.vendor.lives[subject.first or ""].ended is None
    assert stage.stored(subject)["api_key"] == stage.key(f"{subject.name}-reader") == new
    stage.is_recorded()


def test_a_key_that_moves_while_the_old_one_still_works_goes_on_at_its_new_place(rotating: Stage) -> None:
    stage, subject = rotating, rotating.subject()
    other = stage.subject()
    stage.world.delete("ApiKeySecret", other.name)
    stage.wants(subject, overlap="1h")
    stage.asks(subject)
    stage.world.until(lambda: stage.told(subject).get("step") == "Grace", "the new key is in use")

    stage.wants(subject, path=other.path)

    stage.world.until(lambda: stage.key(subject.name) == other.first, "it has the other key")
    stage.world.until(lambda: stage.at_rest(subject), "its rotation is over")
    assert ours(stage, subject) == [stage.key(f"{subject.name}-reader")]
    # What is left alive is told, and waits for a person.
    stage.world.until(lambda: stage.told(subject).get("debts"), lambda: f"it is told: {stage.told(subject)}")
    assert [each["owed"] for each in stage.told(subject)["debts"]] == ["Keep"]


def test_a_namespace_that_goes_leaves_no_key_that_nobody_has(stage: Stage) -> None:
    stage.begins_for_all()
    subject = stage.subject()

    with stage.held(subject, "issue"):
        stage.world.must("DELETE", f"/api/v1/namespaces/{stage.world.namespace}")
        stage.world.has_gone(subject.name)

    stage.world.until(lambda: stage.vendor.made and not ours(stage, subject), "the new key is revoked")
    stage.world.until(lambda: not stage.journals(subject, over=False), "the journal is forgotten")
    assert stage.stored(subject)["api_key"] == subject.first
    assert stage.vendor.lives[subject.first or ""].ended is None
    stage.is_recorded()


def test_of_two_that_want_to_rotate_a_key_one_does(rotating: Stage) -> None:
    stage, subject = rotating, rotating.subject()

    with stage.watching(subject) as watcher:
        with stage.held(subject, "store"):
            stage.wants(subject, name="second")
            stage.world.is_ready("second")
            stage.world.apply(key_action("second", "second", action="Rotate", reason="Test"))
            stage.world.ends("second", "Failed")
            told = stage.world.object("second", "KeyAction")["status"]
            assert told["reason"] == "RotationOwnedElsewhere"
        stage.ends(subject, "Rotated")

    assert watcher.wrong(stage.vendor.lives, subject.first) == []
    stage.is_well(subject)
    stage.world.until(
        lambda: stage.world.condition("second", type_="Rotating").get("reason") == "RotationOwnedElsewhere",
        lambda: f"it is told; it is {stage.world.condition('second', type_='Rotating')}",
    )


def test_a_store_that_is_restored_from_a_backup_gets_the_new_key_again(rotating: Stage) -> None:
    stage, subject = rotating, rotating.subject()
    stage.wants(subject, overlap="5s")

    with stage.watching(subject) as watcher:
        stage.asks(subject)
        stage.world.until(lambda: stage.told(subject).get("step") == "Grace", "the new key is in use")
        stage.world.put(subject.path, api_key=subject.first, region="eu")
        stage.ends(subject, "Rotated")

    assert watcher.wrong(stage.vendor.lives, subject.first) == []
    stage.is_well(subject)
