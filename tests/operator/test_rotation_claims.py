"""Whose a key is that rotates, and what becomes of a rotation whose place, name, store or object goes.

Does not belong here: the journals themselves (``test_journals.py``), one rotation as it goes (``test_rotation.py``).
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from audit.trails import Kept
from build import (
    api_key_secret,
    cluster_key_issuer,
    cluster_key_store,
    credential,
    entry,
    key_issuer,
    key_store,
    openai_admin,
)
from cli.terminal import keywright
from controlplane import Answer, FaultProxy
from rotating import QUICK, Rotating
from vendors import serving
from vendors.base import Made
from world import Json, World

#: What a rotation says that leaves the old key alive for long.
LONG: dict[str, Any] = {"overlap": "1h", "consumers": "Optional", "test": QUICK}


def one(rotating: Rotating, name: str, **more: Any) -> Json:
    """Return a credential that rotates."""
    return credential("openai", more.pop("entry", "OPENAI_API_KEY"), rotating.server.url, **more) | {
        "name": name,
        "issuerRef": {"name": "openai"},
        "rotation": LONG,
    }


def journal(rotating: Rotating) -> Json:
    """Return what the only journal says, with the names of what else its Secret has."""
    (secret,) = rotating.journals()
    data = {name: base64.b64decode(each) for name, each in secret["data"].items()}
    return {**json.loads(data["journal"]), "entries": sorted(data)}


def in_grace(world: World, rotating: Rotating) -> Made:
    """Let a key be replaced, of which the one before, which is returned, works for an hour yet."""
    first = rotating.begins(**LONG)
    rotating.starts()
    world.is_ready()
    rotating.asks("Rotate")
    world.ends("please", "Succeeded")
    rotating.reaches("Grace")
    return first


def test_of_two_credentials_at_one_path_one_rotates_and_its_journal_goes_on_under_a_new_name(
    world: World, rotating: Rotating
) -> None:
    first = rotating.begins(**LONG)
    world.put("llm/openai", api_key=first.parts["apiKey"], other=first.parts["apiKey"])
    rotating.starts()
    world.is_ready()
    rotating.asks("Rotate")
    world.ends("please", "Succeeded")
    both = [entry("OPENAI_API_KEY", "llm/openai", "api_key"), entry("OTHER_KEY", "llm/openai", "other")]
    two = [one(rotating, "openai"), one(rotating, "other", entry="OTHER_KEY")]

    world.apply(api_key_secret("llm", *both, credentials=two, refreshInterval="1h"))
    rotating.asks("Rotate", "second", credential="other")

    refused = world.ends("second", "Failed")
    assert refused["reason"] == "RotationOwnedElsewhere"
    assert "as credential openai of the same object" in refused["message"]
    assert rotating.reaches("Grace")["credential"] == "openai"

    # The first one goes by another name: its rotation ends under the old one, as far as it can.
    world.apply(api_key_secret("llm", both[0], credentials=[one(rotating, "renamed")], refreshInterval="1h"))

    def told() -> list[tuple[str, str, str]]:
        rows = world.object()["status"].get("rotations") or []
        return [(row["credential"], each["owed"], each["handle"]) for row in rows for each in row.get("debts") or []]

    # Whoever was late may still use it: that nobody wants it revokes nothing.
    world.until(lambda: told() == [("renamed", "Keep", first.handle)], lambda: f"it is taken up; there is {told()}")
    rotating.asks("Rotate", "third")
    world.ends("third", "Succeeded")
    assert len(rotating.journals()) == 1


def test_a_key_that_moves_to_another_path_takes_its_debts_along_and_rotates_there(
    world: World, rotating: Rotating
) -> None:
    first = in_grace(world, rotating)
    world.put("llm/moved", api_key=rotating.key())

    moved = entry("OPENAI_API_KEY", "llm/moved", "api_key")
    world.apply(api_key_secret("llm", moved, credentials=[one(rotating, "openai")], refreshInterval="1h"))
    rotating.asks("Rotate", "there")
    world.ends("there", "Succeeded")

    assert rotating.reaches("Grace")["debts"][0]["handle"] == first.handle
    assert first.parts["apiKey"] in rotating.alive()
    about = json.loads(base64.b64decode(rotating.journals()[0]["data"]["about"]))
    assert about["key"].endswith("llm/moved")
    assert len(rotating.journals()) == 1
    rotating.asks("ForgetDebt", "forget", debt=first.handle)
    world.ends("forget", "Succeeded")
    world.until(lambda: "debts" not in rotating.told(), "it is forgotten")


def test_what_can_never_go_on_keeps_no_values_and_tells_what_is_owed(world: World, rotating: Rotating) -> None:
    first = rotating.begins(**LONG)
    operator = rotating.starts("--give-up-seconds=2")
    world.is_ready()
    rotating.asks("Rotate")
    world.ends("please", "Succeeded")
    rotating.reaches("Grace")
    assert {"old.apiKey", "new.apiKey"} <= set(journal(rotating)["entries"])
    made = [each.handle for each in rotating.vendor.made.values()]

    world.delete("KeyStore", "vault")
    world.delete("ApiKeySecret", "llm")
    world.has_gone()

    world.until(lambda: journal(rotating)["step"] == "Idle", "it is given up", seconds=60)
    left = journal(rotating)
    assert left["entries"] == ["about", "journal"]
    assert {(each["owed"], each["handle"]) for each in left["debts"]} == {("Keep", each) for each in made}
    assert first.parts["apiKey"] in rotating.alive()
    Kept(world).has("cleanup.owed", code="Keep")
    assert "its rotation of openai was given up" in operator.log.read_text()
    # There is no status to tell that it waits for a person.
    world.until(lambda: operator.metric("keywright_rotations_waiting") == 1, "it is counted", seconds=90)
    system = f"--operator-namespace={world.system}"
    told = keywright("debts", "list", "--gone", system, f"--kubeconfig={world.plane.kubeconfig}")
    assert told.code == 3
    for handle in made:
        assert handle in told.out
    name = rotating.journals()[0]["metadata"]["name"]
    assert name in told.out.replace("\n", " ")
    assert first.parts["apiKey"] not in told.out
    world.must("DELETE", f"/api/v1/namespaces/{world.system}/secrets/{name}")
    told = keywright("debts", "list", "--gone", system, f"--kubeconfig={world.plane.kubeconfig}")
    assert (told.code, told.out) == (0, "Nothing is owed.\n")


def test_who_may_keep_no_journals_says_so_and_nothing_is_asked_for(
    world: World, rotating: Rotating, api_proxy: FaultProxy
) -> None:
    rotating.begins()
    rotating.starts(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.is_ready()

    with api_proxy.fault(Answer(403), method="POST", path=f"/{world.system}/secrets"):
        rotating.asks("Rotate")
        told = world.ends("please", "Failed")

    assert told["reason"] == "TargetDenied"
    assert "no right to keep journals" in told["message"]
    assert not any(each.method == "POST" for each in rotating.server.requests)


@pytest.mark.parametrize("apart", [False, True], ids=["shared", "a path for each"])
def test_a_namespace_makes_keys_for_a_shared_store_only_where_it_has_paths_of_its_own(
    world: World, rotating: Rotating, apart: bool
) -> None:
    first = rotating.begins(**LONG)
    path, name = f"{world.namespace}/llm/openai" if apart else "llm/openai", f"{world.namespace}-shared"
    world.put(path, api_key=first.parts["apiKey"])
    # That who made the store lets it rotate gives its own issuer no right.
    said: Json = {"pathPrefix": "{namespace}/"} if apart else {"rotators": {}}
    world.apply(cluster_key_store(name, world.bao.url, world.mount, access="ReadWrite", **said))
    ref = {"storeRef": {"kind": "ClusterKeyStore", "name": name}, "credentials": [one(rotating, "openai")]}
    world.apply(api_key_secret("llm", entry("OPENAI_API_KEY", "llm/openai", "api_key"), refreshInterval="1h", **ref))
    rotating.starts()
    world.is_ready()

    rotating.asks("Rotate")

    told = world.ends("please", "Succeeded" if apart else "Failed")
    assert apart or told["reason"] == "RotationUnsupported"
    assert (rotating.key() == first.parts["apiKey"]) is not apart


def test_who_reads_a_shared_key_does_not_replace_it_unless_its_store_says_so(world: World, rotating: Rotating) -> None:
    name = f"{world.namespace}-shared"
    world.put("llm/openai", api_key="first")
    world.apply(cluster_key_issuer(name, {"generated": {"random": {"length": 40, "part": "token"}}}))
    issuer = {"issuer": "custom", "custom": {"parts": [{"name": "token"}]}, "check": {"liveness": "Off"}}
    ref = {"issuerRef": {"kind": "ClusterKeyIssuer", "name": name}, "rotation": LONG}
    own = {"name": "own", "parts": {"token": "KEY"}, **issuer, **ref}
    there = {"storeRef": {"kind": "ClusterKeyStore", "name": name}, "credentials": [own], "refreshInterval": "1h"}
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), **there))

    def lets(**rotators: Any) -> None:
        world.apply(cluster_key_store(name, world.bao.url, world.mount, access="ReadWrite", **rotators))

    said: list[Json] = [{}, {"rotators": {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}}]
    for number, rotators in enumerate(said):
        lets(**rotators)
        if not number:
            rotating.starts()
            world.is_ready()
        rotating.asks("Rotate", f"not-{number}")
        told = world.ends(f"not-{number}", "Failed")
        assert (told["reason"], "rotators" in told["message"]) == ("RotationUnsupported", True)
        assert not rotating.journals()
        assert rotating.stored()["api_key"] == "first"
    world.until(lambda: world.condition(type_="Rotating").get("reason") == "RotationUnsupported", "it is told")
    lets(rotators={"matchLabels": {"kubernetes.io/metadata.name": world.namespace}})
    rotating.asks("Rotate", "now")
    world.ends("now", "Succeeded")
    assert rotating.stored()["api_key"] != "first"


def test_what_a_namespaces_own_issuer_calls_a_key_means_nothing_at_the_clusters(
    world: World, rotating: Rotating
) -> None:
    real, name = rotating.vendor, f"{world.namespace}-shared"
    real.make("key_victim", "team-b", "service account key")
    world.has_store(access="ReadWrite")
    said = {"overlap": "0", "consumers": "Optional", "test": QUICK}

    def wants(ref: Json) -> None:
        rotated = credential("openai", "OPENAI_API_KEY", None, issuerRef=ref, rotation=said, check={"liveness": "Off"})
        data = entry("OPENAI_API_KEY", "llm/openai", "api_key")
        world.apply(api_key_secret("llm", data, credentials=[rotated], refreshInterval="1h"))

    with serving("openai") as theirs:
        tenants: Any = theirs.vendor
        make = tenants.make
        tenants.make = lambda _, name, kind: make("key_victim", name, kind)
        world.secret_is("openai-admin", {"key": theirs.vendor.admin})
        world.apply(key_issuer("mine", limits={"settle": "1s"}, openai=openai_admin(theirs.url)))
        world.secret_is("openai-admin", {"key": real.admin}, namespace=world.system)
        shared = {"openai": openai_admin(rotating.server.url)}
        world.apply(cluster_key_issuer(name, shared, limits={"settle": "1s"}))
        wants({"name": "mine"})
        rotating.starts(f"--allow-issuer-endpoint={theirs.url}")
        rotating.asks("Rotate", "one")
        world.ends("one", "Succeeded")
        rotating.reaches("Idle")
        wants({"kind": "ClusterKeyIssuer", "name": name})
        rotating.asks("Rotate", "two")
        world.ends("two", "Succeeded")

    world.until(lambda: rotating.told().get("why") == "WaitsForRevocation", lambda: f"{rotating.told()}")
    assert rotating.key() in rotating.alive()
    assert "key_victim" in real.made
    assert not [each for each in rotating.server.requests if each.method == "DELETE"]


def test_a_dead_key_in_the_store_ends_no_key_that_works(world: World, rotating: Rotating) -> None:
    in_grace(world, rotating)
    new = rotating.key()

    # Out of a backup that is too old, say.
    world.put("llm/openai", api_key="sk-svcacct-of-long-ago", region="eu")
    world.refreshes("now")

    def waits() -> bool:
        return (rotating.told().get("step"), rotating.told().get("why")) == ("RollingBack", "StoredKeyUnconfirmed")

    world.until(waits, lambda: f"a person is asked; it is {rotating.told()}", seconds=60)
    assert new in rotating.alive()
    rotating.wants(overlap="0")
    assert {"old.apiKey", "new.apiKey"} <= set(journal(rotating)["entries"])

    world.put("llm/openai", api_key=new, region="eu")
    world.refreshes("again")

    # The old one works as well, and that is what turning back is about.
    assert rotating.reaches("Idle", seconds=60)["last"]["outcome"] == "RolledBack"
    assert rotating.key() in rotating.alive()


def test_who_cannot_read_its_store_holds_up_no_other_rotation(
    world: World, rotating: Rotating, bao_proxy: FaultProxy
) -> None:
    first = rotating.begins(**LONG)
    silent = key_store("silent", bao_proxy.url, world.mount, access="ReadWrite", limits={"timeout": "2s"})
    world.apply(silent)
    world.put("llm/other", api_key=first.parts["apiKey"])
    other = entry("OPENAI_API_KEY", "llm/other", "api_key")
    spec = {"credentials": [one(rotating, "openai")], "refreshInterval": "1h", "storeRef": {"name": "silent"}}
    world.apply(api_key_secret("other", other, **spec))
    rotating.starts()
    world.is_ready()
    world.is_ready("other")

    with bao_proxy.fault(Answer(502), path="/data/llm/other"):
        rotating.asks("Rotate", "stuck", apiKeySecret="other")
        world.until(lambda: bao_proxy.count(path="/data/llm/other") > 1, "it is tried")
        rotating.asks("Rotate")
        world.ends("please", "Succeeded")

    world.ends("stuck", "Succeeded")


def test_an_object_that_comes_again_in_mid_rotation_goes_on(world: World, rotating: Rotating) -> None:
    in_grace(world, rotating)

    world.delete("ApiKeySecret", "llm")
    world.has_gone()
    rotating.wants(**LONG)
    world.is_ready()
    rotating.asks("Rotate", "again")

    def ended() -> str:
        told = world.object("again", "KeyAction")["status"]
        return str(told.get("completedAt") and told["reason"])

    # Under way still, or over by then: it is known of either way, and no second journal was made.
    world.until(lambda: ended() in ("Rotating", "Done"), lambda: f"it has ended; it is {ended()}")
    assert len(rotating.journals()) == 1
    assert rotating.key() in rotating.alive()


def test_a_key_whose_object_is_gone_is_rotated_by_another_one_of_its_namespace_with_all_that_is_owed(
    world: World, rotating: Rotating
) -> None:
    first = in_grace(world, rotating)
    second = rotating.key()
    world.delete("ApiKeySecret", "llm")
    world.has_gone()
    world.until(lambda: journal(rotating)["step"] == "Idle", "nothing is under way any more")

    rotating.wants("llm-2", **LONG)
    world.is_ready("llm-2")

    def told() -> Json:
        return dict((world.object("llm-2")["status"].get("rotations") or [{}])[0])

    owed = [("Keep", first.handle)]
    world.until(lambda: [(each["owed"], each["handle"]) for each in told().get("debts", [])] == owed, "it owes it")
    rotating.asks("Rotate", "again", apiKeySecret="llm-2")
    world.ends("again", "Succeeded")
    world.until(lambda: told()["step"] == "Grace", lambda: f"it is in grace: {told()}")

    (secret,) = rotating.journals()
    about = json.loads(base64.b64decode(secret["data"]["about"]))
    assert about["name"] == "llm-2"
    assert len(rotating.alive()) == 3
    rotating.asks("RevokeNow", "end", apiKeySecret="llm-2")
    world.ends("end", "Succeeded")
    world.until(lambda: told()["step"] == "Idle", lambda: f"it is over: {told()}")
    assert rotating.alive() == {first.parts["apiKey"], rotating.stored()["api_key"]} != {second}

    # Who did it before has nothing to do with it any more.
    rotating.wants(**LONG)
    world.is_ready()
    rotating.asks("Rotate", "late")
    refused = world.ends("late", "Failed")
    assert (refused["reason"], "ApiKeySecret llm-2" in refused["message"]) == ("RotationOwnedElsewhere", True)
    assert rotating.told().get("debts") is None
