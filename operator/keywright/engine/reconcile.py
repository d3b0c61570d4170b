"""One reconcile for every trigger: re-read, decide, act, report. Level-triggered and idempotent.

Does not belong here: what to do (``decide/``), where values come from (``gather``), the Secret itself (``target``),
conditions and Events (``reporter``), when to look again (``loop``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, nullcontext

from .. import cluster, errors, kinds, settings
from ..decide import sync
from ..decide.checks import Checked
from ..errors import Reason
from ..events import EventReason
from ..secret import FingerprintKey, SecretValue
from . import quarrel, untold
from .assemble import AllGone, Gathered
from .calm import Calm
from .queue import Key
from .records import API_KEY_SECRETS, Record
from .target import Found, Target
from .vetting import Vetting

#: Seconds after which the watch of objects has surely told what the watch of Secrets told.
HEARD = 0.05
#: Times that a write may lose against somebody else's before the object is queued again.
ROUNDS = 4


class Emptied(errors.Stalled):
    """The stores have none of the keys, and so there is no target, because the object says so."""

    #: Whether there was one until now.
    removed = False


class Leaving(errors.Retry):
    """The object is being deleted; its watch will tell."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What a reconcile has found or done.

    Attributes:
        acts: what happened to Secrets, each as a clause for people.
        gathered: what the stores say; None when none was asked.
        fingerprints: of each key.
        suspended: nothing was done because the object says so.
        rechecked: its credentials, where nothing but these was looked at.
        removed: names of Secrets that no longer are the target, and were removed.
        holds: fingerprint of the values that the target has, where the object asks for restarts.
    """

    acts: tuple[tuple[EventReason, str], ...] = ()
    gathered: Gathered | None = None
    fingerprints: Mapping[str, str] = dataclasses.field(default_factory=dict)
    suspended: bool = False
    rechecked: tuple[Checked, ...] | None = None
    removed: tuple[str, ...] = ()
    holds: str = ""

    def __str__(self) -> str:
        return "suspended" if self.suspended else "; ".join(said for _, said in self.acts) or "in order"


@dataclasses.dataclass(frozen=True, slots=True)
class Forecast:
    """What a reconcile would do.

    Attributes:
        gathered: the entries as the stores say.
        found: the Secret in the target's place, None if there is none.
        own: names of the entries in it that the object wrote.
        verdict: what would be done to it, or why nothing may be.
        former: names of Secrets that would be deleted because they no longer are the target.
    """

    gathered: Gathered
    found: Found | None
    own: AbstractSet[str]
    verdict: sync.Plan | errors.Error
    former: tuple[str, ...]


class Reconciler:
    """Brings the target of one object into order.

    Args:
        seen: the metadata of our Secrets.
        owned: names of the Secrets that say to belong to an object, or to have entries of one.
        terminating: whether a namespace is being deleted.
    """

    def __init__(
        self,
        api: cluster.Cluster,
        keys: FingerprintKey,
        vetting: Vetting,
        seen: Mapping[Key, sync.Seen],
        *,
        owned: Mapping[Key, AbstractSet[str]],
        terminating: Callable[[str], bool],
        own_namespace: str,
    ) -> None:
        self._api, self._keys, self._vetting = api, keys, vetting
        self.seen, self.owned, self._terminating = seen, owned, terminating
        self._forbidden = settings.SYSTEM_NAMESPACES | {own_namespace}
        self.calm = Calm()

    async def reconcile(
        self, record: Record, waiting: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    ) -> Outcome | None:
        """Bring one object's target into order; None if nothing needed to be asked or done.

        Args:
            waiting: entered while stores are waited for.

        Raises:
            errors.Error: why it is not in order; what the target holds has not been touched.
        """
        spec = record.spec_model()
        if spec.suspend:
            return Outcome(suspended=True)
        self._allowed(record, spec)
        target = Target(self._api, self._keys, record, spec)
        former = self._former(record, spec, target)
        if not record.ask and not former and await self._still_right(record, target):
            return await self._rechecked(record, spec, target) if record.remind else None
        seen = self.seen.get(Key(record.key.namespace, target.name))
        try:
            gathered = await self._vetting.gather(record, spec, target.made_of(seen), waiting)
        except AllGone as gone:
            raise await self._emptied(record, target, gone) from None
        target.is_of(gathered.type, gathered.made_of)
        await self._nothing_lost(record, spec, target, gathered)
        with self.calm.writing():
            acts = await self._bring_into_order(record, spec, target, gathered)
        removed = {name: done for name in sorted(former) if (done := await target.remove(name))}
        acts += [(EventReason.DELETED, f"Secret {name} is no longer the target: {removed[name]}") for name in removed]
        gathered = await self._vetting.follow_up(record, spec, gathered, waiting)
        prints = {name: self._print(record, name, value) for name, value in gathered.inputs.items()}
        holds = self._keys.of_entries(str(record.key), gathered.entries) if spec.rollout else ""
        return Outcome(tuple(acts), gathered, prints, removed=tuple(removed), holds=holds)

    async def _rechecked(self, record: Record, spec: kinds.ApiKeySecretSpec, target: Target) -> Outcome | None:
        """Ask issuers about what the target of an object holds that is not refreshed; its stores are not asked."""
        if spec.refresh_seconds or not (found := await target.look()):
            return None
        own = {name: value for name, value in found.entries.items() if name in target.own(found)}
        return Outcome(rechecked=await self._vetting.recheck(record, spec, own))

    async def forecast(self, record: Record) -> Forecast:
        """Say what a reconcile that asks the stores would do now, and write nothing.

        Raises:
            errors.Error: nothing may be written there, or the stores do not give what is wanted.
        """
        spec = record.spec_model()
        self._allowed(record, spec)
        target = Target(self._api, self._keys, record, spec)
        found = await target.look()
        gathered = await self._vetting.gather(record, spec, target.made_of(found.seen if found else None))
        target.is_of(gathered.type, gathered.made_of)
        await self._nothing_lost(record, spec, target, gathered)
        observed = _looked(self._observed(record, spec, target, gathered), target, found, gathered)
        verdict: sync.Plan | errors.Error
        try:
            verdict = sync.decide(observed)
        except errors.Error as error:
            verdict = error.about(f"Secret {record.key.namespace}/{target.name}")
        former = [each for each in self._former(record, spec, target) if await target.owned(each)]
        return Forecast(gathered, found, target.own(found) if found else frozenset(), verdict, tuple(former))

    def as_written(self, record: Record) -> bool:
        """Whether the target is there in the version that we wrote, as far as its metadata tells."""
        name = record.told_target.get("name")
        seen = self.seen.get(Key(record.key.namespace, str(name)))
        known = record.applied
        return bool(seen and known and (seen.uid, seen.resource_version) == (known.uid, known.resource_version))

    def is_there(self, record: Record) -> bool:
        """Whether a Secret is in the place of the target that was written last."""
        return Key(record.key.namespace, str(record.told_target.get("name"))) in self.seen

    def is_former(self, record: Record, secret: str) -> bool:
        """Whether a Secret goes with the object though it is not its target, as after a rename."""
        seen = self.seen.get(Key(record.key.namespace, secret))
        name = record.told_target.get("name")
        return bool(seen and _goes_with(seen, record) and name and name != secret)

    def missing(self, record: Record, spec: kinds.ApiKeySecretSpec) -> bool:
        """Whether the target was there and no longer is."""
        name = spec.target_name(record.key.name)
        written = record.applied is not None and record.told_target.get("name") == name
        return written and Key(record.key.namespace, name) not in self.seen

    def _allowed(self, record: Record, spec: kinds.ApiKeySecretSpec) -> None:
        """Refuse what must not be written whatever the stores say."""
        namespace = record.key.namespace
        if namespace in self._forbidden:
            raise errors.Stalled(
                Reason.FORBIDDEN_NAMESPACE,
                f"no Secret is written into namespace {namespace}, which belongs to the cluster or to Keywright",
                "Put the object into the namespace of the workload",
            )
        if spec.target.type not in sync.ALLOWED_TYPES:
            raise errors.Stalled(
                Reason.FORBIDDEN_TYPE,
                f"no Secret of type {spec.target.type} is written",
                f"Use one of {', '.join(sorted(sync.ALLOWED_TYPES))}",
            )
        if self._terminating(namespace):
            raise errors.Retry(Reason.NAMESPACE_TERMINATING, f"namespace {namespace} is being deleted")

    async def _still_right(self, record: Record, target: Target) -> bool:
        """Whether the target is as we left it, looking into it only if its version is not the one we wrote."""
        seen = self.seen.get(Key(record.key.namespace, target.name))
        if seen is None or record.applied is None:
            return False
        if (seen.uid, seen.resource_version) == (record.applied.uid, record.applied.resource_version):
            return True
        found = await target.look()
        if found is None or not target.untouched(found, record.applied.fingerprint):
            return False
        record.applied = dataclasses.replace(
            record.applied, uid=found.seen.uid, resource_version=found.seen.resource_version
        )
        return True

    async def _emptied(self, record: Record, target: Target, gone: AllGone) -> errors.Error:
        """Remove the target of an object whose keys are all gone; return what there is to tell."""
        with self.calm.writing():
            done = await target.remove(target.name)
        if (found := await target.look()) and not done:
            if found.seen.is_of(target.owner):
                return errors.Retry(Reason.CONFLICT, f"Secret {target.name} keeps being changed while it is removed")
            if target.own(found):
                said = f"{gone.message}; Secret {target.name} stays, as it does not say any more that it is ours"
                return errors.Stalled(gone.reason, said, "Delete it, if nobody needs it")
        record.applied = record.untold = None
        held = f"Secret {target.name} holds no entry of this object" if found else f"there is no Secret {target.name}"
        emptied = Emptied(gone.reason, f"{gone.message}; as deletionPolicy says, {held}", gone.hint)
        emptied.removed = bool(done)
        return emptied

    async def _nothing_lost(
        self, record: Record, spec: kinds.ApiKeySecretSpec, target: Target, gathered: Gathered
    ) -> None:
        """See that an entry which is gone from its store is not taken from a target that the status does not know.

        Raises:
            errors.Stalled: what the store said of it.
        """
        if not gathered.absent or spec.target.allow_shrink:
            return
        if untold.is_told(record, target) and self.as_written(record):
            return
        found = await target.look()
        if found and (lost := untold.lost(record, target, found, gathered, functools.partial(self._print, record))):
            raise lost

    def _print(self, record: Record, name: str, value: SecretValue) -> str:
        return self._keys.fingerprint(f"{record.key}/{name}", value)

    async def _bring_into_order(
        self, record: Record, spec: kinds.ApiKeySecretSpec, target: Target, gathered: Gathered
    ) -> list[tuple[EventReason, str]]:
        """Decide and write until the target is right or somebody else keeps being faster."""
        observed = self._observed(record, spec, target, gathered)
        found: Found | None = None
        refused: tuple[sync.Plan, Found | None] | None = None
        for _ in range(ROUNDS):
            try:
                plan = sync.decide(observed)
            except errors.Error as error:
                raise error.about(f"Secret {record.key.namespace}/{target.name}") from None
            if plan.act == "nothing":
                right = _as_found(observed)
                if refused:
                    # What was to be written is there: the answer to a first try was lost.
                    return self._wrote(record, target, *refused, right)
                record.applied = right
                return []
            if plan.act != "look":
                quarrel.check(record, plan, target, found)
                if plan.act == "create" and plan.repair and spec.target.on_delete == "Delete":
                    await self._heard(record)
                elif plan.repair:
                    await self._alive(record)
                written = await target.write(gathered.entries, observed.seen)
                if written:
                    return self._wrote(record, target, plan, found, written)
                refused = (plan, found)
            found = await target.look()
            observed = _looked(observed, target, found, gathered)
        quarrel.note(record, plan)
        raise errors.Retry(Reason.CONFLICT, f"Secret {target.name} keeps being changed while it is written")

    @staticmethod
    async def _heard(record: Record) -> None:
        """Give the object's own watch a moment: a Secret that belongs to it goes right after it.

        Cheaper than a look at the object; where the moment is too short, what is written is collected once more.

        Raises:
            Leaving: the object is gone, or is being deleted.
        """
        await asyncio.sleep(max(0.0, record.noticed + HEARD - time.monotonic()))
        if record.leaving:
            raise Leaving(Reason.CONFLICT, f"ApiKeySecret {record.key} is being deleted")

    async def _alive(self, record: Record) -> None:
        """See that the object still is there before its Secret is put right: Kubernetes removes both, in either order.

        Raises:
            Leaving: it is not.
        """
        found = await self._api.get(API_KEY_SECRETS, record.key.namespace, record.key.name)
        if found is None or found["metadata"]["uid"] != record.uid or "deletionTimestamp" in found["metadata"]:
            raise Leaving(Reason.CONFLICT, f"ApiKeySecret {record.key} is being deleted")

    def _observed(
        self, record: Record, spec: kinds.ApiKeySecretSpec, target: Target, gathered: Gathered
    ) -> sync.Observed:
        """Return what is known of the target without a look into it."""
        told = record.told_target
        return sync.Observed(
            owner=target.owner,
            adopt=spec.target.adopt,
            fingerprint=target.fingerprint(gathered.entries),
            # Not the generation that the status is about: that may have been in trouble ever since.
            spec_changed=told.get("generation") != record.working,
            goes=spec.target.on_delete == "Delete",
            merges=spec.target.merges,
            applied=record.applied if told.get("name") == target.name else None,
            seen=self.seen.get(Key(record.key.namespace, target.name)),
        )

    @staticmethod
    def _wrote(
        record: Record, target: Target, plan: sync.Plan, found: Found | None, written: sync.Applied
    ) -> list[tuple[EventReason, str]]:
        """Take note of what was written. An apply that changed nothing leaves the version as it was: no act."""
        before = record.applied
        record.applied = written
        if before and before.resource_version == written.resource_version:
            return []
        quarrel.note(record, plan)
        if plan.repair and found:
            who = target.contenders(found)
            return [(EventReason.REPAIRED, f"Secret {target.name} had been changed by {who} and was put right")]
        if plan.repair:
            return [(EventReason.REPAIRED, f"Secret {target.name} had been deleted and was written again")]
        if plan.act == "create":
            return [(EventReason.CREATED, f"Secret {target.name} was created")]
        return [(EventReason.UPDATED, f"Secret {target.name} was updated")]

    def _former(self, record: Record, spec: kinds.ApiKeySecretSpec, target: Target) -> AbstractSet[str]:
        """Return the names of Secrets that go with the object and are not its target, unless such are to be kept.

        The status knows one of them at most, and not when it could not be written.
        """
        if spec.target.on_delete == "Retain":
            return frozenset()
        known = record.told_target.get("name")
        named = {str(known)} if known else set()
        for name in self.owned.get(record.key, frozenset()):
            seen = self.seen.get(Key(record.key.namespace, name))
            if seen and _goes_with(seen, record):
                named.add(name)
        return named - {target.name}


def _goes_with(seen: sync.Seen, record: Record) -> bool:
    """Whether a Secret, or what was merged into it, goes with an object."""
    return seen.owner_uid == record.uid or dict(seen.merged).get(str(record.key), False)


def _as_found(observed: sync.Observed) -> sync.Applied:
    """Return what to remember of a target that is right as it is."""
    assert observed.seen  # noqa: S101 - a missing target is never in order
    return sync.Applied(observed.seen.uid, observed.seen.resource_version, observed.fingerprint)


def _looked(observed: sync.Observed, target: Target, found: Found | None, gathered: Gathered) -> sync.Observed:
    """Add to an observation what a look into the target has found."""
    content = target.compare(found, gathered.entries) if found else None
    return dataclasses.replace(observed, seen=found.seen if found else None, content=content, looked=True)
