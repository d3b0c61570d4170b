"""What a target holds that its object's status does not tell yet, and that must not be lost for it.

Does not belong here: what a status is to say (``statuses``), what stores say (``assemble``).
"""

from __future__ import annotations

from collections.abc import Callable

from .. import errors
from ..secret import SecretValue
from .assemble import Gathered
from .records import Record
from .target import Found, Target


def is_told(record: Record, target: Target) -> bool:
    """Whether the status tells of what was written last."""
    told, written = record.told_target, record.applied
    known = written and told.get("resourceVersion") == written.resource_version
    return bool(known and told.get("name") == target.name)


def lost(
    record: Record, target: Target, found: Found, gathered: Gathered, fingerprint: Callable[[str, SecretValue], str]
) -> errors.Stalled | None:
    """Return what a store said of an entry that it had, if writing would take that entry from the target.

    Args:
        found: what the target holds.
        fingerprint: of a key's value.
    """
    for name in target.own(found) & gathered.absent.keys():
        held, told = found.entries[name], record.told_versions.get(name, {})
        # A default that the status tells of may be written again, and as another.
        was_default = told.get("fromDefault") and told.get("fingerprint") == fingerprint(name, held)
        if held != gathered.entries.get(name) and not was_default:
            return gathered.absent[name]
    return None
