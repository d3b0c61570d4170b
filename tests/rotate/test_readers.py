"""Who reads a key, and which key their Secrets have: in a catalog of stores that are never opened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from build import api_key_secret, cluster_key_store, entry, key_store
from keywright.decide.rotate.journal import Step
from keywright.decide.rotate.sight import Holds
from keywright.engine import catalog, records
from keywright.engine.journals import About, Kept
from keywright.engine.queue import Key
from keywright.engine.records import Record
from keywright.engine.rotate.holding import Holding
from keywright.engine.rotate.place import Places
from keywright.secret import FingerprintKey, SecretValue
from keywright.settings import Settings
from keywright.stores.base import Location

from .cases import at

KEYS = FingerprintKey("k1", SecretValue(b"x" * 32))
URL = "https://vault.example.com:8200"
WHERE = Location(f'vault {{"server":"{URL}","mount":"kv"}} llm/openai')
KEPT = Kept(
    About("key", "a", "llm", "u"),
    at(Step.STORED),
    {"apiKey": SecretValue("old"), "region": SecretValue("eu")},
    {"apiKey": SecretValue("new"), "region": SecretValue("eu")},
)
OLD, NEW = '{"api_key":"old"}', '{"api_key":"new"}'


class Fleet:
    """Objects and their stores, as an operator has heard of them."""

    def __init__(self) -> None:
        self.catalog = catalog.Catalog(Settings(), lambda _: None)
        self.records: dict[Key, Record] = {}
        self.places = Places(self.catalog, self.records, lambda *_: pytest.fail("nobody logs in"), lambda: None)
        self.bare = False
        self.holding = Holding(KEYS, self.places, lambda _: True, lambda _: self.bare)

    def store(self, name: str, server: str = URL, namespace: str = "b") -> None:
        """Let there be a store."""
        meta = {"name": name, "namespace": namespace, "uid": f"{name} {server}", "resourceVersion": "1"}
        self.catalog.put(catalog.read("KeyStore", key_store(name, server, "kv") | {"metadata": meta}))

    def reads(self, *data: Any, held: Mapping[str, tuple[str, str]], **spec: Any) -> Record:
        """Let ``b/reader`` have a Secret: values and the store's versions by entry."""
        key = Key("b", "reader")
        item = api_key_secret("reader", *data, **spec)
        item["metadata"] |= {"namespace": "b", "uid": "u", "resourceVersion": "1"}
        told = [
            {"key": name, "fingerprint": KEYS.fingerprint(f"{key}/{name}", SecretValue(value)), "version": version}
            for name, (value, version) in held.items()
        ]
        item["status"] = {"versions": told, "target": {"name": "its"}}
        record = self.records[key] = records.read(item)
        record.ask, record.ready = False, True
        return record

    def has(self, kept: Kept = KEPT, version: str = "4") -> list[tuple[str, Holds]]:
        """Return which Secrets count, where the store has the new key."""
        found = asyncio.run(self.holding.of(WHERE, kept, Holds.NEW, version))
        return [(each.reader.secret, each.which) for each in found]


def test_only_what_reads_the_key_tells_by_its_version_which_one_it_has() -> None:
    fleet = Fleet()
    fleet.store("vault")
    whole, other = entry("WHOLE", "llm/openai"), entry("OTHER", "llm/other")
    extract = {"extract": {"path": "llm/openai"}}
    cases = [
        ((whole, other), {}, {"WHOLE": (OLD, "3"), "OTHER": ("unrelated", "4")}, Holds.OTHER),
        ((whole, other), {}, {"WHOLE": (NEW, "4"), "OTHER": ("unrelated", "3")}, Holds.NEW),
        ((whole, entry("SAME", "llm/openai")), {}, {"WHOLE": (OLD, "3"), "SAME": (NEW, "4")}, Holds.OTHER),
        ((other,), {"dataFrom": [extract]}, {"some": (OLD, "3"), "OTHER": ("unrelated", "4")}, Holds.OTHER),
        ((other,), {"dataFrom": [extract]}, {"some": (NEW, "4"), "OTHER": ("unrelated", "3")}, Holds.NEW),
        ((whole, other), {}, {"WHOLE": ("old", "9"), "OTHER": ("unrelated", "4")}, Holds.OLD),
    ]
    for data, more, held, which in cases:
        fleet.reads(*data, held=held, **more)
        assert fleet.has() == [("reader", which)], held


def test_who_cannot_be_placed_counts_by_what_its_secret_has() -> None:
    fleet = Fleet()
    data = entry("KEY", "llm/openai", "api_key")
    # Its store is gone; it names another path by now; what it names is no path; it sleeps, and names another.
    ways: list[tuple[Any, dict[str, Any]]] = [
        (data, {}),
        (entry("KEY", "llm/elsewhere", "api_key"), {}),
        (entry("KEY", "../x", "api_key"), {}),
        (data, {"target": {"template": 5}}),
    ]
    for entry_, more in ways:
        for value, which in (("old", Holds.OLD), ("new", Holds.NEW)):
            record = fleet.reads(entry_, held={"KEY": (value, "3")}, **more)
            record.failures = 1
            assert fleet.has() == [("its", which)], (entry_, more)
        # What both have in common tells nothing.
        fleet.reads(entry_, held={"KEY": ("eu", "3")}, **more).failures = 1
        assert fleet.has() == []
    fleet.reads(entry("KEY", "llm/elsewhere", "api_key"), held={"KEY": ("old", "3")}, suspend=True)
    assert fleet.has() == [("its", Holds.OLD)]
    # Nobody has looked at it since its store has gone, or does not serve it any more.
    fleet.reads(data, held={"KEY": ("old", "3")})
    assert fleet.has() == [("its", Holds.OLD)]
    meta = {"name": "all", "uid": "all", "resourceVersion": "1"}
    shared = cluster_key_store("all", URL, "kv", namespaceSelector={"matchLabels": {"key": "yes"}}, default=True)
    fleet.catalog.put(catalog.read("ClusterKeyStore", shared | {"metadata": meta}))
    for ref in ({"kind": "ClusterKeyStore", "name": "all"}, None):
        fleet.reads(data, held={"KEY": ("old", "3")}, storeRef=ref)
        assert fleet.has() == [("its", Holds.OLD)]
    # One that is in order elsewhere has what is there.
    fleet.store("vault")
    fleet.reads(entry("KEY", "llm/elsewhere", "api_key"), held={"KEY": ("old", "3")})
    assert fleet.has() == []


def test_who_was_placed_before_counts_as_long_as_its_secret_is_the_same() -> None:
    fleet = Fleet()
    fleet.store("vault")
    data = entry("WHOLE", "llm/openai")
    fleet.reads(data, held={"WHOLE": (NEW, "4")})
    assert fleet.has() == [("reader", Holds.NEW)]

    fleet.catalog.remove("KeyStore/b/vault")
    fleet.records[Key("b", "reader")].failures = 1
    assert [fleet.has() for _ in range(2)] == [[("its", Holds.NEW)]] * 2
    # To the next rotation it is one that it does not know.
    again = Kept(KEPT.about, KEPT.journal.but(id="r2"), KEPT.new, {"apiKey": SecretValue("newer")})
    assert fleet.has(again) == [("its", Holds.OTHER)]
    fleet.reads(data, held={"WHOLE": ("something else", "5")}).failures = 1
    assert fleet.has(again) == []


def test_one_key_is_one_place_however_its_store_is_spelled() -> None:
    fleet = Fleet()
    for server in (f"{URL}/", URL.replace("vault", "Vault"), "https://vault.example.com.:8200"):
        fleet.store("vault", server)
        fleet.reads(entry("KEY", "llm/openai", "api_key"), held={"KEY": ("old", "3")})
        assert fleet.has() == [("reader", Holds.OLD)], server


def test_whoever_has_the_key_of_the_path_counts_by_whatever_name_its_server_goes() -> None:
    fleet = Fleet()
    fleet.store("vault", "https://vault.internal:8200")
    whole = entry("KEY", "llm/openai", "api_key")
    for value, which in (("old", Holds.OLD), ("new", Holds.NEW)):
        fleet.reads(whole, held={"KEY": (value, "3")})
        assert fleet.holding.readers(WHERE, KEPT) == {Key("b", "reader")}
        assert fleet.has() == [("its", which)]
    # It may be another server, which has another key there.
    fleet.reads(whole, held={"KEY": ("something else", "3")})
    assert fleet.has() == []
    fleet.reads(entry("KEY", "llm/other/openai", "api_key"), held={"KEY": ("old", "3")})
    assert fleet.has() == []
    assert fleet.holding.readers(WHERE, KEPT) == fleet.holding.readers(WHERE, None) == set()


def test_an_object_that_never_had_a_secret_and_sleeps_holds_up_nobody() -> None:
    fleet = Fleet()
    fleet.store("vault")
    record = fleet.reads(entry("KEY", "llm/openai", "api_key"), held={}, suspend=True)
    # It may have been written just before, and its status be lost.
    record.status = json.dumps({}).encode()
    assert fleet.has() == [("reader", Holds.OTHER)]
    fleet.bare = True
    assert fleet.has() == []
    fleet.reads(entry("KEY", "llm/openai", "api_key"), held={})
    assert fleet.has() == [("reader", Holds.OTHER)]
