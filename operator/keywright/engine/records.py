"""What the engine remembers of each ApiKeySecret: the object as compact JSON, and what happened lately. No values.

Does not belong here: what follows from it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import Any

from .. import cluster, errors, events, kinds, pacing, schema
from ..decide import checks, report, sync
from .catalog import DEFAULT_STORE, identifier
from .queue import Key

API_KEY_SECRETS = cluster.Resource(kinds.GROUP, kinds.VERSION, "apikeysecrets")
#: Where stores are, by their kind.
STORE_RESOURCES = {
    "KeyStore": cluster.Resource(kinds.GROUP, kinds.VERSION, "keystores"),
    "ClusterKeyStore": cluster.Resource(kinds.GROUP, kinds.VERSION, "clusterkeystores"),
}
#: Where issuers are, by their kind.
ISSUER_RESOURCES = {
    "KeyIssuer": cluster.Resource(kinds.GROUP, kinds.VERSION, "keyissuers"),
    "ClusterKeyIssuer": cluster.Resource(kinds.GROUP, kinds.VERSION, "clusterkeyissuers"),
}
#: Annotation whose change asks for a refresh.
REFRESH = "keywright.dev/refresh"


@dataclasses.dataclass(slots=True)
class Record:
    """One ApiKeySecret.

    Attributes:
        spec: its spec as JSON text, so that thousands cost little memory.
        status: its status as JSON text, as the API server last gave it.
        refresh: value of the refresh annotation.
        working: the generation that is worked on: what is reported is about it, whatever arrives meanwhile.
        working_refresh: the same of the refresh annotation.
        parsed: the spec in that generation, while it is worked on.
        read_status: the status, as text and parsed, while it is worked on.
        since: clock reading of the newest reason to ask the stores: older answers do not do.
        ask: whether the stores must be asked, or a look at the target is enough.
        applied: what we wrote last, as far as we know.
        checked_at: Unix time at which the stores last confirmed the target.
        failures: failures in a row.
        repairs: clock readings of repairs within the last minutes, and whether the Secret had been deleted.
        contested: clock reading until which no edit is put right, because somebody keeps changing the target.
        noticed: clock reading at which its Secret was last seen to be changed or gone.
        leaving: the object is being deleted, or is gone.
        ready: its status says that it is Ready.
        refreshed: its stores are asked again and again: it is neither suspended nor read once only.
        uses: identifiers of the stores that it names, whether they exist or not.
        reads: the paths that it reads and the credentials that it names, as one text.
        stores: the stores it reads, for people.
        next_ending: Unix time at which there is something to say of a key that ends; and whether that was looked at.
        next_check: Unix time at which an issuer is to be asked again, of an object that is not refreshed.
        remind: it is to be looked at what there is to say of keys that end.
        wished: a KeyAction waits for its refresh.
        rechecked: its credentials, of which there is something to say then.
        created: Unix time at which it was made.
        untold: what its status is yet to say of what was written last, by field.
    """

    key: Key
    uid: str
    resource_version: str
    generation: int
    spec: bytes
    status: bytes
    refresh: str
    uses: frozenset[str] = frozenset()
    reads: str = ""
    refreshed: bool = True
    working: int = 0
    working_refresh: str = ""
    parsed: kinds.ApiKeySecretSpec | None = None
    read_status: tuple[bytes, dict[str, Any]] | None = None
    since: float = 0.0
    ask: bool = True
    applied: sync.Applied | None = None
    checked_at: float | None = None
    failures: int = 0
    repairs: tuple[tuple[float, bool], ...] = ()
    contested: float = 0.0
    noticed: float = 0.0
    leaving: bool = False
    ready: bool = False
    stores: str = ""
    next_ending: float | None = None
    endings_known: bool = False
    next_check: float | None = None
    remind: bool = False
    rechecked: tuple[checks.Checked, ...] = ()
    wished: bool = False
    created: float = 0.0
    untold: dict[str, Any] | None = None

    @property
    def regarding(self) -> events.Regarding:
        """The object as Events name it."""
        return events.Regarding("ApiKeySecret", self.key.namespace, self.key.name, self.uid)

    def spec_model(self) -> kinds.ApiKeySecretSpec:
        """Parse the spec in the generation that is worked on; where none is, as it is by now.

        Raises:
            errors.Stalled: ``InvalidSpec``.
        """
        return self.parsed or kinds.ApiKeySecret.read_spec(self.spec)

    def newest_spec(self) -> kinds.ApiKeySecretSpec:
        """Parse the spec as it is by now, for whoever does not report on it: a rotation.

        Raises:
            errors.Stalled: ``InvalidSpec``.
        """
        return self.spec_model() if self.working == self.generation else kinds.ApiKeySecret.read_spec(self.spec)

    def status_json(self) -> dict[str, Any]:
        """Return the status parsed; it is not to be changed."""
        if self.read_status is None or self.read_status[0] is not self.status:
            parsed = json.loads(self.status)
            self.read_status = (self.status, parsed if isinstance(parsed, dict) else {})
        return self.read_status[1]

    def is_older(self, other: Record) -> bool:
        """Whether this was read before another form of it. Versions are numbers that grow (KEP-5504)."""
        versions = self.resource_version, other.resource_version
        return all(map(str.isdigit, versions)) and int(versions[0]) < int(versions[1])

    @property
    def is_wished(self) -> bool:
        """Whether a person has asked for a refresh that is not handled yet."""
        return self.wished or bool(self.working_refresh[:256] != self.status_json().get("lastHandledRefresh", ""))

    @property
    def told_target(self) -> dict[str, Any]:
        """The target as the status tells of it; empty before there was one."""
        return self.status_json().get("target") or {}

    @property
    def known_untold(self) -> dict[str, Any]:
        """What the status is yet to say of the target, by field; nothing where there is none any more."""
        return (self.untold or {}) if self.applied else {}

    @property
    def told_versions(self) -> dict[str, dict[str, Any]]:
        """The keys of the target as they were written last, by name, whether the status could tell of them or not."""
        told = self.known_untold.get("versions") or self.status_json().get("versions") or []
        return {each["key"]: each for each in told}

    def took(self, new: Record) -> bool:
        """Take over a newer form of the same object; whether it says anything new but its status."""
        status_only = self.generation == new.generation and self.refresh == new.refresh
        self.resource_version, self.status, self.ready = new.resource_version, new.status, new.ready
        if status_only:
            return False
        if self.refresh != new.refresh:
            # A person has seen to it: a quarrel begins anew.
            self.repairs, self.contested = (), 0.0
        self.spec, self.generation, self.refresh = new.spec, new.generation, new.refresh
        self.uses, self.reads, self.refreshed = new.uses, new.reads, new.refreshed
        return True

    def took_status(self, status: dict[str, Any], resource_version: str) -> None:
        """Remember the status that the API server has now."""
        self.status, self.resource_version = compact(status), resource_version
        left = {each: told for each, told in (self.untold or {}).items() if status.get(each) != told}
        self.untold = left or None
        self.ready = report.is_ready(status.get("conditions") or [])


def read(item: dict[str, Any]) -> Record:
    """Make a record out of an object as the API server gives it."""
    meta, spec = item["metadata"], item.get("spec") or {}
    status = item.get("status") or {}
    record = Record(
        key=Key(meta["namespace"], meta["name"]),
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        generation=int(meta.get("generation", 1)),
        spec=compact(spec),
        status=compact(status),
        refresh=str((meta.get("annotations") or {}).get(REFRESH, "")),
        uses=uses(meta["namespace"], spec),
        reads=_reads(spec),
        refreshed=_is_refreshed(spec),
        ready=report.is_ready(status.get("conditions") or []),
        created=pacing.unix(meta.get("creationTimestamp")) or 0.0,
    )
    record.applied = applied(status)
    return record


def _is_refreshed(spec: dict[str, Any]) -> bool:
    with contextlib.suppress(ValueError, TypeError):
        return not spec.get("suspend") and schema.seconds(spec.get("refreshInterval", "1h")) > 0
    return False


def _reads(spec: dict[str, Any]) -> str:
    named = [*(spec.get("data") or []), *(spec.get("dataFrom") or [])]
    # Another store of an entry may have it at another path.
    named += [other for each in named for other in each.get("sources") or []]
    places = [each.get(ref) for each in named for ref in ("remoteRef", "extract")]
    paths = {str(place.get("path")) for place in places if isinstance(place, dict)}
    return "\n".join(sorted(paths | {str(each.get("name")) for each in spec.get("credentials") or []}))


def uses(namespace: str, spec: dict[str, Any]) -> frozenset[str]:
    """Return the identifiers of the stores that a spec names."""
    # What is minted is in none.
    stored = [each for each in spec.get("data") or [] if each.get("remoteRef")]
    named = [*stored, *(spec.get("dataFrom") or [])]
    refs = [each.get("storeRef") or spec.get("storeRef") for each in named]
    refs += [other.get("storeRef") for each in named for other in each.get("sources") or []]
    return frozenset(
        identifier(ref.get("kind", "KeyStore"), namespace, ref["name"]) if ref else DEFAULT_STORE for ref in refs
    )


def minted(spec: bytes) -> frozenset[str]:
    """Return the names of the credentials that a spec, as text, wants to have minted."""
    # Asked of every object, at the start too, of which few rotate anything.
    if b'"rotation"' not in spec:
        return frozenset()
    with contextlib.suppress(errors.Stalled):
        return frozenset(name for name, _ in kinds.ApiKeySecret.read_spec(spec).minted.values())
    return frozenset()


def applied(status: dict[str, Any]) -> sync.Applied | None:
    """Return what a status says was written last."""
    target = status.get("target") or {}
    parts = [target.get(name) for name in ("uid", "resourceVersion", "fingerprint")]
    return sync.Applied(*map(str, parts)) if all(parts) else None


async def is_gone(api: cluster.Cluster, key: Key) -> bool:
    """Ask whether an ApiKeySecret is gone, or going, of which no watch tells."""
    found = await api.get(API_KEY_SECRETS, *key)
    return found is None or "deletionTimestamp" in found["metadata"]


def compact(value: dict[str, Any]) -> bytes:
    """Return JSON as short as it gets."""
    return json.dumps(value, separators=(",", ":")).encode()
