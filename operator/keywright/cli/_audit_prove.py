"""``keywright audit prove``: that one record is in the trail, for somebody who does not see the others; its check.

Does not belong here: what a proof is (``audit/proof.py``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .. import errors
from ..errors import Reason
from . import _audit_rows, _audit_sources, _output
from ._audit_sources import Sources, reads
from ._exit import Exit

if TYPE_CHECKING:
    from ..audit.heads import Head
    from ..audit.proof import Proof
    from ..audit.verify import Row, Verdict
    from ..cluster import Cluster
    from ._audit_witness import Witness

#: How a proof begins, and bytes that it may have.
_BEGIN, _MAX = re.compile(rb'\s*\{\s*"v"\s*:\s*1\s*,\s*"record"\s*:'), 256 * 1024


@click.command("prove")
@click.argument("log")
@click.argument("seq", metavar="[SEQ]", required=False, type=click.IntRange(min=0))
@reads
def command(sources: Sources, log: str, seq: int | None) -> None:
    """Print a proof that the trail holds record SEQ of LOG, for somebody who is not to see the others.

    LOG/SEQ in one word is what `audit log -o wide` shows as PLACE. Whoever gets the proof checks it with
    `audit verify`, against the heads or the public key that he has from elsewhere.

    Exit code: 0 if it is printed; 1 if there is no such record, or its log was tampered with.
    """
    from ..audit import proof
    from ..audit.verify import Verifier

    name, number = _place(log, seq)

    async def work(api: Cluster | None) -> Exit:
        verifier, found = Verifier(), list[bytes]()

        def see(line: bytes, row: Row | None) -> None:
            if row is not None and row["log"] == name:
                found.append(line)

        await sources.judged(api, verifier, see)
        public, head = _sound(verifier.verdict(), name, number)
        made = proof.make(found, number, head, public)
        fields = made.model_dump(mode="json", by_alias=True)
        click.echo(json.dumps({"v": 1, "record": fields["record"]} | fields, indent=2, ensure_ascii=False))
        return Exit.FINE

    sources.run(work)


def _place(log: str, seq: int | None) -> tuple[str, int]:
    name, slash, number = log.partition("/")
    if seq is None and slash and re.fullmatch("[0-9]{1,15}", number):
        return name, int(number)
    if seq is None or slash:
        raise click.UsageError("A record is named by its log and its number: LOG SEQ, or LOG/SEQ in one word.")
    return log, seq


def _sound(verdict: Verdict, name: str, seq: int) -> tuple[str, Head]:
    """Return the public key of a log and the newest head that vouches for a record.

    Raises:
        errors.Stalled: there is no such record, or the log is not whole.
    """
    log = next((each for each in verdict.logs if each.name == name), None)
    if wrong := next((each for each in verdict.findings if each.log == name), None):
        raise errors.Stalled(Reason.AUDIT_TAMPERED, str(wrong), "keywright audit verify tells more")
    if log is None or log.head is None or seq >= log.size:
        hint = "keywright audit log -o wide shows the place of each record"
        raise errors.Stalled(Reason.NOT_FOUND, f"the trail has no record {seq} in log {name}", hint)
    return log.public, log.head


def proof_in(files: Sequence[str]) -> Proof | None:
    """Return the proof that is in a file, if it is one.

    Raises:
        errors.Stalled: it looks like one, and is none.
    """
    from ..audit import proof

    if len(files) != 1 or files[0] == "-":
        return None
    with _audit_sources.opened(files[0]) as file:
        try:
            text = file.read(_MAX)
        except OSError as refused:
            raise _audit_sources.unreadable(files[0], refused) from None
    return proof.read(text) if _BEGIN.match(text) else None


def check(found: Proof, witness: Witness, output: str) -> Exit:
    """Check a proof, print what it proves, and return how `verify` ends.

    Raises:
        errors.Stalled: it proves nothing, or witnesses say otherwise.
    """
    from ..audit import heads, proof

    record = proof.check(found)
    head = found.head
    alike = [each for each in witness.heads if (each.log, each.size) == (head.log, head.size)]
    seen = heads.signed(alike, witness.pinned or witness.keys | {found.public_key})
    if any(each.root != head.root for each in seen):
        raise errors.Stalled(Reason.AUDIT_TAMPERED, "the proof leads to another head than the witness has seen")
    if witness.pinned and found.public_key not in witness.pinned:
        raise errors.Stalled(Reason.AUDIT_TAMPERED, "the head of the proof is signed with a key that you do not trust")
    trusted = bool(seen) or found.public_key in witness.pinned | witness.keys
    row = json.loads(found.record)
    if output == "table":
        page = _output.Page()
        page.table([*_audit_rows.COLUMNS, *_audit_rows.WIDE], [_audit_rows.cells(row, wide=True)])
        page.line()
        page.line(f"It is record {record.seq} of log {record.log}, among the first {head.size:,} of it.")
        if not trusted:
            page.line("Whose trail that is, only a witness can tell: give --heads FILE or --public-key.")
    else:
        _output.structured(output, {"state": "Whole" if trusted else "Unwitnessed", "record": row})
    return Exit.FINE if trusted else Exit.UNWITNESSED
