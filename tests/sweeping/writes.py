"""What a call begins with whose changes of files are counted, and which is ended with -9 before one of them.

Python tells of each (an audit event), before it is done. Between two of them a file beside is filled, or gets its
lines: so these are all states that a disk can be left in, but for lines that are written in part.

It is run in the process of the call (``forkserver.BEGINS_WITH``), and loads nothing of the tests.

Does not belong here: which of them are tried (``plan``), what has to be true then (``laptop``).
"""

from __future__ import annotations

import os
import signal
import sys
import time

#: Names a file to which each is written as a line, with its time; the number of that before which the call ends.
LISTED, ENDS_AT = "KEYWRIGHT_TEST_WRITES", "KEYWRIGHT_TEST_ENDS_AT"
#: Files that hold nothing.
_LOCKS = ("lock", ".lock", ".rotation")
_WRITING = os.O_WRONLY | os.O_RDWR


def begin() -> None:
    """Count from now on."""
    listed = os.open(os.environ.pop(LISTED), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    ends_at = int(os.environ.pop(ENDS_AT, "-1"))
    count = 0

    def note(event: str, said: tuple[object, ...]) -> None:
        nonlocal count
        if not (name := _changed(event, said)):
            return
        if count == ends_at:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        os.write(listed, f"{time.monotonic()} {name}\n".encode())

    sys.addaudithook(note)


def _changed(event: str, said: tuple[object, ...]) -> str:
    """Return what is changed, in words; nothing where that is no file of a folder that was opened."""
    if event == "os.rename":
        return f"{said[0]} becomes {said[1]}"
    if event != "open":
        return ""
    path, _, flags = said
    ours = isinstance(path, str) and "/" not in path and not path.endswith(_LOCKS)
    return f"{path} is opened" if ours and isinstance(flags, int) and flags & _WRITING else ""


if __name__ == "__main__":
    begin()
