"""``keywright debts``: clean-ups at issuers that are owed: which there are, try them now, vouch that one is settled.

Does not belong here: what each command does (``_debts_*``), what is owed when (``decide/rotate``).
"""

from __future__ import annotations

import click

from . import _debts_forget, _debts_list, _debts_retry
from ._group import Group
from ._section import Section

SECTION = Section.ROTATION


@click.group("debts", cls=Group)
def command() -> None:
    """Show which clean-ups at issuers are owed, try them now, or vouch that one is settled.

    A key that could not be revoked, or may have been made without anybody knowing it, is a debt: it is tried again, and
    told until it is done.

    Exit code: 0 if it is done; 1 if it failed. `debts list`: 3 if something is owed.
    """


for each in (_debts_list, _debts_retry, _debts_forget):
    command.add_command(each.command)
