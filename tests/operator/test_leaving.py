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
    assert f"Secret {world.namespace}/llm is controlled by ConfigMap/other" in found["message"]
    assert world.secret() == {"theirs": "1"}


def test_a_default_is_written_again_and_again_but_never_over_what_the_store_gave(world: World) -> None:
    world.start()
    world.has_store()
    world.put("llm/openai", api_key="sk-one")
    first = entry("KEY", "llm/openai", "api_key")
    world.apply(api_key_secret("llm", first, entry("REGION", "llm/region", "name", default="eu")))
    world.is_ready()
    assert world.secret() == {"KEY": "sk-one", "REGION": "eu"}
    world.refreshes("1")
    assert world.condition()["status"] == "True"

    world.put("llm/region", name="us")
    world.annotate("llm", refresh="2")
    world.secret_becomes({"KEY": "sk-one", "REGION": "us"})
    world.forget("llm/region")
    world.annotate("llm", refresh="3")

    world.is_refused("NotFound")
    assert world.secret() == {"KEY": "sk-one", "REGION": "us"}


def test_a_value_without_a_version_is_no_default_either(world: World) -> None:
    world.start()
    old = f"{world.mount}-v1"
    world.vault.sys.enable_secrets_engine("kv", path=old, options={"version": "1"})
    world.vault.secrets.kv.v1.create_or_update_secret("llm/region", {"name": "us"}, mount_point=old)
    world.has_store(vault={"mount": old})
    world.apply(api_key_secret("llm", entry("REGION", "llm/region", "name", default="eu")))
    world.is_ready()
    assert world.secret() == {"REGION": "us"}

    with world.untouched():
        world.vault.secrets.kv.v1.delete_secret("llm/region", mount_point=old)
        world.annotate("llm", refresh="1")
        world.is_refused("NotFound")
    world.vault.sys.disable_secrets_engine(old)  # type: ignore[no-untyped-call]


def test_labels_of_an_object_that_went_do_not_stay_when_it_comes_again_without_them(world: World) -> None:
    world.start()
    world.has_key(target={"onDelete": "Retain", "labels": {"team": "a"}, "annotations": {"reload": "yes"}})
    world.is_ready()
    world.delete("ApiKeySecret", "llm")
    world.until(lambda: world.plane.request("GET", world.path("ApiKeySecret", "llm"))[0] == 404, "the object is gone")

    world.has_key(target={"onDelete": "Retain"})
    world.is_ready()

    found = world.secret_object()
    assert found
    assert "team" not in found["metadata"]["labels"]
    assert "reload" not in found["metadata"]["annotations"]


def test_a_label_that_left_the_object_while_nobody_looked_leaves_the_secret(world: World) -> None:
    operator = world.start()
    world.has_key(target={"labels": {"old": "yes"}})
    world.is_ready()
    operator.stop()
    path = f"/api/v1/namespaces/{world.namespace}/secrets/llm?fieldManager=somebody"
    world.must("PATCH", path, {"metadata": {"annotations": {"seen-by": "me"}}}, "application/merge-patch+json")
    world.has_key()

    world.start()
    world.is_ready()

    found = world.secret_object()
    assert found
    assert "old" not in found["metadata"]["labels"]
    assert found["metadata"]["annotations"]["seen-by"] == "me"
    assert world.secret() == {"OPENAI_API_KEY": "sk-one"}
