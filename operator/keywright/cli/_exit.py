"""How commands end.

Does not belong here: which command ends how (its file, in its help).
"""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """Exit codes of all commands. The list is closed, and stands in ``docs/cli.md``."""

    FINE = 0
    """As it should be: all Ready, nothing to do, done or asked for."""
    FAILED = 1
    """It failed, or is or would be refused; the reason is printed. `audit verify`: tampered with."""
    USAGE = 2
    """Wrong usage: an option, a name, a namespace or a file that cannot be meant. `audit verify`: whole, but without a
    witness."""
    NOT_READY = 3
    """Some ApiKeySecrets are not Ready, or suspended and waited for; some keys end; some pods of `consumers` may have
    older values; a `report`, or a rotation in `history`, needs a person; `debts list`: something is owed; `audit
    verify`: whole, with acts of which the outcome is not recorded, witness or not."""
    CHANGES = 4
    """`plan`: something would change."""
    MALFORMED = 5
    """`check`: a credential is malformed: it cannot be what it should be."""
    INVALID = 6
    """`check`: a credential's issuer does not accept it."""
    UNKNOWN = 7
    """`check`: whether a credential is alive could not be found out. `audit verify`: the trail, or a witness, could not
    be read."""
    UNRECOGNISED = 8
    """`check --stdin`: nobody was asked, and by its form it is no credential that is known."""
    BUG = 70
    """A bug in Keywright: please report the line that is printed."""
    BROKEN_OFF = 130
    """You broke it off: Ctrl-C, Ctrl-D, or no to a question, as is the end of the input."""

    # What `audit verify` calls them.
    TAMPERED = FAILED
    UNWITNESSED = USAGE
    OPEN_ACTS = NOT_READY
    UNREADABLE = UNKNOWN
