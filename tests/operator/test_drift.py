"""What somebody else does to a Secret of ours is put right; what he adds to it is his."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from build import api_key_secret, entry
from world import World

OWNER = "keywright.dev/api-key-secret"
MANAGED = "keywright.dev/managed"


def secret_path(world: World, name: str = "llm") -> str:
    return f"/api/v1/namespaces/{world.namespace}/secrets/{name}"


def change_metadata(world: World, **metadata: Any) -> None:
    """Change the metadata of the Secret, as ``kubectl label`` and its like do; None takes a name away."""
    path = f"{secret_path(world)}?fieldManager=somebody"
    world.must("PATCH", path, {"metadata": metadata}, "application/merge-patch+json")


def has_owner_metadata(world: World) -> bool:
    """Whether the Secret says whose it is."""
    secret = world.secret_object()
    meta = secret["metadata"] if secret else {}
    references = [each["name"] for each in meta.get("ownerReferences", [])]
    marked = meta.get("annotations", {}).get(OWNER) == f"{world.namespace}/llm"
    return marked and meta.get("labels", {}).get(MANAGED) == "true" and references == ["llm"]


@pytest.mark.parametrize(
    "taken",
    [
        {"labels": {MANAGED: None}},
        {"annotations": {OWNER: None}},
        {"ownerReferences": None},
        {"labels": {MANAGED: None}, "annotations": {OWNER: None}},
        {"labels": None, "annotations": None, "ownerReferences": None},
    ],
    ids=["label", "annotation", "owner-reference", "label-and-annotation", "everything"],
)
def test_a_secret_that_no_longer_says_whose_it_is_is_marked_again(world: World, taken: dict[str, Any]) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    assert has_owner_metadata(world)

    change_metadata(world, **taken)

    world.until(lambda: has_owner_metadata(world), "the Secret says again whose it is")
    assert world.secret() == {"OPENAI_API_KEY": "sk-one"}
    world.has_events("Created", "Repaired")


def test_a_secret_that_is_replaced_gets_its_entries_back_and_keeps_what_is_new(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    secret = world.secret_object()
    assert secret

    # As kubectl replace does: an entry that is not named is gone.
    secret["data"] = {"THEIRS": base64.b64encode(b"1").decode()}
    world.must("PUT", f"{secret_path(world)}?fieldManager=kubectl-replace", secret)

    world.secret_becomes({"OPENAI_API_KEY": "sk-one", "THEIRS": "1"})
    assert has_owner_metadata(world)
    world.has_events("Created", "Repaired")


def test_a_secret_of_which_nothing_is_left_that_was_ours_is_somebody_elses(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    secret = world.secret_object()
    assert secret

    meta = {"name": "llm", "resourceVersion": secret["metadata"]["resourceVersion"]}
    theirs = {"THEIRS": base64.b64encode(b"1").decode()}
    world.must("PUT", f"{secret_path(world)}?fieldManager=kubectl-replace", {"metadata": meta, "data": theirs})

    said = world.told("TargetExists")
    assert said.startswith("Secret NS/llm is there already and is not ours, since NOW. ")
    assert world.secret() == {"THEIRS": "1"}
    world.delete_secret("llm")
    world.secret_becomes({"OPENAI_API_KEY": "sk-one"})


def test_an_entry_that_another_manager_takes_by_force_is_taken_back(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    taken = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "llm", "labels": {"team": "b"}}}
    taken["stringData"] = {"OPENAI_API_KEY": "sk-theirs", "THEIRS": "1"}

    query = "?fieldManager=flux&force=true"
    world.must("PATCH", secret_path(world) + query, taken, "application/apply-patch+yaml")

    world.secret_becomes({"OPENAI_API_KEY": "sk-one", "THEIRS": "1"})
    secret = world.secret_object()
    assert secret and secret["metadata"]["labels"]["team"] == "b"


def test_a_change_that_concerns_others_entries_only_is_no_drift(world: World) -> None:
    operator = world.start()
    world.has_key()
    world.is_ready()
    world.has_events("Created")
    mark = world.plane.mark()

    world.change_secret("llm", THEIRS="1")
    change_metadata(world, labels={"team": "b"}, annotations={"note": "x"})

    # Two looks, or one for both changes; and not one write.
    world.until(lambda: [each.verb for each in world.requests(operator, mark)], "it looks")
    world.holds(lambda: not world.writes(operator, mark), "nothing is written")
    assert world.secret() == {"OPENAI_API_KEY": "sk-one", "THEIRS": "1"}
    world.has_events("Created")


def has_been_edited_often(world: World) -> None:
    """Let there be a Secret that was put right as often as it is without a word."""
    world.has_key()
    world.is_ready()
    for wrong in ("sk-a", "sk-b", "sk-c"):
        world.change_secret("llm", OPENAI_API_KEY=wrong)
        world.secret_becomes({"OPENAI_API_KEY": "sk-one"})


def test_a_secret_that_is_changed_back_again_and_again_is_contested_and_the_other_is_named(world: World) -> None:
    world.start()
    has_been_edited_often(world)

    world.change_secret("llm", OPENAI_API_KEY="sk-d")

    said = world.told("DriftContested")
    assert said.startswith("Secret llm had to be put right 3 times within 10 minutes and changed again by ")
    assert said.endswith("Find out who writes it and make it stop, or choose another target.name.")
    assert "sk-" not in said
    assert world.secret() == {"OPENAI_API_KEY": "sk-d"}


def test_a_contested_secret_that_is_deleted_comes_back_and_a_person_ends_the_quarrel(world: World) -> None:
    world.start()
    has_been_edited_often(world)
    world.change_secret("llm", OPENAI_API_KEY="sk-d")
    world.is_refused("DriftContested")

    world.delete_secret("llm")
    world.secret_becomes({"OPENAI_API_KEY": "sk-one"})
    world.is_ready()
    world.change_secret("llm", OPENAI_API_KEY="sk-e")
    world.is_refused("DriftContested")

    world.annotate("llm", refresh="1")
    world.secret_becomes({"OPENAI_API_KEY": "sk-one"})
    world.is_ready()


def test_the_other_who_contests_a_secret_is_named_by_his_field_manager(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    for wrong in ("sk-a", "sk-b", "sk-c", "sk-d"):
        world.secret_becomes({"OPENAI_API_KEY": "sk-one"})
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "llm"}}
        body["stringData"] = {"OPENAI_API_KEY": wrong}
        query = "?fieldManager=helm-controller&force=true"
        world.must("PATCH", secret_path(world) + query, body, "application/apply-patch+yaml")

    assert "changed again by helm-controller, since" in world.told("DriftContested")
    assert world.condition(type_="Reconciling")["status"] == "True"


def test_a_leftover_entry_that_somebody_else_writes_too_is_left_to_him(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one", org="acme")
    world.has_store()
    first, second = entry("KEY", "llm/openai", "api_key"), entry("ORG", "llm/openai", "org")
    world.apply(api_key_secret("llm", first, second))
    world.is_ready()
    shared = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "llm"}}
    shared["data"] = {"ORG": base64.b64encode(b"acme").decode()}
    world.must("PATCH", f"{secret_path(world)}?fieldManager=theirs", shared, "application/apply-patch+yaml")

    world.apply(api_key_secret("llm", first))
    world.is_ready()

    assert world.secret() == {"KEY": "sk-one", "ORG": "acme"}
