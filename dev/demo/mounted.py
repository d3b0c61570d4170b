"""A Secret as a pod has it that mounts it: files, kept as a kubelet keeps them, a while after the Secret was changed.

No kubelet runs here. As it does: each entry is a file behind the link ``..data``, which is turned to a new folder once
all files are in it, so that no reader sees a half; what is new is looked for now and then, so that the files are late.

Does not belong here: who reads them (``client``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import shutil
import time
from collections.abc import AsyncIterator, Mapping

from .watching import Watching

#: Seconds between two looks at the Secret; a kubelet takes a minute.
PERIOD = 1.0


class Mounted:
    """The volume of one Secret.

    Args:
        folder: where it is mounted.
        name: of the Secret.
    """

    def __init__(self, folder: pathlib.Path, seen: Watching, name: str) -> None:
        self._folder, self._seen, self._name = folder, seen, name
        self._held: Mapping[str, str] = {}
        self._made: list[pathlib.Path] = []

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Mount it, and keep it up to date meanwhile."""
        self._folder.mkdir()
        self._look()
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(PERIOD)
            self._look()

    def _look(self) -> None:
        found = self._seen.secret(self._name)
        if found and found != self._held:
            self._write(found)
            self._held = found

    def _write(self, entries: Mapping[str, str]) -> None:
        link = self._folder / "..data"
        made = self._folder / f"..{time.time_ns()}"
        made.mkdir()
        for name, value in entries.items():
            (made / name).write_text(value)
            with contextlib.suppress(FileExistsError):
                (self._folder / name).symlink_to(f"..data/{name}")
        turned = self._folder / "..data_tmp"
        turned.symlink_to(made.name)
        os.replace(turned, link)
        self._made.append(made)
        if len(self._made) > 2:
            # Somebody may just be reading the one before.
            shutil.rmtree(self._made.pop(0))
