"""Who reads a key, and which key their Secrets have: in a catalog of stores that are never opened."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import pytest

from build import cluster_key_store, entry
from keywright.decide import marks, sync
from keywright.decide.rotate.journal import Step
from keywright.decide.rotate.sight import Has
from keywright.engine import catalog
from keywright.engine.journals import Kept
from keywright.engine.queue import Key
from keywright.secret import SecretValue

from .fleet import KEPT, KEY, NEW, OLD, READER, THIRD, URL, WHERE, WHOLE, Fleet


@pytest.fixture
def fleet() -> Fleet:
    """One with a store."""
    fleet = Fleet()
    fleet.store("vault")
    return fleet


def test_only_what_reads_the_key_tells_by_its_version_which_one_it_has(fleet: Fleet) -> None:
    other = entry("OTHER", "llm/other")
    extract = {"dataFrom": [{"extract": {"path": "llm/openai"}}]}
    cases: list[tuple[Any, Any, Any, Has, int]] = [
        ((WHOLE, other), {}, {"WHOLE": (NEW, "4"), "OTHER": ("unrelated", "3")}, Has.NEW, 0),
        ((other,), extract, {"some": (NEW, "4"), "OTHER": ("unrelated", "3")}, Has.NEW, 0),
        ((WHOLE, other), {}, {"WHOLE": ("old", "9"), "OTHER": ("unrelated", "4")}, Has.OLD, 0),
        # In another version: it is looked into.
        ((WHOLE, other), {}, {"WHOLE": (OLD, "3"), "OTHER": ("unrelated", "4")}, Has.OLD, 1),
        ((other,), extract, {"some": (OLD, "3"), "OTHER": ("unrelated", "4")}, Has.OLD, 1),
        ((WHOLE, entry("SAME", "llm/openai")), {}, {"WHOLE": (OLD, "3"), "SAME": (NEW, "4")}, Has.UNKNOWN, 1),
    ]
    for data, more, held, which, looks in cases:
        fleet.reads(*data, held=held, **more)
        fleet.is_one_that_has(which, looks=looks)


def test_what_a_status_does_not_tell_is_looked_for_in_the_secret_once_for_each_version_of_it(fleet: Fleet) -> None:
    fleet.reads(KEY, held={"KEY": ("old", "3")})
    # Somebody has touched it, or the operator died before it told what it had written.
    for value, which in (("old", Has.OLD), ("new", Has.NEW), ("Bearer new", Has.NEW)):
        fleet.has_secret({"KEY": value})
        fleet.is_one_that_has(which, looks=1)
        fleet.is_one_that_has(which, looks=0)
    # At the next step it is looked into once more.
    back = dataclasses.replace(KEPT, journal=KEPT.journal.at(Step.ROLLING_BACK, 0.0))
    fleet.is_one_that_has(Has.NEW, looks=1, kept=back)
    # Its status is told while it is read: what that told before is not what it has.
    told = fleet.reads(KEY, held={"KEY": ("new", "4")}).status
    fleet.meanwhile[READER], record = told, fleet.reads(KEY, held={"KEY": ("old", "3")})
    fleet.has_secret({"KEY": "new"})
    fleet.is_one_that_has(Has.NEW, looks=1)
    assert record.status == told
    fleet.meanwhile.clear()
    # Nobody answers: it may have either.
    fleet.has_secret({"KEY": "old"})
    fleet.silent = True
    fleet.is_one_that_has(Has.UNKNOWN, looks=1)


def test_a_secret_that_was_touched_and_has_the_same_in_it_is_as_its_status_tells(fleet: Fleet) -> None:
    template = {"target": {"template": {"stringData": {"url": "x"}}}}
    fleet.reads(WHOLE, held={"WHOLE": ("made of the new one", "4")}, **template)
    fleet.has_secret({"WHOLE": "made of the new one"})
    fleet.is_one_that_has(Has.NEW, looks=1)
    # What a template has made of it is not to be seen.
    fleet.has_secret({"WHOLE": "made of another one"})
    fleet.is_one_that_has(Has.UNKNOWN, looks=1)


def test_who_reads_the_path_and_has_neither_key_holds_up_nobody(fleet: Fleet) -> None:
    fleet.store("main", "https://main.example.com")
    store = {"storeRef": {"name": "main"}}
    source = {"sources": [{"storeRef": {"name": "vault"}, "remoteRef": {"path": "llm/openai"}}]}
    first = entry("KEY", "llm/main", "api_key", **source)
    pinned = entry("REGION", "llm/openai", "region", remote={"version": "1"})
    # It reads it if another store is silent; a property that is no part of it; another key of another version.
    for data, held, spec in (
        (first, {"KEY": ("else", "9")}, store),
        (pinned, {"REGION": ("eu", "1")}, {}),
        (entry("KEY", "llm/openai", "api_key", remote={"version": "1"}), {"KEY": ("third", "1")}, {}),
    ):
        fleet.reads(data, held=held, **spec)
        assert fleet.has() == [], data
        assert fleet.looked == []
    # One in which neither is to be seen, though it would be.
    fleet.reads(WHOLE, held={"WHOLE": (THIRD, "2")})
    assert fleet.has() == []
    # Whoever has it from there in fact counts, by value or by version.
    for value, version, which in (("old", "9", Has.OLD), (NEW, "4", Has.NEW)):
        fleet.reads(first, held={"KEY": (value, version)}, told={"store": "KeyStore/vault"}, **store)
        fleet.is_one_that_has(which, looks=0)
    fleet.reads(pinned, held={"REGION": ("old", "1")})
    fleet.is_one_that_has(Has.OLD, looks=0)


def test_who_cannot_be_placed_counts_by_what_its_secret_has() -> None:
    fleet = Fleet()
    # Its store is gone; it names another path by now; what it names is no path; it sleeps, and names another.
    ways: list[tuple[Any, dict[str, Any]]] = [
        (KEY, {}),
        (entry("KEY", "llm/elsewhere", "api_key"), {}),
        (entry("KEY", "../x", "api_key"), {}),
        (KEY, {"target": {"template": 5}}),
    ]
    for entry_, more in ways:
        for value, which in (("old", Has.OLD), ("new", Has.NEW)):
            record = fleet.reads(entry_, held={"KEY": (value, "3")}, **more)
            record.failures = 1
            assert fleet.has() == [("its", which)], (entry_, more)
            # Its status may be older.
            fleet.has_secret({"KEY": "new" if value == "old" else "old"})
            fleet.is_one_that_has(*({Has.OLD, Has.NEW} - {which}), looks=1)
        # What both have in common tells nothing.
        fleet.reads(entry_, held={"KEY": ("eu", "3")}, **more).failures = 1
        assert fleet.has() == []
        fleet.has_secret({"KEY": "eu"})
        assert fleet.has() == []
    fleet.reads(entry("KEY", "llm/elsewhere", "api_key"), held={"KEY": ("old", "3")}, suspend=True)
    assert fleet.has() == [("its", Has.OLD)]
    # Nobody has looked at it since its store has gone, or does not serve it any more.
    fleet.reads(KEY, held={"KEY": ("old", "3")})
    assert fleet.has() == [("its", Has.OLD)]
    meta = {"name": "all", "uid": "all", "resourceVersion": "1"}
    shared = cluster_key_store("all", URL, "kv", namespaceSelector={"matchLabels": {"key": "yes"}}, default=True)
    fleet.catalog.put(catalog.read("ClusterKeyStore", shared | {"metadata": meta}))
    for ref in ({"kind": "ClusterKeyStore", "name": "all"}, None):
        fleet.reads(KEY, held={"KEY": ("old", "3")}, storeRef=ref)
        assert fleet.has() == [("its", Has.OLD)]
    # One that is in order elsewhere has what is there.
    fleet.store("vault")
    fleet.reads(entry("KEY", "llm/elsewhere", "api_key"), held={"KEY": ("old", "3")})
    assert fleet.has() == []


def test_who_was_placed_before_counts_as_long_as_its_secret_is_the_same(fleet: Fleet) -> None:
    fleet.reads(WHOLE, held={"WHOLE": ("made of it", "4")})
    assert fleet.has() == [("its", Has.NEW)]

    fleet.catalog.remove("KeyStore/b/vault")
    fleet.records[READER].failures = 1
    assert [fleet.has() for _ in range(2)] == [[("its", Has.NEW)]] * 2
    # To the next rotation it is one that it does not know.
    again = Kept(KEPT.about, KEPT.journal.but(id="r2"), KEPT.new, {"apiKey": SecretValue("newer")})
    assert fleet.has(again) == [("its", Has.UNKNOWN)]
    fleet.reads(WHOLE, held={"WHOLE": ("something else", "5")}).failures = 1
    assert fleet.has(again) == []


def test_one_key_is_one_place_however_its_store_is_spelled() -> None:
    fleet = Fleet()
    for server in (f"{URL}/", URL.replace("vault", "Vault"), "https://vault.example.com.:8200"):
        fleet.store("vault", server)
        fleet.reads(KEY, held={"KEY": ("old", "3")})
        assert fleet.has() == [("its", Has.OLD)], server


def test_whoever_has_the_key_of_the_path_counts_by_whatever_name_its_server_goes() -> None:
    fleet = Fleet()
    fleet.store("vault", "https://vault.internal:8200")
    for value, which in (("old", Has.OLD), ("new", Has.NEW)):
        fleet.reads(KEY, held={"KEY": (value, "3")})
        assert fleet.holding.readers(WHERE, KEPT) == {READER}
        assert fleet.has() == [("its", which)]
    # It may be another server, which has another key there.
    fleet = Fleet()
    fleet.store("vault", "https://vault.internal:8200")
    fleet.reads(KEY, held={"KEY": ("something else", "3")})
    assert fleet.has() == []
    fleet.reads(entry("KEY", "llm/other/openai", "api_key"), held={"KEY": ("old", "3")})
    assert fleet.has() == []
    assert fleet.holding.readers(WHERE, KEPT) == fleet.holding.readers(WHERE, None) == set()


def test_a_key_within_what_is_read_by_another_name_or_was_read_once_is_looked_for_once(fleet: Fleet) -> None:
    fleet.store("other", "https://vault.internal:8200")
    elsewhere, extract = entry("ELSE", "llm/elsewhere"), {"dataFrom": [{"extract": {"path": "llm/openai"}}]}
    # By another name of the server, which may be another server; from a store that is gone.
    for store in ("other", "gone"):
        more = {"storeRef": {"name": store}}
        cases: list[tuple[Any, Any]] = [(WHOLE, {}), (elsewhere, extract), (WHOLE, {"target": {"template": 5}})]
        for data, spec in cases:
            for text, which in ((OLD, Has.OLD), (NEW, Has.NEW)):
                fleet.reads(data, held={"WHOLE": (text, "4")}, **more, **spec).failures = 1
                fleet.is_one_that_has(which, looks=1)
                fleet.is_one_that_has(which, looks=0)
            fleet.reads(data, held={"WHOLE": (THIRD, "4")}, **more, **spec).failures = 1
            fleet.holds_up_nobody(looks=1)
            fleet.holds_up_nobody(looks=0)
    # It reads something else, and was written since it says so, or before.
    fleet.reads(elsewhere, held={"WHOLE": (OLD, "4")}, storeRef={"name": "gone"})
    fleet.holds_up_nobody(looks=0)
    fleet.reads(elsewhere, held={"WHOLE": (OLD, "4")}, storeRef={"name": "gone"}).generation = 2
    fleet.is_one_that_has(Has.OLD, looks=1)
    # A part as it is, its value tells. Where neither key is known, nobody is looked into.
    fleet.reads(KEY, held={"KEY": ("third", "4")}, storeRef={"name": "other"})
    fleet.holds_up_nobody(looks=0)
    fleet.reads(WHOLE, held={"WHOLE": (OLD, "4")}, storeRef={"name": "gone"})
    fleet.holds_up_nobody(looks=0, kept=dataclasses.replace(KEPT, old={}, new={}))
    fleet.silent = True
    fleet.is_one_that_has(Has.UNKNOWN, looks=1)


def test_an_object_in_trouble_that_reads_something_else_holds_up_nobody_whatever_happens_to_its_secret(
    fleet: Fleet,
) -> None:
    for now in ({}, {"KEY": "touched"}):
        fleet.reads(entry("KEY", "llm/elsewhere"), held={"KEY": ("else", "4")}, storeRef={"name": "gone"})
        fleet.has_secret(now)
        fleet.holds_up_nobody(looks=1)
        # Who may have read the key may have users that have it.
        fleet.reads(WHOLE, held={"WHOLE": (THIRD, "4")}, storeRef={"name": "gone"})
        fleet.has_secret(now)
        assert fleet.has() == [("its", Has.NOTHING)]


def test_what_a_backup_has_brought_back_is_its_objects_as_it_says(fleet: Fleet) -> None:
    template = {"target": {"template": {"stringData": {"url": "x"}}}}
    fleet.reads(WHOLE, held={"WHOLE": ("made of it", "3")}, **template)
    # A template may have hidden the key; what is nobody's here has none.
    for says, which in (({marks.OWNER: str(READER)}, Has.UNKNOWN), ({}, Has.NOTHING)):
        fleet.has_secret({"WHOLE": "made of another one"})
        fleet.secrets[Key("b", "its")]["metadata"] |= {"managedFields": [], "annotations": says}
        fleet.is_one_that_has(which, looks=1)
    # One that is as it was is as its status tells.
    fleet.reads(WHOLE, held={"WHOLE": ("made of it", "4")}, **template)
    fleet.has_secret({"WHOLE": "made of it"})
    fleet.secrets[Key("b", "its")]["metadata"] |= {"managedFields": [], "annotations": {marks.OWNER: str(READER)}}
    fleet.is_one_that_has(Has.NEW, looks=1)


def test_an_object_that_never_had_a_secret_holds_up_nobody(fleet: Fleet) -> None:
    specs: tuple[dict[str, Any], ...] = ({}, {"suspend": True})
    for spec in specs:
        record = fleet.reads(KEY, held={}, **spec)
        assert fleet.has() == []
        # It was written just before, and its status was lost.
        fleet.has_secret({"KEY": "old"}, name="reader")
        assert fleet.has() == [("reader", Has.OLD)]
        fleet.has_secret({})
        # It is about to be.
        record.parsed = record.spec_model()
        assert fleet.has() == [("reader", Has.UNKNOWN)]
        # One that had a Secret, which is gone: who uses it may have any. Who sleeps gets none before it reads anew.
        fleet.reads(KEY, held={"KEY": ("old", "3")}, **spec)
        fleet.has_secret({})
        assert fleet.has() == ([] if spec else [("its", Has.NOTHING)])


def test_a_secret_that_was_kept_when_its_object_went_counts_when_a_key_is_about_to_end(fleet: Fleet) -> None:
    grace = dataclasses.replace(KEPT, journal=KEPT.journal.at(Step.GRACE, 0.0))
    fleet.reads(KEY, held={"KEY": ("old", "3")})
    del fleet.records[READER]

    assert fleet.has() == []
    assert fleet.has(grace) == [("its", Has.OLD)]
    # Where nobody is waited for, that does not count either.
    assert fleet.has(dataclasses.replace(grace, journal=grace.journal.but(urgent=True))) == []
    for value, counts in (("new", [("its", Has.NEW)]), ("third", [])):
        fleet.has_secret({"KEY": value})
        assert fleet.has(grace) == counts
    # One that somebody else has written, as from a backup.
    fleet.has_secret({"KEY": "old"})
    fleet.secrets[Key("b", "its")]["metadata"]["managedFields"] = []
    assert fleet.has(grace) == [("its", Has.OLD)]
    # Its object has another one by now.
    fleet.reads(KEY, held={"KEY": ("new", "4")})
    fleet.secrets[Key("b", "former")] = fleet.secrets[Key("b", "its")] | {
        "data": {"KEY": base64.b64encode(b"old").decode()}
    }
    fleet.seen[Key("b", "former")] = sync.Seen("former", "1", str(READER))
    fleet.owned[READER].add("former")
    assert fleet.has(grace) == [("its", Has.NEW), ("former", Has.OLD)]
    fleet.silent = True
    fleet.seen[Key("b", "former")] = sync.Seen("former", "2", str(READER))
    assert fleet.has(grace) == [("its", Has.NEW), ("former", Has.UNKNOWN)]
    # That one is gone, and nobody makes it anew.
    fleet.silent = False
    fleet.reads(KEY, held={"KEY": ("new", "4")}, suspend=True)
    fleet.has_secret({"KEY": "old"}, name="former")
    fleet.seen[Key("b", "former")] = sync.Seen("former", "3", str(READER))
    assert fleet.has(grace) == [("former", Has.OLD)]
