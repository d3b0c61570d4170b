"""``keywright plan``: says what the operator would do, does none of it, and shows no value."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

from build import api_key_secret, cluster_key_store, credential, entry
from cli.terminal import call, person
from world import World

CANARY = "sk-canary-one"
OTHER = "sk-canary-two"

#: What a plan needs: the object, its store, the store's credential, and the Secret in the target's place.
READER = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    {"apiGroups": ["keywright.dev"], "resources": ["apikeysecrets", "keystores"], "verbs": ["get"]},
]


def wanted(world: World, **spec: Any) -> None:
    """Let there be an ApiKeySecret whose key in the store is a canary."""
    world.put("llm/openai", api_key=CANARY)
    world.has_store()
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), **spec))


def test_a_new_secret_would_be_created(world: World) -> None:
    wanted(world)

    plan = call(world, "plan", "llm", "-o", "json")
    again = yaml.safe_load(call(world, "plan", "llm", "-o", "yaml").out)

    assert plan.code == 4
    assert set(again) == set(plan.json)
    assert (plan.json["act"], plan.json["why"], plan.json["secret"]) == ("create", "missing", "llm")
    (row,) = plan.json["entries"]
    shown = {key: row[key] for key in ("key", "store", "path", "version", "state", "present")}
    assert shown == {
        "key": "KEY",
        "store": "KeyStore/vault",
        "path": "llm/openai",
        "version": "1",
        "state": "new",
        "present": None,
    }
    assert row["wanted"].startswith("run:")
    assert world.secret() is None


def test_what_the_operator_has_just_written_stays_as_it_is(world: World) -> None:
    wanted(world)
    world.start()
    versions = world.is_ready()["status"]["versions"]

    plan = call(world, "plan", "llm", "-o", "json")

    assert plan.code == 0
    assert (plan.json["act"], plan.json["why"], plan.json["fingerprints"]) == ("nothing", "in_order", "install")
    (row,) = plan.json["entries"]
    assert row["state"] == "unchanged"
    assert row["present"] == row["wanted"] == versions[0]["fingerprint"]


def test_the_operator_does_what_the_plan_said(world: World) -> None:
    wanted(world)
    world.start()
    world.is_ready()
    world.put("llm/openai", api_key=OTHER)

    with world.untouched():
        plan = call(world, "plan", "llm", "-o", "json")

    (row,) = plan.json["entries"]
    assert (plan.code, plan.json["act"], row["state"], row["version"]) == (4, "update", "changed", "2")
    world.refreshes("now")
    assert world.secret() == {"KEY": OTHER}
    assert world.is_ready()["status"]["versions"] == [
        {"key": "KEY", "version": row["version"], "fingerprint": row["wanted"]}
    ]


def test_entries_that_come_go_and_are_not_to_be_had_are_told_apart(world: World) -> None:
    world.put("llm/openai", api_key=CANARY, org="acme")
    world.has_store()
    key, org = entry("KEY", "llm/openai", "api_key"), entry("ORG", "llm/openai", "org")
    world.apply(api_key_secret("llm", key, org))
    operator = world.start()
    world.is_ready()
    operator.stop()
    more = entry("MORE", "llm/openai", "org")
    perhaps = entry("PERHAPS", "llm/nothing", "org", optional=True)
    world.apply(api_key_secret("llm", key, more, perhaps))

    plan = call(world, "plan", "llm", "-o", "json").json

    states = {each["key"]: each["state"] for each in plan["entries"]}
    assert states == {"KEY": "unchanged", "MORE": "new", "PERHAPS": "absent", "ORG": "removed"}
    assert plan["act"] == "update"


def test_programs_are_told_where_each_value_comes_from(world: World) -> None:
    world.put("llm/openai", api_key=CANARY)
    world.has_store()
    entries = [
        entry("KEY", "llm/openai", "api_key"),
        entry("REGION", "llm/nothing", "region", default="eu"),
        entry("PERHAPS", "llm/nothing", "org", optional=True),
    ]
    target = {"template": {"mergePolicy": "Replace", "stringData": {"url": "https://{{ KEY }}/"}}}
    world.apply(api_key_secret("llm", *entries, target=target))

    plan, shown = call(world, "plan", "llm", "-o", "json").json, call(world, "plan", "llm").out

    told = {each["key"]: (each["source"], each["store"], each["path"], each["state"]) for each in plan["entries"]}
    assert told == {
        "KEY": ("store", "KeyStore/vault", "llm/openai", "dropped"),
        "REGION": ("default", "KeyStore/vault", "llm/nothing", "dropped"),
        "PERHAPS": (None, "KeyStore/vault", "llm/nothing", "absent"),
        "url": ("made", None, None, "new"),
    }
    assert "(made of the others)" in shown
    assert "(its default)" in shown


def test_a_person_sees_one_sentence_and_a_table(world: World) -> None:
    wanted(world)

    plan = call(world, "plan", "llm")

    lines = plan.out.splitlines()
    assert lines[0] == f"ApiKeySecret {world.namespace}/llm: Secret llm would be created: it is not there."
    assert lines[2].split()[:5] == ["KEY", "STORE", "PATH", "VERSION", "STATE"]
    assert lines[3].split()[:5] == ["KEY", "KeyStore/vault", "llm/openai", "1", "new"]
    assert lines[-1] == "Fingerprints are under a key made for this run; they compare within it only."


def test_a_foreign_secret_in_the_way_is_told_with_what_to_do(world: World) -> None:
    wanted(world)
    world.secret_is("llm", {"KEY": OTHER})

    with world.untouched():
        plan = call(world, "plan", "llm")

    assert plan.code == 1
    assert "Secret llm would not be written (TargetExists)." in plan.out
    assert "is there already and is not ours. Choose another target.name" in plan.out
    assert "changed" in plan.out


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"storeRef": {"name": "other"}}, "StoreNotFound"),
        ({"data": [entry("KEY", "llm/nothing", "api_key")]}, "NotFound"),
        ({"data": [entry("KEY", "llm/openai", "nothing")]}, "PropertyNotFound"),
        ({"target": {"type": "kubernetes.io/service-account-token"}}, "ForbiddenType"),
    ],
)
def test_what_would_be_refused_says_so_with_the_operators_reason(
    world: World, spec: dict[str, Any], reason: str
) -> None:
    wanted(world, **spec)

    plan = call(world, "plan", "llm", "-o", "json")

    assert (plan.code, plan.json["act"], plan.json["why"]) == (1, "refused", reason)


def test_a_suspended_object_stays_as_it_is_and_a_secret_that_is_not_there_is_told(world: World) -> None:
    wanted(world, suspend=True)
    nothing = call(world, "plan", "llm")
    world.secret_is("llm", {"KEY": OTHER})

    plan = call(world, "plan", "llm")
    blind = call(world, "plan", "llm", kubeconfig=person(world, *READER[1:]))

    assert (nothing.code, plan.code, blind.code) == (0, 0, 0)
    assert "Secret llm is not there, and is not made: spec.suspend is true." in nothing.out
    assert "Secret llm stays as it is: spec.suspend is true." in plan.out
    assert "Secret llm is left alone, if it is there, which you may not see: spec.suspend is true." in blind.out


def test_a_renamed_target_shows_what_would_be_deleted(world: World) -> None:
    wanted(world)
    operator = world.start()
    world.is_ready()
    operator.stop()
    wanted(world, target={"name": "other"})

    plan = call(world, "plan", "llm", "-o", "json").json

    assert (plan["act"], plan["secret"], plan["deletes"]) == ("create", "other", "llm")


def test_a_cluster_store_counts_for_the_namespaces_it_selects(world: World) -> None:
    world.put(f"teams/{world.namespace}/llm", api_key=CANARY)
    name = world.namespace
    ref = {"kind": "ClusterKeyStore", "name": name}
    world.apply(api_key_secret("llm", entry("KEY", "llm", "api_key"), storeRef=ref))
    store = cluster_key_store(name, world.bao.url, world.mount, pathPrefix="teams/{namespace}/")
    world.apply(store)
    (row,) = call(world, "plan", "llm", "-o", "json").json["entries"]
    assert (row["store"], row["path"]) == (f"ClusterKeyStore/{name}", f"teams/{name}/llm")

    store["spec"]["namespaceSelector"] = {"matchLabels": {"team": "other"}}
    world.apply(store)

    assert call(world, "plan", "llm", "-o", "json").json["why"] == "NamespaceNotSelected"


def test_a_plan_asks_and_never_writes(world: World) -> None:
    wanted(world)
    reader = person(world, *READER)
    mark = world.plane.mark()

    plan = call(world, "plan", "llm", kubeconfig=reader)

    user = f"system:serviceaccount:{world.namespace}:person"
    verbs = {each.verb for each in world.plane.audit(mark) if each.user == user}
    assert plan.code == 4
    assert verbs == {"get"}


def test_a_right_that_is_missing_is_the_readers_own(world: World) -> None:
    wanted(world)

    blind = person(world, *READER[1:])
    plan, told = (
        call(world, "plan", "llm", kubeconfig=blind),
        call(world, "plan", "llm", "-o", "json", kubeconfig=blind),
    )

    assert (plan.code, told.code, told.json["act"]) == (1, 1, "unknown")
    assert "would not be written" not in plan.out
    assert plan.out.splitlines()[0].endswith(
        "what would be written you cannot find out: you lack a right that it takes."
    )
    assert "the API server answered 403 for Secret" in plan.out
    assert "A plan is made with your own rights in the cluster; this one you do not have." in plan.out


def test_no_value_appears_whatever_is_asked(world: World) -> None:
    wanted(world)
    world.secret_is("llm", {"KEY": OTHER})
    reader: pathlib.Path = person(world, *READER)
    calls = [("plan", "llm"), ("plan", "llm", "-o", "json"), ("status",), ("status", "-o", "yaml"), ("refresh", "llm")]

    told = "".join(call(world, *each).everything for each in calls)
    told += call(world, "plan", "llm", kubeconfig=reader).everything

    assert "TargetExists" in told
    for value in (CANARY, OTHER, world.bao.root_token):
        assert value not in told


def test_plan_of_a_merge_whose_keys_are_gone(world: World) -> None:
    world.start()
    world.secret_is("app", {"THEIRS": "1"})
    world.has_key(target={"name": "app", "creationPolicy": "Merge", "deletionPolicy": "Delete"})
    world.is_ready()
    world.forget("llm/openai")

    plan = call(world, "plan", "llm")

    assert plan.code == 4
    assert "Secret app would be updated: the stores say that all keys of the object are gone" in plan.out


def test_plan_says_what_the_operator_says_of_fewer_entries(world: World) -> None:
    operator = world.start()
    world.put("llm/shared", A="1", B="2")
    world.has_store()
    manifest = api_key_secret("llm", dataFrom=[{"extract": {"path": "llm/shared"}}], target={"onDelete": "Retain"})
    world.apply(manifest)
    world.is_ready()
    world.delete("ApiKeySecret", "llm")
    world.has_gone()
    operator.stop()
    world.put("llm/shared", A="1")
    world.apply(manifest)

    plan = call(world, "plan", "llm")
    world.start()

    said = "he stores no longer have what the Secret holds as B"
    assert said in world.is_refused("FewerEntries")["message"]
    assert "FewerEntries" in plan.out
    assert said in plan.out


#: Nobody listens there, and the operator may allow it: a plan asks nobody.
ENDPOINT = "http://127.0.0.1:9"


def test_a_plan_asks_no_issuer_and_says_so(world: World) -> None:
    asked = credential("openai", "KEY", ENDPOINT, check={"liveness": "Enforce"})
    unasked = credential("stripe", "KEY", check={"liveness": "Off", "format": "Off"})
    wanted(world, credentials=[asked, unasked])

    plan, told = call(world, "plan", "llm"), call(world, "plan", "llm", "-o", "json")

    assert (plan.code, told.json["act"], told.json["unasked"]) == (4, "create", ["openai"])
    said = "A plan asks no issuer: whether openai would be accepted, the operator finds out."
    assert plan.out.splitlines()[-1] == said
    wanted(world, credentials=[unasked])
    assert "issuer" not in call(world, "plan", "llm").out


def test_a_malformed_credential_is_refused_by_its_form_and_not_shown(world: World) -> None:
    wanted(world, credentials=[credential("openai", "KEY", ENDPOINT)])
    world.put("llm/openai", api_key=f"{CANARY}\n")

    plan = call(world, "plan", "llm")

    assert plan.code == 1
    assert plan.out.splitlines()[0].endswith("Secret llm would not be written (KeyMalformed).")
    assert "credential openai: KEY ends with a newline. Write it to the store without that" in plan.out
    assert CANARY not in plan.everything
