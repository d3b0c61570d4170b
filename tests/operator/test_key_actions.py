"""KeyActions: an act is carried out once, told of truly, and brought to an end whatever happens in between."""

from __future__ import annotations

import time
from typing import get_args

from build import api_key_secret, entry, key_action, key_store
from cli.terminal import call
from controlplane import Answer, FaultProxy, Hang, Hold, KillAfter, KillBefore, LoseAnswer
from keywright import kinds, pacing
from world import Json, World

ACTION = kinds.KeyActionSpec.model_fields["action"].annotation
STATUS = r"/keyactions/[^/]+/status"


def types(status: Json) -> dict[str, str]:
    return {each["type"]: each["reason"] for each in status["conditions"] if each["status"] == "True"}


def test_an_action_is_carried_out_with_two_writes_and_told_of_by_one_event(world: World) -> None:
    operator = world.start()
    world.has_key()
    world.is_ready()
    world.has_events("Created")
    world.put("llm/openai", api_key="sk-two")
    mark = world.plane.mark()

    world.apply(key_action("again", reason="Compromised", reference="SEC-12", requestedBy="alice"))

    told = world.ends("again", "Succeeded")
    assert world.secret() == {"OPENAI_API_KEY": "sk-two"}
    assert (told["reason"], types(told), told["observedGeneration"]) == ("Done", {"Complete": "Done"}, 1)
    done, doubt = "Secret llm holds 1 of 1 keys from KeyStore/vault.", "the cluster has no ValidatingAdmissionPolicy"
    assert told["message"] == f"{done} It is not proven who asked: {doubt} keyactions.keywright.dev."
    assert told["startedAt"] <= told["completedAt"]
    assert told["verified"] is False
    world.has_events("Created", "Updated", "ActionDone")
    asked = "Refresh, asked for by alice (unverified) (Compromised, SEC-12, KeyAction again): Done."
    assert world.events()[-1]["note"] == f"{asked} {done}"
    assert world.writes(operator, mark) == {
        "patch keyactions/status": 2,
        "patch secrets": 1,
        "patch apikeysecrets/status": 1,
        "create events": 2,
    }


def test_what_cannot_be_done_says_why_in_one_word_and_in_a_sentence(world: World) -> None:
    world.has_key()
    world.apply(key_action("late", expiresAfter="1s"))
    world.apply(api_key_secret("empty", entry("KEY", "not/there", "api_key")))
    world.apply(api_key_secret("resting", entry("KEY", "llm/openai", "api_key"), suspend=True))
    made = pacing.unix(world.object("late", "KeyAction")["metadata"]["creationTimestamp"]) or 0.0
    world.until(lambda: time.time() > made + 2, "its second is over")
    mark = world.plane.mark()
    operator = world.start()

    for name in ("empty", "resting", "nothere"):
        world.apply(key_action(f"of-{name}", name))

    told = {name: world.ends(f"of-{name}", "Failed") for name in ("empty", "resting", "nothere")}
    assert {name: each["reason"] for name, each in told.items()} == {
        "empty": "NotFound",
        "resting": "Suspended",
        "nothere": "ObjectNotFound",
    }
    assert types(told["nothere"]) == dict.fromkeys(("Failed", "Stalled"), "ObjectNotFound")
    assert "startedAt" not in told["nothere"] and "startedAt" in told["empty"]
    assert told["empty"]["message"].startswith("KeyStore/vault answered 404 for not/there. Check the path")
    late = world.ends("late", "Expired")
    assert types(late) == dict.fromkeys(("Failed", "Stalled"), "ExpiredBeforeStart")
    assert late["message"].startswith("It did not begin within 1 s, as expiresAfter says, and never will.")
    world.until(lambda: world.event_reasons("resting")[-1:] == ["ActionFailed"], "its Event is on the object")
    world.has_events("ActionFailed", name="of-nothere")
    # One began; what does not begin is written of once.
    assert world.writes(operator, mark)["patch keyactions/status"] == 2 + 3


def test_where_nothing_rotates_each_act_on_a_rotation_ends_with_that_word(world: World) -> None:
    operator = world.start("--rotations")
    world.has_key()
    world.is_ready()
    mark, acts = world.plane.mark(), [each for each in get_args(ACTION) if each != "Refresh"]

    with world.untouched():
        for each in acts:
            debt = {"debt": "key_1"} if each == "ForgetDebt" else {}
            world.apply(key_action(each.lower(), action=each, credential="openai", requestedBy="alice", **debt))
        told = [world.ends(each.lower(), "Failed") for each in acts]

    assert len(acts) == 8
    assert {each["reason"] for each in told} == {"NotRotated"}
    for each in told:
        assert types(each) == dict.fromkeys(("Failed", "Stalled"), "NotRotated")
        assert each["message"].startswith("ApiKeySecret llm declares no rotation. Have new keys made where they come")
    world.until(lambda: world.event_reasons().count("ActionFailed") == 8, "each is told of")
    notes = {each["note"].partition(",")[0] for each in world.events() if each["reason"] == "ActionFailed"}
    assert notes == {f"{each} of openai" for each in acts}
    assert world.writes(operator, mark)["patch keyactions/status"] == 16
    records = call(world, "audit", "log", "-o", "json").json["records"]
    recorded = [each for each in records if each["type"] == "action.outcome"]
    assert {each["action"]["act"] for each in recorded} == set(acts)
    assert {(each["code"], each["credential"]["name"]) for each in recorded} == {("NotRotated", "openai")}


def test_an_action_that_a_dead_leader_began_is_brought_to_an_end(api_proxy: FaultProxy, world: World) -> None:
    def lead() -> int:
        started = world.start("--lease-seconds=2", server=api_proxy.url, ca_file=api_proxy.ca_file)
        world.is_ready()
        return started.process.pid

    world.has_key()
    process = lead()
    # After it is told to have begun; before its end is told.
    for name, after in (("one", 0), ("two", 1)):
        killing = KillBefore(process) if after else KillAfter(process)
        with api_proxy.fault(killing, method="PATCH", path=STATUS, times=1, after=after):
            world.apply(key_action(name))
            world.operators[-1].process.wait(30)
        begun = world.object(name, "KeyAction")["status"]
        assert begun["phase"] == "Running"
        world.put("llm/openai", api_key=f"sk-{name}")

        process = lead()

        told = world.ends(name, "Succeeded")
        assert told["startedAt"] == begun["startedAt"]
        assert told["message"].endswith("It is not proven who asked: it was not when it began.")
        world.secret_becomes({"OPENAI_API_KEY": f"sk-{name}"})


def test_lost_answers_conflicts_and_refusals_do_not_keep_an_action_from_its_end(
    api_proxy: FaultProxy, world: World
) -> None:
    world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.has_key()
    world.is_ready()
    for number, fault in enumerate((LoseAnswer(), Answer(409), Answer(403), Answer(500))):
        for after in (0, 1):
            name = f"action-{number}-{after}"
            with api_proxy.fault(fault, method="PATCH", path=STATUS, times=1, after=after):
                world.apply(key_action(name))
                assert world.ends(name, "Succeeded")["reason"] == "Done"
    with api_proxy.fault(Hold(), method="PATCH", path=STATUS, times=1) as held:
        world.apply(key_action("labelled"))
        held.wait()
        body = {"metadata": {"labels": {"a": "b"}}}
        world.must("PATCH", world.path("KeyAction", "labelled"), body, "application/merge-patch+json")
    world.ends("labelled", "Succeeded")


def test_many_actions_at_once_share_what_they_can(world: World) -> None:
    operator = world.start()
    world.has_key("one")
    world.has_key("two")
    world.is_ready("one")
    world.is_ready("two")
    mark, reads = world.plane.mark(), operator.metric("keywright_store_calls_total")
    names = [f"action-{number}" for number in range(60)]

    for number, name in enumerate(names):
        world.apply(key_action(name, ("one", "two")[number % 2], requestedBy="alice"))

    for name in names:
        world.ends(name, "Succeeded")
    assert world.writes(operator, mark)["patch keyactions/status"] == 120
    looks = [each for each in world.requests(operator, mark) if each.resource == "validatingadmissionpolicies"]
    assert 1 <= len(looks) <= 60
    assert operator.metric("keywright_store_calls_total") > reads


def test_what_goes_while_it_is_acted_upon_ends_the_action(bao_proxy: FaultProxy, world: World) -> None:
    operator = world.start()
    world.put("llm/openai", api_key="sk-one")
    world.apply(key_store("vault", bao_proxy.url, world.mount))
    for name in ("llm", "other"):
        world.apply(api_key_secret(name, entry("KEY", "llm/openai", "api_key")))
        world.is_ready(name)

    with bao_proxy.fault(Hang(), path="/data/") as hung:
        world.apply(key_action("of-llm", "llm"))
        world.apply(key_action("forgotten", "other"))
        world.apply(key_action("of-other", "other"))
        hung.wait()
        for name in ("of-llm", "forgotten", "of-other"):
            world.until(lambda name=name: world.object(name, "KeyAction")["status"].get("phase") == "Running", "runs")  # type: ignore[misc]
        world.delete("ApiKeySecret", "llm")
        world.delete("KeyAction", "forgotten")

        assert world.ends("of-llm", "Failed")["reason"] == "ObjectNotFound"

        world.must("DELETE", f"/api/v1/namespaces/{world.namespace}")
    world.until(lambda: world.plane.request("GET", world.path("KeyAction", "of-other"))[0] == 404, "all is gone")
    assert operator.ready()
    assert "a bug" not in operator.log.read_text()
