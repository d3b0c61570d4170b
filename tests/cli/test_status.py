"""``keywright status``: what a person, a script and a stranger see."""

from __future__ import annotations

import re

import pytest
import yaml

from build import api_key_secret, cluster_key_store, entry
from cli.terminal import call, keywright, on_a_terminal, person, place
from world import World

ESCAPE = "\x1b"


def test_a_ready_object_is_one_plain_line_below_the_leader(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()

    said = call(world, "status")

    lines = said.out.splitlines()
    assert said.code == 0
    assert re.fullmatch(r"operator \S+ leads, last seen \d+ s ago", lines[0])
    assert lines[2].split() == ["NAME", "READY", "REASON", "STORE", "KEYS", "LAST", "CHANGE", "AGE"]
    assert lines[3].split()[:5] == ["llm", "True", "Synced", "KeyStore/vault", "1/1"]
    assert lines[5].split() == ["STORE", "READY", "REASON", "SINCE"]
    assert lines[6].split()[:3] == [f"KeyStore/{world.namespace}/vault", "True", "Valid"]
    assert said.out.isascii()
    assert ESCAPE not in said.out
    assert [line for line in lines if line != line.rstrip()] == []


def test_an_object_that_is_not_ready_says_why_and_the_code_tells_it(world: World) -> None:
    world.start()
    world.has_key()
    world.apply(api_key_secret("other", entry("KEY", "not/there", "api_key")))
    message = world.is_refused("NotFound", "other")["message"]
    world.is_ready()

    said = call(world, "status")

    assert said.code == 3
    assert f"\n\n{world.namespace}/other\n  {message}\n" in said.out
    assert call(world, "status", "llm").code == 0
    assert "other" not in call(world, "status", "llm").out


def test_a_ready_object_that_lacks_something_says_what(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    entries = [entry("KEY", "llm/openai", "api_key"), entry("PERHAPS", "not/there", "api_key", optional=True)]
    world.apply(api_key_secret("llm", *entries))
    message = next(each["message"] for each in world.is_ready()["status"]["conditions"] if each["type"] == "Ready")

    said = call(world, "status")

    assert said.code == 0
    assert "The stores do not have PERHAPS." in message
    assert f"\n\n{world.namespace}/llm\n  {message}\n" in said.out


def test_programs_get_the_same_as_json_and_yaml(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()

    told = call(world, "status", "-o", "json").json
    again = yaml.safe_load(call(world, "status", "-o", "yaml").out)

    assert told["leader"]["leads"] is True
    assert [each["name"] for each in told["apiKeySecrets"]] == ["llm"]
    assert told["apiKeySecrets"][0].items() >= {"ready": "True", "reason": "Synced", "keys": "1/1"}.items()
    assert told["stores"][0].items() >= {"store": f"KeyStore/{world.namespace}/vault", "ready": "True"}.items()
    assert again["apiKeySecrets"] == told["apiKeySecrets"]


def test_what_is_not_known_is_null_to_programs_and_a_dash_to_people(world: World) -> None:
    world.has_key()

    told = call(world, "status", "-o", "json").json

    (row,) = told["apiKeySecrets"]
    unknown = {"reason": None, "since": None, "store": None, "keys": None, "lastChanged": None}
    assert row.items() >= ({"ready": "Unknown"} | unknown).items()
    assert [each["reason"] for each in told["stores"]] == [None]
    assert call(world, "status").out.splitlines()[3].split()[:5] == ["llm", "Unknown", "-", "-", "-"]


def test_without_an_operator_it_is_said_that_nobody_leads(world: World) -> None:
    world.has_key()

    said = call(world, "status")

    assert said.code == 3
    assert said.out.startswith(f"nobody leads: namespace {world.system} has no Lease")
    assert "has not looked at it yet" in said.out


def test_a_leader_that_vanished_and_one_that_ended_are_told_apart(world: World) -> None:
    world.start().kill()
    world.until(lambda: call(world, "status").out.startswith("nobody leads: operator "), "its silence is noticed")

    world.start().stop()

    assert call(world, "status").out.startswith("nobody leads: the last leader ended in order")


def test_an_empty_namespace_says_what_to_do(world: World) -> None:
    said = call(world, "status")

    assert said.code == 0
    assert f"No ApiKeySecrets in namespace {world.namespace}; -A shows all." in said.out
    assert "kubectl explain apikeysecret.spec" in said.out


def test_a_cluster_store_that_nobody_has_looked_at_may_be_switched_off(world: World) -> None:
    world.apply(cluster_key_store(world.namespace, world.bao.url, world.mount))
    ref = {"kind": "ClusterKeyStore", "name": world.namespace}
    world.apply(api_key_secret("llm", entry("KEY", "llm", "api_key"), storeRef=ref))
    world.start("--no-cluster-stores")
    world.is_refused("StoreNotFound")

    said = call(world, "status")

    assert "or does not serve ClusterKeyStores (clusterStores.enabled)." in said.out


def test_stores_that_nothing_uses_yet_are_shown(world: World) -> None:
    world.start()
    world.has_store("early")
    world.is_ready("early", "KeyStore")
    world.has_store("wrong", vault={"auth": {"token": {"secretRef": {"name": "missing", "key": "token"}}}})
    world.is_refused("CredentialMissing", "wrong", "KeyStore")

    said = call(world, "status")

    assert re.search(rf"KeyStore/{world.namespace}/early +True +Valid", said.out)
    assert re.search(rf"KeyStore/{world.namespace}/wrong +False +CredentialMissing", said.out)
    assert "Secret missing" not in said.out
    assert f"needs Secret {world.namespace}/missing, which does not exist" in said.out


def test_all_namespaces_are_told_apart(world: World) -> None:
    world.has_key()

    said = keywright("status", "-A", f"--kubeconfig={world.plane.kubeconfig}")

    rows = [line.split() for line in said.out.splitlines()]
    assert ["NAMESPACE", "NAME", "READY"] in [row[:3] for row in rows]
    assert [world.namespace, "llm", "Unknown"] in [row[:3] for row in rows]


def test_a_terminal_gets_colours_and_lines_that_fit(world: World) -> None:
    world.start()
    world.has_key()
    world.apply(api_key_secret("other", entry("KEY", "not/there", "api_key")))
    world.is_refused("NotFound", "other")
    world.is_ready()

    shown = on_a_terminal(100, "status", *place(world))

    assert ESCAPE in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert max(map(len, plain.splitlines())) <= 100
    assert "NotFound" in plain


def test_text_in_an_object_cannot_speak_to_the_terminal(world: World) -> None:
    made = world.apply(api_key_secret("llm", entry("KEY", "a/b", "c")))
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "NotFound",
        "message": "\x1b]0;title\x07[red]news[/red]\x1b[2J",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {"status": {"observedGeneration": made["metadata"]["generation"], "conditions": [condition]}}
    world.must("PATCH", world.path("ApiKeySecret", "llm") + "/status", status, "application/merge-patch+json")

    said = call(world, "status")
    shown = on_a_terminal(100, "status", *place(world))

    assert "[red]news[/red]" in said.out
    assert ESCAPE not in said.out
    assert "\x07" not in shown
    assert "\x1b[2J" not in shown


def test_who_may_not_read_the_lease_or_the_stores_still_sees_the_objects(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    tenant = person(world, {"apiGroups": ["keywright.dev"], "resources": ["apikeysecrets"], "verbs": ["get", "list"]})

    said = call(world, "status", kubeconfig=tenant)

    assert said.code == 0
    assert said.out.startswith("who leads is unknown: you may not read the Lease")
    assert "You may not read keystores." in said.out


def test_who_may_read_nothing_is_told_to_ask_for_the_right(world: World) -> None:
    said = call(world, "status", kubeconfig=person(world))

    assert said.code == 1
    assert said.err.startswith(f"Error: you have no right to list apikeysecrets in namespace {world.namespace}.\n")
    assert "kubectl auth can-i --list" in said.err


def test_a_store_that_does_not_exist_is_told_so(world: World) -> None:
    world.apply(api_key_secret("llm", entry("KEY", "a/b", "c")))

    assert f"KeyStore/{world.namespace}/vault\n  It does not exist.\n" in call(world, "status").out


def test_an_object_that_does_not_exist_is_one_clear_line(world: World) -> None:
    said = call(world, "status", "nothere")

    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith(f"Error: ApiKeySecret nothere does not exist in namespace {world.namespace}.\n")


@pytest.mark.parametrize("arguments", [["-A", "llm"], ["-A", "-n", "x"], ["-o", "xml"]])
def test_wrong_usage_is_refused(arguments: list[str]) -> None:
    assert keywright("status", *arguments).code == 2
