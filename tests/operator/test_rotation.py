"""Credentials are rotated: made, tested, stored, spread, taken up, and the old one revoked; or all stays as it was."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

from audit.trails import Kept
from build import key_store
from controlplane import Answer, FaultProxy
from keywright.decide.rotate import written
from keywright.decide.rotate.journal import Journal, Step
from keywright.engine.journals import LABEL, TYPE, About, name_of
from rotating import QUICK, Rotating
from world import World


def test_a_key_is_replaced_when_somebody_asks_for_it(world: World, rotating: Rotating) -> None:
    first = rotating.begins()
    rotating.starts()
    world.is_ready()
    assert rotating.key() == first.parts["apiKey"]

    rotating.asks("Rotate")
    world.ends("please", "Succeeded")
    told = rotating.reaches("Idle")

    assert told["last"]["outcome"] == "Rotated"
    (made,) = rotating.vendor.made.values()
    assert rotating.key() == made.parts["apiKey"] != first.parts["apiKey"]
    assert rotating.stored() == {"api_key": made.parts["apiKey"], "region": "eu"}
    world.until(lambda: "Rotated" in world.event_reasons(), "the end is said")
    reasons = world.event_reasons()
    told_of = ["RotationStarted", "KeyStored", "KeyAdopted", "Rotated"]
    assert [each for each in reasons if each not in ("Created", "Updated", "ActionDone")] == told_of
    trail = Kept(world)
    for code in ("Issue", "StoreNew", "Revoke"):
        trail.has("rotation.outcome", code=code)
    acts = [(each["act"], each.get("reason"), each.get("credential")) for each in world.object()["status"]["history"]]
    assert acts.count(("Rotated", "Asked", "openai")) == 1
    (journal,) = rotating.journals()
    assert journal["data"].keys() == {"about", "journal"}


def test_a_key_that_its_issuer_does_not_accept_in_time_gets_nowhere(world: World, rotating: Rotating) -> None:
    first = rotating.begins(test=QUICK | {"within": "10s"})
    rotating.starts()
    world.is_ready()
    rotating.knows_only(first)

    rotating.asks("Rotate")
    told = world.ends("please", "Failed")["conditions"]

    assert "turned back" in str(told), told
    assert rotating.reaches("Idle")["last"] == {"outcome": "RolledBack", "why": "TestFailed"} | rotating.when()
    assert rotating.key() == first.parts["apiKey"]
    assert rotating.alive() == {first.parts["apiKey"]}
    assert rotating.stored()["api_key"] == first.parts["apiKey"]


def test_a_person_turns_back_while_the_old_key_still_works(world: World, rotating: Rotating) -> None:
    first = rotating.begins(overlap="1h")
    rotating.starts()
    world.is_ready()
    rotating.asks("Rotate")
    world.ends("please", "Succeeded")
    told = rotating.reaches("Grace")
    assert rotating.key() != first.parts["apiKey"]
    assert told["until"]
    condition = world.condition(type_="Rotating")
    assert (condition["status"], condition["reason"]) == ("True", "Rotating")

    new = rotating.key()
    rotating.asks("Rollback", "back")
    assert "The old key is in place; the new one works until" in world.ends("back", "Succeeded")["message"]

    assert rotating.key() == rotating.stored()["api_key"] == first.parts["apiKey"]
    # Whoever has read the new one outside of the cluster has the overlap, as long as that is declared.
    world.until(lambda: rotating.told().get("why") == "NewKeyInOverlap", lambda: f"it is told: {rotating.told()}")
    assert rotating.told()["until"]
    assert (rotating.told()["step"], rotating.alive()) == ("RollingBack", {new, first.parts["apiKey"]})
    rotating.wants(overlap="0")
    assert rotating.reaches("Idle")["last"]["why"] == "Asked"
    assert rotating.key() == first.parts["apiKey"]
    assert rotating.alive() == {first.parts["apiKey"]}
    # By itself nothing begins for a day; and there is nothing left to turn back.
    rotating.asks("Rollback", "again")
    world.ends("again", "Failed")


def test_a_rotation_of_an_object_that_is_suspended_says_so_and_goes_on_when_it_wakes(
    world: World, rotating: Rotating
) -> None:
    first = rotating.gets_to_grace(overlap="1h")

    def sleeps(suspended: bool) -> None:
        patch = {"spec": {"suspend": suspended}}
        world.must("PATCH", world.path("ApiKeySecret", "llm"), patch, "application/merge-patch+json")

    sleeps(True)
    world.until(lambda: rotating.told().get("why") == "Suspended", lambda: f"it is told: {rotating.told()}")
    assert "goes on once spec.suspend is false" in world.condition(type_="Rotating")["message"]
    asked = len(rotating.server.requests)
    world.holds(lambda: rotating.told()["step"] == "Grace", "it sleeps")
    assert len(rotating.server.requests) == asked

    sleeps(False)
    world.until(lambda: "why" not in rotating.told(), lambda: f"it goes on: {rotating.told()}")
    rotating.wants(overlap="0")
    rotating.reaches("Idle")
    assert rotating.alive() == {rotating.key()} != {first.parts["apiKey"]}


def test_a_rotation_turns_back_by_itself_when_the_new_key_dies_in_grace(world: World, rotating: Rotating) -> None:
    first = rotating.gets_to_grace(overlap="1h")
    new = next(each for each in rotating.vendor.made.values() if each.handle != first.handle)

    rotating.vendor.switch(new.handle, off=True)
    # What an issuer said within the last second is as good as new.
    time.sleep(1.1)
    world.refreshes("now")

    assert rotating.reaches("Idle", seconds=120)["last"]["why"] == "NewKeyInvalid"
    assert rotating.key() == first.parts["apiKey"]


def test_a_key_that_a_person_has_put_in_the_place_of_a_dead_one_is_not_reissued(
    world: World, rotating: Rotating
) -> None:
    first = rotating.begins()
    rotating.vendor.end(first.handle)
    rotating.starts()
    world.until(lambda: _verdict(world) == "Invalid", lambda: f"it is told: {_verdict(world)}", 60)
    second = rotating.vendor.make("key_second", "by-hand", "service account key")
    world.put("llm/openai", api_key=second.parts["apiKey"], region="eu")

    rotating.wants(onInvalid="Reissue")

    world.until(lambda: _verdict(world) == "Valid", lambda: f"it is told: {_verdict(world)}", 60)
    assert rotating.key() == second.parts["apiKey"]
    assert (rotating.journals(), rotating.alive()) == ([], {second.parts["apiKey"]})
    # Nothing waits for a turn.
    assert rotating.told().keys() == {"credential", "step"}


def _verdict(world: World) -> str:
    told = (world.object().get("status") or {}).get("credentials") or [{}]
    return str(told[0].get("verdict"))


def test_what_cannot_be_revoked_is_owed_until_it_is(world: World, rotating: Rotating) -> None:
    first = rotating.begins()
    rotating.starts()
    world.is_ready()
    with rotating.refusing("DELETE"):
        rotating.asks("Rotate")
        world.ends("please", "Succeeded")
        debts = rotating.reaches("Idle")["debts"]
    assert [(each["owed"], each["handle"]) for each in debts] == [("Revoke", first.handle)]
    world.until(lambda: world.condition(type_="Rotating").get("reason") == "RotationWaits", "a person is asked")
    assert world.condition(type_="Rotating")["status"] == "False"

    rotating.asks("RetryDebts", "retry")
    world.ends("retry", "Succeeded")

    world.until(lambda: "debts" not in rotating.told(), "it is paid")
    assert rotating.alive() == {rotating.key()}
    trail = Kept(world)
    trail.has("cleanup.owed", code="Revoke")
    trail.has("cleanup.done", code="Revoke")


def test_a_test_writes_nothing_and_a_pin_holds_what_is_due(
    world: World, rotating: Rotating, bao_proxy: FaultProxy
) -> None:
    first = rotating.begins(every="1h")
    world.apply(key_store("vault", bao_proxy.url, world.mount, access="ReadWrite"))
    rotating.starts()
    world.is_ready()
    with bao_proxy.fault(Answer(502), path="/data/llm/openai"):
        rotating.wants(every="10s")
        world.until(lambda: rotating.told().get("waits"), lambda: f"it is due, and cannot begin: {rotating.told()}")
        rotating.asks("Pin", "pin")
        world.ends("pin", "Succeeded")
    world.until(lambda: rotating.told().get("pinned") is True, "it is told")

    rotating.asks("Rotate", "try", testOnly=True)
    world.ends("try", "Succeeded")

    assert rotating.reaches("Idle")["last"]["outcome"] == "Tested"
    assert rotating.stored()["api_key"] == rotating.key() == first.parts["apiKey"]
    assert rotating.alive() == {first.parts["apiKey"]}
    rotating.asks("Unpin", "unpin")
    world.ends("unpin", "Succeeded")
    # It is as old by now as it may get.
    world.until(lambda: rotating.key() != first.parts["apiKey"], "it is rotated")
    assert rotating.told().get("cause") in ("Due", None)


REFUSED: dict[str, Callable[[Rotating], Any]] = {
    "RotationUnsupported": lambda r: r.wants(issuer="stripe"),
    "StoreReadOnly": lambda r: r.world.has_store(access="ReadOnly"),
    "IssuerNotFound": lambda r: r.world.delete("KeyIssuer", "openai"),
    "InvalidSpec": lambda r: r.wants(schedule="every now and then"),
}


def test_what_cannot_be_is_told_by_name_and_leaves_the_key_alone(world: World, rotating: Rotating) -> None:
    first = rotating.begins()
    rotating.starts()
    world.is_ready()
    for reason, change in REFUSED.items():
        change(rotating)
        world.until(
            lambda reason=reason: world.condition(type_="Rotating").get("reason") == reason,  # type: ignore[misc]
            lambda reason=reason: f"{reason}; it is {world.condition(type_='Rotating')}",  # type: ignore[misc]
        )
        rotating.asks("Rotate", reason.lower())
        world.ends(reason.lower(), "Failed")
        world.has_store(access="ReadWrite")
        rotating.has_issuer()
        rotating.wants()
        world.until(lambda: not world.condition(type_="Rotating"), "it is well again")
    assert rotating.key() == first.parts["apiKey"]
    assert len(rotating.vendor.made) == 1


def test_two_objects_do_not_rotate_one_key(world: World, rotating: Rotating) -> None:
    rotating.begins()
    rotating.starts()
    world.is_ready()
    rotating.asks("Rotate")
    world.ends("please", "Succeeded")
    rotating.reaches("Idle")
    rotating.wants(name="other")
    world.is_ready("other")

    rotating.asks("Rotate", "mine", apiKeySecret="other")
    told = world.ends("mine", "Failed")

    assert "RotationOwnedElsewhere" in str(told)
    assert rotating.alive() == {rotating.key()}


def test_a_journal_that_says_nothing_of_its_key_holds_up_nobody_else(world: World, rotating: Rotating) -> None:
    first = rotating.begins()
    about = About("elsewhere", world.namespace, "other", "u-1")
    meta = {"name": name_of(about.key), "labels": LABEL}
    data = {"about": json.dumps(dataclasses.asdict(about)), "journal": written.text(Journal("kw-1", Step.GRACE, 0.0))}
    path = f"/api/v1/namespaces/{world.system}/secrets"
    world.must("POST", path, {"metadata": meta, "type": TYPE, "stringData": data})
    rotating.starts()
    world.is_ready()

    rotating.asks("Rotate")

    world.ends("please", "Succeeded")
    assert rotating.key() != first.parts["apiKey"]


def test_an_install_that_rotates_nothing_says_so(world: World, rotating: Rotating) -> None:
    rotating.begins()
    world.start(f"--allow-issuer-endpoint={rotating.server.url}")
    world.is_ready()

    world.until(lambda: world.condition(type_="Rotating").get("reason") == "RotationsDisabled", "it is told")


def test_objects_that_are_made_anew_begin_no_rotation(world: World, rotating: Rotating) -> None:
    first = rotating.begins(every="1h")
    rotating.starts()
    world.is_ready()
    world.until(lambda: rotating.told().get("next"), "it is known when the next one begins")

    world.delete("ApiKeySecret", "llm")
    world.has_gone()
    rotating.wants(every="1h")
    world.is_ready()

    world.until(lambda: rotating.told().get("next"), "it is known again")
    assert rotating.key() == first.parts["apiKey"]
    assert not any(each.method == "POST" for each in rotating.server.requests)
