"""A key in a store becomes a native Secret, and stays right."""

from __future__ import annotations

from build import api_key_secret, entry
from controlplane import FaultProxy, Hold
from world import World


def test_a_key_in_the_store_becomes_a_secret_with_two_writes_and_one_event(world: World) -> None:
    operator = world.start()
    mark = world.plane.mark()

    world.has_key()

    world.is_ready()
    assert world.secret() == {"OPENAI_API_KEY": "sk-one"}
    world.has_events("Created")
    assert world.writes(operator, mark) == {
        "patch secrets": 1,
        "patch apikeysecrets/status": 1,
        "patch keystores/status": 1,
        "create events": 1,
    }


def test_a_changed_key_reaches_the_secret_at_the_next_refresh(world: World) -> None:
    world.start()
    world.has_key(refreshInterval="10s")
    world.is_ready()

    world.put("llm/openai", api_key="sk-two")

    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    world.has_events("Created", "Updated")


def test_an_unchanged_refresh_asks_nothing_of_the_api_server(world: World) -> None:
    operator = world.start()
    world.has_key(refreshInterval="10s")
    world.is_ready()
    world.is_ready("vault", "KeyStore")
    world.has_events("Created")
    before = operator.metric("keywright_store_calls_total")

    with world.quiet(operator, seconds=0.5):
        world.until(lambda: operator.metric("keywright_store_calls_total") > before, "the next refresh")


def test_a_refresh_that_is_asked_for_happens_at_once_and_is_acknowledged(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    world.put("llm/openai", api_key="sk-two")

    world.annotate("llm", refresh="now-1")

    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    world.until(lambda: world.object()["status"].get("lastHandledRefresh") == "now-1", "it is acknowledged")


def test_a_deleted_secret_comes_back(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()

    world.delete_secret("llm")

    world.secret_becomes({"OPENAI_API_KEY": "sk-one"})
    world.has_events("Created", "Repaired")


def test_a_changed_secret_is_repaired_and_what_others_added_stays(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()

    world.change_secret("llm", OPENAI_API_KEY="wrong", THEIRS="1")

    world.secret_becomes({"OPENAI_API_KEY": "sk-one", "THEIRS": "1"})


def test_an_entry_that_leaves_the_object_leaves_the_secret(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one", org="acme")
    world.has_store()
    first, second = entry("KEY", "llm/openai", "api_key"), entry("ORG", "llm/openai", "org")
    world.apply(api_key_secret("llm", first, second))
    world.is_ready()
    assert world.secret() == {"KEY": "sk-one", "ORG": "acme"}

    world.apply(api_key_secret("llm", first))

    world.secret_becomes({"KEY": "sk-one"})


def test_a_deleted_object_takes_its_secret_along(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()

    world.delete("ApiKeySecret", "llm")

    world.secret_becomes(None)
    world.has_events("Created", "Deleted")


def test_a_retained_secret_stays_and_is_taken_up_again_without_a_write(world: World) -> None:
    operator = world.start()
    world.has_key(target={"onDelete": "Retain"})
    world.is_ready()
    world.delete("ApiKeySecret", "llm")
    world.until(lambda: "Deleted" in world.event_reasons(), "the end is noticed")
    assert world.secret() == {"OPENAI_API_KEY": "sk-one"}
    mark = world.plane.mark()

    world.has_key(target={"onDelete": "Retain"})

    world.is_ready()
    assert world.writes(operator, mark)["patch secrets"] == 0
    assert world.secret() == {"OPENAI_API_KEY": "sk-one"}


def test_a_renamed_target_is_written_under_its_new_name_and_the_old_one_goes(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()

    world.has_key(target={"name": "other"})

    world.secret_becomes({"OPENAI_API_KEY": "sk-one"}, name="other")
    world.secret_becomes(None, name="llm")


def test_a_restart_with_nothing_due_asks_for_no_object_and_writes_nothing(world: World) -> None:
    first = world.start()
    world.has_key()
    world.is_ready()
    world.has_events("Created")
    assert first.stop() == 0
    mark = world.plane.mark()

    second = world.start()

    world.until(lambda: second.metric("keywright_objects") == 1, "it knows its object")
    assert world.writes(second, mark) == {}
    reads = [each for each in world.requests(second, mark) if each.verb == "get"]
    assert [each.uri for each in reads if each.namespace == world.namespace] == []
    assert second.metric("keywright_store_calls_total") == 0


def test_a_suspended_object_is_left_alone_until_it_goes_on(world: World) -> None:
    world.start()
    world.has_key(suspend=True)
    world.until(lambda: world.condition(type_="Suspended").get("status") == "True", "it says that it is suspended")
    assert world.secret() is None

    world.has_key(suspend=False)

    world.is_ready()
    assert world.condition(type_="Suspended") == {}


def test_what_was_written_as_its_object_was_suspended_is_told(world: World, api_proxy: FaultProxy) -> None:
    world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.has_store()
    key = entry("OPENAI_API_KEY", "llm/openai", "api_key")
    for value in ("sk-one", "sk-two"):
        world.put("llm/openai", api_key=value)
        with api_proxy.fault(Hold(), method="PATCH", path="/apikeysecrets/llm/status", times=1) as held:
            world.apply(api_key_secret("llm", key))
            held.wait()
            made = world.apply(api_key_secret("llm", key, suspend=True))["metadata"]["generation"]
        world.until(lambda made=made: world.object()["status"].get("observedGeneration") == made, "it is seen")  # type: ignore[misc]

        status, secret = world.object()["status"], world.secret_object()
        assert secret
        assert world.secret() == {"OPENAI_API_KEY": value}
        told = (status["target"]["uid"], status["target"]["resourceVersion"])
        assert told == (secret["metadata"]["uid"], secret["metadata"]["resourceVersion"])
        assert (status["keys"], len(status["versions"])) == ("1/1", 1)
