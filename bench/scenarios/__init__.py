"""The scenarios, one a file: a name, and what measures it for a number of objects that stands for 1,000."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ..rows import Row
from . import (
    audit,
    checks,
    cold_start,
    deleted_secrets,
    encrypted_file,
    hanging_store,
    many_objects,
    recognition,
    restart,
    rotations,
    shared_key,
    templates,
    unchanged_refresh,
    verify,
)

#: In the order of the table.
SCENARIOS: Mapping[str, Callable[[int], Coroutine[Any, Any, list[Row]]]] = {
    "cold_start": cold_start.run,
    "unchanged_refresh": unchanged_refresh.run,
    "shared_key": shared_key.run,
    "deleted_secrets": deleted_secrets.run,
    "hanging_store": hanging_store.run,
    "many_objects": many_objects.run,
    "restart": restart.run,
    "templates": templates.run,
    "encrypted_file": encrypted_file.run,
    "recognition": recognition.run,
    "checks": checks.run,
    "rotations": rotations.run,
    "audit": audit.run,
    "verify": verify.run,
}
