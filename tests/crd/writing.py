"""Manifests that are right but for one field, which is named."""

from __future__ import annotations

from typing import Any

from build import api_key_secret, cluster_key_store, entry, key_store
from crd.definitions import Json


def with_entry(**said: Any) -> Json:
    return api_key_secret("llm", {"key": "KEY", "remoteRef": {"path": "a"}} | said)


def with_remote(**said: Any) -> Json:
    return with_entry(remoteRef={"path": "a"} | said)


def with_spec(**said: Any) -> Json:
    return api_key_secret("llm", entry("KEY", "a"), **said)


def store(**said: Any) -> Json:
    return key_store("vault", "https://vault.example", "kv", **said)


def cluster_store(**said: Any) -> Json:
    return cluster_key_store("vault", "https://vault.example", "kv", **said)


def requirement(**said: Any) -> Json:
    return cluster_store(namespaceSelector={"matchExpressions": [{"key": "a"} | said]})


def at(address: str) -> Json:
    return key_store("vault", address, "kv")
