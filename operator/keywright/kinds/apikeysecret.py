"""``ApiKeySecret``: a target Secret and the keys in it.

Does not belong here: how the object is brought into order (``engine/``), the parts of its spec (``entries.py``,
``target.py``), what a store's fields are (``stores/``).
"""

from __future__ import annotations

from typing import Annotated, Any

import pydantic

from .. import schema
from ..schema import Cel, Condition, DataKey, Duration, ListMap, Renamed, Spec, Time
from .base import AGE, MESSAGE, READY, REASON, Column, Kind, condition
from .credentials import CredentialSpec, CredentialStatus
from .entries import DataEntry, DataFrom, StoreRef
from .rollout import RolloutSpec, RolloutStatus
from .rotation import Rotations
from .target import TargetSpec

Fingerprint = Annotated[str, pydantic.StringConstraints(max_length=64)]


class ApiKeySecretSpec(Spec):
    """What the Secret should hold."""

    cel = (
        Cel(
            "!has(self.target) || !has(self.target.immutable) || !self.target.immutable"
            " || (has(self.refreshInterval) && self.refreshInterval == duration('0s'))",
            "target.immutable needs refreshInterval: '0': what cannot be changed is not refreshed",
        ),
        Cel(
            "(has(self.data) && self.data.size() > 0) || (has(self.dataFrom) && self.dataFrom.size() > 0)",
            "list at least one entry in data or dataFrom",
        ),
        Cel(
            "!has(self.data) || self.data.all(entry, has(entry.remoteRef) || (has(self.credentials) &&"
            " self.credentials.exists(each, has(each.rotation) &&"
            " entry.key in each.parts.map(part, each.parts[part]))))",
            "an entry without remoteRef has to be a part of a credential with issuerRef and rotation",
        ),
        Cel(
            "!has(self.data) || !has(self.credentials) || self.credentials.all(each,"
            " self.data.filter(entry, !has(entry.remoteRef) && entry.key in each.parts.map(part, each.parts[part]))"
            ".size() in [0, each.parts.size()])",
            "all parts of a credential are entries without remoteRef, or none is",
        ),
    )
    renamed = (
        Renamed("secretStoreRef", "storeRef"),
        Renamed("refreshPolicy", "refreshInterval"),
        Renamed("rolloutRestartTargets", "rollout.workloads"),
    )

    store_ref: StoreRef | None = None
    """Store of all entries that do not name their own. Omitted, the ClusterKeyStore with `default: true`."""
    refresh_interval: Annotated[
        Duration, Cel("self == duration('0s') || self >= duration('10s')", "must be 0 (once) or at least 10s")
    ] = "1h"
    """How often the stores are asked for changes: `30s`, `1h`, `7d`; `0` = once."""
    suspend: bool = False
    """Whether nothing is read or written for now; what is there stays."""
    data: Annotated[list[DataEntry], ListMap("key"), pydantic.Field(max_length=500)] = pydantic.Field(
        default_factory=list
    )
    """The entries of the Secret."""
    data_from: Annotated[list[DataFrom], pydantic.Field(max_length=32)] = pydantic.Field(default_factory=list)
    """Many entries at once. What `data` names wins over them; two that give the same entry are refused."""
    credentials: Annotated[list[CredentialSpec], ListMap("name"), pydantic.Field(max_length=32)] = pydantic.Field(
        default_factory=list
    )
    """What the entries are. Named here, they are checked before they are written; else a value that tells by itself
    what it is is looked at, and a doubt is told."""
    warn_before_expiry: Annotated[
        list[Annotated[Duration, Cel("self >= duration('1m')", "must be at least 1m")]], pydantic.Field(max_length=8)
    ] = pydantic.Field(default_factory=lambda: ["30d", "7d", "1d"])
    """How long before a key expires there are Events about it."""
    target: TargetSpec = pydantic.Field(default_factory=TargetSpec)
    """The Secret that is written."""
    rollout: RolloutSpec | None = None
    """Whether those who use the Secret are restarted when its values change. Omitted, nobody is."""

    @property
    def refresh_seconds(self) -> float:
        """Seconds between refreshes; 0 = once."""
        return schema.seconds(self.refresh_interval)

    @property
    def first(self) -> tuple[StoreRef | None, str]:
        """The store and the path that are named first; where all is minted, no path."""
        stored = [(each.store_ref, each.remote_ref.path) for each in self.data if each.remote_ref]
        extracted = [(each.store_ref, each.extract.path) for each in self.data_from]
        return next(iter(stored + extracted), (None, ""))

    @property
    def store_refs(self) -> list[StoreRef | None]:
        """Every store that is named, None for the default one."""
        stored = (each.store_ref for each in self.data if each.remote_ref)
        own = [*stored, *(each.store_ref for each in self.data_from)]
        others = [each.store_ref for entry in self.data for each in entry.sources]
        return [*(each or self.store_ref for each in own), *others]

    @property
    def minted(self) -> dict[str, tuple[str, str]]:
        """The entries that are in no store: by their keys, the credential and the part of it that each is."""
        homeless = {each.key for each in self.data if each.remote_ref is None}
        return {
            key: (each.name, part)
            for each in self.credentials
            if each.rotation
            for part, key in each.parts.items()
            if key in homeless
        }

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
    store: Annotated[str, pydantic.StringConstraints(max_length=512)] | None = None
    """The store that the value came from, where another one should have been asked and did not answer."""
    from_default: bool | None = None
    """Whether the value is the entry's `default`, because the store had none."""


class Act(Spec):
    """Something that was done for the object, or refused to it."""

    act: Annotated[str, pydantic.StringConstraints(max_length=63)]
    """What, as Events say it: `Created`, `Updated`, `Repaired`, `Deleted`, `Refused`; or what
    came of a rotation."""
    time: Time
    """When."""
    reason: Annotated[str, pydantic.StringConstraints(max_length=63)] | None = None
    """Why, as conditions say it."""
    secret: Annotated[str, pydantic.StringConstraints(max_length=253)] | None = None
    """The Secret that was written or removed."""
    keys: Annotated[list[DataKey], pydantic.Field(max_length=10)] | None = None
    """Which keys it changed; the first ten of them."""
    credential: Annotated[str, pydantic.StringConstraints(max_length=63)] | None = None
    """The credential that was rotated."""
    record: Annotated[str, pydantic.StringConstraints(max_length=80)] | None = None
    """Its place in the audit trail: log and number; of a rotation each step has its own."""


class ApiKeySecretStatus(Spec):
    """What was found and done. A projection: nothing is lost when it is."""

    observed_generation: int | None = None
    """Generation of the object that this was said about; -1 until it was first looked at."""
    conditions: Annotated[list[Condition], ListMap("type"), pydantic.Field(max_length=16)] | None = None
    """`Ready`; `Stalled` when a person must act, `Reconciling` when time will fix it; `Suspended`; `RolledOut`;
    `Rotating`."""
    store: Annotated[str, pydantic.StringConstraints(max_length=2048)] | None = None
    """The stores that are read."""
    keys: Annotated[str, pydantic.StringConstraints(max_length=16)] | None = None
    """How many of the keys that the Secret is made of are there, out of how many: `3/3`."""
    expires: Annotated[str, pydantic.StringConstraints(max_length=40)] | None = None
    """When the first of the keys expires, where that is known."""
    oldest: Time | None = None
    """When the oldest of the keys was made, where that is known."""
    last_changed: Time | None = None
    """When the Secret was last written."""
    last_handled_refresh: Annotated[str, pydantic.StringConstraints(max_length=256)] | None = None
    """Value of the annotation `keywright.dev/refresh` that was last acted upon."""
    target: TargetStatus | None = None
    """The Secret as it was written last."""
    versions: Annotated[list[EntryStatus], ListMap("key"), pydantic.Field(max_length=500)] | None = None
    """The entries as they were written last."""
    credentials: Annotated[list[CredentialStatus], ListMap("name"), pydantic.Field(max_length=532)] | None = None
    """The credentials in the Secret: what is known of them, and when they end."""
    rollout: RolloutStatus | None = None
    """How far the present values have come, where `spec.rollout` asks for restarts."""
    rotations: Rotations | None = None
    """How far the rotations of its credentials are."""
    next_rotation: Time | None = None
    """When the next one begins by itself."""
    history: Annotated[list[Act], pydantic.Field(max_length=10)] | None = None
    """The last ten things that were done for the object, the newest first."""


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
        Column("Oldest", ".status.oldest", "date", wide=True),
        Column("Next Rotation", ".status.nextRotation", wide=True),
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
