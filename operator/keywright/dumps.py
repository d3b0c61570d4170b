"""The memory of this process stays its own: no core dumps, and no other process of the same user looks into it.

Does not belong here: logs (``logs``). What Python prints where it crashes has names of files and functions only.
"""

from __future__ import annotations

import resource
import sys

#: prctl(2): whether the kernel writes core dumps, and lets others of the same user read memory and environment.
_PR_SET_DUMPABLE = 4


def prevent() -> None:
    """Let nothing make an image of this process from now on; root still may look at it.

    On Linux, what is below ``/proc/<pid>`` becomes root's: memory, environment, open files. Elsewhere there are no core
    dumps, and no more than that.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - nobody else needs it

        # Where a sandbox forbids even this, the limit above still holds.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
