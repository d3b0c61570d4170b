"""Objects that a story needs: made as a person makes them, with rights.

Does not belong here: what becomes of them (``story``, ``rotations``).
"""

from __future__ import annotations

from typing import Any

from keywright import cluster, kinds

from .place import Place
from .watching import KEY_STORES

Json = dict[str, Any]


def manifest(kind: str, name: str, spec: Json) -> Json:
    """Return an object of ours."""
    return {"apiVersion": kinds.API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


async def create(api: cluster.Cluster, namespace: str, resource: cluster.Resource, body: Json) -> None:
    """Make an object.

    Raises:
        keywright.errors.Error: it is refused.
    """
    await api.call("POST", resource, namespace, body=body)


async def connect_store(api: cluster.Cluster, place: Place, **more: Any) -> None:
    """Let there be a KeyStore ``vault`` for OpenBao, with what its login needs.

    Args:
        more: of its spec.
    """
    bao, namespace = place.bao, place.cluster.namespace
    token = {"metadata": {"name": "vault-token"}, "stringData": {"token": bao.root_token}}
    await create(api, namespace, cluster.SECRETS, token)
    authority = {"ca.crt": bao.ca_file.read_text() if bao.ca_file else ""}
    await create(api, namespace, cluster.CONFIG_MAPS, {"metadata": {"name": "vault-ca"}, "data": authority})
    vault = {
        "server": bao.url,
        "mount": "secret",
        "caProvider": {"kind": "ConfigMap", "name": "vault-ca", "key": "ca.crt"},
        "auth": {"token": {"secretRef": {"name": "vault-token", "key": "token"}}},
    }
    await create(api, namespace, KEY_STORES, manifest("KeyStore", "vault", {"vault": vault, **more}))
