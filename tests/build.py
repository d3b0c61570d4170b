"""Manifests of our kinds, as tests write them: the least that works, changed by what is named."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
API = "keywright.dev/v1alpha1"


def entry(key: str, path: str, property: str | None = None, **more: Any) -> Json:  # noqa: A002 - the field's name
    """Return an entry of ``spec.data``; ``remote`` adds to its remoteRef."""
    remote = {"path": path, **({"property": property} if property else {}), **more.pop("remote", {})}
    return {"key": key, "remoteRef": remote, **more}


def api_key_secret(name: str, *entries: Json, **spec: Any) -> Json:
    """Return an ApiKeySecret that reads from KeyStore ``vault``."""
    defaults: Json = {"storeRef": {"name": "vault"}, "data": list(entries)}
    body = {key: value for key, value in (defaults | spec).items() if value is not None}
    return {"apiVersion": API, "kind": "ApiKeySecret", "metadata": {"name": name}, "spec": body}


def key_action(name: str, target: str = "llm", **spec: Any) -> Json:
    """Return a KeyAction that asks for a refresh of an ApiKeySecret."""
    defaults: Json = {"action": "Refresh", "apiKeySecret": target, "reason": "Test"}
    body = {key: value for key, value in (defaults | spec).items() if value is not None}
    return {"apiVersion": API, "kind": "KeyAction", "metadata": {"name": name}, "spec": body}


def credential(issuer: str, entry: str, endpoint: str | None = None, **more: Any) -> Json:
    """Return a credential of one part; ``check`` says how it is checked."""
    found: Json = {"name": issuer.lower(), "issuer": issuer, "parts": {more.pop("part", "apiKey"): entry}}
    return found | ({"endpoint": endpoint} if endpoint else {}) | more


def vault(server: str, mount: str, **more: Any) -> Json:
    """Return the ``vault`` part of a store, with a token from Secret ``vault-token``."""
    auth = {"token": {"secretRef": {"name": "vault-token", "key": "token"}}}
    return {"server": server, "mount": mount, "auth": auth, **more}


def key_store(name: str, server: str, mount: str, **spec: Any) -> Json:
    """Return a KeyStore for a KV engine; ``vault`` adds to that part."""
    part = vault(**({"server": server, "mount": mount} | spec.pop("vault", {})))
    return {"apiVersion": API, "kind": "KeyStore", "metadata": {"name": name}, "spec": {"vault": part, **spec}}


def cluster_key_store(name: str, server: str, mount: str, **spec: Any) -> Json:
    """Return a ClusterKeyStore for a KV engine, for all namespaces."""
    store = key_store(name, server, mount, **({"namespaceSelector": {}} | spec))
    return store | {"kind": "ClusterKeyStore"}


def openai_admin(url: str, **fields: Any) -> Json:
    """Return the ``openai`` part of an issuer for the vendor's server; its admin key is in Secret ``openai-admin``."""
    ref = {"name": "openai-admin", "key": "key"}
    return {"endpoint": url, "project": "proj_abc", "serviceAccount": "user-abc", "adminKeyRef": ref, **fields}


def key_issuer(name: str, **spec: Any) -> Json:
    """Return a KeyIssuer."""
    return {"apiVersion": API, "kind": "KeyIssuer", "metadata": {"name": name}, "spec": spec}


def cluster_key_issuer(name: str, *bindings: Json, **spec: Any) -> Json:
    """Return a ClusterKeyIssuer; a binding that does not select namespaces serves all."""
    bound: list[Json] = [{"namespaceSelector": {}} | each for each in bindings]
    return key_issuer(name, bindings=bound, **spec) | {"kind": "ClusterKeyIssuer"}
