"""Many keys of one age: their rotations are spread, and a cluster that is made anew from Git begins none."""

from __future__ import annotations

from build import api_key_secret, credential, entry
from keywright import pacing
from rotating import Rotating
from vendors import serving
from world import Json, World

NAMES = tuple(f"key-{number}" for number in range(200))
DAY = 86_400.0


def test_two_hundred_keys_are_due_one_after_the_other_and_as_before_when_their_objects_are_made_anew(
    world: World,
) -> None:
    with serving("openai") as server:
        rotating = Rotating(world, server)
        rotating.begins()
        for name in NAMES:
            made = rotating.vendor.make(f"key_{name}", "by-hand", "service account key")
            world.put(f"keys/{name}", api_key=made.parts["apiKey"])
        declared(world, server.url)
        operator = rotating.starts()
        before = due(world)

        times = [pacing.unix(each) or 0.0 for each in before.values()]
        assert 0.9 * DAY < max(times) - min(times) <= 1.1 * DAY
        assert len(set(times)) > 190

        world.must("DELETE", world.path("ApiKeySecret"))
        world.until(lambda: not world.must("GET", world.path("ApiKeySecret"))["items"], "all are gone")
        declared(world, server.url)

        after = due(world)
        # Seen in the second in which it was made, a key may be told of by either of the two.
        assert max(abs((pacing.unix(after[name]) or 0.0) - (pacing.unix(before[name]) or 0.0)) for name in NAMES) <= 2
        assert rotating.changes() == []
        assert rotating.journals() == []
        assert operator.metric("keywright_rotation_steps_total") == 0


def declared(world: World, url: str) -> None:
    """Declare all of them."""
    for name in NAMES:
        more = {"rotation": {"every": "30d"}, "check": {"liveness": "Off"}}
        one = credential("openai", "KEY", url, issuerRef={"name": "openai"}, **more)
        wanted = entry("KEY", f"keys/{name}", "api_key")
        world.apply(api_key_secret(name, wanted, credentials=[one], refreshInterval="1h"))


def due(world: World) -> dict[str, str]:
    """Wait until it is told of each when its next rotation begins; return that."""

    def told() -> dict[str, str] | None:
        items = {each["metadata"]["name"]: each["status"] for each in world.must("GET", path)["items"] if known(each)}
        return {name: items[name]["nextRotation"] for name in NAMES} if items.keys() >= set(NAMES) else None

    path = world.path("ApiKeySecret")
    return world.until(told, lambda: f"all are known; {sum(map(known, world.must('GET', path)['items']))} are", 120)


def known(item: Json) -> bool:
    """Whether it is told when the next rotation begins, as of the day that the store tells of its key."""
    status = item.get("status") or {}
    born = pacing.unix((status.get("credentials") or [{}])[0].get("createdAt"))
    at = pacing.unix(status.get("nextRotation"))
    # Until that day is known, a key counts as made when it was first seen, which is later.
    spread = DAY * pacing.fraction(f"{item['metadata']['namespace']}/{item['metadata']['name']}/openai")
    return bool(born and at and abs(born + 30 * DAY - spread - at) <= 1)
