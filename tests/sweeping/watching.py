"""Looks twenty times a second at what the Secrets and the store have, and says which of that must never be.

Does not belong here: how a rotation ends (``stage``).
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from sweeping.issuer import Life

#: Seconds between two looks.
EVERY = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What was somewhere, and between which moments (``time.monotonic()``) it was asked for."""

    where: str
    key: str | None
    began: float
    ended: float


class Watcher:
    """Looks, from a thread of its own; a context manager.

    Args:
        places: how each place is asked which key it has.
    """

    def __init__(self, places: Mapping[str, Callable[[], str | None]]) -> None:
        self._places = places
        self.looks: list[Look] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._broken: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if error is None and self._broken:
            raise self._broken

    def _run(self) -> None:
        try:
            while not self._over.wait(EVERY):
                for where, look in self._places.items():
                    began = time.monotonic()
                    self.looks.append(Look(where, look(), began, time.monotonic()))
        except Exception as error:  # noqa: BLE001 - it is raised where the thread is joined
            self._broken = error

    def wrong(self, lives: Mapping[str, Life], first: str | None) -> list[str]:
        """Return what was seen that must never be, as sentences without values.

        Args:
            lives: of every key that the issuer has made.
            first: the key that was there before, which needs no test of ours.
        """
        found = (f"{each.where} {said}" for each in self.looks if (said := _wrong(each, lives, first)))
        return list(dict.fromkeys(found))


def _wrong(look: Look, lives: Mapping[str, Life], first: str | None) -> str:
    if look.key is None:
        return "" if first is None else "had no key"
    life = lives.get(look.key)
    if life is None:
        return "had a key that the issuer has never made"
    if life.ended is not None and life.ended < look.began:
        return "had a key that was revoked"
    if look.key != first and (life.passed is None or life.passed > look.ended):
        return "had a key that was not tested"
    return ""
