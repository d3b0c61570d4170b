"""What an object's Secret should hold, once its credentials have been checked; an earlier version where that is better.

Does not belong here: reading (``gather``), checking (``checker``).
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
from collections.abc import Callable

from .. import errors, kinds
from ..decide import report
from ..decide.checks import Checked
from ..errors import Reason
from ..secret import SecretMap
from .assemble import Gathered, held_by_target
from .checker import Checker, Held, Refused, refused_as_dead
from .gather import Gatherer
from .records import Record

#: Versions before the newest that are tried of a credential.
EARLIER = 3
_Waiting = Callable[[], contextlib.AbstractAsyncContextManager[None]]


class Vetting:
    """Gathers what has passed its checks."""

    def __init__(self, gatherer: Gatherer, checker: Checker) -> None:
        self._gatherer, self._checker = gatherer, checker

    async def gather(
        self,
        record: Record,
        spec: kinds.ApiKeySecretSpec,
        made_of: str | None,
        waiting: _Waiting = contextlib.nullcontext,
    ) -> Gathered:
        """Return all entries of an object, checked.

        Raises:
            errors.Error: as ``Gatherer.gather``, and what ``Checker.before`` says.
        """
        back = _Back(record, spec)
        while True:
            found: errors.Error | None = None
            try:
                gathered = await self._gatherer.gather(record, spec, made_of, waiting, back.earlier)
                if not back.lacks(gathered):
                    checked = await self._before(record, spec, gathered, waiting)
                    if not (dead := back.unwanted(checked)):
                        return dataclasses.replace(gathered, checked=checked, previous=back.why())
                    found = refused_as_dead(dead)
            except errors.Stalled as error:
                found = error.with_traceback(None)
            except Held as held:
                found = held.with_traceback(None)
            goes_on = back.step(found, gathered) if isinstance(found, Refused | Held) else back.skip()
            if not goes_on and (final := back.end(found)):
                raise final

    async def _before(
        self, record: Record, spec: kinds.ApiKeySecretSpec, gathered: Gathered, waiting: _Waiting
    ) -> tuple[Checked, ...]:
        if not any(each.check.liveness == "Enforce" or each.issuer == "custom" for each in spec.credentials):
            return await self._checker.before(record, spec, gathered)
        async with waiting():
            return await self._checker.before(record, spec, gathered)

    async def follow_up(
        self, record: Record, spec: kinds.ApiKeySecretSpec, gathered: Gathered, waiting: _Waiting
    ) -> Gathered:
        """Ask about what is written by now whatever comes of it."""
        if not any(each.check.liveness == "Warn" for each in spec.credentials):
            return gathered
        async with waiting():
            return dataclasses.replace(gathered, checked=await self._checker.after(record, spec, gathered))

    async def recheck(self, record: Record, spec: kinds.ApiKeySecretSpec, entries: SecretMap) -> tuple[Checked, ...]:
        """Check what a target holds.

        Args:
            entries: of the target, those that are the object's own.

        Raises:
            Refused: a credential is condemned.
        """
        return await self._checker.again(record, spec, held_by_target(entries))


class _Back:
    """How far an object's credentials were taken back to earlier versions, and why.

    Only entries that ``data`` names go back, and only those of the credential: what else is at their path stays.
    """

    def __init__(self, record: Record, spec: kinds.ApiKeySecretSpec) -> None:
        #: Versions to read, by entry.
        self.earlier: dict[str, str] = {}
        self._credentials = {each.name: each for each in spec.credentials if each.fallback_to_previous}
        self._free = {each.key for each in spec.data if each.remote_ref and each.remote_ref.version is None}
        self._steps: collections.Counter[str] = collections.Counter()
        self._refused: dict[str, Refused | Held] = {}
        self._last = ""
        self._newest: Gathered | None = None
        ready = report.find(record.status_json().get("conditions") or [], "Ready")
        # One refusal more does not change what is served already.
        self._served = ready.get("reason") == Reason.PREVIOUS_VERSION

    def lacks(self, gathered: Gathered) -> bool:
        """Whether what was gathered at earlier versions lacks something that the newest have."""
        newest = self._newest
        if newest is None:
            return False
        return bool(newest.inputs.keys() - gathered.inputs.keys() or gathered.absent.keys() - newest.absent.keys())

    def unwanted(self, checked: tuple[Checked, ...]) -> Checked | None:
        """Return a credential that its issuer has condemned, and of which an earlier version may be better."""
        return next((each for each in checked if each.dead and each.name in self._credentials), None)

    def step(self, error: Refused | Held, gathered: Gathered) -> bool:
        """Go one version back with a credential that was refused; False if that is not wanted, or cannot be."""
        if isinstance(error, Held) and not self._served:
            return False
        name = error.checked.name
        if name not in self._credentials:
            return False
        self._refused.setdefault(name, error)
        self._last, self._newest = name, self._newest or gathered
        return self.skip()

    def skip(self) -> bool:
        """Go one version further back with the credential that went back last."""
        newest, credential = self._newest, self._credentials.get(self._last)
        if newest is None or credential is None or self._steps[self._last] >= EARLIER:
            return False
        self._steps[self._last] += 1
        found: dict[str, str] = {}
        for key in self._free & set(credential.parts.values()) & newest.places.keys():
            version = self.earlier.get(key) or newest.versions.get(key, "")
            before = newest.places[key].opened.kind.previous(version)
            if before is None or key in newest.fallbacks:
                # Half a pair is none.
                return False
            found[key] = before
        self.earlier |= found
        return bool(found)

    def end(self, error: errors.Error | None) -> errors.Error | None:
        """Return why nothing is to be written; None where the newest is, although a credential in it is dead."""
        first = next(iter(self._refused.values()), None)
        if first is None or not first.checked.dead:
            return first or error
        for name in self._refused:
            del self._credentials[name]
        self.earlier, self._refused, self._last, self._newest = {}, {}, "", None
        return None

    def why(self) -> dict[str, str]:
        """Return the entries that are taken at an earlier version, and why."""
        told = {}
        for error in self._refused.values():
            why = error.why if isinstance(error, Held) else error.message
            told.update({key: why for key in error.checked.entries if key in self.earlier})
        return told
