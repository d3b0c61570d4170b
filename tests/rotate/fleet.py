"""Objects that read a key, their stores and their Secrets, as an operator has heard of them, without one.

Does not belong here: what follows from them (``test_readers``).
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest

from build import api_key_secret, entry, key_store
from keywright import cluster, errors
from keywright.decide import marks, sync
from keywright.decide.rotate.journal import Step
from keywright.decide.rotate.sight import Has, Holds
from keywright.engine import catalog, records, target
from keywright.engine.journals import About, Kept
from keywright.engine.queue import Key
from keywright.engine.records import Record
from keywright.engine.rotate.holding import Holding
from keywright.engine.rotate.place import Places
from keywright.engine.rotate.secrets import Secrets
from keywright.secret import FingerprintKey, SecretValue
from keywright.settings import Settings
from keywright.stores.base import Location

from .cases import at

KEYS = FingerprintKey("k1", SecretValue(b"x" * 32))
URL = "https://vault.example.com:8200"
WHERE = Location(f'vault {{"server":"{URL}","mount":"kv"}} llm/openai')
RECIPE = json.dumps(
    {
        "credential": {"name": "it", "issuer": "openai", "parts": {"apiKey": "KEY"}},
        "storeRef": None,
        "path": "llm/openai",
        "properties": {"apiKey": "api_key"},
    }
)
KEPT = Kept(
    About("key", "a", "llm", "u", RECIPE),
    at(Step.STORED),
    {"apiKey": SecretValue("old"), "region": SecretValue("eu")},
    {"apiKey": SecretValue("new"), "region": SecretValue("eu")},
)
OLD, NEW, THIRD = '{"api_key":"old"}', '{"api_key":"new"}', '{"api_key":"third"}'
READER = Key("b", "reader")
#: How an object reads the key as it is, and as something in which it stands.
KEY, WHOLE = entry("KEY", "llm/openai", "api_key"), entry("WHOLE", "llm/openai")


class Fleet:
    """Objects, their stores and their Secrets, as an operator has heard of them."""

    def __init__(self) -> None:
        self.catalog = catalog.Catalog(Settings(), lambda _: None)
        self.records: dict[Key, Record] = {}
        self.places = Places(self.catalog, self.records, lambda *_: pytest.fail("nobody logs in"), lambda: None)
        self.seen: dict[Key, sync.Seen] = {}
        self.owned: dict[Key, set[str]] = {}
        self.secrets: dict[Key, cluster.Json] = {}
        self.looked: list[str] = []
        self.silent, self.meanwhile = False, dict[Key, bytes]()
        self.versions = map(str, itertools.count(1))
        secrets = Secrets(self.get, KEYS, self.seen, self.owned, self.records)
        self.holding = Holding(KEYS, self.places, secrets, self.as_written)

    async def get(self, namespace: str, name: str) -> cluster.Json | None:
        """Read a Secret."""
        self.looked.append(name)
        if self.silent:
            raise errors.Retry(errors.Reason.KUBERNETES_UNAVAILABLE, "nobody answers")
        for key, status in self.meanwhile.items():
            self.records[key].status = status
        return self.secrets.get(Key(namespace, name))

    def as_written(self, record: Record) -> bool:
        """Whether a Secret is as it was written."""
        seen, known = self.seen.get(Key(record.key.namespace, "its")), record.applied
        return bool(seen and known and (seen.uid, seen.resource_version) == (known.uid, known.resource_version))

    def store(self, name: str, server: str = URL, namespace: str = "b") -> None:
        """Let there be a store."""
        meta = {"name": name, "namespace": namespace, "uid": f"{name} {server}", "resourceVersion": "1"}
        self.catalog.put(catalog.read("KeyStore", key_store(name, server, "kv") | {"metadata": meta}))

    def reads(
        self, *data: Any, held: Mapping[str, tuple[str, str]], told: Mapping[str, Any] = {}, **spec: Any
    ) -> Record:
        """Let ``b/reader`` have a Secret: values and the store's versions by entry.

        Args:
            told: what the status tells of each entry besides.
        """
        item = api_key_secret("reader", *data, **spec)
        item["metadata"] |= {"namespace": "b", "uid": "u", "resourceVersion": "1", "generation": 1}
        versions = [
            {
                "key": name,
                "fingerprint": KEYS.fingerprint(f"{READER}/{name}", SecretValue(value)),
                "version": version,
                **told,
            }
            for name, (value, version) in held.items()
        ]
        written = self.has_secret({name: value for name, (value, _) in held.items()})
        item["status"] = {"versions": versions, "target": written | {"generation": 1}} if held else {}
        record = self.records[READER] = records.read(item)
        record.ask, record.ready = False, True
        return record

    def has_secret(self, held: Mapping[str, str], name: str = "its") -> cluster.Json:
        """Let the reader's Secret hold something, or be gone; return what a status tells of it."""
        version = next(self.versions)
        secret, manager = Key("b", name), marks.field_manager(str(READER))
        for each in (self.seen, self.secrets, self.owned):
            each.clear()
        if not held:
            return {}
        fields: cluster.Json = {"f:data": {f"f:{each}": {} for each in held}}
        self.secrets[secret] = {
            "metadata": {
                "namespace": "b",
                "uid": "s",
                "resourceVersion": version,
                "managedFields": [{"manager": manager, "operation": "Apply", "fieldsV1": fields}],
            },
            "data": {each: base64.b64encode(value.encode()).decode() for each, value in held.items()},
        }
        self.seen[secret] = sync.Seen("s", version, str(READER))
        self.owned[READER] = {name}
        entries = {each: SecretValue(value) for each, value in held.items()}
        fingerprint = target.fingerprint(KEYS, str(READER), entries, None)
        return {"name": name, "uid": "s", "resourceVersion": version, "fingerprint": fingerprint}

    def has(self, kept: Kept = KEPT, version: str = "4", store: Holds = Holds.NEW) -> list[tuple[str, Has]]:
        """Return which Secrets count, where the store has the new key."""
        found = asyncio.run(self.holding.of(WHERE, kept, store, version))
        return [(each.secret, each.which) for each in found]

    def is_one_that_has(self, which: Has, *, looks: int, **more: Any) -> None:
        """See which key the one Secret has that counts, and whether it had to be looked into for that."""
        self.looked.clear()
        assert self.has(**more) == [("its", which)]
        assert len(self.looked) == looks

    def holds_up_nobody(self, *, looks: int, **more: Any) -> None:
        """See that no Secret counts, and whether one had to be looked into for that."""
        self.looked.clear()
        assert self.has(**more) == []
        assert len(self.looked) == looks
