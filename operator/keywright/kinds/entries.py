"""The entries of an ApiKeySecret and where their values come from, as a part of its spec.

Does not belong here: what is made of them (``target.py``), taking a value out of what a store answers
(``decide/render.py``).
"""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from ..schema import Absent, Cel, DataKey, ObjectName, Printable, Renamed, Spec
from .rewrite import Rewrites

Text = Annotated[Printable, pydantic.StringConstraints(max_length=512)]
Path = Annotated[Printable, pydantic.StringConstraints(max_length=1024)]
Version = Annotated[Printable, pydantic.StringConstraints(max_length=128)]


class StoreRef(Spec):
    """Names a store."""

    kind: Literal["KeyStore", "ClusterKeyStore"] = "KeyStore"
    """Kind of the store; a KeyStore is in the object's own namespace."""
    name: ObjectName
    """Name of the store."""


class RemoteRef(Spec):
    """Names a key in a store, and what of it is wanted."""

    cel = (Cel("!(has(self.property) && has(self.jmesPath))", "property and jmesPath exclude each other"),)
    renamed = (Renamed("key", "path"), Renamed("decodingStrategy", "decode, beside remoteRef"))

    path: Path
    """Path of the key in the store, below the store's own mount and prefix, for example `llm/openai`."""
    property: Text | None = None
    """Which property of the key: first taken literally, else as segments joined by dots. Omitted, the whole key."""
    jmes_path: Text | None = None
    """JMESPath expression that chooses out of the key's JSON, for what `property` cannot say."""
    version: Version | None = None
    """Version to stay at. Omitted, the newest."""


class Source(Spec):
    """Another place of the same value."""

    store_ref: StoreRef
    """Store that is asked."""
    remote_ref: RemoteRef | None = None
    """Where the value is there. Omitted, as in the entry, which must not name a version then."""


class DataEntry(Spec):
    """One entry of the Secret and where its value comes from."""

    cel = (
        Cel(
            "!has(self.default) || self.default != '' || (has(self.allowEmpty) && self.allowEmpty)",
            "an empty default is an empty value: it needs allowEmpty: true",
        ),
        Cel(
            "!has(self.sources) || !has(self.remoteRef) || !has(self.remoteRef.version)"
            " || self.sources.all(each, has(each.remoteRef))",
            "a version counts in one store only: beside remoteRef.version, each of sources needs a remoteRef",
        ),
        Cel(
            "has(self.remoteRef) || !(has(self.storeRef) || has(self.sources) || has(self.decode) || has(self.optional)"
            " || has(self.default) || has(self.allowEmpty))",
            "an entry without remoteRef is minted: no storeRef, sources, decode, optional, default or allowEmpty",
        ),
    )
    renamed = (Renamed("secretKey", "key"), Renamed("sourceRef", "storeRef"))

    key: DataKey
    """Name of the entry in the Secret."""
    remote_ref: RemoteRef | None = None
    """Where the value is. Omitted, it is in no store: its credential, which needs `issuerRef` and `rotation`, is
    minted, and minted anew before it ends."""
    store_ref: StoreRef | None = None
    """Another store for this entry alone."""
    sources: Annotated[list[Source], pydantic.Field(max_length=4)] = pydantic.Field(default_factory=list)
    """Other places of the same value, asked in this order while the store before does not answer; never because a store
    refuses, asks to slow down, or has no such key."""
    decode: Literal["None", "Base64", "Base64URL"] = "None"
    """How the value is encoded in the store; it is decoded before it is written."""
    optional: bool = False
    """Whether the Secret is written without this entry while the store has no such key."""
    default: Annotated[str, pydantic.StringConstraints(max_length=4096)] | None = None
    """Value while the store has no such key; makes the entry optional. It stands here in clear: nothing secret.
    An empty one needs `allowEmpty`."""
    allow_empty: bool = False
    """Whether an empty value is written; otherwise it is refused."""

    @property
    def is_optional(self) -> bool:
        """Whether the entry may be missing in the store."""
        return self.optional or self.default is not None


class Extract(Spec):
    """Names a key whose properties become entries."""

    renamed = (Renamed("key", "path"), Renamed("decodingStrategy", "the entries in data, with decode"))

    path: Path
    """Path of the key in the store, as in `remoteRef`."""
    property: Text | None = None
    """Which property of the key is the map of entries. Omitted, the whole key."""
    version: Version | None = None
    """Version to stay at. Omitted, the newest."""


class DataFrom(Spec):
    """Many entries at once: all properties of one key."""

    renamed = (
        Renamed("sourceRef", "storeRef"),
        Absent("find", "name each key in an extract of its own"),
    )

    extract: Extract
    """The key whose properties become entries. What `data` names wins over them."""
    store_ref: StoreRef | None = None
    """Another store for these entries."""
    rewrite: Rewrites = pydantic.Field(default_factory=list)
    """How the names become those of entries, step by step."""
    optional: bool = False
    """Whether the Secret is written without these entries while the store has no such key."""
    allow_empty: bool = False
    """Whether properties without a value become entries too, and the key may be without properties."""
