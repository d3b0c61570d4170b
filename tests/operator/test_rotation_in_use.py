"""The key that is in use lives, whatever is forgotten or changed around it, and no worse one takes its place."""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib

from build import api_key_secret, credential, entry, key_issuer, key_store
from controlplane import Answer, FaultProxy
from rolling import MERGE
from rotating import LISTED, QUICK, Rotating, declared
from rotating_many import Many
from vendors.base import Request, Response, Vendor
from vendors.bedrock import short_term
from world import Json, World


def loses_an_answer(rotating: Rotating) -> None:
    """Let the issuer answer the next request for a key with 502, and make none."""
    answer, left = rotating.vendor.answer, [502]

    def losing(request: Request) -> Response:
        return Response(left.pop(), {}) if request.method == "POST" and left else answer(request)

    rotating.vendor.answer = losing


def outcome(rotating: Rotating) -> Json | None:
    """Return what came of the last rotation; None as long as that is not told."""
    last: Json | None = rotating.told().get("last")
    return last


def step(rotating: Rotating) -> str:
    """Return the step in the journal, whether there is an object or not."""
    (kept,) = rotating.journals()
    return str(json.loads(base64.b64decode(kept["data"]["journal"]))["step"])


def test_a_key_that_was_left_in_use_is_none_that_was_lost_when_its_object_comes_again(
    world: World, rotating: Rotating
) -> None:
    rotating.begins(overlap="1h")
    loses_an_answer(rotating)
    rotating.starts()
    world.is_ready()
    rotating.asks("Rotate")
    world.ends("please", "Succeeded")
    rotating.reaches("Grace")
    used = rotating.key()
    world.delete("ApiKeySecret", "llm")
    world.has_gone()
    # Else what comes again goes on with it.
    world.until(lambda: step(rotating) == "Idle", lambda: f"that rotation is over: {step(rotating)}")

    rotating.wants(overlap="1h")
    world.is_ready()
    rotating.asks("Rotate", "again")
    world.ends("again", "Succeeded")

    rotating.reaches("Grace")
    assert rotating.key() == rotating.stored()["api_key"] != used
    assert rotating.alive() >= {used, rotating.key()}
    assert "DELETE" not in rotating.changes()


def test_a_key_that_is_in_use_is_none_that_was_lost_where_the_journal_was(world: World, rotating: Rotating) -> None:
    rotating.begins(consumers="Required", overlap="1h")
    operator = rotating.starts()
    world.is_ready()
    rotating.asks("Rotate")
    rotating.reaches("Written")
    used = rotating.key()
    operator.stop()
    (journal,) = rotating.journals()
    world.must("DELETE", f"/api/v1/namespaces/{world.system}/secrets/{journal['metadata']['name']}")

    rotating.starts()

    world.until(lambda: rotating.key() != used, lambda: f"what was asked for is done anew: {rotating.told()}")
    rotating.reaches("Written")
    assert rotating.alive() >= {used, rotating.key()}
    assert rotating.changes() == ["POST", "POST"]


def test_a_place_that_a_person_has_filled_anew_is_left_alone(world: World, tmp_path: pathlib.Path) -> None:
    with contextlib.ExitStack() as stack:
        many = Many(world, tmp_path, stack)
        many.has("azureOpenai", overlap="1h")
        vendor = many.desks["azureOpenai"].vendor
        many.starts()
        world.is_ready("azureopenai")
        many.asks("Rotate", "azureOpenai")
        many.until("azureOpenai", step="Grace")
        assert many.key("azureOpenai") == vendor.made["Key2"].parts

        vendor.end("Key2")
        theirs = Vendor.make(vendor, "Key2", "Key2", "key")
        many.writes("azureOpenai", theirs.parts)

        many.until("azureOpenai", why="NewKeyInOverlap")
        (one,) = world.object("azureopenai")["spec"]["credentials"]
        one["rotation"]["overlap"] = "0"
        world.must("PATCH", world.path("ApiKeySecret", "azureopenai"), {"spec": {"credentials": [one]}}, MERGE)
        many.until("azureOpenai", step="Idle")
        assert many.told("azureOpenai")["last"]["outcome"] == "RolledBack"
        assert many.key("azureOpenai") == theirs.parts
        assert many.accepts("azureOpenai", many.key("azureOpenai"))
        assert [each["owed"] for each in many.told("azureOpenai").get("debts", [])] == ["Keep"]


def test_a_new_key_that_may_do_less_than_the_old_one_reaches_nobody(world: World, rotating: Rotating) -> None:
    first = rotating.begins(overlap="1h", test=QUICK | {"within": "10s"})
    full, old = rotating.vendor.state, rotating.vendor.mark(first.parts)

    def state(mark: str) -> str:
        found: str = full(mark)
        return "limited" if mark != old and found == "valid" else found

    rotating.vendor.state = state
    rotating.starts()
    world.is_ready()

    rotating.asks("Rotate")

    last = world.until(lambda: outcome(rotating), "it is over")
    assert (last["outcome"], last["why"]) == ("RolledBack", "TestFailed")
    assert rotating.stored()["api_key"] == rotating.key() == first.parts["apiKey"]
    assert rotating.alive() == {first.parts["apiKey"]}


def test_what_cannot_be_a_key_of_its_kind_reaches_nobody(world: World, rotating: Rotating) -> None:
    old = short_term()
    world.put("llm/openai", api_key=old)
    world.has_store(access="ReadWrite")
    world.secret_is("openai-admin", {"key": rotating.vendor.admin})
    rotating.vendor.page = 100
    listed = LISTED | {"name": "name"}
    world.apply(key_issuer("hook", limits={"settle": "1s"}, webhook=declared(rotating.server.url, list=listed)))
    rotation = {"overlap": "1h", "consumers": "Optional", "test": QUICK}
    # A key that says itself where it is good for: what the webhook makes says nothing.
    one = credential("bedrock", "KEY", None, issuerRef={"name": "hook"}, rotation=rotation)
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), credentials=[one], refreshInterval="1h"))
    rotating.starts()
    world.is_ready()

    rotating.asks("Rotate")

    last = world.until(lambda: outcome(rotating), "it is over")
    assert (last["outcome"], last["why"]) == ("RolledBack", "IssueRefused")
    told = world.ends("please", "Failed")["message"]
    assert "KeyIssuer/hook makes a key whose apiKey is a credential of openai, by how it begins" in told
    assert rotating.stored()["api_key"] == old
    assert not rotating.alive()


def test_a_journal_out_of_a_backup_ends_no_key_that_the_store_has(
    world: World, rotating: Rotating, bao_proxy: FaultProxy
) -> None:
    first = rotating.begins(test=QUICK | {"within": "10m"})
    world.apply(key_store("vault", bao_proxy.url, world.mount, access="ReadWrite"))
    state = rotating.vendor.state
    rotating.knows_only(first)
    operator = rotating.starts()
    world.is_ready()
    rotating.asks("Rotate")
    rotating.reaches("Held")
    (backup,) = rotating.journals()
    rotating.vendor.state = state
    world.until(lambda: rotating.told().get("last"), lambda: f"it is over: {rotating.told()}", 90)
    used = rotating.key()
    assert rotating.alive() == {used} == {rotating.stored()["api_key"]}
    operator.stop()

    # The operator's namespace is put back; objects follow later, and the store does not answer yet.
    (now,) = rotating.journals()
    path = f"/api/v1/namespaces/{world.system}/secrets/{now['metadata']['name']}"
    world.must("PUT", path, now | {"data": backup["data"]})
    world.delete("ApiKeySecret", "llm")
    world.has_gone()
    with bao_proxy.fault(Answer(503)) as silent:
        rotating.starts()
        silent.wait()
        world.holds(lambda: rotating.alive() == {used}, "it is not revoked", seconds=5)

    world.until(lambda: step(rotating) == "Idle", lambda: f"it is over: {step(rotating)}")
    assert rotating.alive() == {used} == {rotating.stored()["api_key"]}
