"""The keys of this install: made once, by whoever leads first, and never replaced by us.

Losing the fingerprint key costs one new baseline of fingerprints, found by comparing values; no Secret is rewritten for
it. Losing the key that signs the audit trail costs a new one, and the trail says so.

Does not belong here: what they are used for (``secret``).
"""

from __future__ import annotations

import base64
import binascii
import os

from .. import cluster, errors
from ..audit.heads import SigningKey
from ..errors import Reason
from ..secret import FingerprintKey, SecretValue

NAME, AUDIT = "keywright-install-keys", "keywright-audit-key"
_KEY, _ID, _SEED = "fingerprint.key", "fingerprint.id", "audit.ed25519"
_HINT = "Restore the Secret from a backup, or delete it to have new keys made"


async def load(api: cluster.Cluster, namespace: str) -> FingerprintKey:
    """Return the install's fingerprint key, making it if there is none.

    Raises:
        errors.Stalled: the Secret is there but is not what we wrote.
    """
    found = await find(api, namespace)
    if found is not None:
        return found
    try:
        return _read(
            await api.call("POST", cluster.SECRETS, namespace, body=_secret(namespace, NAME, _new())), namespace
        )
    except cluster.Refused as refused:
        if refused.status != 409:
            raise
    return _read(await api.get(cluster.SECRETS, namespace, NAME) or {}, namespace)


async def signing_key(api: cluster.Cluster, namespace: str) -> SigningKey:
    """Return the key that signs the audit trail, making it if there is none.

    Raises:
        errors.Stalled: the Secret is there but is not what we wrote.
    """
    found = await api.get(cluster.SECRETS, namespace, AUDIT)
    if found is None:
        try:
            found = await api.call("POST", cluster.SECRETS, namespace, body=_secret(namespace, AUDIT, _new_seed()))
        except cluster.Refused as refused:
            if refused.status != 409:
                raise
            found = await api.get(cluster.SECRETS, namespace, AUDIT) or {}
    return SigningKey(_seed(found, namespace))


async def find(api: cluster.Cluster, namespace: str) -> FingerprintKey | None:
    """Return the install's fingerprint key, None if there is none.

    Raises:
        errors.Stalled: the Secret is there but is not what we wrote.
    """
    secret = await api.get(cluster.SECRETS, namespace, NAME)
    return None if secret is None else _read(secret, namespace)


def _read(secret: cluster.Json, namespace: str) -> FingerprintKey:
    try:
        data = secret["data"]
        key, key_id = base64.b64decode(data[_KEY], validate=True), base64.b64decode(data[_ID], validate=True).decode()
        if len(key) != 32 or not key_id.isalnum():
            raise ValueError
    except (KeyError, ValueError, TypeError, binascii.Error):
        where = f"Secret {namespace}/{NAME} does not hold the install keys"
        raise errors.Stalled(Reason.CREDENTIAL_MISSING, where, _HINT) from None
    return FingerprintKey(key_id, SecretValue(key))


def _seed(secret: cluster.Json, namespace: str) -> SecretValue:
    try:
        seed = base64.b64decode(secret["data"][_SEED], validate=True)
        if len(seed) != 32:
            raise ValueError
    except (KeyError, ValueError, TypeError, binascii.Error):
        where = f"Secret {namespace}/{AUDIT} does not hold the key of the audit trail"
        raise errors.Stalled(Reason.CREDENTIAL_MISSING, where, _HINT) from None
    return SecretValue(seed)


def _new_seed() -> dict[str, str]:
    return {_SEED: base64.b64encode(os.urandom(32)).decode()}


def _new() -> dict[str, str]:
    key_id = os.urandom(4).hex().encode()
    return {_KEY: base64.b64encode(os.urandom(32)).decode(), _ID: base64.b64encode(key_id).decode()}


def _secret(namespace: str, name: str, data: dict[str, str]) -> cluster.Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "keywright"}},
        "immutable": True,
        "data": data,
    }
