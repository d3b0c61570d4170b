"""What an object's Secret should hold, once its credentials have been checked; an earlier version where that is better.

Does not belong here: reading (``gather``), checking (``checker``).
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping

from .. import errors, kinds
from ..decide.checks import Checked
from ..secret import SecretMap
from .assemble import Gathered, held_by_target
from .checker import Checker, Refused
from .gather import Gatherer
from .records import Record

#: Versions before the newest that are tried.
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
        earlier: dict[tuple[str, str], str] = {}
        first: Refused | None = None
        refused: dict[str, Refused] = {}
        for _ in range(EARLIER * max(1, len(spec.credentials)) + 1):
            try:
                gathered = await self._gatherer.gather(record, spec, made_of, waiting, earlier)
            except errors.Stalled:
                if first is None:
                    raise
                # What is earlier is not to be had.
                break
            try:
                checked = await self._before(record, spec, gathered, waiting)
            except Refused as error:
                first = first or error
                refused.setdefault(error.checked.name, error)
                if not self._stepped_back(spec, gathered, error.checked, earlier):
                    break
                continue
            return dataclasses.replace(gathered, checked=checked, previous=_why(spec, refused))
        assert first  # noqa: S101 - nothing else ends the loop
        raise first.with_traceback(None)

    async def _before(
        self, record: Record, spec: kinds.ApiKeySecretSpec, gathered: Gathered, waiting: _Waiting
    ) -> tuple[Checked, ...]:
        if not any(each.check.liveness == "Enforce" for each in spec.credentials):
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

        Raises:
            errors.Error: as ``Checker.before``.
        """
        held = held_by_target(entries)
        held = dataclasses.replace(held, checked=await self._checker.before(record, spec, held))
        return await self._checker.after(record, spec, held)

    @staticmethod
    def _stepped_back(
        spec: kinds.ApiKeySecretSpec, gathered: Gathered, checked: Checked, earlier: dict[tuple[str, str], str]
    ) -> bool:
        """Go one version back with the keys that a credential is made of; False if that is not wanted, or cannot be."""
        wants = any(each.name == checked.name and each.fallback_to_previous for each in spec.credentials)
        found = {}
        for key in checked.entries:
            if use := gathered.places.get(key):
                place = (use.record.identifier, use.ref.path)
                version = use.opened.kind.previous(gathered.versions.get(key, ""))
                # A version that the object itself names is not left.
                if version and (use.ref.version is None or place in earlier):
                    found[place] = version
        if not wants or not found:
            return False
        earlier |= found
        return True


def _why(spec: kinds.ApiKeySecretSpec, refused: Mapping[str, Refused]) -> dict[str, str]:
    """Return the entries that hold an earlier version, and why the newest was refused."""
    return {entry: error.message for error in refused.values() for entry in error.checked.entries}
