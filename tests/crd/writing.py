"""Manifests that are right but for one field, which is named."""

from __future__ import annotations

from typing import Any

from build import (
    api_key_secret,
    cluster_key_issuer,
    cluster_key_store,
    entry,
    key_issuer,
    key_store,
    openai_admin,
)
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


def file_store(kind: str = "KeyStore", **config: Any) -> Json:
    """Return a store that reads an encrypted file, in a ConfigMap and under a passphrase unless ``config`` differs."""
    reference = {"name": "keys", "key": "keys.kw"}
    said = {"configMapRef": reference, "passphraseRef": reference} | config
    part = {name: each for name, each in said.items() if each is not None}
    made = store() if kind == "KeyStore" else cluster_store()
    rest = {name: each for name, each in made["spec"].items() if name != "vault"}
    return made | {"spec": rest | {"encryptedFile": part}}


def issuer(**said: Any) -> Json:
    return key_issuer("openai", **({"openai": openai_admin("https://api.example")} | said))


def cluster_issuer(binding: Json | None = None, **said: Any) -> Json:
    """Return an issuer with one binding, which is as ``binding`` says."""
    return cluster_key_issuer("openai", {"openai": openai_admin("https://api.example")} | (binding or {}), **said)


def github(**said: Any) -> Json:
    """Return an issuer that mints tokens of an App; what is None is left out."""
    own = {"appId": 1, "installationId": 2, "privateKeyRef": {"name": "app", "key": "pem"}} | said
    return key_issuer("github", githubApp={name: value for name, value in own.items() if value is not None})


def leasing(**said: Any) -> Json:
    """Return an issuer of what Vault leases."""
    auth = {"token": {"secretRef": {"name": "vault", "key": "token"}}}
    own = {"server": "https://vault.example", "path": "database/creds/app", "auth": auth}
    return key_issuer("database", vaultDynamic=own | said)


def aws_store(**config: Any) -> Json:
    """Return a store that reads AWS Secrets Manager, as the role of a ServiceAccount unless ``config`` differs."""
    web = {"role": "arn:aws:iam::111122223333:role/reader-{namespace}", "serviceAccountRef": {"name": "a"}}
    said = {"region": "eu-central-1", "auth": {"webIdentity": web}} | config
    return store() | {"spec": {"aws": said}}
