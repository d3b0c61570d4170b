"""Keys in encrypted files that are rotated without a cluster, each in a file of its own, and hurt in its own way.

The issuer stands behind a proxy. A call tells of each file that it is about to change (``writes``), and ends there if
it is to; whatever ends it, what the disk holds is looked at then.

Does not belong here: which faults (``plan``), the issuer (``issuer``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import signal
from collections.abc import Callable, Iterator
from typing import Self

import yaml

import forking
from audit.local_trails import judged, records
from build import key_issuer, openai_admin
from cli.desk import Desk
from controlplane import FaultProxy
from forkserver import BEGINS_WITH
from keyfile.files import at
from keywright.keyfile.contents import Contents
from keywright.keyfile.edit import KeyFile
from keywright.secret import SecretValue
from sweeping import writes
from sweeping.issuer import Issuer, TouchyServer
from sweeping.points import FAULTS, FILE, PLACES, TIMES, Point, Recording, recording
from sweeping.stage import Front

PATH = "llm/openai"
#: As little waiting as there may be.
QUICK = ("--passes=1", "--apart=0s", "--settle=1s", "--within=60s", "--yes")
#: What begins a rotation that leaves both keys alive; what turns it back.
SPREADS, TURNS_BACK = ("--overlap=1h",), ("--back",)
#: How a call ends: all is done, it waits for a person or a time, -9.
FINE, WAITS, KILLED = 0, 3, -signal.SIGKILL
#: Calls after which a rotation is over, whatever happened to the first. Seconds that one takes at most.
CALLS, LONG = 3, 120.0


@dataclasses.dataclass(frozen=True, slots=True)
class Keeper:
    """A person's file with a key that is in use.

    Attributes:
        first: the key.
    """

    desk: Desk
    folder: pathlib.Path
    first: str

    def put(self, path: str, text: str, *, is_map: bool = False) -> None:
        """Write an entry."""
        self._file.update(lambda contents: contents.put(path, SecretValue(text), "map" if is_map else "text"))

    def key(self) -> str:
        """Return the key in the file."""
        return self._contents.read(PATH).value.reveal().decode()

    def at_rest(self) -> bool:
        """Whether nothing is under way or owed, and no value is kept for that."""
        found = self._contents.remembered(f"rotations/{PATH}")
        assert found
        kept = json.loads(found[1].reveal())
        journal = json.loads(kept["journal"])
        return (journal["step"], journal["debts"], kept["old"], kept["new"], kept["act"]) == ("Idle", [], {}, {}, "")

    def said(self) -> str:
        """Return what all calls said."""
        return (self.folder / "said").read_text()

    @property
    def _file(self) -> KeyFile:
        return at(self.desk.file, SecretValue(self.desk.key.read_bytes()))

    @property
    def _contents(self) -> Contents:
        return self._file.open()


class Laptop:
    """An issuer, and persons who have a file each."""

    def __init__(self, folder: pathlib.Path, server: TouchyServer, proxy: FaultProxy) -> None:
        self._folder, self._proxy, self._vendor = folder, proxy, server.issuer
        self._numbers = itertools.count(1)
        self._pid = 0
        self._manifest = folder / "issuer.yaml"
        self._manifest.write_text(yaml.safe_dump(key_issuer("mine", openai=openai_admin(proxy.url))))

    @classmethod
    @contextlib.contextmanager
    def around(cls, folder: pathlib.Path) -> Iterator[Self]:
        """Make everything that is needed."""
        folder.mkdir()
        with contextlib.ExitStack() as stack:
            server = TouchyServer(Issuer())
            stack.callback(server.close)
            yield cls(folder, server, stack.enter_context(FaultProxy(Front(server.url), folder)))

    def records(self, *, back: bool = False) -> Recording:
        """Let one rotation happen and nothing go wrong; return what it did outside, and to files.

        Args:
            back: let it turn back when both keys are alive, and return what it did from then on.
        """
        keeper = self._keeper(back=back)
        mark = len(self._proxy.requests)
        self._rotates(keeper, back=back)
        wire, unknown = recording({"issuer": self._proxy.requests[mark:]}, {})
        assert not unknown, f"something is done outside that nobody sweeps: {unknown}"
        files = [float(each.partition(" ")[0]) for each in (keeper.folder / "writes").read_text().splitlines()]
        return wire.beside(FILE, files)

    def runs(self, point: Point, *more: Point, back: bool = False) -> None:
        """Let a rotation happen with a fault, and see that all is well when a call ends, and in the end.

        Args:
            more: what happens to the next calls, if they get there.
            back: let the fault happen on the way back.
        """
        keeper = self._keeper(back=back)
        assert self._rotates(keeper, point, *more, back=back), f"nothing happened at {point}: {keeper.said()}"

    def _keeper(self, *, back: bool) -> Keeper:
        """Let there be a file with a key that is in use; to turn back, with another one that shall replace it."""
        self._vendor.made.clear()
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        made = self._vendor.make(f"key_{folder.name}", "by-hand", "service account key")
        keeper = Keeper(Desk(folder), folder, made.parts["apiKey"])
        keeper.put(PATH, keeper.first)
        keeper.put("openai-admin", json.dumps({"key": self._vendor.admin}), is_map=True)
        if back:
            assert self._call(keeper, SPREADS) == WAITS, keeper.said()
        return keeper

    def _rotates(self, keeper: Keeper, *points: Point, back: bool) -> bool:
        """Call until the rotation is over; return whether the first fault happened."""
        hits = []
        for point in (*points, *[None] * CALLS):
            code, hit = self._hurt(keeper, point, TURNS_BACK if back else ())
            hits.append(hit)
            self._has_a_key_that_works(keeper)
            if code not in (WAITS, KILLED):
                break
        assert code == FINE, f"{code}: {keeper.said()}"
        self._is_well(keeper, back=back)
        return hits[0]

    def _hurt(self, keeper: Keeper, point: Point | None, options: tuple[str, ...]) -> tuple[int, bool]:
        """Call with a fault; return how the call ended, and whether the fault happened."""
        if point and point.place == FILE:
            code = self._call(keeper, options, ends_at=point.number)
            return code, code == KILLED
        with self._armed(point) as hits:
            return self._call(keeper, options), hits() > 0

    @contextlib.contextmanager
    def _armed(self, point: Point | None) -> Iterator[Callable[[], int]]:
        """Let a fault happen to the issuer; yield how often it has."""
        if point is None:
            yield lambda: 0
            return
        fault, place = FAULTS[point.fault](lambda: self._pid), PLACES[point.place]
        rule = self._proxy.fault(
            fault, method=place.methods, path=place.path, times=TIMES.get(point.fault, 1), after=point.number
        )
        try:
            yield lambda: rule.hits
        finally:
            rule.end()

    def _call(self, keeper: Keeper, options: tuple[str, ...], ends_at: int | None = None) -> int:
        """Call the program, and return how it ended.

        Args:
            ends_at: the change of a file before which it ends.
        """
        told = {BEGINS_WITH: writes.__file__, writes.LISTED: str(keeper.folder / "writes")}
        told |= {} if ends_at is None else {writes.ENDS_AT: str(ends_at)}
        command = [str(forking.BIN / "keywright"), "rotate", f"--local={PATH}", f"--issuer-file={self._manifest}"]
        command += [f"--endpoint={self._proxy.url}", *QUICK, *options]
        environment = forking.environment(**keeper.desk.environment, **told)
        with (keeper.folder / "said").open("ab") as said, open(os.devnull, "rb") as nothing:
            process = forking.start(
                command, environment, stdin=nothing.fileno(), stdout=said.fileno(), stderr=said.fileno()
            )
            self._pid = process.pid
            return process.wait(LONG)

    def _has_a_key_that_works(self, keeper: Keeper) -> None:
        """See that the file opens, and that the key in it is accepted and was tested."""
        key = keeper.key()
        life = self._vendor.lives[key]
        assert life.ended is None, f"the file had a key that was revoked: {keeper.said()}"
        assert key == keeper.first or life.passed is not None, f"the file had an untested key: {keeper.said()}"

    def _is_well(self, keeper: Keeper, *, back: bool) -> None:
        """See that one key is alive, that it is in the file, and that nothing is left over."""
        alive = [each.parts["apiKey"] for each in self._vendor.made.values()]
        assert alive == [keeper.key()], f"{len(alive)} keys are alive: {keeper.said()}"
        assert (keeper.key() == keeper.first) is back
        assert keeper.at_rest(), keeper.said()
        verdict = judged(keeper.desk.trail)
        assert (verdict.findings, verdict.open) == ((), ()), keeper.said()
        came: dict[str, set[str]] = {}
        for each in records(keeper.desk.trail):
            if each["type"] == "rotation.outcome":
                came.setdefault(each["id"], set()).add(each["code"])
        assert all(len(codes) == 1 for codes in came.values()), f"the trail says two things of one act: {came}"
