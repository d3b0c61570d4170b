"""``keywright plan``: what the operator would do to one Secret, by the operator's own functions, without a write.

Does not belong here: what is decided (``decide/sync.py``, ``engine/reconcile.py``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import ipaddress
import os
from typing import TYPE_CHECKING, Any

import click

from .. import errors, settings
from ..decide import report
from ..errors import Reason
from ..secret import FingerprintKey, SecretValue
from . import _connection, _named, _output, _recording, _types
from ._exit import Exit
from ._section import Section

if TYPE_CHECKING:
    from ..audit.record import KeyChange
    from ..cluster import Cluster
    from ..engine.catalog import Catalog
    from ..engine.reconcile import Forecast, Reconciler
    from ..engine.records import Record

_WHY = {
    "missing": "it is not there",
    "entries_differ": "its entries are not what the stores say",
    "dressing_differs": "its labels, annotations, owner or entries that were given up are not as the object says",
    "in_order": "it is as it should be",
    "suspended": "spec.suspend is true",
    "all_gone": "the stores say that all keys of the object are gone, and deletionPolicy is Delete",
}
_ACTS = {
    "delete": "would be deleted",
    "create": "would be created",
    "update": "would be updated",
    "nothing": "stays as it is",
}
_KEYS = {
    "install": "Fingerprints are under the install's key, as in status.versions.",
    "run": "Fingerprints are under a key made for this run; they compare within it only.",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the Secret: fingerprints, never values.

    Attributes:
        source: where its value comes from: ``store``, ``default``, or ``made`` of other keys; None where there is none.
        store: which one is asked for it; None if none is.
    """

    key: str
    source: str | None
    store: str | None
    path: str | None
    version: str | None
    state: str
    present: str | None
    wanted: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What would be done.

    Attributes:
        act: ``create``, ``update``, ``delete``, ``nothing``, ``refused``, or ``unknown``: the reader lacks a right.
        why: name of the check that decided; the reason where it is refused or unknown.
        message: the same as a sentence.
        deletes: name of the Secret that would be deleted because it no longer is the target.
        fingerprints: whose key they are made with: ``install`` or ``run``.
        unasked: names of the credentials whose issuers only the operator asks.
    """

    object: str
    secret: str
    act: str
    why: str
    message: str
    entries: tuple[Entry, ...] = ()
    deletes: str | None = None
    fingerprints: str = "run"
    unasked: tuple[str, ...] = ()

    @property
    def code(self) -> Exit:
        """Exit code."""
        if self.act in ("refused", "unknown"):
            return Exit.FAILED
        return Exit.FINE if self.act == "nothing" and not self.deletes else Exit.CHANGES


SECTION = Section.CLUSTER


@click.command("plan")
@click.argument("name", type=_types.NAME)
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@_connection.connects
def command(place: _connection.Place, name: str, output: str) -> None:
    """Show what the operator would write for an ApiKeySecret, and write nothing.

    The stores are read from this machine, with your own rights in the cluster, so you need those that the operator
    needs: to read the Secret, the store and its credentials. As it is your machine, stores may be at any private or
    loopback address. Values never appear; fingerprints tell equal from different.
    What was read is recorded first, in this machine's audit trail.

    Credentials are checked by their form; their issuers are not asked.

    Exit code: 0 if nothing would change, 4 if something would, 1 if it would be refused or could not be found out.
    """

    async def work(api: Cluster) -> Exit:
        plan = await _plan(api, place, name)
        if output == "table":
            _show(plan)
        else:
            _output.structured(output, dataclasses.asdict(plan))
        return plan.code

    _connection.run(place, work)


async def _plan(api: Cluster, place: _connection.Place, name: str) -> Plan:
    from ..engine import records
    from ..engine.assemble import AllGone
    from ..engine.records import API_KEY_SECRETS

    namespace = place.namespace_in(api)
    record = records.read(await _connection.read(api, API_KEY_SECRETS, "ApiKeySecret", namespace, name))
    record.working = record.generation
    secret = name
    unasked: tuple[str, ...] = ()
    try:
        spec = record.spec_model()
        secret = spec.target_name(name)
        if spec.suspend:
            message = await _resting(api, namespace, secret)
            return Plan(str(record.key), secret, "nothing", "suspended", message)
        unasked = tuple(each.name for each in spec.credentials if each.check.liveness != "Off")
        return dataclasses.replace(await _forecast(api, place.operator_namespace, record), unasked=unasked)
    except errors.Error as error:
        if _ours(error):
            raise
        if isinstance(error, AllGone):
            act = "update" if spec.target.merges else "delete"
            return Plan(str(record.key), secret, act, "all_gone", _sentence(secret, act, "all_gone"))
        return dataclasses.replace(_not_to_be(record, secret, error), unasked=unasked)


async def _resting(api: Cluster, namespace: str, secret: str) -> str:
    """Say what becomes of the Secret of a suspended object."""
    from ..cluster import METADATA, SECRETS, Refused

    try:
        await api.call("GET", SECRETS, namespace, secret, accept=METADATA)
    except Refused as refused:
        if refused.status == 404:
            return f"Secret {secret} is not there, and is not made: {_WHY['suspended']}."
        if refused.status != 403:
            raise
        return f"Secret {secret} is left alone, if it is there, which you may not see: {_WHY['suspended']}."
    return _sentence(secret, "nothing", "suspended")


def _ours(error: errors.Error) -> bool:
    """Whether an error is about this machine, or its way to the cluster, and not about the object."""
    from ..cluster import Refused

    return isinstance(error, Refused) or error.reason in (Reason.KUBERNETES_UNAVAILABLE, *_recording.OURS)


async def _forecast(api: Cluster, operator_namespace: str, record: Record) -> Plan:
    """Run the operator's own decision, with everything it rests on read now."""
    from .. import issuers
    from ..cluster import CONFIG_MAPS, NAMESPACES
    from ..engine.catalog import StoreRecord
    from ..engine.checker import Checker
    from ..engine.credentials import ClusterCredentials
    from ..engine.fetch import Fetcher
    from ..engine.gather import Gatherer
    from ..engine.reconcile import Reconciler
    from ..engine.vetting import Vetting

    loop = asyncio.get_running_loop()
    meta = (await _connection.read(api, NAMESPACES, "Namespace", None, record.key.namespace))["metadata"]
    install = await _install_key(api, operator_namespace)
    keys = install or FingerprintKey("run", SecretValue(os.urandom(32)))

    def credentials(store: StoreRecord, namespace: str) -> ClusterCredentials:
        return ClusterCredentials(api, loop, namespace, store.namespace or operator_namespace)

    catalog = await _catalog(api, record, meta)
    try:
        fetcher, read = Fetcher(lambda *_: None, lambda _: None), functools.partial(api.get, CONFIG_MAPS)
        gatherer = Gatherer(catalog, fetcher, keys, credentials=credentials, config_map=read)
        reconciler = Reconciler(
            api,
            keys,
            Vetting(gatherer, Checker(keys, _allowing(record), issuers.table(), None)),
            {},
            owned={},
            terminating=lambda _: "deletionTimestamp" in meta,
            own_namespace=operator_namespace,
        )
        plan = await _planned(reconciler, record, keys, shared=install is not None)
    finally:
        catalog.close()
    return dataclasses.replace(plan, fingerprints="install" if install else "run")


async def _planned(reconciler: Reconciler, record: Record, keys: FingerprintKey, *, shared: bool) -> Plan:
    """Read the stores and decide; that they were read is recorded.

    Args:
        shared: whether the key's fingerprints mean something beyond this run.
    """
    with _recording.reading(record) as told:
        found = await reconciler.forecast(record)
        entries = _entries(record, found, keys)
        told += [_read(each, shared=shared) for each in entries if each.source == "store"]
    return _told(record, found, entries)


def _read(entry: Entry, *, shared: bool) -> KeyChange:
    """Return what the audit trail tells of one entry."""
    new = _recording.version(entry.version, entry.wanted if shared else None)
    return _recording.key_change(entry.key, entry.store, entry.path, new)


def _allowing(record: Record) -> settings.Settings:
    """Return settings that allow the endpoints of an object's issuers: nobody is asked there."""
    found = tuple(_named.addresses(record.spec_model().credentials))
    return settings.Settings(issuer_endpoints=found, allow_loopback_stores=True)


async def _install_key(api: Cluster, namespace: str) -> FingerprintKey | None:
    """Return the install's key, if whoever asks may read it."""
    from ..cluster import Refused
    from ..engine import installkeys

    try:
        return await installkeys.find(api, namespace)
    except Refused as refused:
        if refused.status != 403:
            raise
        return None


async def _catalog(api: Cluster, record: Record, namespace: dict[str, Any]) -> Catalog:
    """Return the stores that an object names, as they are now."""
    from ..engine import catalog
    from ..engine.records import STORE_RESOURCES

    everywhere = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    chosen = settings.Settings(allow_loopback_stores=True, store_networks=everywhere)
    stores = catalog.Catalog(chosen, lambda _: catalog.Namespace(namespace))
    spec = record.spec_model()
    for ref in spec.store_refs:
        kind = ref.kind if ref else catalog.CLUSTER_KIND
        place = None if kind == catalog.CLUSTER_KIND else record.key.namespace
        if ref is None:
            found = [item async for page in api.pages(STORE_RESOURCES[kind]) for item in page["items"]]
        else:
            one = await api.get(STORE_RESOURCES[kind], place, ref.name)
            found = [one] if one else []
        for item in found:
            stores.put(catalog.read(kind, item))
    return stores


def _entries(record: Record, found: Forecast, keys: FingerprintKey) -> tuple[Entry, ...]:
    """Return the keys in the order of the object, what is made of them, and what would leave."""
    present = found.found.entries if found.found else {}
    gathered = found.gathered
    wanted = gathered.entries

    def mark(name: str, value: SecretValue | None) -> str | None:
        return None if value is None else keys.fingerprint(f"{record.key}/{name}", value)

    rows = []
    named = dict.fromkeys([*(each.key for each in record.spec_model().data), *sorted(gathered.places)])
    for name in named:
        use, old, new = gathered.places[name], present.get(name), wanted.get(name)
        state = "dropped" if name in gathered.dropped else _state(old, new)
        source = None if name not in gathered.inputs else "default" if name in gathered.absent else "store"
        told = (source, use.record.title, use.ref.path, gathered.versions.get(name))
        rows.append(Entry(name, *told, state, mark(name, old), mark(name, new)))
    for name in sorted(wanted.keys() - gathered.places.keys()):
        old, new = present.get(name), wanted[name]
        rows.append(Entry(name, "made", None, None, None, _state(old, new), mark(name, old), mark(name, new)))
    given_up = sorted(found.own - wanted.keys() - named.keys())
    rows += [Entry(name, None, None, None, None, "removed", mark(name, present.get(name)), None) for name in given_up]
    return tuple(rows)


def _state(present: SecretValue | None, wanted: SecretValue | None) -> str:
    if wanted is None:
        return "absent"
    if present is None:
        return "new"
    return "unchanged" if present == wanted else "changed"


def _told(record: Record, found: Forecast, entries: tuple[Entry, ...]) -> Plan:
    secret = record.spec_model().target_name(record.key.name)
    verdict = found.verdict
    if isinstance(verdict, errors.Error):
        return _not_to_be(record, secret, verdict, entries)
    message = _sentence(secret, verdict.act, verdict.why)
    return Plan(str(record.key), secret, verdict.act, verdict.why, message, entries, next(iter(found.former), None))


def _sentence(secret: str, act: str, why: str) -> str:
    return f"Secret {secret} {_ACTS[act]}: {_WHY[why]}."


def _not_to_be(record: Record, secret: str, error: errors.Error, entries: tuple[Entry, ...] = ()) -> Plan:
    """Say why nothing would be written; where a right is missing, it is the reader's, not the operator's."""
    act, hint = "refused", error.hint
    if "answered 403" in error.message and error.reason in (Reason.TARGET_DENIED, Reason.CREDENTIAL_MISSING):
        hint = "A plan is made with your own rights in the cluster; this one you do not have"
        act = "unknown"
    message = f"{error.message}." + (f" {hint}." if hint else "")
    return Plan(str(record.key), secret, act, str(error.reason), message, entries)


def _show(plan: Plan) -> None:
    page = _output.Page()
    if plan.act == "refused":
        page.line(f"ApiKeySecret {plan.object}: Secret {plan.secret} would not be written ({plan.why}).")
        page.below(plan.message)
    elif plan.act == "unknown":
        page.line(
            f"ApiKeySecret {plan.object}: what would be written you cannot find out: you lack a right that it takes."
        )
        page.below(f"{plan.message} `keywright status` tells what the operator has found.")
    else:
        page.line(f"ApiKeySecret {plan.object}: {plan.message}")
    if plan.deletes:
        page.line(
            f"Secret {plan.deletes} is no longer the target: it would be deleted, or lose what was merged into it."
        )
    if plan.entries:
        _show_entries(page, plan)
    if plan.unasked:
        page.line()
        page.line(
            f"A plan asks no issuer: whether {report.few(plan.unasked)} would be accepted, the operator finds out."
        )


def _show_entries(page: _output.Page, plan: Plan) -> None:
    page.line()
    page.table(
        ["KEY", "STORE", "PATH", "VERSION", "STATE", "IN THE SECRET", "IN THE STORE"],
        [
            [cell or "-" for cell in (each.key, _origin(each), each.path, each.version, each.state)]
            + [each.present or "-", each.wanted or "-"]
            for each in plan.entries
        ],
    )
    page.line()
    page.line(_KEYS[plan.fingerprints])


def _origin(entry: Entry) -> str | None:
    """Return where an entry comes from, for people."""
    return {"made": "(made of the others)", "default": "(its default)"}.get(entry.source or "", entry.store)
