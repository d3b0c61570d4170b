"""What a rotation asks of the API server, its store and its issuer: counted, and no more than it has to be."""

from __future__ import annotations

import collections

from rotating import Rotating
from world import World


def test_a_rotation_asks_for_no_more_than_it_has_to(world: World, rotating: Rotating) -> None:
    rotating.begins()
    operator = rotating.starts()
    world.is_ready()
    world.until(rotating.told, "it is looked after")
    api, stored, asked = world.plane.mark(), world.bao.mark(), len(rotating.server.requests)

    rotating.asks("Rotate")
    world.ends("please", "Succeeded")
    rotating.reaches("Idle")
    world.until(lambda: "Rotated" in world.event_reasons(), "the end is said")

    wrote, requests = world.writes(operator, api), world.requests(operator, api)
    # What is told may be told together.
    assert wrote.pop("patch apikeysecrets/status") <= 6
    # A journal is written before each effect and after it, and for each pass of the test.
    assert wrote == {
        "create secrets": 1,
        "update secrets": 13,
        "patch secrets": 1,
        "create events": 6,
        "patch keyactions/status": 2,
    }
    read = collections.Counter(each.resource for each in requests if each.verb in ("get", "list"))
    # Who uses the key is looked at when everybody is to have it, and before the old one ends; once more there, where it
    # is to be proven first which one that is.
    users = ("deployments", "statefulsets", "daemonsets", "cronjobs", "jobs", "pods")
    # Where time passes between two steps, as on a busy machine, it is looked once more.
    most = dict.fromkeys(users, 5) | {"secrets": 18, "apikeysecrets": 1}
    assert read.keys() == most.keys()
    assert all(count <= most[what] for what, count in read.items()), read
    theirs = [each for each in world.bao.requests(stored) if each.path.startswith(f"{world.mount}/")]
    found = collections.Counter(each.operation for each in theirs)
    assert found.pop("read") <= 18
    assert found == {"patch": 1, "update": 1}
    methods = collections.Counter(each.method for each in list(rotating.server.requests)[asked:])
    assert methods.pop("GET") <= 15
    assert methods == {"POST": 1, "DELETE": 1}
