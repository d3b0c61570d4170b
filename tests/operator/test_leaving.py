"""Objects that go, and what stays of them."""

from __future__ import annotations

from build import api_key_secret, entry
from world import World


def test_an_orphaned_secret_stays(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    body = {"propagationPolicy": "Orphan"}

    world.must("DELETE", world.path("ApiKeySecret", "llm"), body)

    world.until(lambda: world.plane.request("GET", world.path("ApiKeySecret", "llm"))[0] == 404, "the object is gone")
    world.holds(lambda: world.secret() == {"OPENAI_API_KEY": "sk-one"}, "the Secret stays")
    found = world.secret_object()
    assert found
    assert "ownerReferences" not in found["metadata"]


def test_a_secret_with_another_controller_is_not_taken_and_the_message_says_so(world: World) -> None:
    world.start()
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "controller": True}
    maps = f"/api/v1/namespaces/{world.namespace}/configmaps"
    owner["uid"] = world.must("POST", maps, {"metadata": {"name": "other"}})["metadata"]["uid"]
    world.secret_is("llm", {"theirs": "1"}, metadata={"ownerReferences": [owner]})

    world.has_key(target={"adopt": "Always"})

    found = world.is_refused("TargetOwnedElsewhere")
    assert f"Secret {world.namespace}/llm has another controller as its owner" in found["message"]
    assert world.secret() == {"theirs": "1"}


def test_a_default_is_written_again_and_again_but_never_over_what_the_store_gave(world: World) -> None:
    world.start()
    world.has_store()
    world.put("llm/openai", api_key="sk-one")
    first = entry("KEY", "llm/openai", "api_key")
    world.apply(api_key_secret("llm", first, entry("REGION", "llm/region", "name", default="eu")))
    world.is_ready()
    assert world.secret() == {"KEY": "sk-one", "REGION": "eu"}
    world.annotate("llm", refresh="1")
    world.until(lambda: world.object()["status"].get("lastHandledRefresh") == "1", "it is refreshed")
    assert world.condition()["status"] == "True"

    world.put("llm/region", name="us")
    world.annotate("llm", refresh="2")
    world.secret_becomes({"KEY": "sk-one", "REGION": "us"})
    world.vault.secrets.kv.v2.delete_metadata_and_all_versions("llm/region", mount_point=world.mount)
    world.annotate("llm", refresh="3")

    world.is_refused("NotFound")
    assert world.secret() == {"KEY": "sk-one", "REGION": "us"}
