"""What the stores say less of leaves no Secret without leave: also where the status was lost, and beside edits."""

from __future__ import annotations

from typing import Any

import pytest

from build import api_key_secret, entry
from world import World


def extract(path: str = "llm/shared", **more: Any) -> dict[str, Any]:
    return {"extract": {"path": path}, **more}


def lose_status(world: World) -> None:
    status = world.path("ApiKeySecret", "llm") + "/status"
    world.must("PATCH", status, {"status": None}, "application/merge-patch+json")


def test_optional_and_deletion_policy_do_not_flap(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    world.apply(
        api_key_secret("llm", entry("KEY", "llm/openai", "api_key", optional=True), target={"deletionPolicy": "Delete"})
    )
    world.is_ready()
    world.forget("llm/openai")
    world.annotate("llm", refresh="1")
    world.secret_becomes(None)
    for number in range(3):
        world.refreshes(f"again-{number}")
    world.holds(lambda: world.secret() is None, "it is not made again")


def test_what_is_said_after_the_secret_went_stays_true(world: World) -> None:
    world.start()
    world.has_key(target={"deletionPolicy": "Delete"})
    world.is_ready()
    world.forget("llm/openai")
    world.annotate("llm", refresh="1")
    world.secret_becomes(None)
    world.is_refused("NotFound")
    world.holds(
        lambda: "there is no Secret llm" in world.condition()["message"], "it is told why the Secret is not there", 10
    )


def test_an_optional_extract_that_is_missing_is_partial(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    world.apply(
        api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), dataFrom=[extract("llm/none", optional=True)])
    )
    world.is_ready()
    assert world.condition()["reason"] == "Partial"


def test_entries_of_an_optional_extract_stay_when_the_object_comes_back(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.put("llm/shared", A="1", B="2")
    world.has_store()
    manifest = api_key_secret(
        "llm",
        entry("KEY", "llm/openai", "api_key"),
        dataFrom=[extract(optional=True)],
        target={"onDelete": "Retain"},
    )
    world.apply(manifest)
    world.is_ready()
    world.delete("ApiKeySecret", "llm")
    world.has_gone()
    world.forget("llm/shared")
    world.apply(manifest)
    world.until(lambda: world.condition().get("status") in ("True", "False"), "looked at")
    assert world.secret() == {"KEY": "sk-one", "A": "1", "B": "2"}


@pytest.mark.parametrize("how", ["dotenv", "template"])
def test_what_is_inside_of_a_file_stays_when_the_object_comes_back(world: World, how: str) -> None:
    world.start()
    world.put("llm/shared", A="1", B="2")
    world.has_store()
    made: dict[str, Any] = (
        {"dotenv": {}}
        if how == "dotenv"
        else {"template": {"stringData": {"it": "{% for k, v in entries | items %}{{ k }}={{ v }}\n{% endfor %}"}}}
    )
    manifest = api_key_secret("llm", dataFrom=[extract()], target={"onDelete": "Retain", **made})
    world.apply(manifest)
    world.is_ready()
    before = world.secret()
    world.delete("ApiKeySecret", "llm")
    world.has_gone()
    world.put("llm/shared", A="1")
    world.apply(manifest)
    world.until(lambda: world.condition().get("status") in ("True", "False"), "looked at")
    assert world.secret() == before


def test_optional_entry_in_a_template_stays_when_the_status_was_lost(world: World) -> None:
    operator = world.start()
    world.put("llm/openai", api_key="sk-one")
    world.put("llm/region", name="us")
    world.has_store()
    entries = entry("KEY", "llm/openai", "api_key"), entry("region", "llm/region", "name", optional=True)
    text = "{{ KEY }}@{{ region | default('eu') }}"
    world.apply(api_key_secret("llm", *entries, target={"template": {"stringData": {"url": text}}}))
    world.is_ready()
    operator.stop()
    lose_status(world)
    world.forget("llm/region")
    world.start()
    world.until(lambda: world.condition().get("status") in ("True", "False"), "looked at")
    assert world.secret() == {"url": "sk-one@us"}


@pytest.mark.parametrize("more", [True, False], ids=["beside", "alone"])
def test_making_an_extract_optional_takes_nothing_away(world: World, more: bool) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.put("llm/shared", A="1", B="2")
    world.has_store()
    data = [entry("KEY", "llm/openai", "api_key")] if more else []
    world.apply(api_key_secret("llm", *data, dataFrom=[extract()]))
    world.is_ready()
    before = world.secret()
    world.forget("llm/shared")
    world.annotate("llm", refresh="1")
    world.is_refused("NotFound")
    world.apply(api_key_secret("llm", *data, dataFrom=[extract(optional=True)]))
    world.until(lambda: world.object()["status"]["observedGeneration"] == 2, "looked at")
    assert world.secret() == before


def test_renaming_by_rewrite_while_the_store_has_less_takes_nothing_away(world: World) -> None:
    world.start()
    world.put("llm/shared", A="1", B="2")
    world.has_store()
    world.apply(api_key_secret("llm", dataFrom=[extract()]))
    world.is_ready()
    world.put("llm/shared", A="1")
    world.annotate("llm", refresh="1")
    world.is_refused("FewerEntries")
    # A rule that changes no name.
    world.apply(api_key_secret("llm", dataFrom=[extract(rewrite=[{"regexp": {"source": "^x_", "target": ""}}])]))
    world.until(lambda: world.object()["status"]["observedGeneration"] == 2, "looked at")
    assert world.secret() == {"A": "1", "B": "2"}


def test_what_others_wrote_into_an_adopted_secret_stays_when_all_keys_are_gone(world: World) -> None:
    world.start()
    world.put("llm/shared", A="1", B="2")
    world.put("llm/shared", A="1")
    world.put("llm/shared", A="1", B="2")
    world.has_store()
    world.apply(api_key_secret("llm", dataFrom=[extract()], target={"deletionPolicy": "Delete", "adopt": "Always"}))
    world.is_ready()
    world.change_secret("llm", THEIRS="1")
    world.forget("llm/shared")
    world.annotate("llm", refresh="1")
    world.is_refused("NotFound")
    assert (world.secret() or {}).get("THEIRS") == "1"


def test_entries_of_another_object_survive_deletion_policy(world: World) -> None:
    world.start()
    world.has_key(target={"name": "app", "deletionPolicy": "Delete"})
    world.is_ready()
    world.put("llm/b", v="b")
    world.apply(api_key_secret("second", entry("B", "llm/b", "v"), target={"name": "app", "creationPolicy": "Merge"}))
    world.is_ready("second")
    world.forget("llm/openai")
    world.annotate("llm", refresh="1")
    world.is_refused("NotFound")
    assert (world.secret("app") or {}).get("B") == "b"


def test_rename_of_an_owned_secret_keeps_what_others_wrote(world: World) -> None:
    world.start()
    world.secret_is("app", {"THEIRS": "1"})
    world.has_key(target={"name": "app", "adopt": "Always"})
    world.is_ready()
    world.has_key(target={"name": "other", "adopt": "Always"})
    world.is_ready()
    world.secret_becomes({"THEIRS": "1"}, "app")


def test_mark_of_the_object_taken_off_by_hand_does_not_make_a_lie(world: World) -> None:
    world.start()
    world.has_key(target={"deletionPolicy": "Delete"})
    world.is_ready()
    world.operators[0].stop()
    path = f"/api/v1/namespaces/{world.namespace}/secrets/llm?fieldManager=somebody"
    body = {"metadata": {"annotations": {"keywright.dev/api-key-secret": None}}}
    world.must("PATCH", path, body, "application/merge-patch+json")
    world.forget("llm/openai")
    world.annotate("llm", refresh="1")
    world.start()
    world.is_refused("NotFound")
    said = str([each.get("note") for each in world.events()]) + world.condition()["message"]
    assert "there is no Secret" not in said
    assert world.secret()
