"""Puts a report together out of what was counted. Pure.

Does not belong here: counting (``state``, ``trail``), reading (``sources``).
"""

from __future__ import annotations

from collections.abc import Sequence

from ...audit.verify import State as Whole
from ...audit.verify import Verifier
from .shape import LIMIT, Head, Report, Source, Summary, at_most
from .state import State
from .trail import Trail

#: Findings of one trail that are told.
_FINDINGS = 20
#: Lists of records, of which the summary has how often.
_TOLD = ("deletions", "repairs", "violations", "verdicts", "reads", "break_glass")


def assemble(head: Head, state: State, trail: Trail, trails: Sequence[Source], not_read: Sequence[str]) -> Report:
    """Make a report; nothing is to be counted any more."""
    trail.finish()
    ending, more_ending = at_most(state.ending)
    debts, more_debts = at_most(trail.debts)
    off = {
        "ending": more_ending,
        "rotated": state.more_rotated,
        "debts": more_debts,
        "not_ready": max(0, state.objects - state.ready - LIMIT),
    }
    return Report(
        head,
        trails=tuple(trails),
        not_read=tuple(not_read),
        summary=_summary(state, trail, len(debts) + more_debts),
        by_age=state.by_age,
        by_issuer=state.by_issuer,
        by_environment=state.by_environment,
        by_verdict=state.by_verdict,
        by_rotation=state.by_rotation,
        rotated=state.rotated,
        ending=ending,
        not_ready=state.not_ready,
        rotations=trail.acts("rotations"),
        actions=trail.acts("actions"),
        changes=trail.changes,
        debts=debts,
        deletions=trail.told("deletions"),
        repairs=trail.told("repairs"),
        violations=trail.told("violations"),
        verdicts=trail.told("verdicts"),
        reads=trail.told("reads"),
        break_glass=trail.told("break_glass"),
        left_off={name: many for name, many in {**off, **trail.left_off}.items() if many},
    )


def _summary(state: State, trail: Trail, debts: int) -> Summary:
    acts = {
        f"{ours}{suffix}": trail.counts[f"{theirs}{suffix}"]
        for theirs, ours in (("rotations", "rotation_steps"), ("actions", "actions"))
        for suffix in ("", "_failed", "_open")
    }
    return Summary(
        objects=state.objects,
        ready=state.ready,
        suspended=state.suspended,
        keys=state.keys,
        other_entries=state.other_entries,
        ending=sum(not each.ended for each in state.ending),
        ended=sum(each.ended for each in state.ending),
        objects_changed=len(trail.changes) + trail.left_off["changes"],
        debts=debts,
        **{name: trail.counts[name] for name in (*_TOLD, "writes", "lost", "not_understood")},
        **acts,
    )


def judged(name: str, verifier: Verifier) -> Source:
    """Return what there is to say of a trail that was read to its end."""
    verdict = verifier.verdict()
    word = verdict.state.name.capitalize() if verdict.records or verdict.state is Whole.TAMPERED else "Empty"
    findings = tuple(str(each) for each in verdict.findings[:_FINDINGS])
    return Source(name, verdict.records, word, verdict.lost, len(verdict.findings), findings)
