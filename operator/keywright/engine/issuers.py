"""The KeyIssuers and ClusterKeyIssuers that exist, who may use them, and their opened form.

Rules are applied at every use, not once: a namespace that loses its label is refused from then on.

Does not belong here: calling them (``opened_issuer``), telling how they are (``issuer_health``).
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import canonical, cluster, errors, kinds, metrics, pacing, schema
from ..errors import Reason
from ..issuing.base import Way
from ..settings import Settings
from ..stores.base import Credentials
from . import egress
from .catalog import Known, Namespace, identifier
from .opened_issuer import Guard, OpenedIssuer, Turns, place_of

CLUSTER_KIND = "ClusterKeyIssuer"
#: What says whose keys are meant of calls that are declared, beside the account and references to what shows the right.
_WHOSE = {"secrets", "headers", "issue"}


@dataclasses.dataclass(slots=True)
class IssuerRecord(Known):
    """One KeyIssuer or ClusterKeyIssuer as the API server has it.

    Attributes:
        spec: what it says; or why it cannot be read.
        observed: the generation that its status is about.
        opened: its issuer, or that of each of its bindings; or why it cannot be opened.
        troubles: what calls came to which a person has to see to, by issuer.
    """

    spec: kinds.KeyIssuerSpec | kinds.ClusterKeyIssuerSpec | errors.Error
    conditions: list[dict[str, Any]]
    observed: int
    opened: tuple[OpenedIssuer | errors.Error, ...] = ()
    troubles: dict[OpenedIssuer, errors.Error] = dataclasses.field(default_factory=dict)

    @property
    def problem(self) -> errors.Error | None:
        """Why it, or one of its bindings, cannot be opened as it is configured; None if all can."""
        if isinstance(self.spec, errors.Error):
            return self.spec
        return next((each for each in self.opened if isinstance(each, errors.Error)), None)


def read(kind: str, item: cluster.Json) -> IssuerRecord:
    """Make a record out of an object as the API server gives it."""
    meta, status = item["metadata"], item.get("status") or {}
    spec: kinds.KeyIssuerSpec | kinds.ClusterKeyIssuerSpec | errors.Error
    try:
        spec = kinds.KINDS[kind].read_spec(item.get("spec") or {})
    except errors.Error as error:
        spec = errors.Stalled(error.reason, f"{kind}/{meta['name']} cannot be used: {error.message}", error.hint)
    return IssuerRecord(
        kind,
        meta.get("namespace", ""),
        meta["name"],
        meta["uid"],
        int(meta.get("generation", 1)),
        meta["resourceVersion"],
        spec,
        status.get("conditions") or [],
        int(status.get("observedGeneration", -1)),
    )


class Issuers:
    """All issuers.

    Args:
        namespace: what is known of a namespace; None if nothing is.
        credentials: makes what gives the right to make keys, of the namespace that it is in.
        fence: asked before each effect; raises where this process may have none.
        changed: called with the identifier of each issuer that is new, changed or gone.
        looked: called with each issuer that is new or changed.
        used: called with each call that came to an end: its issuer, and its error.
    """

    def __init__(
        self,
        settings: Settings,
        namespace: Callable[[str], Namespace | None],
        credentials: Callable[[str], Credentials],
        *,
        fence: Callable[[], object],
        changed: Callable[[str], None] = lambda _: None,
        looked: Callable[[IssuerRecord], None] = lambda _: None,
        used: Callable[[IssuerRecord, OpenedIssuer, errors.Error | None], None] = lambda _, __, ___: None,
    ) -> None:
        self._settings, self._namespace, self._credentials = settings, namespace, credentials
        self._fence, self._changed, self._looked, self._used = fence, changed, looked, used
        self._records: dict[str, IssuerRecord] = {}
        #: By place, for as long as somebody has one.
        self._turns: weakref.WeakValueDictionary[str, Turns] = weakref.WeakValueDictionary()

    def observe(self, kind: str, item: cluster.Json) -> None:
        """Take note of an object, and open it if it says something new."""
        record = read(kind, item)
        old = self._records.get(record.identifier)
        if old and (old.uid, old.generation) == (record.uid, record.generation):
            old.resource_version, old.conditions = record.resource_version, record.conditions
            old.observed = record.observed
            return
        if old:
            _close(old)
        self._records[record.identifier] = record
        record.opened = tuple(self._opened(record))
        self._looked(record)
        self._changed(record.identifier)

    def gone(self, name: str) -> None:
        """Forget an object by its identifier."""
        if record := self._records.pop(name, None):
            _close(record)
            for metric in (metrics.ISSUER_CALLS, metrics.ISSUER_SECONDS):
                metric.remove_by_labels({"issuer": name})
            self._changed(name)

    def find(self, opened: OpenedIssuer) -> IssuerRecord | None:
        """Return the object of an opened issuer, if that is still the present one."""
        record = self._records.get(opened.label)
        return record if record and opened in record.opened else None

    def names(self) -> set[str]:
        """Return the identifiers of all issuers."""
        return set(self._records)

    def close(self) -> None:
        """Close all issuers."""
        for record in self._records.values():
            _close(record)

    def opened(self, kind: str, name: str, namespace: str) -> OpenedIssuer:
        """Return the issuer that an object of a namespace names, opened, or say why not.

        Raises:
            errors.Stalled: no such issuer, not for this namespace, or it cannot be opened as it is configured.
        """
        if kind == CLUSTER_KIND and not self._settings.cluster_stores:
            raise _switched_off(name)
        record = self._records.get(identifier(kind, namespace, name))
        if record is None:
            raise errors.Stalled(
                Reason.ISSUER_NOT_FOUND,
                f"{kind}/{name} does not exist" + ("" if kind == CLUSTER_KIND else f" in {namespace}"),
                "Create it, or correct issuerRef",
            )
        found = record.spec if isinstance(record.spec, errors.Error) else record.opened[self._place(record, namespace)]
        if isinstance(found, errors.Error):
            raise found.with_traceback(None)
        return found

    def _place(self, record: IssuerRecord, namespace: str) -> int:
        """Return which binding counts for a namespace."""
        if not isinstance(record.spec, kinds.ClusterKeyIssuerSpec):
            return 0
        labels = self._labels(namespace)
        for number, each in enumerate(record.spec.bindings):
            if each.namespace_selector.matches(labels):
                return number
        raise errors.Stalled(
            Reason.NAMESPACE_NOT_SELECTED,
            f"{record.title} does not serve namespace {namespace}",
            "Label the namespace as one of the issuer's bindings wants, or add one",
        )

    def _came_to(self, opened: OpenedIssuer, error: errors.Error | None) -> None:
        if record := self.find(opened):
            self._used(record, opened, error)

    def _labels(self, namespace: str) -> Mapping[str, str]:
        known = self._namespace(namespace)
        return known.labels if known else {}

    def _opened(self, record: IssuerRecord) -> list[OpenedIssuer | errors.Error]:
        """Open an issuer, or each of its bindings."""
        if isinstance(record.spec, errors.Error):
            return []
        if isinstance(record.spec, kinds.KeyIssuerSpec):
            return [self._open(record, record.spec, record.spec.limits, record.title)]
        bindings = enumerate(record.spec.bindings)
        opened = [self._open(record, each, record.spec.limits, _binding(record, number)) for number, each in bindings]
        _tell_apart(record.spec.bindings, opened)
        return opened

    def _open(
        self, record: IssuerRecord, chosen: kinds.OneIssuer, limits: kinds.IssuerLimits, where: str
    ) -> OpenedIssuer | errors.Error:
        scope = egress.Scope(
            private=record.kind == CLUSTER_KIND,
            networks=self._settings.store_networks,
            loopback=self._settings.allow_loopback_stores,
        )
        home = record.namespace or self._settings.namespace
        try:
            with errors.boundary(_bug):
                kind, config = chosen.issuing()
                issuing = kind(config, self._credentials(home), limits.timeout_seconds)
                place = place_of(issuing, record.uid, record.namespace)
        except errors.Error as error:
            return error.about(where)
        turns = self._turns.setdefault(place, Turns())
        guard = Guard(limits.timeout_seconds, scope, self._fence, limits.settle_seconds)
        opened = OpenedIssuer(
            record.title, record.uid, issuing, turns, guard, label=record.identifier, used=self._came_to
        )
        # Without names, a new key is known by when it was made: two rotations that ask would not know whose is whose.
        apart = issuing.way is Way.ISSUE and not issuing.names
        turns.limit(opened, 1 if apart else limits.rotations_at_once)
        return opened


def _close(record: IssuerRecord) -> None:
    for each in record.opened:
        if isinstance(each, OpenedIssuer):
            each.close()


def _binding(record: IssuerRecord, number: int) -> str:
    return f"{record.title}, in bindings[{number}],"


def _tell_apart(bindings: Sequence[kinds.Binding], opened: Sequence[OpenedIssuer | errors.Error]) -> None:
    """Name bindings by their rights that have one account by its name: at each, a key's name may mean another key."""
    rights: dict[OpenedIssuer, str] = {}
    for each, found in zip(bindings, opened, strict=True):
        if isinstance(found, OpenedIssuer):
            said = schema.dump(each.issuing()[1])
            whose = {name: value for name, value in said.items() if name.endswith("Ref") or name in _WHOSE}
            rights[found] = f"{int(pacing.fraction(canonical.text(whose)) * 16**8):08x}"
    places = {found: (found.issuing.name, found.issuing.address, found.issuing.account) for found in rights}
    for found, right in rights.items():
        if any(places[other] == places[found] and rights[other] != right for other in rights):
            found.binding = right


def _switched_off(name: str) -> errors.Stalled:
    """Return what to say where an object names a ClusterKeyIssuer and the operator serves none."""
    said = f"{CLUSTER_KIND}/{name} is not looked for: ClusterKeyIssuers are switched off in this install"
    hint = "Name a KeyIssuer in issuerRef, or ask the operator's administrator for --cluster-stores"
    return errors.Stalled(Reason.ISSUER_NOT_FOUND, said, hint)


def _bug(foreign: Exception) -> errors.Error:
    said = f"could not be opened ({type(foreign).__name__} at {errors.place_of(foreign)})"
    return errors.Stalled(Reason.INTERNAL_ERROR, said)
