"""What becomes of a Secret when the stores no longer have its keys, and Secrets that are immutable."""

from __future__ import annotations

from build import api_key_secret, entry
from controlplane import Answer, FaultProxy
from world import World

GOES = {"deletionPolicy": "Delete"}


def stays_without_its_key(world: World) -> None:
    """See that the Secret is as it was after one of its keys left the store."""
    with world.untouched():
        world.forget("llm/openai")
        world.annotate("llm", refresh="1")
        world.is_refused("NotFound")


def test_a_secret_whose_keys_are_all_gone_goes_if_the_object_says_so_and_comes_back_with_them(world: World) -> None:
    world.start()
    world.has_key(target=GOES)
    world.is_ready()

    world.forget("llm/openai")
    world.annotate("llm", refresh="1")
    world.secret_becomes(None)

    world.is_refused("NotFound")
    world.has_events("Created", "Deleted")
    said = world.events()[-1]["note"]
    assert "answered 404 for llm/openai; as deletionPolicy says, there is no Secret llm." in said
    status = world.object()["status"]
    assert "target" not in status
    assert status["keys"] == "0/1"

    world.put("llm/openai", api_key="sk-two")
    world.annotate("llm", refresh="2")
    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    world.is_ready()


def test_a_secret_stays_while_one_of_its_keys_is_there(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.put("llm/anthropic", api_key="sk-ant")
    world.has_store()
    entries = (entry("ONE", "llm/openai", "api_key"), entry("TWO", "llm/anthropic", "api_key"))
    world.apply(api_key_secret("llm", *entries, target=GOES))
    world.is_ready()

    stays_without_its_key(world)


def test_a_secret_stays_where_one_entry_has_a_default(world: World) -> None:
    world.start()
    world.has_store()
    world.put("llm/openai", api_key="sk-one")
    entries = entry("KEY", "llm/openai", "api_key"), entry("REGION", "llm/openai", "region", default="eu")
    world.apply(api_key_secret("llm", *entries, target=GOES))
    world.is_ready()

    stays_without_its_key(world)


def test_a_slip_in_an_edit_takes_nothing_away(world: World) -> None:
    world.start()
    world.has_key(target=GOES)
    world.is_ready()

    with world.untouched():
        world.apply(api_key_secret("llm", entry("OPENAI_API_KEY", "llm/opneai", "api_key"), target=GOES))
        world.is_refused("NotFound")


def test_a_secret_stays_when_the_store_refuses_or_fails(bao_proxy: FaultProxy, world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store(vault={"server": bao_proxy.url})
    world.apply(api_key_secret("llm", entry("OPENAI_API_KEY", "llm/openai", "api_key"), target=GOES))
    world.is_ready()

    for code, body, reason in (
        (403, {"errors": ["permission denied"]}, "AccessDenied"),
        (404, "<html>no</html>", None),
    ):
        with world.untouched(), bao_proxy.fault(Answer(code, body), path="/data/llm/"):
            world.annotate("llm", refresh=str(code))
            if reason:
                world.is_refused(reason)
            else:
                world.holds(lambda: world.secret() == {"OPENAI_API_KEY": "sk-one"}, "it stays")
        world.annotate("llm", refresh=f"{code}-over")
        world.is_ready()


def test_entries_that_were_merged_go_when_all_keys_are_gone_and_the_secret_stays(world: World) -> None:
    world.start()
    world.secret_is("app", {"THEIRS": "1"})
    world.has_key(target=GOES | {"name": "app", "creationPolicy": "Merge"})
    world.is_ready()

    world.forget("llm/openai")
    world.annotate("llm", refresh="1")

    world.secret_becomes({"THEIRS": "1"}, "app")
    world.is_refused("NotFound")


def test_an_immutable_secret_is_made_once_and_what_cannot_be_changed_is_said(world: World) -> None:
    world.start()
    world.has_key(refreshInterval="0", target={"immutable": True})
    world.is_ready()
    found = world.secret_object()
    assert found
    assert found["immutable"] is True

    world.put("llm/openai", api_key="sk-two")
    world.annotate("llm", refresh="1")

    assert "is immutable and differs" in world.is_refused("TargetImmutable")["message"]
    assert world.secret() == {"OPENAI_API_KEY": "sk-one"}
    world.delete_secret("llm")
    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    world.is_ready()


def test_a_secret_becomes_immutable_when_the_object_says_so(world: World) -> None:
    world.start()
    world.has_key(refreshInterval="0")
    world.is_ready()

    world.has_key(refreshInterval="0", target={"immutable": True})

    world.until(lambda: (world.secret_object() or {}).get("immutable"), "it is immutable")
    world.is_ready()
