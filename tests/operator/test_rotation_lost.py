"""What a rotation makes of what was lost or forged: no key ends that is in use, or that is somebody else's."""

from __future__ import annotations

import json

from build import api_key_secret, credential, entry, key_issuer
from rotating import LISTED, QUICK, Rotating, declared
from vendors.base import Request, Response
from world import World


def test_a_rotation_goes_on_where_the_key_of_the_install_was_lost(world: World, rotating: Rotating) -> None:
    first = rotating.begins(overlap="1h")
    operator = rotating.starts()
    world.is_ready()
    rotating.asks("Rotate")
    world.ends("please", "Succeeded")
    rotating.reaches("Grace")
    new = rotating.key()
    operator.stop()
    # With it go all fingerprints that were told or written down.
    world.must("DELETE", f"/api/v1/namespaces/{world.system}/secrets/keywright-install-keys")

    rotating.starts()
    rotating.asks("RevokeNow", "end")
    world.ends("end", "Succeeded")

    assert rotating.reaches("Idle")["last"]["outcome"] == "Rotated"
    assert rotating.alive() == {new}
    assert rotating.key() == new == rotating.stored()["api_key"] != first.parts["apiKey"]


def test_a_value_that_looks_like_anothers_key_does_not_have_that_ended(world: World, rotating: Rotating) -> None:
    victim = rotating.vendor.make("key_victim", "somebody-else", "service account key").parts["apiKey"]
    rotating.begins()
    world.put("llm/openai", api_key=f"{victim[:8]}forged{victim[-4:]}", region="eu")
    rotating.starts()
    world.until(rotating.told, "it is looked after")

    rotating.asks("Rotate")
    world.until(lambda: rotating.told().get("last"), lambda: f"it is over: {rotating.told()}", 120)

    assert {victim, rotating.key()} <= rotating.alive()


def listing(rotating: Rotating, shown: str = "{}") -> list[int]:
    """Let the issuer's list hold values, in field ``also``; and lose an answer to a POST, as long as the list that is
    returned holds something.
    """
    answer, lost = rotating.vendor.answer, [1]
    rotating.vendor.page = 100

    def telling(request: Request) -> Response:
        found: Response = answer(request)
        if request.method == "POST" and lost:
            lost.pop()
            return Response(502, {})
        if request.method == "GET" and request.path.endswith("/api_keys"):
            for each in found.body["data"]:
                made = rotating.vendor.made.get(each["id"])
                each["also"] = shown.format(made.parts["apiKey"]) if made else "somebody-elses"
        return found

    rotating.vendor.answer = telling
    return lost


def has_hook(world: World, rotating: Rotating, handle: str) -> None:
    """Let keys be made by calls that are declared, and listed by a field."""
    listed = LISTED | {"handle": handle, "name": "name"}
    world.apply(key_issuer("hook", limits={"settle": "1s"}, webhook=declared(rotating.server.url, list=listed)))


def wants_hook(world: World, rotating: Rotating) -> None:
    rotation = {"overlap": "0", "consumers": "Optional", "test": QUICK}
    one = credential("openai", "KEY", rotating.server.url, issuerRef={"name": "hook"}, rotation=rotation)
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), credentials=[one], refreshInterval="1h"))


def test_a_list_that_names_keys_by_their_values_is_not_used(world: World, rotating: Rotating) -> None:
    value = rotating.begins().parts["apiKey"]
    # Nobody would take that for a key who does not know this one.
    listing(rotating, "key:{}").clear()
    has_hook(world, rotating, "also")
    wants_hook(world, rotating)
    rotating.starts()
    world.is_ready()

    rotating.asks("Rotate")

    said = "KeyIssuer/hook lists keys by their values, which must not be shown"
    world.until(lambda: said in rotating.told().get("waits", ""), lambda: f"it is told: {rotating.told()}")
    assert value not in json.dumps(world.object())
    assert [made.parts["apiKey"] for made in rotating.vendor.made.values()] == [value]


def test_a_first_key_whose_answer_was_lost_is_not_shown_by_a_list_of_values_and_is_found_once_that_is_mended(
    world: World, rotating: Rotating
) -> None:
    listing(rotating)
    world.has_store(access="ReadWrite")
    world.secret_is("openai-admin", {"key": rotating.vendor.admin})
    has_hook(world, rotating, "value")
    operator = rotating.starts()
    said = "webhook.list.handle names the field of a key's value, which must not be shown"
    assert said in world.told("InvalidSpec", "hook", "KeyIssuer")

    # No key is known here to compare it with.
    has_hook(world, rotating, "also")
    wants_hook(world, rotating)
    rotating.asks("Rotate")

    said = "KeyIssuer/hook lists keys by their values, which must not be shown"
    world.until(lambda: said in rotating.told().get("waits", ""), lambda: f"it is told: {rotating.told()}")
    (lost,) = rotating.alive()
    assert lost not in json.dumps([world.object(), world.events()]) + operator.log.read_text()

    has_hook(world, rotating, "id")

    world.ends("please", "Succeeded")
    assert rotating.reaches("Idle")["last"]["outcome"] == "Rotated"
    assert rotating.alive() == {rotating.stored()["api_key"]} != {lost}
    assert lost not in json.dumps([world.object(), world.events()]) + operator.log.read_text()
