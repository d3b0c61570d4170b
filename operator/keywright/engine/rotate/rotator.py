"""All rotations: a post for each credential that rotates, and for each journal whose object does not want it any more.

Does not belong here: one rotation (``post``).
"""

from __future__ import annotations

import asyncio
import collections
import logging
import time
from collections.abc import Sequence
from typing import Any

from ... import cluster, errors, metrics
from ...decide import act, report
from ...decide.rotate import recipe as recipes
from ...decide.rotate.journal import Owed, Step
from ..act_on import Asked
from ..journals import Kept
from ..queue import Key
from .asked import none, unmet
from .means import Means
from .policies import disabled
from .post import Post

log = logging.getLogger(__name__)

#: Seconds after the start in which every object has surely been heard of; and between two counts for metrics.
SETTLED, COUNT = 5.0, 15.0
#: Seconds between two looks whether an object was heard of.
SOON = 0.1
#: Where a namespace is not served by this operator, its journals are another one's.
_Name = tuple[Key, str]


class Rotator:
    """Rotates.

    Args:
        scopes: namespaces that are served; None: all.
    """

    _means: Means

    def __init__(self, scopes: tuple[str | None, ...]) -> None:
        self._scopes = scopes
        #: By their objects, and the names of their credentials.
        self._posts: dict[Key, dict[str, Post]] = collections.defaultdict(dict)
        self._tasks: dict[_Name, asyncio.Task[None]] = {}
        self._signatures: dict[Key, Any] = {}
        self._journals: dict[_Name, list[Kept]] = collections.defaultdict(list)
        #: Set once journals are known, or it is known why they cannot be.
        self._ready, self._told = asyncio.Event(), asyncio.Event()
        self._trouble: errors.Stalled | None = None
        self._closed = False
        #: KeyActions that ask for something, until that is taken or they are deleted.
        self._asking: set[str] = set()

    async def run(self, means: Means) -> None:
        """Take up every rotation that is under way, then count them until cancelled."""
        self._means = means
        async with asyncio.TaskGroup() as tasks:
            if means.settings.rotations:
                tasks.create_task(means.hearing.run())
                await self._list()
            await self._go_on()

    async def _go_on(self) -> None:
        self._ready.set()
        self._told.set()
        for key in list(self._means.records):
            self._look_at(key)
        await asyncio.sleep(SETTLED)
        for name, kept in list(self._journals.items()):
            # Its object is gone, or wants no rotation any more.
            self._man(name, kept)
        self._journals.clear()
        while True:
            self._count()
            await asyncio.sleep(COUNT)

    async def _list(self) -> None:
        while True:
            try:
                async for kept in self._means.journals.all():
                    if isinstance(kept, errors.Stalled):
                        log.error("%s", kept)
                    elif None in self._scopes or kept.about.namespace in self._scopes:
                        self._know(kept)
            except errors.Error as error:
                log.warning("journals of rotations cannot be listed: %s; it is tried again", error)
                self._journals.clear()
                if isinstance(error, errors.Stalled):
                    self._trouble = error
                    self._told.set()
                await asyncio.sleep(SETTLED)
            else:
                return

    def _know(self, kept: Kept) -> None:
        try:
            name = recipes.read(kept.about.recipe).credential.name
        except errors.Stalled as error:
            # One that somebody has edited holds up nobody else's.
            log.warning("%s/%s: %s", kept.about.namespace, kept.about.name, error)
            return
        self._journals[Key(kept.about.namespace, kept.about.name), name].append(kept)

    # What the watch tells.

    def observe(self, item: cluster.Json) -> None:
        """Take note of an ApiKeySecret as the API server has it."""
        key = Key(item["metadata"]["namespace"], item["metadata"]["name"])
        if not self._ready.is_set():
            return
        signature = _signature(item)
        if self._signatures.get(key) != signature:
            self._signatures[key] = signature
            self._look_at(key)

    def gone(self, key: Key) -> None:
        """Take note that an ApiKeySecret is gone."""
        self._signatures.pop(key, None)
        self._wake(key)

    def _look_at(self, key: Key) -> None:
        record = self._means.records.get(key)
        if record is None or record.leaving:
            return
        self._wake(key)
        for name in self._wanted(key):
            if name not in self._posts[key]:
                self._man((key, name), self._journals.pop((key, name), []))

    def _wanted(self, key: Key) -> list[str]:
        """Return the credentials that an object has rotated."""
        record = self._means.records.get(key)
        try:
            return [each.name for each in record.newest_spec().credentials if each.rotation] if record else []
        except errors.Stalled:
            return []

    def look_again(self, _: str = "") -> None:
        """Look again at everything: a store or an issuer that it may wait for was changed."""
        for key in self._posts:
            self._wake(key)

    def _wake(self, key: Key) -> None:
        for post in self._posts.get(key, {}).values():
            post.wake.set()

    def _man(self, name: _Name, kept: Sequence[Kept]) -> None:
        key, credential = name
        if self._closed or credential in self._posts[key]:
            return
        post = self._posts[key][credential] = Post(self._means, key, credential, kept)
        task = self._tasks[name] = asyncio.create_task(post.run())
        task.add_done_callback(lambda _: self._left(name))

    def _left(self, name: _Name) -> None:
        key, credential = name
        self._posts[key].pop(credential, None)
        if not self._posts[key]:
            del self._posts[key]
        self._tasks.pop(name, None)
        if not self._closed:
            # It may be wanted again, since it looked.
            self._look_at(key)

    def close(self) -> None:
        """Begin nothing more; the next leader goes on."""
        self._closed = True
        for task in list(self._tasks.values()):
            task.cancel()

    # What people ask.

    async def carry_out(self, asked: Asked, found: cluster.Json) -> act.Ended:
        """Do what a KeyAction asks of a rotation; asked again for one that is known, go on with it."""
        key = Key(found["metadata"]["namespace"], found["metadata"]["name"])
        self._asking.add(asked.uid)
        await self._told.wait()
        trouble = disabled() if not self._means.settings.rotations else None if self._ready.is_set() else self._trouble
        if trouble:
            return act.failed(trouble)
        await self._heard_of(key, int(found["metadata"].get("generation", 0)))
        self._look_at(key)
        post = self._asked_of(key, asked)
        if isinstance(post, act.Ended):
            return post
        told = post.orders.add(asked)
        post.wake.set()
        return await told

    def _asked_of(self, key: Key, asked: Asked) -> Post | act.Ended:
        """Return whom it is asked of, or why nobody is there."""
        posts = [post for post in self._posts.get(key, {}).values() if asked.credential in ("", post.name)]
        if not posts:
            return act.unrotated(key.name)
        if len(posts) > 1:
            # One that goes by another name now, and has not ended, is not meant.
            posts = [post for post in posts if post.name in self._wanted(key)] or posts
        if len(posts) > 1:
            names = ", ".join(sorted(each.name for each in posts))
            return none(f"ApiKeySecret {key.name} rotates several credentials: name one of {names}.")
        debts = posts[0].journal.debts if posts[0].journal else ()
        if asked.action == "ForgetDebt" and (why := unmet(debts, asked)):
            return none(why)
        if asked.uid not in self._asking:
            return none("It was deleted.")
        self._asking.discard(asked.uid)
        return posts[0]

    def withdraw(self, uid: str) -> None:
        """Take note that a KeyAction was deleted."""
        self._asking.discard(uid)
        for posts in self._posts.values():
            for post in posts.values():
                post.orders.withdraw(uid)

    async def _heard_of(self, key: Key, generation: int) -> None:
        """Wait for the watch, which may tell of an object later than somebody asks for something of it."""
        until = time.monotonic() + SETTLED
        while time.monotonic() < until:
            record = self._means.records.get(key)
            if record and record.generation >= generation:
                return
            await asyncio.sleep(SOON)

    def _count(self) -> None:
        posts = (post for each in self._posts.values() for post in each.values())
        journals = [post.journal for post in posts if post.journal]
        steps = collections.Counter(each.step for each in journals)
        owed = collections.Counter(debt.owed for each in journals for debt in each.debts)
        for step in Step:
            metrics.ROTATIONS.labels(str(step)).set(steps[step])
        metrics.ROTATIONS_WAITING.set(self._means.telling.waiting())
        for kind in Owed:
            metrics.DEBTS.labels(str(kind)).set(owed[kind])


def _signature(item: cluster.Json) -> Any:
    """Return what of an object matters to its rotations: what its own reports say of them does not."""
    meta, status = item["metadata"], item.get("status") or {}
    versions = [each.get("fingerprint") for each in status.get("versions") or []]
    credentials = [
        (each.get("name"), each.get("verdict"), each.get("createdAt"), each.get("expiresAt"))
        for each in status.get("credentials") or []
    ]
    # A minted key that is not there has its Secret wait: that is told by Ready alone.
    ready = report.find(status.get("conditions") or [], "Ready").get("reason")
    # Who waits for users to take a key up looks again once a restart of them has come further.
    rollout = (status.get("rollout") or {}).get("phase")
    return meta["uid"], meta.get("generation"), versions, credentials, ready, rollout
