"""A key that pods use is rotated: the old one ends when the last of them has the new one, and not before."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from cli.terminal import call
from rolling import MERGE, OPEN, by_env, by_file, closed
from rotating_users import Used
from vendors import serving
from world import World

pytestmark = pytest.mark.usefixtures("running_pods")
AUTO = {"restart": "Auto"}


@pytest.fixture
def used(world: World) -> Iterator[Used]:
    """The keys of the world."""
    with serving("openai") as server:
        yield Used(world, server)


def test_an_old_key_ends_after_the_last_pod_that_had_it(world: World, used: Used) -> None:
    used.starts()
    used.has("one", AUTO)
    listed = [{"kind": "Deployment", "name": "files"}]
    listed += [{"kind": "StatefulSet", "name": name} for name in ("sets", "unseen")]
    used.reads("two", "one", {"restart": "Listed", "workloads": listed, "batch": 2, "pause": "3s"})
    used.rolling.has("envs", by_env("one"), replicas=2)
    used.rolling.has("files", by_file("two"))
    used.rolling.has("sets", by_env("two"), kind="StatefulSet")
    # It asks the API server itself, as one knows who has listed it.
    used.rolling.has("unseen", {}, kind="StatefulSet")
    kinds = {"envs": "Deployment", "files": "Deployment", "sets": "StatefulSet", "unseen": "StatefulSet"}
    old = {name: used.pods(name) for name in kinds}

    used.asks("Rotate", "one")
    used.until("one", step="Written", why="NotAdopted")
    assert used.lives("one")
    world.until(lambda: used.rolling.restarts("envs") == used.rolling.restarts("files") == 1, "both are restarted")
    used.ends("one")

    assert used.key("two") == used.key("one") != used.first["one"].parts["apiKey"]
    left = used.revoked[used.first["one"].handle]
    for name, pods in old.items():
        assert pods.isdisjoint(left), f"{name} had a pod with a key that was revoked"
        assert used.pods(name) <= left
    assert {used.rolling.restarts(name, kind) for name, kind in kinds.items()} == {1}
    world.until(lambda: {"Restarted", "KeyAdopted", "Rotated"} <= set(world.event_reasons("one")), "all is said")


#: Who waits for what, and how its users are restarted.
WAITS = {
    "nobody": ("NoConsumers", None),
    "byhand": ("NotAdopted", None),
    "bare": ("NotAdopted", None),
    "stuck": ("NotAdopted", AUTO | {"timeout": "2s"}),
    "window": ("NotAdopted", AUTO | {"window": closed()}),
}


def test_an_old_key_stays_as_long_as_not_everybody_is_seen_to_use_the_new_one(world: World, used: Used) -> None:
    used.starts()
    for name, (_, rollout) in WAITS.items():
        used.has(name, rollout)
    used.rolling.has("window", by_env("window"))
    used.rolling.has("byhand", by_env("byhand"))
    used.rolling.has("stuck", by_env("stuck"), minReadySeconds=3600, progressDeadlineSeconds=7200)
    used.rolling.has_pod("bare", by_env("bare"))

    used.asks("Rotate", *WAITS)

    all_wait(world, used)
    used.rolling.has_pod("late", by_env("nobody"))
    used.rolling.restart("byhand")
    used.rolling.patch("stuck", {"spec": {"minReadySeconds": 0}})
    world.annotate("stuck", refresh="again")
    opened = {"spec": {"rollout": {"window": OPEN}}}
    world.must("PATCH", world.path("ApiKeySecret", "window"), opened, MERGE)
    world.must("DELETE", f"/api/v1/namespaces/{world.namespace}/pods/bare")
    for name in ("nobody", "byhand", "stuck", "window"):
        used.ends(name)
    # Nobody uses it by now.
    used.until("bare", step="Written", why="NoConsumers")
    used.rolling.has_pod("bare", by_env("bare"))
    used.ends("bare")


def all_wait(world: World, used: Used) -> None:
    """Wait until a person is asked of each, and see that nothing else follows."""
    for name, (why, _) in WAITS.items():
        used.until(name, step="Written", why=why)
    used.looks_until(lambda: all(used.told(name).get("asks") for name in WAITS), *WAITS)
    for name in WAITS:
        condition = world.condition(name, type_="Rotating")
        assert (condition["status"], condition["reason"]) == ("True", "RotationWaits"), name
        assert used.lives(name), name
        assert used.key(name) != used.first[name].parts["apiKey"], name
    assert "rotation.consumers: Optional" in used.told("nobody")["waits"]
    assert world.condition("stuck", type_="RolledOut")["reason"] == "RolloutTimedOut"
    assert world.condition("window", type_="RolledOut")["reason"] == "WaitsForWindow"
    told = used.told("byhand")
    assert (told["pods"], told["current"]) == (1, 0)
    assert told["laggards"] == [{"kind": "Deployment", "name": "byhand", "pods": 1, "holds": "Old"}]
    late = call(world, "consumers", "byhand", "-o", "json")
    assert late.code == 3
    assert {each["holds"] for each in late.json["running"]} == {"Old"}


def test_whoever_cannot_wait_for_pods_ends_the_old_key_at_once(world: World, used: Used) -> None:
    used.starts()
    used.has("late", overlap="1h")
    used.has("grace", overlap="1h")
    for name in ("late", "grace"):
        used.rolling.has(name, by_env(name))
    used.asks("Rotate", "late", "grace")
    for name in ("late", "grace"):
        used.until(name, step="Written", why="NotAdopted")
    # A pod of the second in which the Secret was written may have what was there before.
    time.sleep(1.01)
    used.rolling.restart("grace")
    used.looks_until(lambda: used.told("grace").get("step") == "Grace", "grace")
    used.rolling.has("again", by_env("grace"))
    assert used.lives("late") and used.lives("grace")

    used.asks("RevokeNow", "late", "grace")

    for name in ("late", "grace"):
        world.ends(f"revokenow-{name}", "Succeeded")
        assert not used.lives(name)
        assert used.told(name)["last"]["outcome"] == "Rotated"
    # Whoever has it still, has a key that is dead: that was asked for.
    assert used.pods("late") <= used.revoked[used.first["late"].handle]
