"""Journals of rotations, kept in the operator's namespace: one Secret for each key that rotates, under its own name.

To make one is to claim the key: its name is that of the key, and it can be made once. Every later write names the
version that it rests on, so that of two operators one goes on. A write whose answer was lost is known again.

Does not belong here: what a journal says (``decide/rotate``), what is done (``engine/rotator``).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import dataclasses
import hashlib
import itertools
import json
import logging
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from .. import cluster, errors, pacing
from ..decide.rotate import makers, written
from ..decide.rotate.journal import Journal, Step, apart
from ..errors import Reason
from ..secret import SecretMap, SecretValue
from .catalog import identifier

log = logging.getLogger(__name__)

#: Longest pause between two tries to write of a key that nothing else knows of, in seconds.
SOON = 10.0
#: Marks the Secrets that are journals.
LABEL = {"keywright.dev/journal": "rotation"}
TYPE = "keywright.dev/rotation-journal"
#: Bytes that a journal may take; a Secret holds 1 MiB.
MAX = 900 * 1024

_ABOUT, _JOURNAL = "about", "journal"
_OLD, _NEW = "old.", "new."
_OURS = re.compile(r"(about|journal)$|(old|new)\.")


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """What a journal is about.

    Attributes:
        key: which key rotates, the same whoever asks: its store's identity and its path.
        namespace: of the object that rotates it, and its name and UID.
        recipe: what is rotated, see ``decide/rotate/recipe.py``: the object may be gone when it has to be known.
        later: what a later version says besides, as JSON; empty where it says nothing.
    """

    key: str
    namespace: str
    name: str
    uid: str
    recipe: str = ""
    later: str = ""

    def over(self, former: About) -> About:
        """Return it with what a later version has said of the same key."""
        return dataclasses.replace(self, later=former.later)

    @property
    def credential(self) -> str:
        """Name of the credential that rotates, as the recipe says it; empty where it says none."""
        try:
            return str(json.loads(self.recipe)["credential"]["name"])
        except (ValueError, KeyError, TypeError):
            return ""

    @property
    def maker(self) -> str:
        """The object that says who makes the keys, as the recipe names it; empty where it names none."""
        try:
            ref = json.loads(self.recipe)["credential"]["issuerRef"]
            return identifier(str(ref.get("kind", "KeyIssuer")), self.namespace, str(ref["name"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return ""


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """A journal as it lies there.

    Attributes:
        old: the values of the key that is replaced, by part; empty where there are none.
        new: those of the new one; empty as long as there are none.
        version: of the Secret.
        later: entries of a later version, which go with the rotation as the values do.
    """

    about: About
    journal: Journal
    old: SecretMap
    new: SecretMap
    version: str = ""
    later: SecretMap = dataclasses.field(default_factory=dict)

    def but(self, journal: Journal, *, new: SecretMap | None = None) -> Kept:
        """Return it with another journal, and the values of a new key where they are given; at rest it has none."""
        if journal.step is Step.IDLE:
            return dataclasses.replace(self, journal=journal, old={}, new={}, later={})
        return dataclasses.replace(self, journal=journal, new=self.new if new is None else new)


#: Tells whether the object that a journal names is known to be gone.
Gone = Callable[[About], Awaitable[bool]]


class Elsewhere(errors.Stalled):
    """Somebody else rotates this key already: another object, another credential of this one, another cluster."""


def name_of(key: str) -> str:
    """Return the name of the Secret that is the journal of a key."""
    return f"keywright-rotation-{hashlib.sha256(key.encode()).hexdigest()[:32]}"


class Journals:
    """The journals in one namespace.

    Every method raises ``errors.Stalled`` of a Secret that is no journal (``JournalUnreadable``), and where we have no
    right to keep any (``TargetDenied``); and ``errors.Retry`` where the API server does not answer or somebody else was
    faster.
    """

    def __init__(self, api: cluster.Cluster, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        #: As each was last read or written, by the names of their Secrets, and what it is about.
        self._seen: dict[str, tuple[Journal, About]] = {}

    def abouts(self) -> list[About]:
        """Return what all journals are about, as far as this process has seen."""
        return [about for _, about in self._seen.values()]

    def handles(self, key: str, maker: str) -> tuple[frozenset[str], frozenset[str]]:
        """Return what all keys are called that the journals of other keys know, as far as this process has seen.

        Args:
            key: whose journal does not count.
            maker: who makes them, as ``Rules`` names it.

        Returns:
            Those of that account; and those of others who make keys the same way.
        """
        own = name_of(key)
        others = [each for name, (each, _) in self._seen.items() if name != own]
        theirs, alike = ([find(each, maker) for each in others] for find in (makers.handles, makers.alike))
        return frozenset().union(*theirs), frozenset().union(*alike)

    async def claim(self, kept: Kept, others: frozenset[str] = frozenset(), gone: Gone | None = None) -> Kept:
        """Make the journal of a key; one of the same object is taken up as it is, of one that was made anew as well.

        Args:
            others: as for ``owned``, as is ``gone``.

        Raises:
            Elsewhere: it is somebody else's.
        """
        body = self._secret(kept)
        try:
            return self._read(await self._call("POST", body=body))
        except cluster.Refused as refused:
            if refused.status != 409:
                raise
        found = await self.owned(kept.about, others, gone)
        if found is None:
            raise errors.Retry(Reason.CONFLICT, "the journal of a rotation was deleted while it was made")
        if found.about.name != kept.about.name:
            # Whoever takes it up has it say so.
            return found
        about = kept.about.over(found.about)
        return found if found.about == about else await self.write(dataclasses.replace(found, about=about))

    async def owned(self, ours: About, others: frozenset[str] = frozenset(), gone: Gone | None = None) -> Kept | None:
        """Return the journal of a key, None if there is none.

        Args:
            others: credentials that the object has rotated: the journal of one that was renamed goes on under its new
                name, once nothing is under way.
            gone: asked about another object of the namespace, whose journal is taken up once nothing is under way and
                that object is gone, with all that it owes; None: it is not.

        Raises:
            Elsewhere: it is somebody else's.
        """
        found = await self.find(ours.key)
        if found is None or is_of(found, ours, others):
            return found
        if gone and _may_be_left(found, ours) and await gone(found.about):
            return found
        raise elsewhere(found.about, ours)

    async def find(self, key: str) -> Kept | None:
        """Return the journal of a key, None if there is none."""
        return await self.named(name_of(key))

    async def named(self, name: str) -> Kept | None:
        """Return the journal that a Secret of a name is, None if there is none."""
        try:
            return self._read(await self._call("GET", name))
        except cluster.Refused as refused:
            if refused.status != 404:
                raise
        self._seen.pop(name, None)
        return None

    async def all(self) -> AsyncIterator[Kept | errors.Stalled]:
        """Yield every journal, and of those that cannot be read why."""
        selector = ",".join(f"{name}={value}" for name, value in LABEL.items())
        # They hold values of up to a mebibyte each: few at a time.
        with self._rights():
            async for page in self._api.pages(cluster.SECRETS, self._namespace, selector=selector, size=20):
                for item in page["items"]:
                    try:
                        yield self._read(item)
                    except errors.Stalled as error:
                        yield error

    async def write(self, kept: Kept) -> Kept:
        """Write a journal over the version that it rests on; return it with its new version.

        Raises:
            errors.Retry: ``Conflict``: it is not that version any more.
        """
        name, body = name_of(kept.about.key), self._secret(kept)
        try:
            return self._read(await self._call("PUT", name, body=body))
        except cluster.Refused as refused:
            if refused.status not in (404, 409):
                raise
        found = await self.find(kept.about.key)
        if found and dataclasses.replace(found, version="") == dataclasses.replace(kept, version=""):
            return found
        raise errors.Retry(Reason.CONFLICT, f"journal {self._namespace}/{name} was changed by somebody else")

    async def insist(self, kept: Kept) -> Kept:
        """Write a journal as ``write`` does, for as long as the API server does not answer and this process leads.

        For a key that was just made, and that nothing but this process knows.
        """
        for failures in itertools.count(1):
            try:
                return await self.write(kept)
            except errors.Retry as error:
                if error.reason is not Reason.KUBERNETES_UNAVAILABLE:
                    raise
                log.warning("%s/%s: its new key is not kept yet: %s", kept.about.namespace, kept.about.name, error)
            await asyncio.sleep(pacing.backoff(failures, random.random(), longest=SOON))  # noqa: S311
        raise AssertionError("unreachable: there is no last try")

    async def forget(self, kept: Kept) -> None:
        """Delete a journal at the version that it rests on; one that is gone is forgotten.

        Raises:
            errors.Retry: ``Conflict``: it is not that version any more.
        """
        name = name_of(kept.about.key)
        body = {"preconditions": {"resourceVersion": kept.version}}
        try:
            await self._call("DELETE", name, body=body)
        except cluster.Refused as refused:
            if refused.status == 409:
                said = f"journal {self._namespace}/{name} was changed by somebody else"
                raise errors.Retry(Reason.CONFLICT, said) from None
            if refused.status != 404:
                raise
        self._seen.pop(name, None)

    async def _call(self, method: str, name: str | None = None, *, body: cluster.Json | None = None) -> cluster.Json:
        with self._rights():
            return await self._api.call(method, cluster.SECRETS, self._namespace, name, body=body)

    @contextlib.contextmanager
    def _rights(self) -> Iterator[None]:
        try:
            yield
        except cluster.Refused as refused:
            if refused.status != 403:
                raise
            full = refused.cause == "QuotaExceeded"
        else:
            return
        where = f"journals of rotations, Secrets in namespace {self._namespace}"
        if full:
            hint = "Raise its ResourceQuota for Secrets, or remove some"
            raise errors.Stalled(Reason.TARGET_REFUSED, f"a quota does not allow {where}", hint)
        hint = "Set the chart's rotation.enabled, which grants it"
        raise errors.Stalled(Reason.TARGET_DENIED, f"there is no right to keep {where}", hint)

    def _secret(self, kept: Kept) -> cluster.Json:
        data = {
            _ABOUT: _told(kept.about),
            _JOURNAL: written.text(kept.journal),
        }
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}
        for prefix, values in ((_OLD, kept.old), (_NEW, kept.new), ("", kept.later)):
            encoded |= {f"{prefix}{part}": base64.b64encode(each.reveal()).decode() for part, each in values.items()}
        # A new key that had no room would be known of when it is made already.
        if sum(map(len, encoded.values())) + (0 if kept.new else _length(kept.old)) > MAX:
            said = f"a key and the one that replaces it take more than {MAX // 1024} KiB together"
            raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Such a key cannot be rotated by us")
        meta = {"name": name_of(kept.about.key), "namespace": self._namespace, "labels": LABEL}
        if kept.version:
            meta["resourceVersion"] = kept.version
        return {"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": meta, "data": encoded}

    def _read(self, secret: cluster.Json) -> Kept:
        where, data = f"Secret {self._namespace}/{secret['metadata']['name']}", dict[str, bytes]()
        try:
            data = {name: base64.b64decode(each, validate=True) for name, each in secret["data"].items()}
            about = _about(json.loads(data[_ABOUT]))
            found = data[_JOURNAL]
        except (KeyError, ValueError, TypeError, AttributeError, binascii.Error):
            found, about = b"", About("", "", "", "")
        journal = makers.known(written.read(found, where), about.maker)
        if name_of(about.key) != secret["metadata"]["name"]:
            raise errors.Stalled(Reason.JOURNAL_UNREADABLE, f"{where} is the journal of another key", "Delete the copy")
        self._seen[secret["metadata"]["name"]] = journal, about
        old, new = (_values(data, prefix) for prefix in (_OLD, _NEW))
        later = {name: SecretValue(data[name]) for name in data if not _OURS.match(name)}
        return Kept(about, journal, old, new, secret["metadata"]["resourceVersion"], later)


def is_of(found: Kept, ours: About, others: frozenset[str]) -> bool:
    """Whether a journal is one's own, or may be by now."""
    theirs = found.about
    if (theirs.namespace, theirs.name) != (ours.namespace, ours.name):
        return False
    renamed = found.journal.step is Step.IDLE and theirs.credential not in others
    return theirs.credential == ours.credential or renamed


def _may_be_left(found: Kept, ours: About) -> bool:
    """Whether a journal is taken up by another object of its namespace, if its own is gone."""
    theirs = found.about
    return theirs.namespace == ours.namespace and theirs.name != ours.name and found.journal.step is Step.IDLE


def elsewhere(theirs: About, ours: About) -> Elsewhere:
    """Return why a key cannot be rotated; nobody is told what there is in other namespaces."""
    if (theirs.namespace, theirs.name) == (ours.namespace, ours.name):
        said = f"the key is rotated as credential {theirs.credential} of the same object"
        hint = "Keep credentials that rotate at a path each; one that was renamed goes on when its rotation has ended"
        return Elsewhere(Reason.ROTATION_OWNED_ELSEWHERE, said, hint)
    who = f"ApiKeySecret {theirs.name}" if theirs.namespace == ours.namespace else "an object of another namespace"
    hint = (
        "Let one object rotate it; all others read it. If none does there any more, what is owed for it has to be "
        "settled first: `keywright debts list`, with --gone where the object is gone"
    )
    if theirs.key != ours.key:
        hint += ". It is one key, although its store is called otherwise there"
    if ours.key.startswith("aws "):
        hint += ". Where these are two accounts, name the key by its ARN: by access keys no account is known"
    return Elsewhere(Reason.ROTATION_OWNED_ELSEWHERE, f"the key is rotated by {who}", hint)


def _told(about: About) -> str:
    facts = dataclasses.asdict(about)
    return json.dumps(json.loads(facts.pop("later") or "{}") | facts, sort_keys=True)


def _about(found: dict[str, object]) -> About:
    """Read what a journal is about.

    Raises:
        TypeError: a field is missing, or is no text.
    """
    names = {each.name for each in dataclasses.fields(About)} - {"later"}
    facts, later = apart(found, names)
    if not all(isinstance(each, str) for each in facts.values()):
        raise TypeError
    return About(**facts, later=later)


def _length(values: SecretMap) -> int:
    return sum(4 * (len(each.reveal()) + 2) // 3 for each in values.values())


def _values(data: dict[str, bytes], prefix: str) -> dict[str, SecretValue]:
    return {name.removeprefix(prefix): SecretValue(each) for name, each in data.items() if name.startswith(prefix)}
