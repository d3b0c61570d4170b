"""Secrets that are made by templates: inline, in ConfigMaps, beside entries and shapes."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from build import api_key_secret, entry
from world import World

ENTRIES = (entry("user", "db/app", "user"), entry("password", "db/app", "password"))
URL = "postgres://{{ user | urlencode }}:{{ password | urlencode }}@db/{{ metadata.namespace }}"


def wants(template: dict[str, Any], **target: Any) -> dict[str, Any]:
    return api_key_secret("llm", *ENTRIES, target={"template": template, **target})


@pytest.fixture
def database(world: World) -> World:
    """A world with an operator and a key of two properties."""
    world.start()
    world.put("db/app", user="app", password="p@ss/word")
    world.has_store()
    return world


def test_a_template_makes_the_entry_that_an_application_wants(database: World) -> None:
    database.apply(wants({"stringData": {"DATABASE_URL": URL}}))
    found = database.is_ready()

    assert database.secret() == {"DATABASE_URL": f"postgres://app:p%40ss%2Fword@db/{database.namespace}"}
    assert found["status"]["keys"] == "2/2"
    database.has_events("Created")

    database.put("db/app", user="app", password="next")
    database.refreshes("1")
    assert database.secret() == {"DATABASE_URL": f"postgres://app:next@db/{database.namespace}"}


def test_entries_stay_beside_what_is_made_where_that_is_wanted(database: World) -> None:
    template = {
        "mergePolicy": "Merge",
        "stringData": {"dsn": "[[ user ]]@db"},
        "delimiters": {"left": "[[", "right": "]]"},
    }
    database.apply(wants(template))
    database.is_ready()

    assert database.secret() == {"user": "app", "password": "p@ss/word", "dsn": "app@db"}


def test_what_stands_under_data_is_base64(database: World) -> None:
    database.apply(wants({"data": {"both": "{{ (user ~ ':' ~ password) | b64encode }}"}}))
    database.is_ready()
    assert database.secret() == {"both": "app:p@ss/word"}

    with database.untouched():
        database.apply(wants({"data": {"both": "{{ user }}!"}}))
        assert "makes what is not Base64" in database.is_refused("DecodeFailed")["message"]


def test_a_hash_stays_the_same_while_the_password_does(database: World) -> None:
    database.apply(wants({"stringData": {"auth": "{{ user }}:{{ password | bcrypt(10) }}"}}))
    database.is_ready()

    with database.untouched():
        database.refreshes("1")
    first = database.secret()
    database.put("db/app", user="app", password="next")
    database.refreshes("2")
    assert database.secret() != first


def config_map(world: World, data: dict[str, str]) -> None:
    path = f"/api/v1/namespaces/{world.namespace}/configmaps/texts?fieldManager=test&force=true"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"}, "data": data}
    world.must("PATCH", path, body, "application/apply-patch+yaml")


def test_templates_stand_in_a_config_map_and_what_is_wrong_with_it_is_told(database: World) -> None:
    source = {"from": [{"configMapRef": {"name": "texts"}}]}
    database.apply(wants(source))
    assert "ConfigMap texts, which does not exist" in database.is_refused("TemplateNotFound")["message"]
    assert database.secret() is None

    config_map(database, {"app.yaml": "user: {{ user }}\n", "other.yaml": "{{ password }}"})
    database.is_ready()
    assert database.secret() == {"app.yaml": "user: app\n", "other.yaml": "p@ss/word"}

    config_map(database, {"app.yaml": "name: {{ user }}\n", "other.yaml": "{{ password }}"})
    database.refreshes("1")
    assert database.secret() == {"app.yaml": "name: app\n", "other.yaml": "p@ss/word"}

    with database.untouched():
        database.must("DELETE", f"/api/v1/namespaces/{database.namespace}/configmaps/texts")
        database.annotate("llm", refresh="2")
        database.is_refused("TemplateNotFound")


def test_one_entry_of_a_config_map_is_chosen_and_inline_text_wins(database: World) -> None:
    config_map(database, {"a": "{{ user }}", "b": "from the map", "c": "{{ nothing }}"})
    some = {"from": [{"configMapRef": {"name": "texts"}, "keys": ["a", "b"]}], "stringData": {"b": "inline"}}
    database.apply(wants(some))
    database.is_ready()
    assert database.secret() == {"a": "app", "b": "inline"}

    with database.untouched():
        database.apply(wants({"from": [{"configMapRef": {"name": "texts"}, "keys": ["z"]}]}))
        assert "has no entry z with a template" in database.is_refused("TemplateNotFound")["message"]


BOMBS = {
    "syntax": ("{{ user", "TemplateInvalid"),
    "call": ("{{ user.center(30000000) }}", "TemplateInvalid"),
    "attributes": ("{{ user.__class__.__mro__ }}", "TemplateFailed"),
    "missing": ("line\n{{ nobody }}", "TemplateFailed"),
    "secret-as-name": ("{{ entries[password] }}", "TemplateFailed"),
    "loops": (
        "{% for a in [1,2,3,4,5,6,7,8,9] %}" * 8 + "x" + "{% endfor %}" * 8,
        "TemplateFailed",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_template_that_cannot_be_filled_in_is_refused_and_the_secret_stays(database: World, name: str) -> None:
    database.apply(wants({"stringData": {"it": "{{ user }}"}}))
    database.is_ready()
    text, reason = BOMBS[name]

    with database.untouched():
        database.apply(wants({"stringData": {"it": text}}))
        said = database.is_refused(reason)["message"]
    assert "emplate of entry it" in said
    assert "p@ss" not in said


def test_a_template_and_a_shape_stand_in_one_secret(database: World) -> None:
    auth = {"basicAuth": {"usernameFrom": "user", "passwordFrom": "password"}}
    database.apply(wants({"stringData": {"url": "{{ user }}@db"}}, **auth))
    database.is_ready()

    assert database.secret() == {"username": "app", "password": "p@ss/word", "url": "app@db"}
    encoded = (database.secret_object() or {})["data"]["url"]
    assert base64.b64decode(encoded) == b"app@db"


def test_a_config_map_without_templates_empties_no_secret(database: World) -> None:
    source = {"from": [{"configMapRef": {"name": "texts"}}]}
    config_map(database, {"a": "{{ user }}"})
    database.apply(wants(source))
    database.is_ready()

    with database.untouched():
        path = f"/api/v1/namespaces/{database.namespace}/configmaps/texts"
        database.must("PATCH", path, {"data": None}, "application/merge-patch+json")
        database.annotate("llm", refresh="1")
        assert "holds no templates" in database.is_refused("TemplateNotFound")["message"]


def test_many_costly_templates_stop_nobody_else(database: World) -> None:
    operator = database.operators[0]
    database.put("db/app", user="app", password=",".join("abcdefgh" * 2400))
    loop = "{% for a in password | split(',') %}{{ a | upper }}{% endfor %}"
    database.apply(wants({"stringData": {f"t{number}": loop for number in range(60)}}))
    other = api_key_secret("other", *ENTRIES[:1])

    database.is_refused("ValueTooLarge")
    for number in range(3):
        database.annotate("llm", refresh=str(number))
        database.apply(other | {"metadata": {"name": f"other-{number}"}})
        database.is_ready(f"other-{number}")
        assert operator.ready()
    assert "could not be renewed" not in operator.log.read_text()
