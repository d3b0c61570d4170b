"""Objects that each want another entry of one encrypted file: how often the file is read, and its key derived."""

from __future__ import annotations

import base64

from keywright import cluster
from keywright.engine.records import STORE_RESOURCES
from keywright.keyfile import keys
from keywright.keyfile.contents import Contents
from keywright.keyfile.keys import Kdf
from keywright.secret import SecretValue

from ..rows import Row, Target
from ..testbed import SOON, SYSTEM, Testbed, objects, until_synced

NAME = "encrypted file"
_PASSPHRASE = "correct horse battery staple"


async def run(count: int) -> list[Row]:
    """Measure one refresh of all."""
    async with Testbed.open() as testbed:
        await _has_file(testbed, count)
        mark = testbed.plane.mark()
        operator = testbed.starts_operator()
        items = objects(count, interval=SOON, store="file")
        for each in items:
            del each["spec"]["data"][0]["remoteRef"]["property"]
        await testbed.has_objects(items)
        await testbed.until_written(count, "events", "create", mark)
        await until_synced(operator, count, "a refresh")
        since = testbed.plane.mark()
        await until_synced(operator, count, "the next refresh")
        asked = testbed.asked(since)
    reads = sum((each.verb, each.resource) == ("get", "configmaps") for each in asked)
    derived = sum((each.verb, each.resource) == ("get", "secrets") for each in asked)
    return [
        Row(NAME, f"reads of the file in a refresh of {count} objects", reads, "", Target(2.0), 1.0),
        Row(NAME, "reads of the passphrase meanwhile", derived, "", Target(0.0)),
    ]


async def _has_file(testbed: Testbed, count: int) -> None:
    """Let there be a file with so many entries, and a store that reads it."""
    kdf = Kdf.fresh("argon2id")
    contents = Contents.new(kdf, keys.derive(kdf, SecretValue(_PASSPHRASE)))
    for number in range(count):
        contents = contents.put(f"key-{number}", SecretValue(f"sk-bench-{number:040}"), "text")
    data = base64.b64encode(contents.to_bytes()).decode()
    file = {"metadata": {"name": "keys"}, "binaryData": {"keys.kw": data}}
    await testbed.api.call("POST", cluster.CONFIG_MAPS, SYSTEM, body=file)
    master = {"metadata": {"name": "master"}, "stringData": {"passphrase": _PASSPHRASE}}
    await testbed.api.call("POST", cluster.SECRETS, SYSTEM, body=master)
    config = {
        "configMapRef": {"name": "keys", "key": "keys.kw"},
        "passphraseRef": {"name": "master", "key": "passphrase"},
    }
    spec = {"namespaceSelector": {}, "encryptedFile": config}
    body = {
        "apiVersion": "keywright.dev/v1alpha1",
        "kind": "ClusterKeyStore",
        "metadata": {"name": "file"},
        "spec": spec,
    }
    await testbed.api.call("POST", STORE_RESOURCES["ClusterKeyStore"], body=body)
