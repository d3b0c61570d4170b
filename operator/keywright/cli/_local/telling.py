"""What a local rotation prints: a line for each step, and at the end what is so now.

Does not belong here: how it goes on (``driving``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ... import pacing
from ...decide import report
from ...decide.rotate import told as common
from ...decide.rotate.journal import AnyWhy, Journal, Step, Why
from ...schema import NAMELESS
from .. import _output
from .._exit import Exit
from .driving import Left

if TYPE_CHECKING:
    from ...decide.rotate.moves import Wait
    from ...decide.rotate.sight import Rules

#: Seconds that nobody minds.
_MOMENT = 5.0

#: What a local rotation waits for, where other words stand for it in a cluster.
_HERE = {
    Why.ISSUER_CHANGED: "The file names another issuer than the one that this began with. Name that one until it is"
    " over.",
    Why.ASKED: "You asked for it.",
    Why.TEST_FAILED: "The issuer did not accept the new key in time, or lets it do less than the old one; where that is"
    " meant, say --allow-limited.",
    Why.STORE_CHANGED: "Somebody else has written another key to the entry; that one counts.",
    Why.OLD_DEAD: "Neither key works any more. Have one made, and store it.",
}
#: What is owed, and what to do.
_OWED = {
    "Revoke": "it is still to be revoked, which the next rotation tries. Or do so at the issuer; then",
    "Find": "it may have been made, and cannot be found. Look for it at the issuer and remove it; then",
    "Die": "it was revoked, and not seen to be dead. See at the issuer that it is; then",
    "Keep": "it was left alive. When nobody needs it, remove it at the issuer; then",
}
_UNNAMED = "it is still to be revoked, and what its issuer calls it is not known. Do so at the issuer; then"
_BY_HAND = "it is still to be revoked, which no rotation can do: it is not tried by itself. Do so at the issuer; then"
_AGAIN, _NO_HARM = "The same command goes on.", "Ctrl-C does no harm: the same command goes on."


class Telling:
    """Prints.

    Args:
        output: ``table``, ``json`` or ``yaml``: with the last two, steps go to the standard error.
        rules: what its issuer can do.
    """

    def __init__(self, path: str, output: str, rules: Rules) -> None:
        self._path, self._output, self._rules = path, output, rules
        self._last = ""

    def line(self, text: str, *, err: bool = False) -> None:
        """Print a line; one that is no step, on the standard error."""
        click.echo(_output.printable(f"{self._path}: {text}"), err=err or self._output != "table")

    def reached(self, journal: Journal) -> None:
        """Print that a step was reached."""
        if said := self._reached(journal):
            self.line(said)

    def _reached(self, journal: Journal) -> str:
        match journal.step:
            case Step.HELD:
                return f"a new key is made, and sealed in the file{'; now it is tested' if self._rules.tests else ''}."
            case Step.TESTED:
                return (
                    "its issuer accepts it."
                    if self._rules.tests
                    else "nobody can be asked about it, so it may be used."
                )
            case Step.STORED:
                return "it is in the file, and whoever reads the entry gets it."
            case Step.REVOKED if journal.old and journal.old.revoked:
                return (
                    "the old key is revoked, and not accepted any more."
                    if self._rules.tests
                    else "the old key is revoked."
                )
            case Step.ROLLING_BACK:
                return f"turning back. {words(journal.why)}" if journal.why else "turning back."
        return ""

    def trouble(self, trouble: str, *, again: bool) -> None:
        """Print why something that was done outside came to nothing."""
        self._says(trouble, f"It is seen what came of it, and tried again; {_NO_HARM}" if again else "")

    def waits(self, journal: Journal, wait: Wait, trouble: str, until: float) -> None:
        """Print what is waited for, where that is more than a moment."""
        long = wait.until - time.time() > _MOMENT
        said = trouble or (words(wait.why) if wait.why else "")
        if wait.why is Why.NEW_IN_OVERLAP:
            self._says(_overlap(journal), f"It waits; {_NO_HARM}")
        elif said:
            again = "It waits" if wait.asks else f"It is looked at again until {pacing.rfc3339(until)}"
            self._says(said, f"{again}; {_NO_HARM}")
        elif journal.step is Step.GRACE and long:
            self._says(_grace(journal), f"It waits; {_NO_HARM}")

    def _says(self, said: str, more: str) -> None:
        """Print what is in the way, if it is another thing than before."""
        if said != self._last:
            self._last = said
            self.line(f"{said} {more}".rstrip(), err=True)

    def end(self, left: Left, *, back: bool) -> Exit:
        """Print what is so now; return the exit code."""
        journal = left.kept.journal
        code, outcome, said = _waits(left) if left.wait else _over(journal, back=back)
        if left.forgotten:
            code, outcome, said = Exit.FINE, "Forgotten", "what was owed for that key is remembered no more."
        if journal.debts and code is Exit.FINE:
            code = Exit.NOT_READY
        owed = [
            {name: fact for name, fact in common.debt(each, self._rules).items() if name not in ("tries", "issuer")}
            for each in journal.debts
        ]
        if self._output != "table":
            overlaps = journal.step is Step.GRACE or journal.back_from
            until = pacing.rfc3339(journal.until) if overlaps else None
            told: dict[str, Any] = {"path": self._path, "id": journal.id, "outcome": outcome, "message": said}
            why = left.wait.why if left.wait else journal.why
            told |= {"step": str(journal.step), "why": str(why) if why else None, "until": until, "debts": owed}
            _output.structured(self._output, told)
            return code
        self.line(said)
        nameless = sum(not each["handle"] for each in owed)
        for each in owed:
            self.line(_said(each, among=nameless > 1))
        if journal.unanswered and journal.step is Step.IDLE:
            self.line("an answer of the issuer was lost; should a key turn up by that, the next rotation ends it.")
        return code


def _said(debt: Mapping[str, Any], *, among: bool) -> str:
    """Return what is owed for a key, and what to do.

    Args:
        among: whether several keys without a handle are owed.
    """
    handle = debt["handle"]
    said = _OWED[str(debt["owed"])]
    if debt["owed"] == "Revoke" and not handle:
        said = _UNNAMED
    elif debt.get("byHand"):
        said = _BY_HAND
    which = f" --made-from {debt.get('madeFrom') or debt['since']}" if among and not handle else ""
    made = f" It was made between {debt['madeFrom']} and {debt['madeUntil']}." if debt.get("madeFrom") else ""
    return f"owed for key {handle or '(unknown)'}: {said} --forget {handle or NAMELESS}{which}.{made}"


def words(why: AnyWhy) -> str:
    """Return why it waits or turns back, as a sentence."""
    return (_HERE.get(why) if isinstance(why, Why) else None) or common.words(why)


def _waits(left: Left) -> tuple[Exit, str, str]:
    wait, journal = left.wait, left.kept.journal
    over = wait is not None and wait.why is Why.NEW_IN_OVERLAP
    parts = [report.begun(_overlap(journal))] if over else [words(wait.why)] if wait and wait.why else []
    if left.trouble:
        parts.append(report.begun(left.trouble))
    if not parts and journal.step is Step.GRACE:
        parts.append(report.begun(_grace(journal)))
    return Exit.NOT_READY, "Waits", f"waits. {' '.join([*(parts or ['It is not over yet.']), _AGAIN])}"


def _grace(journal: Journal) -> str:
    """Return how it is with the old key while one may still turn back."""
    until, old = pacing.rfc3339(journal.until), journal.old
    if journal.old_may_be_dead:
        return "the new key is in use, and the old one is being revoked."
    if old and old.disabled:
        return f"the new key is in use, and the old one is switched off; --back switches it on again until {until}."
    return f"the new key is in use, and the old one lives until {until}; --back turns back until then."


def _overlap(journal: Journal) -> str:
    """Return how it is with the new key once the old one is back."""
    return f"the file has the old key again, and the new one lives until {pacing.rfc3339(journal.until)}."


def _over(journal: Journal, *, back: bool) -> tuple[Exit, str, str]:
    if journal.why is None:
        return (Exit.FAILED if back else Exit.FINE), "Rotated", "done; the file has the new key."
    if journal.why is Why.TEST_ONLY:
        return Exit.FINE, "Tested", "a new key was made, passed its test, and was ended again; nothing was written."
    if journal.why is Why.ASKED:
        return (Exit.FINE if back else Exit.FAILED), "RolledBack", "turned back; the file has the old key."
    return Exit.FAILED, "RolledBack", f"not replaced. {words(journal.why)}"
