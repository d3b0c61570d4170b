"""What a local rotation does outside, one effect at a time: recorded before, in this machine's audit trail, and after.

Does not belong here: which effect is next (``decide/rotate``), the journal (``book``).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from ... import errors
from ...decide.rotate import calls
from ...decide.rotate import recipe as recipes
from ...decide.rotate.journal import Debt
from ...decide.rotate.moves import Came, Do, Effect
from ...engine.rotate.acting import Result
from ...errors import Reason
from ...secret import SecretMap
from ...stores.encrypted_file import replaced
from .. import _recording
from .book import Kept
from .looking import Looking, Sight, asking
from .task import Task

if TYPE_CHECKING:
    from ...audit.record import Entry
    from ...keyfile.contents import Contents


class Acting:
    """Acts, and records it."""

    def __init__(self, task: Task, looking: Looking) -> None:
        self._task, self._looking = task, looking

    @staticmethod
    def act_of(kept: Kept) -> str:
        """Return the id of what is done next, for the trail."""
        return f"{kept.journal.id[:44]}-{uuid.uuid4().hex[:12]}"

    def do(self, kept: Kept, sight: Sight, do: Do) -> tuple[Result, Entry]:
        """Record that one thing is to be done, and do it; return what came of it, and the record.

        Raises:
            errors.Stalled: ``AuditUnavailable``, ``AuditTampered``: nothing was done.
        """
        task, before = self._task, self._task.keys.open()
        entry = _recording.of_rotation(task.keys.path.name, before, task.path, do.effect.code, kept.act)
        _recording.record(entry)
        return self._done(kept, sight, do), entry

    def ended(self, entry: Entry, code: str) -> None:
        """Record what came of it, once the journal knows.

        Raises:
            errors.Stalled: as ``do``.
        """
        _recording.record(_recording.came_of(entry, code, self._task.keys.open(), self._task.path))

    def settle(self, kept: Kept) -> None:
        """Record what came of what a command before has begun; where that is not known, the next look tells.

        Whether that command could record it is not known either: the trail may say the same twice.
        """
        task, code = self._task, kept.came or "Unknown"
        self.ended(_recording.of_rotation(task.keys.path.name, task.keys.open(), task.path, code, kept.act), code)

    def owed(self, debts: tuple[Debt, ...], *, done: bool) -> None:
        """Record what is owed from now on, or no longer."""
        task = self._task
        if debts:
            contents = task.keys.open()
            codes = [str(each.owed) for each in debts]
            _recording.record(*_recording.of_debts(task.keys.path.name, contents, task.path, codes, done=done))

    def _done(self, kept: Kept, sight: Sight, do: Do) -> Result:
        try:
            if do.effect is Effect.ISSUE:
                return self._issue(kept)
            self._effect(kept, sight, do)
        except errors.Stalled as error:
            return Result(Came.REFUSED, error=error)
        except errors.Error as error:
            return Result(Came.UNCLEAR, error=error)
        return Result(Came.DONE)

    def _issue(self, kept: Kept) -> Result:
        task = self._task
        with asking(task):
            issued = task.issuing.issue(calls.order(kept.journal, kept.old))
        own = {name: each for name, each in issued.parts.items() if name in task.recipe.properties}
        half = calls.named(self._looking.half(own), issued, task.issuing.ids)
        ids, tests = task.issuing.ids, task.rules.tests
        why = calls.unfit(issued, task.recipe.properties, task.tester, ids=ids, formed=True, tests=tests)
        return Result(Came.DONE, half, own, why.about(task.name) if why else None)

    def _effect(self, kept: Kept, sight: Sight, do: Do) -> None:
        if do.effect in (Effect.STORE_NEW, Effect.STORE_OLD):
            self._store(sight, kept.new if do.effect is Effect.STORE_NEW else kept.old)
            return
        makes = self._task.issuing
        with asking(self._task):
            if do.effect is Effect.DISABLE and makes.disable:
                makes.disable(do.handle)
            elif do.effect is Effect.ENABLE and makes.enable:
                makes.enable(do.handle)
            elif do.effect is Effect.REVOKE and makes.revoke:
                makes.revoke(do.handle, calls.staying(kept.journal, kept.old, kept.new, sight.values or {}))
            else:
                raise errors.Stalled(Reason.UNSUPPORTED, f"cannot {do.effect} keys")

    def _store(self, sight: Sight, values: SecretMap) -> None:
        """Write a key over what was seen; what somebody else has written since stays."""
        task, expected = self._task, sight.store.version if sight.store else None
        content = recipes.content(task.recipe, sight.store, values)

        def changed(contents: Contents) -> Contents:
            return replaced(contents, task.path, content, expected)

        task.keys.write(changed)
