"""One credential that rotates: when a rotation is due it begins, and goes on until it is over, whoever leads by then.

A turn is: see what is wanted, look, decide, write the journal, do one thing, write what came of it.

Does not belong here: which credentials there are (``rotator``), what is wanted of people (``asked``).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import math
import random
import time
from collections.abc import Sequence

from ... import errors, pacing
from ...decide import due
from ...decide.rotate import lost, machine, outcomes
from ...decide.rotate.journal import Cause, Journal, Step, Why
from ...decide.rotate.moves import Came, Do, Effect, End, Go, Situation, Wait
from ...decide.rotate.sight import Rules
from ...decide.rotate.told import Tale
from ...errors import Reason
from ...kinds import CredentialSpec
from ..bugs import bug
from ..journals import Kept
from ..queue import Key
from ..records import Record
from . import minting, policies
from .aim import Aim
from .aiming import Aiming, Lost, Over
from .asked import Begin, Orders
from .claiming import Claiming
from .herald import CALLED, Herald
from .looking import Sight
from .means import Means
from .trials import Trials
from .turn import Turn

log = logging.getLogger(__name__)

#: Seconds between two looks at a credential of which nothing is due, and until one that waits for its turn tries again.
RESTING, QUEUED = 900.0, 5.0


class Post:
    """One credential.

    Args:
        key: its object.
        name: of the credential.
        kept: its journal, if there is one; more than one where a place was left and is not done with.
    """

    def __init__(self, means: Means, key: Key, name: str, kept: Sequence[Kept]) -> None:
        self._means, self.key, self.name = means, key, name
        self.kept, self._others = (kept[0] if kept else None), list(kept[1:])
        self._trials = Trials(means.settings, means.table, means.prober, key)
        self._aiming, self._claiming = Aiming(means, key, name, self._trials), Claiming(means, key)
        self.orders = Orders()
        self.wake = asyncio.Event()
        self._since, self._failures = time.monotonic(), 0
        #: What its issuer can do, when that was known last.
        self._rules: Rules | None = None
        self._turn = Turn()
        self._herald = Herald(means, key, name)
        #: Why no key was made, or none written to the store, when that was last tried; None: it was.
        self._failed: errors.Error | None = None
        #: Since when it is known that it cannot go on, and until when it is that the key in use lives, whatever its
        #: status says (monotonic clock).
        self._lost, self._alive = math.inf, 0.0
        #: What is known of the life of a minted key, as of this turn.
        self._minted: due.Minted | None = None

    @property
    def journal(self) -> Journal | None:
        """What is remembered of its rotation."""
        return self.kept.journal if self.kept else None

    async def run(self) -> None:
        """Work until nobody wants it any more."""
        try:
            while True:
                pause = await self._once()
                if pause > 0:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await self.wake.wait()
                self.wake.clear()
        except Over:
            log.debug("%s: credential %s is not rotated any more", self.key, self.name)
            with contextlib.suppress(errors.Error):
                await self._means.telling.forget(self.key, self.name, self._record())
        finally:
            self._turn.give()
            self.orders.cancel(self.name)

    async def _once(self) -> float:
        """Take a turn; return for how many seconds nothing is to be done."""
        try:
            pause = await self._take_turn()
        except Over:
            raise
        except Exception as foreign:  # noqa: BLE001 - one rotation's bug must not stop the others
            error = foreign if isinstance(foreign, errors.Error) else bug(self.key, foreign)
            self._failures += 1
            if error.reason is Reason.CONFLICT and self.kept:
                with contextlib.suppress(errors.Error):
                    self.kept = await self._claiming.reread(self.kept, self._record())
            elif self._failures > 1 or isinstance(error, errors.Stalled):
                asks = isinstance(error, errors.Stalled) and self._runs()
                await self._tell(Tale(self.name, self.journal, asks=asks, error=error))
            if isinstance(error, errors.Stalled) or not self._runs():
                # Others need not wait for a person to see to it, or for a store.
                self._turn.give()
            log.info("%s: rotation of %s: %s: %s", self.key, self.name, error.reason, error)
            self.orders.settle_refused(error)
            return pacing.backoff(self._failures, random.random())  # noqa: S311
        self._failures = 0
        # What could not be told is told soon, also where nothing else is to be done.
        return self._herald.again(pause)

    def _record(self) -> Record | None:
        record = self._means.records.get(self.key)
        return record if record and not record.leaving else None

    def _runs(self) -> bool:
        return self.kept is not None and self.kept.journal.step is not Step.IDLE

    # One turn.

    async def _take_turn(self) -> float:
        if not self._means.settings.rotations:
            raise policies.disabled()
        record = self._record()
        if record and record.newest_spec().suspend and not self.orders:
            self._turn.give()
            # What is not done meanwhile is not late.
            self._since = math.inf
            if self._runs():
                await self._tell(Tale(self.name, self.journal, Why.SUSPENDED))
            return RESTING
        self._since = min(self._since, time.monotonic())
        if not self._runs():
            await self._turn_over(record)
        try:
            aim, wanted = await self._aiming.at(record, self.kept)
        except Lost as nowhere:
            return await self._give_up(nowhere.trouble, record)
        except Over:
            if not self._others:
                raise
            self.kept = None
            return 0.0
        self._lost = math.inf
        return await self._go_about(aim, record, wanted)

    async def _go_about(self, aim: Aim, record: Record | None, wanted: CredentialSpec | None) -> float:
        """Do what people ask, then what is under way, then what is due."""
        self._rules = aim.rules
        if self.kept and record and not aim.gone:
            self.kept = await self._claiming.known_again(aim, record, self.kept)
        if self.kept and (await self._heed(self.kept) or (aim.gone and await self._moved(aim, self.kept, record))):
            return 0.0
        if self.kept or not self.orders.needs_journal:
            self.orders.settle(self.journal, self._failed)
        if self.kept and self._runs():
            return await self._go_on(aim, self.kept, record, wanted)
        return await self._at_rest(aim, record, wanted)

    async def _turn_over(self, record: Record | None) -> None:
        """Look at another journal that there is; or see if there still is one."""
        if self.kept and record is None:
            # Whoever has settled what a gone object owes deletes its journal.
            self.kept = await self._claiming.reread(self.kept, None)
        if self._others:
            self._others += [self.kept] if self.kept else []
            self.kept = self._others.pop(0)

    async def _at_rest(self, aim: Aim, record: Record | None, wanted: CredentialSpec | None) -> float:
        """Begin what is due, pay what is owed, have live longer what ends, or rest."""
        self._minted = None if aim.gone else await minting.look(self._means.looking, aim, self.journal)
        if record and wanted and (await self._begun(aim, record, wanted) or await self._found(aim, record)):
            return 0.0
        if self.kept and (aim.gone or lost.owes(self.kept.journal) or (self._minted and self._minted.renews)):
            return await self._go_on(aim, self.kept, record, wanted)
        return await self._rest(record, wanted)

    async def _go_on(self, aim: Aim, kept: Kept, record: Record | None, wanted: CredentialSpec | None) -> float:
        """Go on with what is under way, if it is its turn."""
        asks = policies.takes_turn(aim.rules.way, kept.journal.step, time.time() - kept.journal.since)
        # Whoever looks for a lost key has a turn as well, if there is one: nobody else's new key is taken for it then.
        has = (asks or bool(lost.asked(kept.journal))) and await self._turn.taken(aim.issuer)
        if asks and not has:
            await self._tell(Tale(self.name, kept.journal, Why.QUEUED))
            return QUEUED
        try:
            return await self._step(aim, kept, record, wanted)
        finally:
            if not asks:
                self._turn.give()

    async def _moved(self, aim: Aim | None, kept: Kept, record: Record | None) -> bool:
        """Go on at another place, if the object names one by now and no rotation is under way.

        Args:
            aim: at the place that is left; None where that is not there any more.
        """
        if record is None or self._runs():
            return False
        there = self._aiming.elsewhere(record)
        if there:
            self.kept = await self._claiming.moved(aim, kept, there, record)
        return there is not None

    async def _give_up(self, trouble: errors.Stalled, record: Record | None) -> float:
        """Keep no values of a rotation that can never go on, but what is owed; not before that is sure."""
        self._lost, self._rules = min(self._lost, time.monotonic()), None
        self._turn.give()
        kept, patience = self.kept, self._means.settings.give_up_seconds
        assert kept  # noqa: S101 - what cannot go on was remembered
        if await self._heed(kept):
            return 0.0
        self.orders.settle(self.journal, self._failed)
        await self._tell(Tale(self.name, self.journal, asks=True, error=trouble))
        if kept.journal.step is Step.IDLE and kept.journal.debts:
            return 0.0 if await self._moved(None, kept, record) else QUEUED if self._others else RESTING
        if time.monotonic() - self._lost < patience:
            return min(patience, QUEUED)
        self.kept = await self._claiming.lost(kept, trouble)
        self._reached(kept.journal, record)
        if not self.kept.journal.debts:
            await self._means.journals.forget(self.kept)
            self.kept = None
        return 0.0

    async def _heed(self, kept: Kept) -> bool:
        """Do what people ask of the journal; whether it was changed."""
        changed = self.orders.journal(kept.journal, time.time())
        if changed is None:
            return False
        self.kept = await self._means.journals.write(kept.but(changed))
        self._reached(kept.journal, self._record())
        self.orders.settle(self.kept.journal, self._failed)
        return True

    async def _begun(self, aim: Aim, record: Record, wanted: CredentialSpec) -> bool:
        """Begin a rotation, if one is due or asked for."""
        first = self._next(record, wanted)
        # After that: what is due now is due.
        order, now = self.orders.wanted(self.journal), time.time()
        if order is None and self.orders.needs_journal and self.kept is None:
            # A pin holds what is due already.
            self.kept = await self._claiming.made(aim, record, Journal("", Step.IDLE, now), {})
            return True
        if order is None and (first is None or first.at > now):
            return False
        if policies.takes_turn(aim.rules.way, Step.ISSUING) and not await self._turn.taken(aim.issuer):
            return False
        name, cause = f"kw-{random.getrandbits(64):016x}", first.cause if first else Cause.DUE
        dead = order is None and cause is Cause.INVALID
        begin = order or Begin(name, urgent=dead, test_only=False, cause=cause)
        values, old = await minting.held(self._means.looking, aim, self.journal)
        if dead and old and not await self._trials.refused(wanted, values, old.fingerprint):
            # It was said of the key before, which somebody has replaced.
            self._herald.call(aim, self.kept, late=True)
            self._alive = time.monotonic() + CALLED
            return await self._begun(aim, record, wanted)
        before, how = self.journal, {"urgent": begin.urgent, "test_only": begin.test_only}
        journal = machine.begin(before, begin.id, begin.cause, old, now, rules=aim.rules, **how)
        over = begin.take_over
        if self.kept:
            self.kept = await self._claiming.begun(aim, record, self.kept, journal, values, take_over=over)
        else:
            self.kept = await self._claiming.made(aim, record, journal, values, take_over=over)
        self._since, self._failed = time.monotonic(), None
        self._reached(before, record)
        return True

    async def _found(self, aim: Aim, record: Record) -> bool:
        """Take up a journal that was not known of.

        Raises:
            Elsewhere: another object rotates the key; told whether or not anything is due.
        """
        if self.kept is None:
            self.kept = await self._claiming.found(aim, record)
            return self.kept is not None
        return False

    def _next(self, record: Record, wanted: CredentialSpec) -> due.Next | None:
        known = policies.known(record, self.name, self.journal, self._minted)
        if time.monotonic() < self._alive:
            known = dataclasses.replace(known, condemned=False)
        return due.due(policies.policy(wanted), known, time.time())

    async def _rest(self, record: Record | None, wanted: CredentialSpec | None) -> float:
        """Tell when the next rotation begins, and wait for it."""
        self._turn.give()
        first = self._next(record, wanted) if record and wanted else None
        self.orders.settle(self.journal, self._failed)
        left = first.at - time.time() if first else RESTING
        # What is due, or asked for, and was not begun waits for a turn of its issuer.
        waits = left <= 0 or self.orders.wanted(self.journal) is not None
        await self._tell(Tale(self.name, self.journal, Why.QUEUED if waits else None, next=first.at if first else None))
        doubt = max(0.0, self._alive - time.monotonic()) or RESTING
        return QUEUED if waits else min(RESTING, max(0.05, left), doubt)

    async def _step(self, aim: Aim, kept: Kept, record: Record | None, wanted: CredentialSpec | None) -> float:
        """Look, decide, and do one thing."""
        sight = await self._claiming.look(aim, kept, self._trials, self.orders.wish, alone=self._turn.has)
        journal = kept.journal.naming(sight.handle)
        awake = time.monotonic() - self._since
        at = Situation(aim.rules, journal, sight.seen, time.time(), awake)
        move = machine.decide(at)
        match move:
            case Go(after):
                await self._go(kept, after, sight)
                if after.step in (Step.STORED, Step.ROLLED_BACK) and journal.step is not after.step:
                    self._herald.call(aim, self.kept)
            case Do():
                return await self._act(aim, kept, sight, at, move)
            case End():
                await self._claiming.ended(aim, kept)
                self.kept = None
            case Wait(until, why, asks):
                self.orders.settle(kept.journal, self._failed)
                if asks or isinstance(sight.trouble, errors.Stalled):
                    # Others need not wait for a person to see to it.
                    self._turn.give()
                if sight.lags(kept.journal.step):
                    self._herald.call(aim, kept, late=True)
                if journal != kept.journal:
                    await self._go(kept, journal, sight)
                first = self._next(record, wanted) if record and wanted and not self._runs() else None
                failed = self._failed if journal.step in (Step.ISSUING, Step.TESTED) else None
                error, again = sight.trouble or failed if why or self._runs() else None, first.at if first else None
                tale = Tale(self.name, journal, why, asks, error, again, sight.pods, sight.behind(kept))
                await self._tell(tale)
                left = min(until, again if again and again > time.time() else until) - time.time()
                return max(0.05, left)
        return 0.0

    async def _go(self, kept: Kept, after: Journal, sight: Sight) -> None:
        """Write another step to the journal; values stay there no longer than they may be needed."""
        before, changed = kept.journal, kept.but(after)
        if after.new and not kept.new and sight.values:
            # A person has made it.
            changed = kept.but(after, new=sight.values)
        self.kept = await self._means.journals.write(changed)
        self._reached(before, self._record())

    async def _act(self, aim: Aim, kept: Kept, sight: Sight, at: Situation, do: Do) -> float:
        before, first, acting = kept.journal, do.first or at.journal, self._means.acting
        entry = await acting.announce(aim, kept, do)
        if first != before:
            try:
                kept = self.kept = await self._means.journals.write(kept.but(first))
            except errors.Error as error:
                acting.give_up(entry, error)
                raise
        result = await acting.do(entry, aim, kept, sight, do)
        if do.effect in (Effect.ISSUE, Effect.STORE_NEW):
            self._failed = result.error
        at = dataclasses.replace(at, journal=kept.journal, now=time.time())
        after = outcomes.came(at, do, result.came, result.half, before, fits=result.error is None)
        values = {name: each for name, each in (result.values or {}).items() if name in aim.recipe.properties}
        if after != kept.journal or values:
            write = self._means.journals.insist if values else self._means.journals.write
            self.kept = await write(kept.but(after, new=values or None))
            self._reached(kept.journal, self._record())
        if do.effect in (Effect.STORE_NEW, Effect.STORE_OLD, Effect.RENEW):
            self._herald.call(aim, self.kept)
        if result.error:
            log.info("%s: rotation of %s: %s: %s", self.key, self.name, do.effect, result.error)
            # What made a rotation turn back holds up nothing once it is over.
            why = None if after.step is Step.IDLE else after.why
            await self._tell(Tale(self.name, after, why, error=result.error))
        return 1.0 if result.came in (Came.UNCLEAR, Came.NOT_BEGUN) else 0.0

    def _reached(self, before: Journal | None, record: Record | None) -> None:
        self._herald.reached(self.kept, before, record, rules=self._rules, failed=self._failed)

    async def _tell(self, tale: Tale) -> None:
        await self._herald.tell(self._record(), dataclasses.replace(tale, rules=self._rules))
