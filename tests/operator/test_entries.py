"""Many entries from one key, values from another store in times of trouble, and what stores may not take away."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from build import api_key_secret, entry, key_store
from controlplane import Answer, FaultProxy, Hang
from world import World

UPPER = {"case": "UpperSnake"}


def extract(path: str = "llm/shared", **more: Any) -> dict[str, Any]:
    return {"extract": {"path": path}, **more}


# Many at once.


def test_all_properties_of_a_key_become_entries_and_data_wins(world: World) -> None:
    operator = world.start()
    world.put("llm/shared", llm_url="https://x", llm_limits={"rpm": 10}, other="o")
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    rules = [{"regexp": {"source": "^llm_(.*)$", "target": "$1"}}, UPPER, {"prefix": "APP_"}]
    own = entry("APP_OTHER", "llm/openai", "api_key")
    world.apply(api_key_secret("llm", own, dataFrom=[extract(rewrite=rules)]))

    found = world.is_ready()

    assert world.secret() == {"APP_URL": "https://x", "APP_LIMITS": '{"rpm":10}', "APP_OTHER": "sk-one"}
    assert found["status"]["keys"] == "3/3"
    world.has_events("Created")
    with world.quiet(operator):
        pass
    world.refreshes("1")
    assert world.writes(operator)["patch secrets"] == 1


def test_a_property_that_is_a_map_gives_its_entries(world: World) -> None:
    world.start()
    world.put("llm/shared", prod={"A": "1", "B": "2"}, dev={"A": "0"})
    world.has_store()
    world.apply(api_key_secret("llm", dataFrom=[{"extract": {"path": "llm/shared", "property": "prod"}}]))
    world.is_ready()

    assert world.secret() == {"A": "1", "B": "2"}


def test_a_new_property_becomes_an_entry_and_one_that_is_gone_stays_until_it_may_go(world: World) -> None:
    world.start()
    world.put("llm/shared", A="1", B="2")
    world.has_store()
    world.apply(api_key_secret("llm", dataFrom=[extract()]))
    world.is_ready()
    world.put("llm/shared", A="1", B="2", C="3")
    world.refreshes("1")
    assert world.secret() == {"A": "1", "B": "2", "C": "3"}

    with world.untouched():
        world.put("llm/shared", A="1")
        world.annotate("llm", refresh="2")
        said = world.is_refused("FewerEntries")["message"]
    assert "The stores no longer have what the Secret holds as B, C" in said

    world.apply(api_key_secret("llm", dataFrom=[extract()], target={"allowShrink": True}))
    world.secret_becomes({"A": "1"})
    world.is_ready()
    world.put("llm/shared", B="2")
    world.refreshes("3")
    assert world.secret() == {"B": "2"}


def test_an_edit_of_the_object_may_take_entries_away(world: World) -> None:
    world.start()
    world.put("llm/shared", A="1", B="2")
    world.put("llm/other", C="3")
    world.has_store()
    world.apply(api_key_secret("llm", dataFrom=[extract(), extract("llm/other")]))
    world.is_ready()

    world.apply(api_key_secret("llm", dataFrom=[extract("llm/other")]))

    world.secret_becomes({"C": "3"})
    world.is_ready()


@pytest.mark.parametrize(
    ("wrong", "reason", "said"),
    [
        (
            [extract(), extract("llm/other")],
            "ConflictingEntries",
            "gives with name 1 of 1 ('...', 1 characters) what an extract before it gives too",
        ),
        ([extract("llm/odd")], "InvalidSpec", "can have: name 1 of 1 ('my...', 6 characters, with ' ')"),
        ([extract("llm/text")], "ValueEmpty", "has no entries"),
        ([extract("llm/nothing")], "NotFound", "answered 404 for llm/nothing"),
        ([extract(rewrite=[{"regexp": {"source": "(", "target": ""}}])], "InvalidSpec", "cannot be used"),
    ],
    ids=["twice", "name", "empty", "missing", "expression"],
)
def test_entries_that_cannot_be_are_refused_by_name(world: World, wrong: Any, reason: str, said: str) -> None:
    world.start()
    world.put("llm/shared", A="1")
    world.put("llm/other", A="2")
    world.put("llm/odd", **{"my key": "1"})
    world.put("llm/text")
    world.has_store()
    world.apply(api_key_secret("llm", dataFrom=[extract()]))
    world.is_ready()

    with world.untouched():
        world.apply(api_key_secret("llm", dataFrom=wrong))
        assert said in world.is_refused(reason)["message"]


def test_what_is_optional_and_not_there_is_told_as_partial(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    maybe = entry("MAYBE", "llm/none", "x", optional=True)
    more = extract("llm/none", optional=True)
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), maybe, dataFrom=[more]))

    found = world.is_ready()

    ready = world.condition()
    assert ready["reason"] == "Partial"
    assert ready["message"].endswith("The stores do not have MAYBE, dataFrom[0] (llm/none of KeyStore/vault).")
    assert found["status"]["keys"] == "1/2"
    world.put("llm/none", x="1")
    world.refreshes("1")
    assert world.secret() == {"KEY": "sk-one", "MAYBE": "1", "x": "1"}
    assert world.condition()["reason"] == "Synced"


def test_an_optional_entry_may_leave_where_the_object_allows_it(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.put("llm/region", name="us")
    world.has_store()
    entries = entry("KEY", "llm/openai", "api_key"), entry("REGION", "llm/region", "name", optional=True)
    world.apply(api_key_secret("llm", *entries, target={"allowShrink": True}))
    world.is_ready()

    world.forget("llm/region")
    world.refreshes("1")

    assert world.secret() == {"KEY": "sk-one"}
    assert world.condition()["reason"] == "Partial"


# Another place.


def test_a_value_comes_from_another_store_while_its_own_is_silent(bao_proxy: FaultProxy, world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.put("copies/openai", key="sk-copy")
    world.apply(key_store("first", bao_proxy.url, world.mount, limits={"timeout": "2s"}))
    world.has_store("second")
    there = {"storeRef": {"name": "second"}, "remoteRef": {"path": "copies/openai", "property": "key"}}
    own = entry("KEY", "llm/openai", "api_key", sources=[there]) | {"storeRef": {"name": "first"}}
    world.apply(api_key_secret("llm", own))
    world.is_ready()
    assert world.secret() == {"KEY": "sk-one"}

    with bao_proxy.fault(Answer(503), path="/v1/"):
        world.refreshes("1")
        assert world.secret() == {"KEY": "sk-copy"}
        assert world.condition()["reason"] == "Fallback"
        assert "KEY came from KeyStore/second, as the store to ask is silent." in world.condition()["message"]
        assert world.object()["status"]["versions"][0]["store"] == "KeyStore/second"

    def back() -> bool:
        world.annotate("llm", refresh=str(len(world.events())) + str(world.object()["metadata"]["resourceVersion"]))
        return world.secret() == {"KEY": "sk-one"}

    world.until(back, "its own store is asked again")
    world.until(lambda: world.condition()["reason"] == "Synced", "that is told")


@pytest.mark.parametrize("trouble", ["denied", "gone"])
def test_a_refusal_is_no_reason_to_ask_elsewhere(world: World, bao_proxy: FaultProxy, trouble: str) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.put("copies/openai", api_key="sk-copy")
    world.apply(key_store("first", bao_proxy.url, world.mount))
    world.has_store("second")
    there = {"storeRef": {"name": "second"}, "remoteRef": {"path": "copies/openai", "property": "api_key"}}
    own = entry("KEY", "llm/openai", "api_key", sources=[there]) | {"storeRef": {"name": "first"}}
    world.apply(api_key_secret("llm", own))
    world.is_ready()

    with world.untouched():
        if trouble == "gone":
            world.forget("llm/openai")
            world.annotate("llm", refresh="1")
            world.is_refused("NotFound")
        else:
            with bao_proxy.fault(Answer(403, {"errors": ["permission denied"]}), path="/data/llm/"):
                world.annotate("llm", refresh="1")
                world.is_refused("AccessDenied")


def test_a_store_that_hangs_from_the_start_is_passed_over(bao_proxy: FaultProxy, world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.apply(key_store("first", bao_proxy.url, world.mount, limits={"timeout": "1s"}))
    world.has_store("second")
    own = entry("KEY", "llm/openai", "api_key", sources=[{"storeRef": {"name": "second"}}])

    with bao_proxy.fault(Hang(), path="/v1/"):
        world.apply(api_key_secret("llm", own | {"storeRef": {"name": "first"}}))
        world.is_ready()

        assert world.secret() == {"KEY": "sk-one"}
        assert world.condition()["reason"] == "Fallback"


# Shapes.


def test_a_pull_secret_is_made_of_its_parts_and_they_are_not_copied(world: World) -> None:
    world.start()
    world.put("registry", user="robot", token="reg-one")
    world.has_store()
    entries = entry("user", "registry", "user"), entry("token", "registry", "token")
    registry = {"server": "ghcr.io", "usernameFrom": "user", "passwordFrom": "token"}
    world.apply(api_key_secret("llm", *entries, target={"dockerConfig": {"registries": [registry]}}))
    found = world.is_ready()

    secret = world.secret_object()
    assert secret
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    assert list(secret["data"]) == [".dockerconfigjson"]
    (login,) = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"].items()
    auth = base64.b64encode(b"robot:reg-one").decode()
    assert login == ("ghcr.io", {"username": "robot", "password": "reg-one", "auth": auth})
    assert found["status"]["keys"] == "2/2"

    world.put("registry", user="robot", token="reg-two")
    world.refreshes("1")
    assert "reg-two" in base64.b64decode((world.secret_object() or {})["data"][".dockerconfigjson"]).decode()


def test_a_file_of_variables_stands_beside_what_it_does_not_name(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key='s"k\none', org="acme")
    world.has_store()
    entries = entry("KEY", "llm/openai", "api_key"), entry("ORG", "llm/openai", "org")
    world.apply(api_key_secret("llm", *entries, target={"dotenv": {"file": "app.env", "keys": ["KEY"]}}))
    world.is_ready()

    assert world.secret() == {"app.env": 'KEY="s\\"k\\none"\n', "ORG": "acme"}


def test_a_file_of_variables_is_made_without_an_optional_one_that_is_missing(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    entries = entry("KEY", "llm/openai", "api_key"), entry("ORG", "llm/openai", "org", optional=True)
    world.apply(api_key_secret("llm", *entries, target={"dotenv": {"keys": ["KEY", "ORG"]}}))
    world.is_ready()

    assert (world.secret(), world.condition()["reason"]) == ({".env": 'KEY="sk-one"\n'}, "Partial")
    world.put("llm/openai", api_key="sk-one", org="acme")
    world.refreshes("1")
    world.secret_becomes({".env": 'KEY="sk-one"\nORG="acme"\n'})


def test_what_does_not_fit_a_shape_is_refused_and_the_secret_stays(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key")))
    world.is_ready()

    with world.untouched():
        shape = {"tls": {"certificateFrom": "KEY", "privateKeyFrom": "KEY"}}
        world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), target=shape))
        said = world.is_refused("ShapeFailed")["message"]
    assert "target.tls needs certificates in PEM, and entry KEY has none" in said
    assert "sk-one" not in said


# What stores may not take away, whatever happens beside it.


def test_entries_stay_when_the_status_was_lost_and_the_store_has_less(world: World) -> None:
    operator = world.start()
    world.put("llm/shared", A="1", B="2")
    world.has_store()
    world.apply(api_key_secret("llm", dataFrom=[extract()]))
    world.is_ready()
    operator.stop()
    status = world.path("ApiKeySecret", "llm") + "/status"
    world.must("PATCH", status, {"status": None}, "application/merge-patch+json")
    world.put("llm/shared", A="1")

    with world.untouched():
        world.start()
        assert "holds as B" in world.is_refused("FewerEntries")["message"]


def test_an_edit_beside_it_takes_nothing_away(world: World) -> None:
    world.start()
    world.put("llm/shared", A="1", B="2")
    world.has_store()
    world.apply(api_key_secret("llm", dataFrom=[extract()]))
    world.is_ready()

    with world.untouched():
        world.put("llm/shared", A="1")
        world.apply(api_key_secret("llm", dataFrom=[extract()], refreshInterval="2h"))
        world.is_refused("FewerEntries")


def test_more_entries_than_a_secret_takes_are_refused_by_name(world: World) -> None:
    world.start()
    world.put("llm/a", **{f"a{number}": "1" for number in range(300)})
    world.put("llm/b", **{f"b{number}": "1" for number in range(300)})
    world.has_store()
    world.apply(api_key_secret("llm", dataFrom=[extract("llm/a"), extract("llm/b")]))

    assert "there are 600 entries" in world.is_refused("ValueTooLarge")["message"].lower()
    assert world.secret() is None


@pytest.mark.parametrize("goes", [False, True], ids=["plain", "deletionPolicy"])
def test_what_a_fallback_lacks_is_no_news_while_the_store_is_silent(
    bao_proxy: FaultProxy, world: World, goes: bool
) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.apply(key_store("first", bao_proxy.url, world.mount, limits={"timeout": "2s"}))
    world.has_store("second")
    there = {"storeRef": {"name": "second"}, "remoteRef": {"path": "copies/none", "property": "key"}}
    own = entry("KEY", "llm/openai", "api_key", sources=[there]) | {"storeRef": {"name": "first"}}
    world.apply(api_key_secret("llm", own, target={"deletionPolicy": "Delete"} if goes else {"allowShrink": True}))
    world.is_ready()

    with world.untouched(), bao_proxy.fault(Answer(503), path="/v1/"):
        world.annotate("llm", refresh="1")
        world.is_refused("StoreError", "first", "KeyStore")
        world.holds(lambda: world.condition()["status"] == "True", "the object is Ready")


def test_two_stores_that_stand_in_for_each_other_and_are_both_silent_are_an_outage(
    bao_proxy: FaultProxy, world: World
) -> None:
    operator = world.start()
    world.put("llm/openai", api_key="sk-one")
    for name in ("first", "second"):
        world.apply(key_store(name, bao_proxy.url, world.mount, limits={"timeout": "2s"}))

    def crossed(key: str, one: str, other: str) -> dict[str, Any]:
        named = {"storeRef": {"name": one}}
        return entry(key, "llm/openai", "api_key", sources=[{"storeRef": {"name": other}}]) | named

    world.apply(api_key_secret("llm", crossed("A", "first", "second"), crossed("B", "second", "first")))
    world.is_ready()

    with world.untouched(), bao_proxy.fault(Answer(503), path="/v1/") as down:
        world.annotate("llm", refresh="1")
        down.wait(2)
        world.holds(lambda: world.condition()["status"] == "True", "the object is Ready", 3)
    assert "a bug" not in operator.log.read_text()


@pytest.mark.parametrize("how", ["data", "data-empty", "allowEmpty"])
def test_an_empty_property_stops_an_extract_only_where_nobody_has_said_what_it_is(world: World, how: str) -> None:
    world.start()
    world.put("llm/shared", A="1", B="")
    world.put("llm/b", v="2")
    world.has_store()
    world.apply(api_key_secret("llm", dataFrom=[extract("llm/shared")]))
    assert "is empty" in world.is_refused("ValueEmpty")["message"]

    data = {"data": [entry("B", "llm/b", "v")], "data-empty": [entry("B", "llm/shared", "B", allowEmpty=True)]}
    more = {"allowEmpty": True} if how == "allowEmpty" else {}
    world.apply(api_key_secret("llm", *data.get(how, []), dataFrom=[extract("llm/shared", **more)]))

    world.secret_becomes({"A": "1", "B": "2" if how == "data" else ""})
