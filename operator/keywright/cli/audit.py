"""``keywright audit``: read the audit trail, verify it, prove records, export it, archive it.

Does not belong here: what each command does (``_audit_*``), what a trail is (``audit/``).
"""

from __future__ import annotations

import click

from . import _audit_archive, _audit_export, _audit_log, _audit_prove, _audit_verify
from ._group import Group
from ._section import Section

SECTION = Section.AUDIT


@click.group("audit", cls=Group)
def command() -> None:
    """Read the audit trail; verify that nobody has edited it; prove, export and archive records.

    All of them read the trail of the cluster: the AuditSegments in the operator's namespace. With files, they read
    those instead, and need no cluster.

    Exit code: 0 if it is done; 1 if the trail was tampered with, or it failed. `audit verify` has more.
    """


for each in (_audit_log, _audit_verify, _audit_prove, _audit_export, _audit_archive):
    command.add_command(each.command)
