"""The mark in a store that says who rotates a key: of two names of one server, of two versions, of two installs.

Does not belong here: how stores keep marks (``stores/writing.py``), that they are recorded (``test_rotation_records``).
"""

from __future__ import annotations

from audit.trails import Kept
from build import api_key_secret, credential, entry, key_store
from keywright.stores.base import MARKS
from rotating import QUICK, Rotating
from world import Json, World

KEY = entry("OPENAI_API_KEY", "llm/openai", "api_key")
OWNER, JOURNAL, SINCE = MARKS


def says(rotating: Rotating, entries: Json) -> None:
    """Have the store say so of the key."""
    world = rotating.world
    world.vault.secrets.kv.v2.update_metadata("llm/openai", custom_metadata=entries, mount_point=world.mount)


def refused(rotating: Rotating, name: str, target: str = "llm") -> str:
    """Ask for a rotation of what somebody else rotates; return what is told."""
    rotating.asks("Rotate", name, apiKeySecret=target)
    told = rotating.world.ends(name, "Failed")
    assert told["reason"] == "RotationOwnedElsewhere"
    return str(told["message"])


def rotates(rotating: Rotating, name: str, **more: object) -> None:
    """Ask for a rotation, and wait for its end."""
    before = rotating.stored()["api_key"]
    rotating.asks("Rotate", name, **more)
    rotating.world.ends(name, "Succeeded")
    assert rotating.stored()["api_key"] != before


def test_a_key_of_a_server_with_two_names_is_rotated_by_one_and_who_reads_it_by_the_other_is_waited_for(
    world: World, rotating: Rotating
) -> None:
    rotating.begins()
    alias = world.bao.url.replace("127.0.0.1", "localhost")
    world.apply(key_store("alias", alias, world.mount, access="ReadWrite"))
    said = {"overlap": "0", "consumers": "Optional", "test": QUICK}
    one = credential("openai", "OPENAI_API_KEY", rotating.server.url, issuerRef={"name": "openai"}, rotation=said)
    there = {"storeRef": {"name": "alias"}, "refreshInterval": "1h"}
    world.apply(api_key_secret("reader", KEY, **there))
    rotating.starts()
    world.is_ready()
    world.is_ready("reader")

    rotates(rotating, "first")
    rotating.reaches("Idle")
    assert (world.secret("reader") or {})["OPENAI_API_KEY"] == rotating.key()
    assert rotating.alive() == {rotating.key()}
    (journal,) = rotating.journals()
    mark = rotating.marks()
    assert mark[JOURNAL] == journal["metadata"]["name"]

    world.apply(api_key_secret("other", KEY, credentials=[one], **there))
    world.is_ready("other")
    assert "is rotated by ApiKeySecret llm" in refused(rotating, "second", "other")
    # An earlier version has not said which journal it is; it may be any for this path.
    says(rotating, {OWNER: mark[OWNER], "team": "a"})
    assert "is rotated by ApiKeySecret llm" in refused(rotating, "third", "other")
    rotates(rotating, "fourth")
    assert {name: rotating.marks()[name] for name in (OWNER, JOURNAL, "team")} == {
        **{name: mark[name] for name in (OWNER, JOURNAL)},
        "team": "a",
    }

    is_nobodys(rotating, mark)


def is_nobodys(rotating: Rotating, mark: Json) -> None:
    """See that once there is no such journal, its mark says nothing any more."""
    world = rotating.world
    # What is deleted in grace leaves both keys alive, and a journal that tells so.
    rotating.reaches("Idle")
    world.delete("ApiKeySecret", "llm")
    world.until(lambda: not rotating.journals(), "it is over")
    assert rotating.marks() == {"team": "a"}
    says(rotating, mark | {JOURNAL: "../secrets/keywright-install-keys"})
    rotates(rotating, "fifth", apiKeySecret="other")
    (journal,) = rotating.journals()
    assert rotating.marks()[JOURNAL] == journal["metadata"]["name"] != mark[JOURNAL]


def test_an_install_that_has_lost_what_it_was_takes_its_keys_over_where_a_person_says_so(
    world: World, rotating: Rotating
) -> None:
    rotating.begins()
    operator = rotating.starts()
    world.is_ready()
    rotates(rotating, "first")
    rotating.reaches("Idle")
    secrets = f"/api/v1/namespaces/{world.system}/secrets"

    # Its keys; then all it had, as where a cluster is made anew.
    for number, journals in enumerate((False, True)):
        assert operator.stop() == 0
        mark = rotating.marks()
        lost = [each["metadata"]["name"] for each in rotating.journals()] if journals else []
        for name in ("keywright-install-keys", *lost):
            world.must("DELETE", f"{secrets}/{name}")
        operator = rotating.starts()
        world.is_ready()

        told = refused(rotating, f"mine-{number}")
        for part in (f"install {mark[OWNER]} rotates this key since {mark[SINCE]}", "keywright rotate --take-over"):
            assert part in told
        assert rotating.marks() == mark
        assert len(rotating.alive()) == 1

        rotates(rotating, f"taken-{number}", takeOver=True)
        rotating.reaches("Idle")
        (journal,) = rotating.journals()
        assert rotating.marks()[OWNER] != mark[OWNER]
        assert rotating.marks()[JOURNAL] == journal["metadata"]["name"]
    trail = Kept(world)
    trail.has("rotation.outcome", code="TakeOver")
    assert len(trail.records("rotation.intent", code="TakeOver")) == 2
