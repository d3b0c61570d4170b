"""What objects tell: which keys there are, of which age, issuer and environment, and what is in trouble. Pure.

Objects are counted as they come, and not kept.

Does not belong here: where they come from (``sources``), what records tell (``trail``).
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ... import pacing
from ...engine.catalog import CLUSTER_KIND, DEFAULT_STORE, identifier
from ...engine.records import uses
from ...kinds.selector import LabelSelector
from .. import _health
from .shape import AGES, LIMIT, NONE, SOON, UNKNOWN, Ending, NotReady, Rotated, Share

if TYPE_CHECKING:
    from ...cluster import Json

#: Label of a namespace that tells its environment.
LABEL = "environment"


class Environments:
    """To which environment keys belong: as their store says, else as a label of their namespace does."""

    def __init__(self) -> None:
        self._stores: dict[str, str] = {}
        self._defaults: list[tuple[LabelSelector, str]] = []
        self._labels: dict[str, Mapping[str, str]] = {}

    def take_store(self, kind: str, item: Json) -> None:
        """Take note of a store."""
        meta, spec = item["metadata"], item.get("spec") or {}
        said = str(spec.get("environment") or "")
        self._stores[identifier(kind, meta.get("namespace", ""), meta["name"])] = said
        if kind == CLUSTER_KIND and spec.get("default"):
            try:
                selector = LabelSelector.model_validate(spec.get("namespaceSelector"))
            except ValueError:
                # Whom it serves nobody knows, the operator no more than we do.
                return
            self._defaults.append((selector, said))

    def take_namespace(self, item: Json) -> None:
        """Take note of a namespace."""
        meta = item["metadata"]
        self._labels[meta["name"]] = meta.get("labels") or {}

    def of(self, namespace: str, stores: frozenset[str]) -> str:
        """Return the environment of what comes from stores; several are all named."""
        labels = self._labels.get(namespace, {})
        said = {told for store in stores for told in self._said(store, labels)} or {""}
        return ", ".join(sorted({each or labels.get(LABEL) or NONE for each in said}))

    def _said(self, store: str, labels: Mapping[str, str]) -> set[str]:
        if store != DEFAULT_STORE:
            return {self._stores.get(store, "")}
        return {said for selector, said in self._defaults if selector.matches(labels)}


class State:
    """Counts ApiKeySecrets.

    Args:
        now: Unix time.
    """

    def __init__(self, environments: Environments, now: float) -> None:
        self._environments, self._now = environments, now
        self.objects, self.ready, self.suspended, self.keys, self.other_entries = 0, 0, 0, 0, 0
        self._ages: collections.Counter[str] = collections.Counter({name: 0 for name, _ in AGES} | {UNKNOWN: 0})
        self._issuers: collections.Counter[str] = collections.Counter()
        self._places: collections.Counter[str] = collections.Counter()
        self._verdicts: collections.Counter[str] = collections.Counter()
        self._rotations: collections.Counter[str] = collections.Counter()
        self._ending: list[tuple[float, Ending]] = []
        #: Keys that are rotated, as far as they are told one by one, and how many are not.
        self._rotated: list[Rotated] = []
        self.more_rotated = 0
        self._not_ready: list[NotReady] = []

    def take(self, item: Json) -> None:
        """Count an object."""
        meta, status = item["metadata"], item.get("status") or {}
        health = _health.of(item)
        self.objects += 1
        self.ready += health.ready == "True"
        self.suspended += bool((item.get("spec") or {}).get("suspend"))
        if health.ready != "True" and len(self._not_ready) < LIMIT:
            told = (health.ready, health.reason, health.since, health.message)
            self._not_ready.append(NotReady(meta["namespace"], meta["name"], *told))
        for each in (item.get("spec") or {}).get("credentials") or []:
            if each.get("rotation") is not None:
                self._rotating(item, str(each["name"]))
        credentials = status.get("credentials") or []
        for each in credentials:
            self._credential(item, each)
        parts = {part for each in credentials for part in _parts(item["spec"], each["name"])}
        self.other_entries += sum(each["key"] not in parts for each in status.get("versions") or [])

    def _credential(self, item: Json, told: Mapping[str, Any]) -> None:
        self.keys += 1
        made = pacing.unix(told.get("createdAt"))
        self._ages[_age(None if made is None else self._now - made)] += 1
        self._issuers[told.get("issuer") or UNKNOWN] += 1
        self._verdicts[told["verdict"]] += 1
        namespace = item["metadata"]["namespace"]
        self._places[self._environments.of(namespace, _stores(namespace, item["spec"], told["name"]))] += 1
        end = pacing.unix(told.get("expiresAt"))
        # What lives for a short time does not end soon all that time.
        short = made is not None and end is not None and end - made <= SOON
        if end is not None and (end <= self._now or (end <= self._now + SOON and not short)):
            meta, said = item["metadata"], (told["name"], told.get("issuer"), told["expiresAt"])
            self._ending.append((end, Ending(meta["namespace"], meta["name"], *said, end <= self._now)))

    def _rotating(self, item: Json, name: str) -> None:
        rows = (item.get("status") or {}).get("rotations") or []
        told: Mapping[str, Any] = next((each for each in rows if each.get("credential") == name), {})
        last, meta = told.get("last") or {}, item["metadata"]
        how = "waits for a person" if told.get("asks") else "pinned" if told.get("pinned") else "rotated"
        self._rotations[how] += 1
        if len(self._rotated) >= LIMIT:
            self.more_rotated += 1
            return
        said = told.get("step"), last.get("outcome"), last.get("at"), told.get("next")
        flags = bool(told.get("pinned")), bool(told.get("asks")), len(told.get("debts") or ())
        self._rotated.append(Rotated(meta["namespace"], meta["name"], name, *said, *flags))

    @property
    def rotated(self) -> tuple[Rotated, ...]:
        """Keys that are rotated."""
        return tuple(self._rotated)

    @property
    def by_rotation(self) -> tuple[Share, ...]:
        """Keys by whether they are rotated."""
        rotated = sum(self._rotations.values())
        kinds = {name: self._rotations[name] for name in ("rotated", "pinned", "waits for a person")}
        return tuple(Share(*each) for each in {**kinds, "not rotated": max(0, self.keys - rotated)}.items())

    @property
    def ending(self) -> tuple[Ending, ...]:
        """Keys that end soon or have ended, the first of them first."""
        ordered = sorted(self._ending, key=lambda told: (told[0], told[1].namespace, told[1].name, told[1].credential))
        return tuple(each for _, each in ordered)

    @property
    def not_ready(self) -> tuple[NotReady, ...]:
        """Objects that are not Ready."""
        return tuple(self._not_ready)

    @property
    def by_age(self) -> tuple[Share, ...]:
        """Keys by their age; of those whose age nobody knows, too."""
        return tuple(Share(name, keys) for name, keys in self._ages.items())

    @property
    def by_issuer(self) -> tuple[Share, ...]:
        """Keys by who issued them, most first."""
        return _shares(self._issuers)

    @property
    def by_environment(self) -> tuple[Share, ...]:
        """Keys by what they are for, most first."""
        return _shares(self._places)

    @property
    def by_verdict(self) -> tuple[Share, ...]:
        """Keys by what their issuers said last, most first."""
        return _shares(self._verdicts)


def _shares(counted: collections.Counter[str]) -> tuple[Share, ...]:
    return tuple(Share(*each) for each in sorted(counted.items(), key=lambda each: (-each[1], each[0])))


def _age(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else next(name for name, below in AGES if seconds < below)


def _parts(spec: Json, name: str) -> list[str]:
    """Return the entries that a credential consists of; one that was recognised by itself is the entry of its name."""
    named = next((each for each in spec.get("credentials") or [] if each.get("name") == name), None)
    return list((named.get("parts") or {}).values()) if named else [name]


def _stores(namespace: str, spec: Json, name: str) -> frozenset[str]:
    """Return the stores that a credential comes from; of one out of `dataFrom`, all that the object names."""
    parts = _parts(spec, name)
    entries = [each for each in spec.get("data") or [] if each.get("key") in parts]
    return uses(namespace, {**spec, "data": entries, "dataFrom": []} if len(entries) == len(parts) else spec)
