"""Entries merged into a Secret that somebody else makes: his stay his, ours are kept right and go with the object."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from audit.trails import Kept
from build import api_key_secret, entry
from world import World

MERGE = {"name": "app", "creationPolicy": "Merge"}
THEIRS = {"THEIRS": "1"}
BOTH = {"OPENAI_API_KEY": "sk-one", **THEIRS}


def secret_of_somebody(world: World, **more: Any) -> None:
    world.secret_is("app", THEIRS, **more)


def test_entries_are_added_and_what_is_there_stays(world: World) -> None:
    operator = world.start()
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    secret_of_somebody(world, metadata={"labels": labels}, type="example.com/their-own")

    world.has_key(target=MERGE)
    world.is_ready()

    assert world.secret("app") == BOTH
    found = world.secret_object("app")
    assert found
    assert found["metadata"]["labels"] == labels | {"keywright.dev/managed": "true"}
    assert "ownerReferences" not in found["metadata"]
    assert world.object()["status"]["keys"] == "1/1"
    world.until(world.event_reasons, "it is told")
    with world.quiet(operator):
        pass


def test_an_entry_that_is_taken_away_by_hand_comes_back(world: World) -> None:
    world.start()
    secret_of_somebody(world)
    world.has_key(target=MERGE)
    world.is_ready()

    path = f"/api/v1/namespaces/{world.namespace}/secrets/app?fieldManager=somebody"
    world.must("PATCH", path, {"data": {"OPENAI_API_KEY": None}}, "application/merge-patch+json")

    world.secret_becomes(BOTH, "app")
    world.until(lambda: "Repaired" in world.event_reasons(), "it is told")


def test_an_entry_that_is_changed_by_hand_is_his_who_changed_it(world: World) -> None:
    world.start()
    secret_of_somebody(world)
    world.has_key(target=MERGE)
    world.is_ready()

    world.change_secret("app", OPENAI_API_KEY="sk-wrong", THEIRS="2")

    said = world.is_refused("KeyOwnedElsewhere")["message"]
    assert f"Secret {world.namespace}/app holds what somebody else wrote as OPENAI_API_KEY" in said
    assert world.secret("app") == {"OPENAI_API_KEY": "sk-wrong", "THEIRS": "2"}


def test_a_secret_that_is_not_there_is_not_made(world: World) -> None:
    world.start()
    world.has_key(target=MERGE)
    said = world.is_refused("TargetMissing")["message"]
    assert f"Secret {world.namespace}/app is not there to be merged into" in said
    assert world.secret("app") is None

    secret_of_somebody(world)
    world.is_ready()
    world.delete_secret("app")
    world.is_refused("TargetMissing")
    world.holds(lambda: world.secret("app") is None, "it is not made")


@pytest.mark.parametrize("how", ["data", "stringData"])
def test_an_entry_that_somebody_else_writes_is_left_to_him_and_named(world: World, how: str) -> None:
    world.start()
    value = base64.b64encode(b"sk-theirs").decode() if how == "data" else "sk-theirs"
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app"}, how: {"OPENAI_API_KEY": value}}
    path = f"/api/v1/namespaces/{world.namespace}/secrets/app?fieldManager=pipeline&force=true"
    world.must("PATCH", path, body, "application/apply-patch+yaml")

    world.has_key(target=MERGE)

    said = world.is_refused("KeyOwnedElsewhere")["message"]
    assert f"Secret {world.namespace}/app holds what somebody else wrote as OPENAI_API_KEY" in said
    assert "sk-" not in said
    assert world.secret("app") == {"OPENAI_API_KEY": "sk-theirs"}


def test_a_label_that_somebody_else_applies_is_left_to_him_and_named(world: World) -> None:
    world.start()
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app", "labels": {"team": "theirs"}}}
    path = f"/api/v1/namespaces/{world.namespace}/secrets/app?fieldManager=pipeline&force=true"
    world.must("PATCH", path, body, "application/apply-patch+yaml")

    world.has_key(target=MERGE | {"labels": {"team": "ours"}})

    said = world.is_refused("KeyOwnedElsewhere")["message"]
    assert f"abel team of Secret {world.namespace}/app is written by somebody else" in said
    assert not world.secret("app")


def test_several_objects_share_a_secret_and_take_out_only_their_own(world: World) -> None:
    world.start()
    secret_of_somebody(world)
    world.has_key(target=MERGE)
    world.put("llm/anthropic", api_key="sk-ant")
    second = api_key_secret("second", entry("ANTHROPIC_API_KEY", "llm/anthropic", "api_key"), target=MERGE)
    world.apply(second)
    world.is_ready()
    world.is_ready("second")
    assert world.secret("app") == BOTH | {"ANTHROPIC_API_KEY": "sk-ant"}

    world.delete("ApiKeySecret", "llm")
    world.secret_becomes({"ANTHROPIC_API_KEY": "sk-ant", **THEIRS}, "app")
    world.holds(lambda: world.condition("second")["status"] == "True", "the other one is in order")

    world.delete("ApiKeySecret", "second")
    world.secret_becomes(THEIRS, "app")
    found = world.secret_object("app")
    assert found
    assert not found["metadata"].get("annotations")
    assert not found["metadata"].get("labels")


def test_one_object_owns_a_secret_and_another_merges_into_it(world: World) -> None:
    world.start()
    world.has_key(target={"name": "app"})
    world.put("llm/anthropic", api_key="sk-ant")
    world.is_ready()

    world.apply(api_key_secret("second", entry("ANTHROPIC_API_KEY", "llm/anthropic", "api_key"), target=MERGE))
    world.is_ready("second")
    assert world.secret("app") == {"OPENAI_API_KEY": "sk-one", "ANTHROPIC_API_KEY": "sk-ant"}

    world.put("llm/openai", api_key="sk-two")
    world.annotate("llm", refresh="1")
    world.secret_becomes({"OPENAI_API_KEY": "sk-two", "ANTHROPIC_API_KEY": "sk-ant"}, "app")


def test_what_is_to_be_kept_stays_when_the_object_goes(world: World) -> None:
    world.start()
    secret_of_somebody(world)
    world.has_key(target=MERGE | {"onDelete": "Retain"})
    world.is_ready()

    world.delete("ApiKeySecret", "llm")

    world.has_gone()
    world.holds(lambda: world.secret("app") == BOTH, "its entries stay")


def test_entries_of_an_object_that_went_while_nobody_watched_are_taken_out(world: World) -> None:
    operator = world.start()
    secret_of_somebody(world)
    world.has_key(target=MERGE)
    world.is_ready()
    operator.stop()
    world.delete("ApiKeySecret", "llm")

    world.start()

    world.secret_becomes(THEIRS, "app")
    withdrawn = Kept(world).has("sync.deleted", code="Withdrawn")
    assert (withdrawn["object"]["name"], withdrawn["secret"]) == ("llm", "app")


def test_entries_leave_a_secret_that_is_no_longer_the_target(world: World) -> None:
    world.start()
    secret_of_somebody(world)
    world.secret_is("next", {"OTHER": "2"})
    world.has_key(target=MERGE)
    world.is_ready()

    world.has_key(target=MERGE | {"name": "next"})

    world.secret_becomes({"OPENAI_API_KEY": "sk-one", "OTHER": "2"}, "next")
    world.secret_becomes(THEIRS, "app")


def test_an_entry_that_leaves_the_object_leaves_the_secret(world: World) -> None:
    world.start()
    secret_of_somebody(world)
    world.put("llm/openai", api_key="sk-one", org="acme")
    world.has_store()
    first, second = entry("KEY", "llm/openai", "api_key"), entry("ORG", "llm/openai", "org")
    world.apply(api_key_secret("llm", first, second, target=MERGE))
    world.is_ready()

    world.apply(api_key_secret("llm", first, target=MERGE))

    world.secret_becomes({"KEY": "sk-one", **THEIRS}, "app")


def test_a_mark_that_somebody_copies_moves_nothing(world: World) -> None:
    world.start()
    secret_of_somebody(world)
    world.has_key(target=MERGE)
    world.is_ready()
    found = world.secret_object("app")
    assert found
    copied = {name: found["metadata"][name] for name in ("labels", "annotations")}
    world.secret_is("copy", {"OPENAI_API_KEY": "sk-copied"}, metadata=copied)

    world.delete("ApiKeySecret", "llm")

    world.secret_becomes(THEIRS, "app")
    world.holds(lambda: world.secret("copy") == {"OPENAI_API_KEY": "sk-copied"}, "what others wrote stays")


@pytest.mark.parametrize("gone", [False, True], ids=["refused", "deleted"])
def test_merging_into_a_secret_is_no_way_to_own_it(world: World, gone: bool) -> None:
    world.start()
    secret_of_somebody(world, metadata={"labels": {"app.kubernetes.io/managed-by": "Helm"}})
    world.has_key(target=MERGE)
    world.is_ready()

    world.has_key(target={"name": "app"})
    world.is_refused("TargetExists")

    if gone:
        world.delete("ApiKeySecret", "llm")
        world.secret_becomes(THEIRS, "app")
    found = world.secret_object("app")
    assert found
    assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert "ownerReferences" not in found["metadata"]


def test_a_secret_that_its_maker_makes_anew_again_and_again_is_no_quarrel(world: World) -> None:
    world.start()
    secret_of_somebody(world)
    world.has_key(target=MERGE)
    world.is_ready()

    for _ in range(5):
        world.delete_secret("app")
        secret_of_somebody(world)
        world.annotate("llm", refresh=str(time.time()))
        world.secret_becomes(BOTH, "app")
    world.is_ready()


DOCKER = {"dockerConfig": {"registries": [{"server": "ghcr.io", "username": "ci", "passwordFrom": "OPENAI_API_KEY"}]}}


def test_a_typed_secret_of_ours_may_become_one_to_merge_into(world: World) -> None:
    world.start()
    world.has_key(target={"name": "app", **DOCKER})
    world.is_ready()
    world.change_secret("app", THEIRS="1")

    world.has_key(target=MERGE | DOCKER)
    world.until(lambda: "ownerReferences" not in (world.secret_object("app") or {})["metadata"], "it is not ours now")
    world.is_ready()
    world.put("llm/openai", api_key="sk-two")
    world.refreshes("1")

    found = world.secret("app")
    assert found and found["THEIRS"] == "1"
    world.until(lambda: "sk-two" in str(world.secret("app")), "it is merged")
    made = world.secret_object("app")
    assert made and made["type"] == "kubernetes.io/dockerconfigjson"


def test_a_secret_that_was_ours_and_holds_nothing_else_goes_with_what_was_merged(world: World) -> None:
    world.start()
    world.has_key(target={"name": "app", **DOCKER})
    world.is_ready()
    world.has_key(target=MERGE | DOCKER)
    world.until(lambda: "ownerReferences" not in (world.secret_object("app") or {})["metadata"], "it is not ours now")
    world.is_ready()

    world.delete("ApiKeySecret", "llm")

    world.secret_becomes(None, "app")
