"""``keywright audit verify``: whether an audit trail is as it was written, told in sentences and by the exit code.

Does not belong here: how that is found out (``audit/verify.py``), proofs of single records (``_audit_prove``), what
is known from elsewhere (``_audit_witness``).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from .. import errors
from ..errors import Reason
from . import _audit_prove, _audit_rows, _audit_witness, _output, _types
from ._audit_sources import Sources, reads
from ._exit import Exit

if TYPE_CHECKING:
    from ..audit.verify import Verdict
    from ..cluster import Cluster


def _told_apart(function: Callable[..., None]) -> Callable[..., None]:
    """Let a failure to read end with another code than what was tampered with."""

    @functools.wraps(function)
    def command(**given: Any) -> None:
        from . import _fail

        try:
            function(**given)
        except errors.Error as error:
            if error.reason is Reason.AUDIT_TAMPERED:
                raise
            _fail(f"{error.message}." + (f"\n{error.hint}." if error.hint else ""), Exit.UNREADABLE)
        except OSError as refused:
            said = os.strerror(refused.errno or 0)
            _fail(f"this machine refuses what is needed: {said}.", Exit.UNREADABLE)

    return command


@click.command("verify")
@click.argument("files", metavar="[FILE]...", type=_types.INPUT, nargs=-1)
@click.option(
    "--heads", type=_types.INPUT, multiple=True, help="A text with the heads that the operator printed: its logs."
)
@click.option("--public-key", "keys", multiple=True, metavar="HEX|FILE", help="The only key to trust; several: those.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@_told_apart
@reads
def command(sources: Sources, heads: tuple[str, ...], keys: tuple[str, ...], output: str) -> None:
    """Verify that no record of the audit trail was edited, taken away, added or moved.

    With FILEs, those are read: exports, archives, files of a workstation, or - for the standard input; no cluster is
    asked, unless --cluster says so. A file of `audit prove` is checked as a proof.

    That the end was cut off, or that all was made anew with the operator's own key, shows only against a witness: give
    the heads that the operator prints, as your log pipeline has kept them, with the lines that tell its keys. A head
    counts if it is signed with a --public-key, or without any, with a key of the trail or one that is printed there.

    Exit code: 0 if the trail is whole and a witness has seen each log, if not the newest records; 1 if it was tampered
    with, with log and record; 2 if it is whole as far as that can be told without a witness; 3 if it is whole, with
    acts of which the outcome is not recorded, witness or not; 7 if it, or a witness, could not be read.
    """
    from ..audit.verify import Verifier

    witness = _audit_witness.witness(heads, keys)
    if proof := _audit_prove.proof_in(sources.files):
        click.get_current_context().exit(_audit_prove.check(proof, witness, output))

    async def work(api: Cluster | None) -> Exit:
        verifier = Verifier(witness.heads, witness.pinned, witness.keys)
        await sources.judged(api, verifier)
        verdict = verifier.verdict()
        if api is None:
            _is_trail(verdict, sources.files)
        if output == "table":
            page = _output.Page()
            for line in told(verdict):
                page.line(line)
        else:
            _output.structured(output, _data(verdict))
        return exit_of(verdict)

    sources.run(work)


def _is_trail(verdict: Verdict, files: tuple[str, ...]) -> None:
    """See that there is a trail in files at all.

    Raises:
        errors.Stalled: no line of them is anything of one, and no witness has seen any.
    """
    from ..audit.verify import Problem

    if not verdict.logs and verdict.findings and {each.problem for each in verdict.findings} == {Problem.UNREADABLE}:
        hint = "A trail is an export, an archive, or a workstation's file"
        raise errors.Stalled(Reason.NOT_FOUND, f"{files[0]} is no audit trail: no line is a record or a head", hint)


def exit_of(verdict: Verdict) -> Exit:
    """Return how `verify` ends."""
    from ..audit.verify import State

    return {
        State.WHOLE: Exit.FINE,
        State.TAMPERED: Exit.TAMPERED,
        State.UNWITNESSED: Exit.UNWITNESSED,
        State.OPEN: Exit.OPEN_ACTS,
    }[verdict.state]


def told(verdict: Verdict) -> Iterator[str]:
    """Yield what a verdict means, in sentences."""
    from ..audit.verify import State

    if verdict.logs:
        first, last = verdict.logs[0].first, max(each.last for each in verdict.logs)
        begin = f"{verdict.records:,} records in {len(verdict.logs)} logs"
        yield f"{begin}, from {_audit_rows.moment(first) or '?'} to {_audit_rows.moment(last) or '?'}."
    else:
        yield "No records: nothing was recorded, or all of it was taken away."
    if verdict.lost:
        yield f"{verdict.lost:,} records were given up while nothing could be written; the trail says when."
    if verdict.state is State.TAMPERED:
        yield "TAMPERED WITH:"
        yield from (f"  {each}" for each in verdict.findings)
        yield from _foreign(verdict)
        return
    if verdict.open:
        unseen = verdict.begins_after or verdict.unwitnessed
        far = ", as far as it can be told without a witness" if unseen else ""
        yield f"Whole{far}, with acts of which the outcome is not recorded:"
        yield from (f"  {'  '.join(_audit_rows.cells(each, wide=True)[:-2])}" for each in verdict.open)
    yield from _seen(verdict)


def _seen(verdict: Verdict) -> Iterator[str]:
    """Yield what witnesses say."""
    if verdict.begins_after:
        yield f"It begins after log {verdict.begins_after.log}, which was archived or taken away."
        if verdict.absent:
            yield f"A witness has seen what is not here: {_named(verdict.absent)}."
            yield "Whether that was archived or taken away, only the archive tells."
        yield "With the archive: keywright audit verify --cluster ARCHIVE"
    yield from _foreign(verdict)
    if not verdict.heads:
        yield "Nothing was edited, moved or taken out. Without a witness, nobody can tell whether the end was cut off,"
        yield "or all of it was made anew with the operator's own key."
        yield "Give the heads that the operator printed: keywright audit verify --heads FILE"
    elif verdict.unwitnessed:
        yield f"No witness has seen: {_named(verdict.unwitnessed)}."
    else:
        begin = "What is here is whole" if verdict.begins_after else "Whole"
        end = f", but for the newest {verdict.newer:,} records" if verdict.newer else " to its end"
        yield f"{begin}, and a witness has seen it{end}."


def _foreign(verdict: Verdict) -> Iterator[str]:
    """Yield what is said of heads that do not count."""
    if verdict.foreign:
        yield f"{verdict.foreign:,} lines look like heads and do not count: they are signed with no key that you trust,"
        yield "none of this trail's, and none that is printed beside them. If they are the operator's, all of the trail"
        yield "may have been made anew: give its line keywright-audit-key too, or --public-key."


def _named(logs: tuple[str, ...]) -> str:
    return f"log {', log '.join(logs[:5])}{_more(len(logs) - 5)}"


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _data(verdict: Verdict) -> dict[str, Any]:
    return {
        "state": verdict.state.name.capitalize(),
        "records": verdict.records,
        "lost": verdict.lost,
        "findings": [
            {"log": each.log, "record": each.seq, "to": each.to, "problem": each.problem.name, "message": str(each)}
            for each in verdict.findings
        ],
        "logs": [
            {
                "log": each.name,
                "records": each.size,
                "witnessed": each.covered,
                "first": each.first,
                "last": each.last,
                "publicKey": each.public,
            }
            for each in verdict.logs
        ],
        "open": list(verdict.open),
        "beginsAfter": verdict.begins_after.log if verdict.begins_after else None,
        "unwitnessed": list(verdict.unwitnessed),
        "absent": list(verdict.absent),
        "heads": {"counted": verdict.heads, "foreign": verdict.foreign},
    }
