"""The target Secret: looking at it, writing it, removing one that an object no longer names.

Every write rests on the version it was decided on; what a look finds is compared here and leaves as yes or no.

Does not belong here: whether to write (``decide/sync.py``), what (``gather``).
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
from collections.abc import Container, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from .. import cluster, errors, kinds
from ..decide import marks, sync
from ..errors import Reason
from ..secret import FingerprintKey, SecretMap, SecretValue
from .merged import apply, stuck, withdraw
from .queue import Key
from .records import Record


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A Secret that was looked into."""

    seen: sync.Seen
    meta: dict[str, Any]
    entries: Mapping[str, SecretValue]
    type: str
    immutable: bool


class Target:
    """The target Secret of one ApiKeySecret.

    Args:
        record: the ApiKeySecret.
        spec: its spec.
    """

    def __init__(
        self, api: cluster.Cluster, keys: FingerprintKey, record: Record, spec: kinds.ApiKeySecretSpec
    ) -> None:
        self._api, self._keys = api, keys
        self._namespace, self.owner = record.key.namespace, str(record.key)
        self.name = spec.target_name(record.key.name)
        self._manager = marks.field_manager(self.owner)
        self._telling = marks.MADE_OF + self._manager
        self._type, self._immutable, self._merges = spec.target.type, spec.target.immutable, spec.target.merges
        said, goes = (spec.target.labels, spec.target.annotations), spec.target.on_delete == "Delete"
        self._stuck: cluster.Json | None = None
        self._metadata = (
            marks.merge_metadata(self.owner, *said, goes=goes)
            if spec.target.merges
            else marks.metadata(self.owner, record.uid, *said, owned=goes, made=spec.target.adopt == "Never")
        )

    def is_of(self, decided: str | None, made_of: str) -> None:
        """Take over the type that a shape decides, and what is to be told of the keys that the entries are made of."""
        self._type = decided or self._type
        if made_of:
            self._metadata["annotations"][self._telling] = made_of

    def fingerprint(self, entries: SecretMap) -> str:
        """Return the fingerprint of entries as this object's, and of what is told of them."""
        return self._prints(entries, self._metadata["annotations"].get(self._telling))

    def _prints(self, entries: SecretMap, made_of: str | None) -> str:
        return fingerprint(self._keys, self.owner, entries, made_of)

    def made_of(self, seen: sync.Seen | None) -> str | None:
        """Return of which keys a Secret says that this object made its entries; None if it is not this object's."""
        return dict(seen.made_of).get(self._manager, "") if seen and seen.is_of(self.owner) else None

    async def look(self) -> Found | None:
        """Read the Secret; None if there is none."""
        try:
            secret = await self._api.get(cluster.SECRETS, self._namespace, self.name)
        except cluster.Refused as refused:
            raise refusal(refused, self._namespace, self.name) from None
        self._stuck = stuck(secret or {}, self._manager)
        if secret is None:
            return None
        meta = secret["metadata"]
        return Found(seen(meta), meta, entries_of(secret), secret.get("type", "Opaque"), bool(secret.get("immutable")))

    def compare(self, found: Found, entries: SecretMap) -> sync.Content:
        """Compare what was found with what should be there."""
        own = self.own(found)
        return sync.Content(
            entries_equal=all(found.entries.get(name) == value for name, value in entries.items())
            and not own - entries.keys(),
            dressing_equal=self._dressed(found),
            type_equal=self._merges or found.type == self._type,
            immutable=found.immutable,
            ours=bool(own),
            taken=self._taken(found, entries, own),
        )

    def _taken(self, found: Found, entries: SecretMap, own: AbstractSet[str]) -> tuple[str, ...]:
        if not self._merges:
            return ()
        others = entries.keys() & found.entries.keys() - own
        return tuple(sorted(name for name in others if found.entries[name] != entries[name]))

    def untouched(self, found: Found, fingerprint: str) -> bool:
        """Whether our own entries and dressing are as we left them, without asking a store what they should be."""
        own = self.own(found)
        entries = {name: value for name, value in found.entries.items() if name in own}
        return self._prints(entries, self.made_of(found.seen)) == fingerprint and self._dressed(found)

    def _dressed(self, found: Found) -> bool:
        meta = found.meta
        return (
            marks.dressed(meta, self._metadata, shared=self._merges)
            and not marks.left_over(meta, self._metadata, self._manager)
            and (found.immutable or not self._immutable)
        )

    def own(self, found: Found) -> AbstractSet[str]:
        """Return the names of the entries that this object wrote."""
        return marks.own_entries(found.meta.get("managedFields") or [], self._manager)

    def contenders(self, found: Found) -> str:
        """Name who else writes the Secret's entries."""
        return marks.others(found.meta.get("managedFields") or [], self._manager)

    async def write(self, entries: SecretMap, seen: sync.Seen | None) -> sync.Applied | None:
        """Apply the Secret: as it was seen, or only if there is none; None if that no longer holds.

        Raises:
            errors.Error: the API server refuses it.
        """
        body: dict[str, Any] = {
            "metadata": {**self._metadata, **self._as_seen(seen)},
            "data": {name: base64.b64encode(value.reveal()).decode() for name, value in entries.items()},
        }
        try:
            body |= await self._lasting()
            secret = Key(self._namespace, self.name)
            written = await apply(self._api, secret, body, self._manager, force=not self._merges)
        except cluster.Refused as refused:
            if refused.cause == "FieldManagerConflict":
                raise _taken(refused, f"Secret {self._namespace}/{self.name}", self._parts(entries)) from None
            if refused.status == 409:
                return None
            raise refusal(refused, self._namespace, self.name, entries) from None
        return sync.Applied(written["uid"], written["resourceVersion"], self.fingerprint(entries))

    def _parts(self, entries: SecretMap) -> dict[str, str]:
        """Return what is written, as a conflict names it and as people do."""
        found = {f".data.{name}": f"entry {name}" for name in entries}
        for kind in ("label", "annotation"):
            written = self._metadata.get(f"{kind}s") or {}
            found |= {f".metadata.{kind}s.{name}": f"{kind} {name}" for name in written}
        return found

    async def _lasting(self) -> cluster.Json:
        """Return what a Secret keeps once it is applied: its type, and whether it is immutable."""
        if self._merges:
            if self._stuck is None:
                await self.look()
            return self._stuck or {}
        return {"type": self._type} | ({"immutable": True} if self._immutable else {})

    def _as_seen(self, seen: sync.Seen | None) -> dict[str, str]:
        """Return what makes an apply fail where the Secret is no longer as it was seen."""
        if seen is None:
            # Create only. An apply without it would take over a Secret that is already there.
            return {"resourceVersion": "1"}
        # With its UID, one that is gone is not made anew: what is merged would be all that is in it.
        return {"resourceVersion": seen.resource_version} | ({"uid": seen.uid} if self._merges else {})

    async def owned(self, name: str) -> Mapping[str, Any] | None:
        """Return the metadata of a Secret of another name, if it is there and the object's.

        A copy that somebody made says so too, but was not written by the object's own field manager.
        """
        found = await self._api.get(cluster.SECRETS, self._namespace, name)
        meta: dict[str, Any] = found["metadata"] if found else {}
        if not marks.own_entries(meta.get("managedFields") or [], self._manager):
            return None
        whose = seen(meta)
        return meta if whose.is_of(self.owner) else None

    async def remove(self, name: str) -> str:
        """Delete a Secret that is the object's, or take out its entries where others write; return what was done.

        Returns:
            A clause for people, without the name; empty if nothing was done.
        """
        meta = await self.owned(name)
        if meta is None:
            return ""
        try:
            return await withdraw(self._api, Key(self._namespace, name), seen(meta), self.owner)
        except cluster.Refused as refused:
            raise refusal(refused, self._namespace, name) from None


def seen(meta: Mapping[str, Any]) -> sync.Seen:
    """Return what a Secret's metadata shows."""
    owner = (meta.get("annotations") or {}).get(marks.OWNER)
    references = meta.get("ownerReferences") or ()
    owner_uid = next((each["uid"] for each in references if each.get("kind") == "ApiKeySecret"), None)
    others = (each for each in references if each.get("controller") and each.get("kind") != "ApiKeySecret")
    named = next((f"{each.get('kind')}/{each.get('name')}" for each in others), None)
    controller = re.sub(r"[^-\w./]", "?", named)[:120] if named else None
    annotations = meta.get("annotations") or {}
    merged, made_of = marks.merged(meta["namespace"], annotations), marks.made_of(annotations)
    return sync.Seen(meta["uid"], meta["resourceVersion"], owner, owner_uid, controller, merged, made_of)


def fingerprint(keys: FingerprintKey, owner: str, entries: SecretMap, made_of: str | None) -> str:
    """Return the fingerprint of entries as one object's, and of what is told of them.

    Args:
        owner: namespace/name of the ApiKeySecret.
    """
    told = {marks.MADE_OF + marks.field_manager(owner): SecretValue(made_of)} if made_of else {}
    return keys.of_entries(owner, {**entries, **told})


def entries_of(secret: cluster.Json) -> dict[str, SecretValue]:
    """Return what is in a Secret."""
    return {name: _decoded(text) for name, text in (secret.get("data") or {}).items()}


def owners(namespace: str, seen: sync.Seen | None) -> set[Key]:
    """Return the ApiKeySecrets that a Secret says to belong to, or to have entries of.

    Args:
        namespace: of the Secret. What it says of other namespaces is nothing to them: anybody may write annotations.
    """
    if seen is None:
        return set()
    said = {owner for owner, _ in seen.merged} | ({seen.owner} if seen.owner else set())
    return {owner for owner in map(Key.of, said) if owner.namespace == namespace}


def _taken(refused: cluster.Refused, where: str, parts: Mapping[str, str]) -> errors.Stalled:
    """Say what somebody else writes that was to be merged into a Secret."""
    named = [parts[field] for field in dict.fromkeys(refused.fields) if field in parts]
    return errors.Stalled(
        Reason.KEY_OWNED_ELSEWHERE,
        f"{', '.join(named[:5]) or 'a part'} of {where} is written by somebody else, with another value",
        "Take it out of this object, or let the other one give it up",
    )


def refusal(refused: cluster.Refused, namespace: str, name: str, entries: Container[str] = ()) -> errors.Error:
    """Say in our words why the API server does not take a Secret.

    Args:
        entries: names of what was sent: no others are told.
    """
    where = f"Secret {namespace}/{name}"
    if refused.cause == "NamespaceTerminating" or refused.status == 404:
        return errors.Retry(Reason.NAMESPACE_TERMINATING, f"namespace {namespace} is being deleted")
    if refused.cause == "QuotaExceeded":
        hint = "Raise the namespace's ResourceQuota for Secrets, or remove some"
        return errors.Stalled(Reason.TARGET_REFUSED, f"the quota of namespace {namespace} does not allow {where}", hint)
    if refused.status == 403:
        return errors.Stalled(
            Reason.TARGET_DENIED,
            f"the API server answered 403 for {where}",
            "Grant the operator's ServiceAccount the right to write Secrets there, or see which policy says no",
        )
    return _invalid(refused, where, entries)


#: Fields that the API server names, and entries that it wants of some types.
_FIELD = re.compile(r"(?:immutable|metadata(?:\.(?:annotations|labels|name))?|data(?:\[([-.\w]{1,253})\])?)", re.ASCII)
_WANTED = frozenset((".dockercfg", ".dockerconfigjson", "password", "ssh-privatekey", "tls.crt", "tls.key", "username"))


def _invalid(refused: cluster.Refused, where: str, entries: Container[str]) -> errors.Stalled:
    """Say in our words what is wrong with a Secret, by the fields that the API server names."""
    if "type" in refused.fields:
        return sync.type_differs().about(where)
    if refused.cause == "FieldValueForbidden" and not {"data", "immutable"}.isdisjoint(refused.fields):
        return sync.immutable(merges=False).about(where)
    if any(field.startswith("metadata.ownerReferences") for field in refused.fields):
        return errors.Stalled(
            Reason.TARGET_OWNED_ELSEWHERE,
            f"{where} has another controller as its owner",
            "Remove its ownerReference (External Secrets: creationPolicy Orphan), or choose another target.name",
        )
    # Names that we know, and nothing else: an admission webhook writes here what it likes, a value too.
    found = [(field, _FIELD.fullmatch(field)) for field in dict.fromkeys(refused.fields)]
    named = [field for field, it in found if it and (not it[1] or it[1] in entries or it[1] in _WANTED)]
    fields = f" ({', '.join(named[:5])})" if named else ""
    return errors.Stalled(
        Reason.TARGET_REFUSED,
        f"the API server answered {refused.status}{refused.cause and ' '}{refused.cause} for {where}{fields}",
        "Check that the entries are what target.type needs, and target.labels and target.annotations",
    )


def _decoded(text: str) -> SecretValue:
    try:
        return SecretValue(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return SecretValue(b"")
