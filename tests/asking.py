"""Servers that start once a test asks for them: in the process that runs pytest, so that they outlast each worker.

Does not belong here: which servers (``conftest``).
"""

from __future__ import annotations

import contextlib
import pathlib
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

#: Seconds between two looks; and for which who asks waits, long enough to build what is not built yet.
LOOKS, PATIENCE = 0.2, 900.0


class OnDemand:
    """Starts something when it is asked for, once, and ends it with the block.

    Args:
        folder: who asks knows it.
        start: starts it; what it returns is entered, and left in the end.
    """

    def __init__(self, folder: pathlib.Path, start: Callable[[], contextlib.AbstractContextManager[object]]) -> None:
        self._folder, self._start = folder, start
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _serve(self) -> None:
        while not (self._folder / "asked").exists():
            if self._over.wait(LOOKS):
                return
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._start())
            except Exception as failed:  # noqa: BLE001 - told to whoever waits for it
                _say(self._folder / "failed", str(failed))
                return
            _say(self._folder / "there", "")
            self._over.wait()


def ask(folder: pathlib.Path) -> None:
    """Ask for what an ``OnDemand`` of this folder starts, and return once it is there."""
    (folder / "asked").touch()
    ends = time.monotonic() + PATIENCE
    while not (folder / "there").exists():
        failed = folder / "failed"
        assert not failed.exists(), failed.read_text()
        assert time.monotonic() < ends, "in vain waited for what was asked for"
        time.sleep(LOOKS / 4)


def _say(place: pathlib.Path, text: str) -> None:
    """Write a file that is whole as soon as it is there."""
    made = place.with_suffix(".part")
    made.write_text(text)
    made.rename(place)
