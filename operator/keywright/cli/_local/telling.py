"""What a local rotation prints: a line for each step, and at the end what is so now.

Does not belong here: how it goes on (``driving``).
"""

from __future__ import annotations

from typing import Any

import click

from ... import errors, pacing
from ...decide.rotate import told as common
from ...decide.rotate.journal import AnyWhy, Journal, Step, Why
from .. import _output
from .._exit import Exit
from .driving import Left

_STEPS = {
    Step.HELD: "a new key is made, and sealed in the file",
    Step.TESTED: "it may be used",
    Step.STORED: "it is written",
    Step.GRACE: "whoever reads the file gets it",
    Step.ROLLING_BACK: "turning back",
    Step.ROLLED_BACK: "all is as it was",
}
#: What a local rotation waits for, where other words stand for it in a cluster.
_HERE = {
    Why.ISSUER_CHANGED: "The file names another issuer than the one that this began with. Name that one until it is"
    " over.",
    Why.STORE_CHANGED: "Somebody else has written another key to the entry; that one counts.",
    Why.OLD_DEAD: "Neither key works any more. Have one made, and store it.",
}
#: What is owed, and what to do.
_OWED = {
    "Revoke": "it is still to be revoked, which the next rotation tries. Or do so at the issuer; then --forget.",
    "Find": "it may have been made, and cannot be found. Look for it at the issuer and remove it; then --forget.",
    "Die": "it was revoked, and still accepted when it was last tested. See there that it is dead; then --forget.",
    "Keep": "it was left alive. When nobody needs it, remove it at the issuer; then --forget.",
}
_AGAIN = "The same command goes on."


class Telling:
    """Prints.

    Args:
        output: ``table``, ``json`` or ``yaml``: with the last two, steps go to the standard error.
    """

    def __init__(self, path: str, output: str) -> None:
        self._path, self._output = path, output

    def line(self, text: str) -> None:
        """Print a step."""
        click.echo(_output.printable(f"{self._path}: {text}"), err=self._output != "table")

    def told(self, journal: Journal | None, error: errors.Error | None) -> None:
        """Print that a step was reached, or what is in the way."""
        if error:
            self.line(f"{error.message}{f'. {error.hint}' if error.hint else ''}.")
        elif journal and journal.step in _STEPS:
            why = f": {words(journal.why)}" if journal.why and journal.step is Step.ROLLING_BACK else "."
            self.line(f"{_STEPS[journal.step]}{why}")

    def end(self, left: Left, *, back: bool) -> Exit:
        """Print what is so now; return the exit code."""
        journal = left.kept.journal
        code, outcome, said = _waits(left) if left.wait else _over(journal, back=back)
        if left.forgotten:
            code, outcome, said = Exit.FINE, "Forgotten", "what was owed for that key is remembered no more."
        if journal.debts and code is Exit.FINE:
            code = Exit.NOT_READY
        owed = [
            {"owed": str(each.owed), "handle": each.handle, "since": pacing.rfc3339(each.since)}
            for each in journal.debts
        ]
        if self._output != "table":
            until = pacing.rfc3339(journal.until) if journal.step is Step.GRACE else None
            told: dict[str, Any] = {"path": self._path, "id": journal.id, "outcome": outcome, "message": said}
            why = left.wait.why if left.wait else journal.why
            told |= {"step": str(journal.step), "why": str(why) if why else None, "until": until, "debts": owed}
            _output.structured(self._output, told)
            return code
        self.line(said)
        for each in owed:
            self.line(f"owed for key {each['handle'] or '(unknown)'}: {_OWED[str(each['owed'])]}")
        return code


def words(why: AnyWhy) -> str:
    """Return why it waits or turns back, as a sentence."""
    return (_HERE.get(why) if isinstance(why, Why) else None) or common.words(why)


def _waits(left: Left) -> tuple[Exit, str, str]:
    wait, journal = left.wait, left.kept.journal
    parts = [words(wait.why)] if wait and wait.why else []
    if left.trouble:
        parts.append(f"{left.trouble.message}.{f' {left.trouble.hint}.' if left.trouble.hint else ''}")
    if not parts and journal.step is Step.GRACE:
        until = pacing.rfc3339(journal.until)
        parts.append(f"The new key is in use, and the old one lives until {until}; --back turns back until then.")
    return Exit.NOT_READY, "Waits", f"waits. {' '.join([*parts, _AGAIN])}"


def _over(journal: Journal, *, back: bool) -> tuple[Exit, str, str]:
    if journal.why is None:
        return (Exit.FAILED if back else Exit.FINE), "Rotated", "replaced; the old key is not used any more."
    if journal.why is Why.TEST_ONLY:
        return Exit.FINE, "Tested", "a new key was made, passed its test, and was ended again; nothing was written."
    if journal.why is Why.ASKED:
        return (Exit.FINE if back else Exit.FAILED), "RolledBack", "turned back; the file has the old key."
    return Exit.FAILED, "RolledBack", f"not replaced. {words(journal.why)}"
