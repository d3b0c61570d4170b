"""The story of rotations: a client calls all the time, its key is replaced again and again, and no call fails.

Does not belong here: what it declares (``rotated``), the client (``client``), how its Secret is mounted (``mounted``).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import datetime
import json
import pathlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import yaml

from keywright import cluster
from keywright.engine.records import API_KEY_SECRETS, ISSUER_RESOURCES
from vendors.openai import OpenAI

from . import objects, rotated
from .client import Client, Count
from .mounted import Mounted
from .place import Place
from .rotated import ENTRY, NAME, OVERLAP, PATH
from .telling import Broken, Teller, masked
from .watching import PATIENCE, Watching

Json = dict[str, Any]

#: The fewest rotations that make the story: one in full, one that is killed, and one at the end.
FEWEST = 3
#: From here on, `keywright history` tells of Secrets.
_BELOW = "\n\nDONE"
#: Seconds for which a command is waited for.
_LONGEST = 90.0
_EVENT = "TYPE:.type,REASON:.reason,MESSAGE:.message"


@dataclasses.dataclass(frozen=True, slots=True)
class _Moment:
    """What there was before a step.

    Attributes:
        name: the end of the issuer's name of the key.
    """

    key: str
    name: str
    calls: int


class Rotations:
    """The story.

    Args:
        api: connection to the cluster, as a person with rights.
        seen: what is in the namespace.
        rotations: how many are to end with a dead old key.
        folder: where the Secret is mounted.
    """

    def __init__(
        self,
        place: Place,
        api: cluster.Cluster,
        seen: Watching,
        teller: Teller,
        *,
        rotations: int,
        folder: pathlib.Path,
    ) -> None:
        self._place, self._api, self._seen, self._teller = place, api, seen, teller
        self._namespace, self._rotations = place.cluster.namespace, rotations
        assert isinstance(place.issuer.vendor, OpenAI)  # noqa: S101 - as it was asked for
        self._vendor = place.issuer.vendor
        self._vault = place.bao.client().secrets.kv.v2
        self._folder = folder / "mounted"
        self._client = Client(self._folder / ENTRY, place.issuer.url)
        #: How many have ended with a dead old key; the id of the last that has ended in any way.
        self._done, self._last = 0, ""
        #: When the rotation began in which the operator was killed, and when it had ended.
        self._killed = "", ""

    async def play(self) -> None:
        """Play it from the first to the last step.

        Raises:
            Broken: something did not go as it should: above all, a call that failed.
        """
        plain = self._rotations - 2
        await self._a_key_that_rotates()
        async with self._a_client():
            await self._one_in_full()
            await self._some(plain // 3)
            await self._a_bad_key_turns_back()
            await self._some(plain // 3)
            await self._the_operator_is_killed()
            await self._a_person_turns_back()
            await self._some(plain - 2 * (plain // 3))
        self._no_call_failed()
        await self._one_key_is_left()
        await self._it_is_told()

    async def _a_key_that_rotates(self) -> None:
        with self._teller.step("A key in OpenBao, an issuer that makes others, and an object that wants it rotated"):
            made = self._vendor.make("key_made_by_hand", "by-hand", "service account key")
            self._vault.create_or_update_secret(PATH, {"api_key": made.parts["apiKey"]})
            await objects.connect_store(self._api, self._place, access="ReadWrite")
            admin = {"metadata": {"name": rotated.ADMIN}, "stringData": {"key": self._vendor.admin}}
            await objects.create(self._api, self._namespace, cluster.SECRETS, admin)
            issuer, wanted = self._declared()
            await self._apply(ISSUER_RESOURCES["KeyIssuer"], issuer)
            await self._apply(API_KEY_SECRETS, wanted)
            await self._seen.until(lambda: self._seen.secret(NAME), f"Secret {NAME} is there")
        self._teller.show(issuer, "")
        self._teller.show("---", "")
        self._teller.show(wanted, "")
        self._teller.show("Each key below is shown by the end of the issuer's name for it, never by itself.")

    def _declared(self) -> tuple[str, str]:
        """Return the issuer and the object, as they are applied."""
        url, vendor = self._place.issuer.url, self._vendor
        issuer = rotated.ISSUER.format(url=url, project=vendor.project, account=vendor.account)
        return issuer, rotated.OBJECT.format(url=url, overlap=OVERLAP)

    @contextlib.asynccontextmanager
    async def _a_client(self) -> AsyncIterator[None]:
        """Let a client call the issuer's API with the key from its mounted Secret, all the time."""
        async with Mounted(self._folder, self._seen, NAME).kept():
            with self._client.hammering() as count:
                with self._teller.step("A client calls the API with the key from its mounted Secret, all the time"):
                    await self._until(lambda: count.calls >= 20, "the client has called")
                    self._nothing_failed()
                self._teller.show(
                    "It reads the file for each call, and tries nothing twice. No kubelet runs here: the demo\n"
                    "keeps the file as one does, up to a second late. The old key works longer than that:\n"
                    f"for {OVERLAP} s after the Secret has the new one. There is no pod to be seen either, hence\n"
                    "consumers: Optional."
                )
                yield

    async def _one_in_full(self) -> None:
        told = await self._rotation()
        self._teller.command(*told)
        self._kubectl("get", "events", "--field-selector=involvedObject.name=llm", f"-o=custom-columns={_EVENT}")

    async def _some(self, number: int) -> None:
        for _ in range(number):
            await self._rotation()

    async def _rotation(self) -> tuple[str, str]:
        """Play one to its end; return the command and what it printed."""
        before = self._now()
        with self._teller.step(f"Rotation {self._done + 1} of {self._rotations}") as step:
            told = await self._asks("rotate", "--reason", "Scheduled")
            await self._ends("Rotated")
            self._is_replaced(before)
            step.remark = self._remark(before)
        return told

    async def _a_bad_key_turns_back(self) -> None:
        before = self._now()
        with self._teller.step("The issuer makes a key that it does not accept") as step:
            self._vendor.spoils = True
            handles, version = {*self._vendor.made}, self._version()
            asked = asyncio.create_task(self._asks("rotate", "--reason", "Scheduled", code=1))
            await self._until(lambda: self._vendor.made.keys() - handles, "the issuer has made the bad key")
            (bad,) = (self._vendor.made[each] for each in self._vendor.made.keys() - handles)
            told = await asked
            self._vendor.spoils = False
            await self._ends("RolledBack")
            value = base64.b64encode(bad.parts["apiKey"].encode()).decode()
            _check(value not in self._seen.held, "the bad key was in a Secret")
            _check(self._version() == version, "the bad key was in the store")
            _check(self._key() == before.key, "the key was replaced by a bad one")
            _check(self._alive() == {before.key}, "the bad key is left at the issuer")
            step.remark = self._remark(before)
        self._teller.command(*told)
        self._teller.show("That key is revoked; it was never in the store, nor in the Secret.")

    async def _the_operator_is_killed(self) -> None:
        before = self._now()
        with self._teller.step(f"Rotation {self._done + 1}, with a kill -9 of the operator") as step:
            handles, began = {*self._vendor.made}, _written()
            with self._deadly() as killed:
                asked = asyncio.create_task(self._asks("rotate", "--reason", "Scheduled"))
                _check(await asyncio.to_thread(killed.wait, 60), "the operator did not ask the issuer for a key")
            (lost,) = self._vendor.made.keys() - handles
            died = time.monotonic()
            await asyncio.to_thread(self._place.operator.start_again)
            led = time.monotonic() - died
            told = await asked
            await self._ends("Rotated")
            self._is_replaced(before)
            self._killed = began, _written(later=1)
            _check(lost not in self._vendor.made, "a key that nobody has is left at the issuer")
            step.remark = self._remark(before)
        self._teller.show(
            f"It died when the issuer had made a key ({masked(lost)}), and before it was told so.\n"
            f"{led:.1f} s later another one leads. It reads the journal, finds the lost key at the issuer by the\n"
            "rotation's name, revokes it, and has another one made. Who asked still waits, and is told:"
        )
        self._teller.command(*told)

    @contextlib.contextmanager
    def _deadly(self) -> Iterator[threading.Event]:
        """Kill the operator once it has had a key made, before it is told so."""
        killed = threading.Event()

        def kill(request: Any) -> None:
            if request.method == "POST" and not killed.is_set():
                self._place.operator.kill()
                killed.set()

        self._place.issuer.before_answer = kill
        try:
            yield killed
        finally:
            self._place.issuer.before_answer = lambda _: None

    async def _a_person_turns_back(self) -> None:
        before = self._now()
        with self._teller.step("A person turns a rotation back while the old key still works") as step:
            await self._overlap("1h")
            there = await self._asks("rotate", "--reason", "Scheduled")
            _check(self._key() != before.key, "the key was not replaced")
            back = await self._asks("rollback", "--reason", "Other")
            _check(self._key() == before.key, "the old key is not in place")
            # Whoever has read the new one elsewhere could use it for as long.
            await self._overlap(f"{OVERLAP}s")
            await self._ends("RolledBack")
            _check(self._key() == before.key, "the old key is not back")
            _check(self._alive() == {before.key}, "the new key is still alive")
            step.remark = self._remark(before)
        self._teller.command(*there)
        self._teller.command(*back)

    def _no_call_failed(self) -> None:
        count = self._client.count
        with self._teller.step("The client ends") as step:
            self._nothing_failed()
            _check(self._done == self._rotations, f"{self._done} rotations were done, not {self._rotations}")
            # The first, and one for each rotation; one more was there for a moment before it was turned back.
            _check(count.keys > self._rotations, f"the client has seen {count.keys} keys only")
            step.took = count.lasted
        said = f"{count.calls:,} calls, {count.failed} failed, {self._rotations} rotations"
        self._teller.show(f"{said}, 1 bad key, 1 dead operator, 1 way back.", "bold green")

    async def _one_key_is_left(self) -> None:
        with self._teller.step("The issuer has one key of ours, the one in the Secret; nothing is owed"):
            _check(self._alive() == {self._key()}, f"{len(self._alive())} keys are alive")
            made = 1 + sum(each.method == "POST" for each in self._place.issuer.requests)
            owed = await self._runs("debts", "list", "-n", self._namespace)
        self._teller.show(f"{made} keys were made in all; {made - 1} are dead.")
        self._teller.command(*owed)

    async def _it_is_told(self) -> None:
        with self._teller.step("All of it is on record: who asked for what, and what was done outside"):
            killed = ("--action", "rotation.outcome", "--since", self._killed[0], "--until", self._killed[1])
            history, done, whole = await asyncio.gather(
                self._runs("history", "-n", self._namespace, NAME),
                self._runs("audit", "log", "--name", NAME, *killed),
                self._runs("audit", "verify", code=2),
            )
            for code in ("Issue", "StoreNew", "Revoke"):
                _check(f"rotation.outcome {code}" in done[1], f"the record does not tell of {code}: {done[1]}")
        self._teller.command(history[0], f"{history[1].partition(_BELOW)[0]}\n…")
        self._teller.show(
            "The rotation in which the operator was killed; Unknown is what came of the key that was lost:"
        )
        self._teller.command(*done)
        self._teller.command(*whole)

    # Acting.

    async def _apply(self, resource: cluster.Resource, text: str) -> None:
        await objects.create(self._api, self._namespace, resource, yaml.safe_load(text))

    async def _overlap(self, lasts: str) -> None:
        change = [{"op": "replace", "path": "/spec/credentials/0/rotation/overlap", "value": lasts}]
        where = (f"--namespace={self._namespace}", "patch", "apikeysecret", NAME, "--type=json")
        await asyncio.to_thread(self._place.cluster.kubectl, *where, f"--patch={json.dumps(change)}")
        await self._seen.until(lambda: self._seen.ready(NAME), "the change is noticed")

    async def _asks(self, what: str, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Ask for something as a person does, and wait for its end."""
        return await self._runs(what, "-n", self._namespace, NAME, *arguments, "--wait", code=code)

    async def _runs(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Run a command that is to end with a code; return it and what it printed."""
        came, printed = -1, ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST):
                came, printed = await self._place.cluster.keywright_meanwhile(*arguments)
        shown = "keywright " + " ".join(arguments)
        _check(came == code, f"{shown} ended with {came}, not {code}: {printed or 'it took too long'}")
        return shown, printed

    # Looking.

    async def _ends(self, outcome: str) -> None:
        """Wait until the rotation has come to something, and nothing is under way."""
        before = self._last

        def over() -> bool:
            told = self._seen.rotation(NAME)
            last = told.get("last") or {}
            return told.get("step") == "Idle" and last.get("id") != before and last.get("outcome") == outcome

        await self._seen.until(over, f"a rotation has ended ({outcome}); it is {self._seen.rotation(NAME)}")
        self._last = str(self._seen.rotation(NAME)["last"]["id"])
        self._nothing_failed()

    def _is_replaced(self, before: _Moment) -> None:
        """See that another key is in the Secret, and that the issuer knows no other of ours."""
        self._done += 1
        _check(self._key() != before.key, "the key is still the old one")
        _check(self._alive() == {self._key()}, "other keys than that in the Secret are alive")

    async def _until(self, there: Any, what: str) -> None:
        """Wait for something that no watch tells of."""
        ends = time.monotonic() + PATIENCE
        while not there():
            _check(time.monotonic() < ends, f"waited {PATIENCE:.0f} s in vain until {what}")
            await asyncio.sleep(0.02)

    def _key(self) -> str:
        return (self._seen.secret(NAME) or {})[ENTRY]

    def _version(self) -> int:
        """Return how often the key in the store was written."""
        return int(self._vault.read_secret_metadata(PATH)["data"]["current_version"])

    def _alive(self) -> set[str]:
        """Return the keys of ours that the issuer accepts."""
        return {each.parts["apiKey"] for each in self._vendor.made.values()}

    def _now(self) -> _Moment:
        key = self._key()
        handle = next((each.handle for each in self._vendor.made.values() if each.parts["apiKey"] == key), "")
        return _Moment(key, masked(handle), self._client.count.calls)

    def _nothing_failed(self) -> None:
        count: Count = self._client.count
        _check(not count.failed, f"{count.failed} of {count.calls} calls failed; {count.why}")

    def _remark(self, before: _Moment) -> str:
        now = self._now()
        change = "" if now.key == before.key else f"{before.name} → {now.name}, "
        return f", {change}{now.calls - before.calls} calls, {self._client.count.failed} failed"

    def _kubectl(self, *arguments: str) -> None:
        """Show what kubectl says."""
        output = self._place.cluster.kubectl(f"--namespace={self._namespace}", *arguments)
        shown = " ".join(each.partition("=custom-columns")[0] for each in arguments).removesuffix(" -o")
        self._teller.command(f"kubectl -n {self._namespace} {shown}", output)


def _written(later: float = 0) -> str:
    """Return the time as records have it, or that of some seconds later."""
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=later)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Broken(otherwise)
