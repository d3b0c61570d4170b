"""Where the keys lie that a stage rotates: what the store's object says, and how a test writes and reads them.

Does not belong here: what happens to them (``stage``), AWS (``amazon_stage``).
"""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
from collections.abc import Sequence
from typing import Protocol

import hvac.exceptions

from build import API, key_store
from keywright.keyfile import keys, sealed
from keywright.keyfile.contents import Contents
from keywright.keyfile.keys import Kdf
from keywright.secret import SecretValue
from world import Json, World


class Shelf(Protocol):
    """A store.

    Attributes:
        ref: how objects name it.
        flags: what the operator has to be told for it.
    """

    ref: Json
    flags: Sequence[str]

    def begins(self, world: World) -> None:
        """Let its object be there."""

    def put(self, world: World, path: str, **fields: str) -> None:
        """Write a key."""

    def read(self, world: World, path: str) -> Json:
        """Return what is at a path; nothing where nothing is there."""


class Vault:
    """OpenBao, behind a proxy."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.ref: Json = {"name": "vault"}
        self.flags: Sequence[str] = ()

    def begins(self, world: World) -> None:
        """Let its object be there."""
        world.apply(key_store("vault", self._url, world.mount, access="ReadWrite"))

    def put(self, world: World, path: str, **fields: str) -> None:
        """Write a key."""
        world.put(path, **fields)

    def read(self, world: World, path: str) -> Json:
        """Return what is at a path."""
        read = world.vault.secrets.kv.v2.read_secret_version
        with contextlib.suppress(hvac.exceptions.InvalidPath):
            found = read(path, mount_point=world.mount, raise_on_deleted_version=True)
            return dict(found["data"]["data"])
        return {}


class File:
    """An encrypted file below the operator's root."""

    def __init__(self, root: pathlib.Path, namespace: str) -> None:
        root.mkdir()
        self._file, self._master = root / "keys.kw", SecretValue(base64.b64encode(b"\x07" * 32))
        kdf = Kdf.fresh("raw")
        self._opener = keys.derive(kdf, self._master)
        self._file.write_bytes(Contents.new(kdf, self._opener).put("none", SecretValue("none"), "text").to_bytes())
        self.ref: Json = {"kind": "ClusterKeyStore", "name": namespace}
        self.flags: Sequence[str] = (f"--file-store-root={root}",)

    def begins(self, world: World) -> None:
        """Let its object be there."""
        world.secret_is("master", {"key": self._master.reveal().decode()}, namespace=world.system)
        config = {"path": self._file.name, "keyRef": {"name": "master", "key": "key"}}
        alone = {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}
        spec = {"namespaceSelector": alone, "access": "ReadWrite", "encryptedFile": config}
        name = {"name": self.ref["name"]}
        world.apply({"apiVersion": API, "kind": "ClusterKeyStore", "metadata": name, "spec": spec})

    def put(self, world: World, path: str, **fields: str) -> None:
        """Write a key, while nobody else writes."""
        after = self._contents().put(path, SecretValue(json.dumps(fields)), "map")
        beside = self._file.with_suffix(".new")
        beside.write_bytes(after.to_bytes())
        beside.replace(self._file)

    def read(self, world: World, path: str) -> Json:
        """Return what is at a path."""
        found = self._contents()
        if path not in {each.path for each in found.newest}:
            return {}
        return dict(json.loads(found.read(path).value.reveal()))

    def _contents(self) -> Contents:
        return Contents.open(sealed.parse(self._file.read_bytes()), self._opener)
