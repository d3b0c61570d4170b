"""What happens at the same moment: edits, renames, refreshes, lost statuses, quarrels. On the real servers."""

from __future__ import annotations

from typing import Any

import pytest

from build import api_key_secret, entry, key_store
from controlplane import Answer, FaultProxy, Hang, Hold, HoldAnswer, KillBefore
from world import World

STATUS = "/apikeysecrets/llm/status"


def named(target: str) -> dict[str, Any]:
    """Return the object with another target."""
    return api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), target={"name": target})


# Names of targets.


def test_a_rename_and_back_while_the_status_is_written_leaves_nothing_behind(
    api_proxy: FaultProxy, world: World
) -> None:
    world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    world.apply(named("one"))
    world.is_ready()

    with api_proxy.fault(Hold(), method="PATCH", path=STATUS, times=1) as held:
        world.apply(named("two"))
        held.wait()
        world.apply(named("one"))

    world.secret_becomes(None, "two")
    world.secret_becomes({"KEY": "sk-one"}, "one")
    world.is_ready()


def test_a_target_that_was_written_but_never_told_of_goes_after_a_rename(api_proxy: FaultProxy, world: World) -> None:
    first = world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    with api_proxy.fault(KillBefore(first.process.pid), method="PATCH", path=STATUS, times=1):
        world.apply(named("typo"))
        first.process.wait(30)
    assert world.secret("typo") == {"KEY": "sk-one"}

    world.apply(named("right"))
    world.start()

    world.secret_becomes({"KEY": "sk-one"}, "right")
    world.secret_becomes(None, "typo")


def test_a_rename_while_the_store_is_down_is_not_called_a_deletion(bao_proxy: FaultProxy, world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.apply(key_store("vault", bao_proxy.url, world.mount, limits={"timeout": "1s"}))
    world.apply(named("one"))
    world.is_ready()

    bao_proxy.down()
    world.apply(named("two"))
    world.is_refused("StoreUnreachable")
    assert world.object()["status"]["observedGeneration"] == 2
    assert world.secret("one") == {"KEY": "sk-one"}
    bao_proxy.up()

    world.secret_becomes({"KEY": "sk-one"}, "two")
    world.secret_becomes(None, "one")


def test_who_waits_for_the_target_of_another_goes_on_when_that_is_gone(world: World) -> None:
    world.start()
    world.has_store()
    world.put("llm/openai", api_key="sk-one")
    world.apply(api_key_secret("first", entry("KEY", "llm/openai", "api_key"), target={"name": "shared"}))
    world.is_ready("first")
    world.apply(api_key_secret("second", entry("KEY", "llm/openai", "api_key"), target={"name": "shared"}))
    for refresh in range(6):
        # Its pauses have become longer than this test waits.
        world.annotate("second", refresh=str(refresh))
        world.is_refused("TargetOwnedElsewhere", "second")

    world.delete("ApiKeySecret", "first")

    world.until(lambda: world.condition("second")["status"] == "True", "it goes on", seconds=15)


def test_a_copy_that_somebody_made_of_the_secret_stays(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    copy = world.secret_object() or {}
    for name in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        copy["metadata"].pop(name, None)
    copy["metadata"]["name"] = "backup"

    world.must("POST", f"/api/v1/namespaces/{world.namespace}/secrets", copy)
    world.annotate("llm", refresh="1")

    world.until(lambda: world.object()["status"].get("lastHandledRefresh") == "1", "it was looked at")
    world.holds(lambda: world.secret("backup"), "the copy stays")


@pytest.mark.parametrize("trouble", ["store", "key"])
def test_an_edit_that_was_made_in_times_of_trouble_is_not_forgotten(world: World, trouble: str) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    if trouble == "store":
        world.apply(key_store("vault", world.bao.url, world.mount + "-gone"))
        world.is_refused("MountNotFound")
    else:
        world.forget("llm/openai")
        world.annotate("llm", refresh="1")
        world.is_refused("NotFound")

    edited = {"labels": {"team": "a"}, "onDelete": "Retain"}
    world.apply(api_key_secret("llm", entry("OPENAI_API_KEY", "llm/openai", "api_key"), target=edited))
    world.until(lambda: world.object()["status"]["observedGeneration"] == 2, "the edit is seen")
    world.has_store()
    world.put("llm/openai", api_key="sk-one")
    world.annotate("llm", refresh="2")

    world.is_ready()
    meta = (world.secret_object() or {})["metadata"]
    assert meta["labels"]["team"] == "a"
    assert "ownerReferences" not in meta


# What is told.


def test_a_refresh_is_acknowledged_only_when_it_was_read_for(bao_proxy: FaultProxy, world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.apply(key_store("vault", bao_proxy.url, world.mount))
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key")))
    world.is_ready()

    def handled() -> object:
        return world.object()["status"].get("lastHandledRefresh")

    hold = HoldAnswer()
    first = bao_proxy.fault(hold, path="/data/llm/", times=1)
    world.annotate("llm", refresh="a")
    assert hold.done.wait(10)
    with bao_proxy.fault(Hold(), path="/data/llm/") as second:
        world.put("llm/openai", api_key="sk-two")
        world.annotate("llm", refresh="b")
        first.end()
        second.wait()
        world.holds(lambda: handled() != "b", "the second is not acknowledged yet")
        assert world.secret() == {"KEY": "sk-one"}

    world.until(lambda: handled() == "b", "the second is acknowledged")
    assert world.secret() == {"KEY": "sk-two"}


def test_what_is_said_is_said_once_though_the_status_was_written_at_the_same_moment(
    api_proxy: FaultProxy, world: World
) -> None:
    world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.has_store()

    with api_proxy.fault(Answer(409), method="PATCH", path=STATUS, times=2):
        world.apply(api_key_secret("llm", entry("KEY", "llm/none", "api_key")))
        world.is_refused("NotFound")

    world.has_events("Refused")
    world.holds(lambda: "series" not in world.events()[0], "it is no series", seconds=3)


def test_another_refusal_has_an_event_of_its_own(world: World) -> None:
    world.start()
    world.has_store()
    world.put("llm/openai", api_key="sk-one")
    world.secret_is("llm", {"theirs": "value"})
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "none")))
    world.is_refused("PropertyNotFound")
    world.has_events("Refused")

    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key")))
    world.is_refused("TargetExists")

    world.has_events("Refused", "Refused")
    assert [each["note"].partition(":")[0] for each in world.events()] == ["PropertyNotFound", "TargetExists"]


def test_a_secret_that_is_gone_is_not_said_to_keep_anything(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    world.forget("llm/openai")
    world.annotate("llm", refresh="1")
    assert "keeps version 1" in world.told("NotFound")

    world.delete_secret("llm")

    world.until(lambda: "Secret llm was deleted" in world.condition()["message"], "it is told")
    assert "keeps" not in world.told("NotFound")


def test_the_owner_that_a_foreign_secret_names_is_not_repeated(world: World) -> None:
    world.start()
    forged = {"keywright.dev/api-key-secret": "x\nERROR forged sk-canary"}
    world.secret_is("llm", {"theirs": "value"}, metadata={"annotations": forged})
    world.has_key()

    said = world.told("TargetOwnedElsewhere")

    assert "forged" not in said
    assert "is written by another ApiKeySecret" in said


# Quarrels.


def test_a_label_that_is_taken_away_twice_is_no_quarrel(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    path = f"/api/v1/namespaces/{world.namespace}/secrets/llm?fieldManager=somebody"
    taken = {"metadata": {"labels": {"keywright.dev/managed": None}}}

    def labelled() -> bool:
        return "keywright.dev/managed" in ((world.secret_object() or {})["metadata"].get("labels") or {})

    for _ in range(3):
        world.must("PATCH", path, taken, "application/merge-patch+json")
        world.until(labelled, "it is put right")
    world.is_ready()


def test_a_watch_that_is_silent_is_no_quarrel(api_proxy: FaultProxy, world: World) -> None:
    world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.has_store()
    world.put("llm/openai", api_key="sk-one")

    with api_proxy.fault(Hang(), path=r"/secrets\?.*watch=true") as silent:
        api_proxy.cut()
        silent.wait()
        world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key")))
        world.is_ready()
        for number in range(5):
            world.annotate("llm", refresh=str(number))
            world.until(lambda: world.object()["status"].get("lastHandledRefresh") == str(number), "handled")  # noqa: B023
        world.is_ready()
    world.has_events("Created")


# Statuses that were lost.


@pytest.mark.parametrize("more", [{"optional": True}, {"default": "none"}])
def test_a_key_that_is_gone_is_not_taken_away_when_the_status_was_lost(world: World, more: dict[str, Any]) -> None:
    world.start()
    world.has_store()
    world.put("llm/a", api_key="sk-a")
    world.put("llm/b", api_key="sk-b")
    manifest = api_key_secret(
        "llm", entry("A", "llm/a", "api_key"), entry("B", "llm/b", "api_key", **more), target={"onDelete": "Retain"}
    )
    world.apply(manifest)
    world.is_ready()
    world.forget("llm/b")
    world.delete("ApiKeySecret", "llm")

    world.apply(manifest)

    world.is_refused("NotFound")
    assert world.secret() == {"A": "sk-a", "B": "sk-b"}
