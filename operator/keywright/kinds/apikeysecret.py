"""``ApiKeySecret``: a target Secret and the keys in it.

Does not belong here: how the object is brought into order (``engine/``), what a store's fields are (``stores/``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from .. import schema
from ..schema import (
    Absent,
    Annotations,
    Cel,
    Condition,
    DataKey,
    Duration,
    Labels,
    ListMap,
    ObjectName,
    Printable,
    Renamed,
    Spec,
    Time,
)
from .base import AGE, MESSAGE, READY, REASON, Column, Kind, condition

Text = Annotated[Printable, pydantic.StringConstraints(max_length=512)]
Fingerprint = Annotated[str, pydantic.StringConstraints(max_length=64)]

_NOT_OURS = Cel(
    "!self.exists(name, name.startsWith('keywright.dev/') || name.startsWith('merged.keywright.dev/'))",
    "names below keywright.dev/ and merged.keywright.dev/ are Keywright's own",
)


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

    path: Annotated[Printable, pydantic.StringConstraints(max_length=1024)]
    """Path of the key in the store, below the store's own mount and prefix, for example `llm/openai`."""
    property: Text | None = None
    """Which property of the key: first taken literally, else as segments joined by dots. Omitted, the whole key."""
    jmes_path: Text | None = None
    """JMESPath expression that chooses out of the key's JSON, for what `property` cannot say."""
    version: Annotated[Printable, pydantic.StringConstraints(max_length=128)] | None = None
    """Version to stay at. Omitted, the newest."""


class DataEntry(Spec):
    """One entry of the Secret and where its value comes from."""

    cel = (
        Cel(
            "!has(self.default) || self.default != '' || (has(self.allowEmpty) && self.allowEmpty)",
            "an empty default is an empty value: it needs allowEmpty: true",
        ),
    )
    renamed = (Renamed("secretKey", "key"), Renamed("sourceRef", "storeRef"))

    key: DataKey
    """Name of the entry in the Secret."""
    remote_ref: RemoteRef
    """Where the value is."""
    store_ref: StoreRef | None = None
    """Another store for this entry alone."""
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


class TargetSpec(Spec):
    """The Secret that is written."""

    renamed = (Renamed("template", "labels, annotations and type directly in target"),)
    cel = (
        Cel(
            "!has(self.creationPolicy) || self.creationPolicy != 'Merge' || !has(self.immutable) || !self.immutable",
            "a Secret that entries are merged into is not this object's to make immutable",
        ),
    )

    name: ObjectName | None = None
    """Name of the Secret. Omitted, the object's own name."""
    type: Annotated[Printable, pydantic.StringConstraints(max_length=253)] = "Opaque"
    """Type of the Secret."""
    labels: Annotated[Labels, _NOT_OURS] = pydantic.Field(default_factory=dict)
    """Labels that the Secret gets."""
    annotations: Annotated[Annotations, _NOT_OURS] = pydantic.Field(default_factory=dict)
    """Annotations that the Secret gets."""
    creation_policy: Literal["Owner", "Merge"] = "Owner"
    """`Owner`: the Secret is created and kept by this object. `Merge`: the entries are added to a Secret that somebody
    else makes; nothing of his is touched."""
    adopt: Literal["Never", "IfEqual", "Always"] = "Never"
    """Whether a Secret of that name that is there already is taken over: never, if it holds the same, or always."""
    on_delete: Literal["Delete", "Retain"] = "Delete"
    """What happens to the Secret, or to the entries merged into one, when this object is deleted."""
    deletion_policy: Literal["Retain", "Delete"] = "Retain"
    """What happens to the Secret when the stores say that all of its keys are gone; a refusal, an outage or silence
    never counts as gone."""
    immutable: bool = False
    """Whether the Secret is made immutable; only with `refreshInterval: 0`."""

    @property
    def merges(self) -> bool:
        """Whether the entries go into a Secret that somebody else makes."""
        return self.creation_policy == "Merge"


class ApiKeySecretSpec(Spec):
    """What the Secret should hold."""

    cel = (
        Cel(
            "!has(self.target) || !has(self.target.immutable) || !self.target.immutable"
            " || (has(self.refreshInterval) && self.refreshInterval == duration('0s'))",
            "target.immutable needs refreshInterval: 0: what cannot be changed is not refreshed",
        ),
    )
    renamed = (
        Renamed("secretStoreRef", "storeRef"),
        Renamed("refreshPolicy", "refreshInterval"),
        Absent("dataFrom", "list the entries in data"),
    )

    store_ref: StoreRef | None = None
    """Store of all entries that do not name their own. Omitted, the ClusterKeyStore with `default: true`."""
    refresh_interval: Annotated[
        Duration, Cel("self == duration('0s') || self >= duration('10s')", "must be 0 (once) or at least 10s")
    ] = "1h"
    """How often the stores are asked for changes: `30s`, `1h`, `7d`; `0` = once."""
    suspend: bool = False
    """Whether nothing is read or written for now; what is there stays."""
    data: Annotated[list[DataEntry], ListMap("key"), pydantic.Field(min_length=1, max_length=500)]
    """The entries of the Secret."""
    target: TargetSpec = pydantic.Field(default_factory=TargetSpec)
    """The Secret that is written."""

    @property
    def refresh_seconds(self) -> float:
        """Seconds between refreshes; 0 = once."""
        return schema.seconds(self.refresh_interval)

    def target_name(self, own: str) -> str:
        """Return the name of the Secret, for an object of this name."""
        return self.target.name or own


class TargetStatus(Spec):
    """The Secret as it was written last."""

    name: Annotated[str, pydantic.StringConstraints(max_length=253)]
    """Name of the Secret."""
    uid: Annotated[str, pydantic.StringConstraints(max_length=64)]
    """UID of the Secret."""
    resource_version: Annotated[str, pydantic.StringConstraints(max_length=64)]
    """Version of the Secret."""
    generation: int | None = None
    """Generation of the object that the Secret was last made to fit."""
    fingerprint: Fingerprint
    """Keyed fingerprint of all entries; means nothing outside this install."""


class EntryStatus(Spec):
    """One entry as it was written last."""

    key: DataKey
    """Name of the entry."""
    version: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=128)] | None = None
    """The store's version of the key."""
    fingerprint: Fingerprint
    """Keyed fingerprint of the value; means nothing outside this install."""
    from_default: bool | None = None
    """Whether the value is the entry's `default`, because the store had none."""


class ApiKeySecretStatus(Spec):
    """What was found and done. A projection: nothing is lost when it is."""

    observed_generation: int | None = None
    """Generation of the object that this was said about; -1 until it was first looked at."""
    conditions: Annotated[list[Condition], ListMap("type"), pydantic.Field(max_length=16)] | None = None
    """`Ready`; `Stalled` when a person must act, `Reconciling` when time will fix it; `Suspended`."""
    store: Annotated[str, pydantic.StringConstraints(max_length=2048)] | None = None
    """The stores that are read."""
    keys: Annotated[str, pydantic.StringConstraints(max_length=16)] | None = None
    """How many entries the Secret holds, out of how many: `3/3`."""
    expires: Annotated[str, pydantic.StringConstraints(max_length=40)] | None = None
    """When the first of the keys expires, where that is known."""
    last_changed: Time | None = None
    """When the Secret was last written."""
    last_handled_refresh: Annotated[str, pydantic.StringConstraints(max_length=256)] | None = None
    """Value of the annotation `keywright.dev/refresh` that was last acted upon."""
    target: TargetStatus | None = None
    """The Secret as it was written last."""
    versions: Annotated[list[EntryStatus], ListMap("key"), pydantic.Field(max_length=500)] | None = None
    """The entries as they were written last."""


class ApiKeySecret(
    Kind,
    plural="apikeysecrets",
    short_name="aks",
    columns=(
        READY,
        REASON,
        Column("Store", ".status.store"),
        Column("Keys", ".status.keys"),
        Column("Expires", ".status.expires"),
        Column("Suspended", condition("Suspended", "status")),
        AGE,
        MESSAGE,
        Column("Last Change", ".status.lastChanged", "date", wide=True),
    ),
    selectable=(".spec.storeRef.name",),
):
    """A Secret and the API keys in it: where they come from and how they are kept right."""

    Spec = ApiKeySecretSpec
    Status = ApiKeySecretStatus
    example = """\
apiVersion: keywright.dev/v1alpha1
kind: ApiKeySecret
metadata:
  name: llm
spec:
  storeRef: {kind: ClusterKeyStore, name: vault}
  refreshInterval: 1h
  data:
  - key: OPENAI_API_KEY
    remoteRef: {path: llm/openai, property: api_key}
  - key: BEDROCK_REGION
    remoteRef: {path: llm/bedrock, property: region}
    default: eu-central-1
  target:
    name: llm-keys
    labels: {app: assistant}
"""

    @classmethod
    def read_spec(cls, spec: dict[str, Any] | bytes) -> ApiKeySecretSpec:
        """Read a spec; see ``Kind.read_spec``."""
        return cls.parse(ApiKeySecretSpec, spec)
