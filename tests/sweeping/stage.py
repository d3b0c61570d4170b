"""One world in which rotation after rotation happens, each of a key of its own, with proxies before every server.

Does not belong here: which faults (``plan``), what must never be seen (``watching``).
"""

from __future__ import annotations

import base64
import collections
import contextlib
import dataclasses
import json
import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import Any, Self

from audit.trails import Kept
from build import (
    api_key_secret,
    cluster_key_issuer,
    cluster_key_store,
    credential,
    entry,
    key_action,
    key_issuer,
    openai_admin,
)
from controlplane import ControlPlane, FaultProxy, Hold, OpenBao
from controlplane.proxy import Upstream
from controlplane.rules import Rule
from keywright.decide.rotate.journal import Why
from keywright.engine.journals import name_of
from running import Operator
from sweeping.issuer import Issuer, TouchyServer
from sweeping.points import ANNOUNCED, FAULTS, PLACES, TIMES, Names, Point, Recording, recording
from sweeping.shelves import Shelf, Vault
from sweeping.watching import Watcher
from world import Json, World

#: As little testing as there may be: what is swept are effects, and each test is a second.
QUICK = {"passes": 1, "apart": "0", "within": "60s"}
#: Seconds in which a rotation is over whatever happens to it once.
LONG = 120.0
#: Seconds in which it has said everything that it has to say then.
LATE = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Front:
    """A server as a proxy wants it."""

    url: str
    ca_file: pathlib.Path | None = None


@dataclasses.dataclass(slots=True)
class Subject:
    """A key that rotates: ApiKeySecret ``name`` wants it rotated, ``name-reader`` reads it as well.

    Attributes:
        first: the key before; None: there is none.
        action: the KeyAction that asks for the rotation, and its UID.
    """

    name: str
    first: str | None
    action: str = ""
    uid: str = ""

    @property
    def path(self) -> str:
        """Where it lies in the store."""
        return f"llm/{self.name}"


class Stage:
    """A world and its proxies."""

    def __init__(self, world: World, server: Any, proxies: dict[str, FaultProxy], shelf: Shelf | None = None) -> None:
        self.world, self.server, self.proxies = world, server, proxies
        self.shelf = shelf or Vault(proxies["store"].url)
        self.vendor = server.issuer
        self.store, self.issuer = self.shelf.ref, {"name": "openai"}
        self._count = self._asked = 0
        self._location = ""
        self._trail = Kept(world)

    @classmethod
    @contextlib.contextmanager
    def around(
        cls, plane: ControlPlane, bao: OpenBao, namespace: str, folder: pathlib.Path, shelf: Shelf | None = None
    ) -> Iterator[Self]:
        """Make everything that is needed.

        Args:
            shelf: where keys lie; None: in OpenBao.
        """
        with contextlib.ExitStack() as stack:
            server = TouchyServer(Issuer())
            stack.callback(server.close)
            fronts: dict[str, Upstream] = {"api": plane, "store": bao, "issuer": Front(server.url)}
            proxies = {n: stack.enter_context(FaultProxy(each, folder / n)) for n, each in fronts.items()}
            world = stack.enter_context(World(plane, bao, namespace, folder))
            yield cls(world, server, proxies, shelf)

    # Arranging.

    def begins(self, issuer: Json | None = None) -> None:
        """Let there be a store and an issuer, and an operator that works with them."""
        self.shelf.begins(self.world)
        self.world.secret_is("openai-admin", {"key": self.vendor.admin})
        kind = issuer or {"openai": openai_admin(self.proxies["issuer"].url)}
        self.world.apply(key_issuer("openai", limits={"settle": "1s"}, **kind))
        self.starts()
        self.settled()

    def settled(self) -> None:
        """Wait until it is told how store and issuer are, which is no part of any rotation."""
        if "kind" not in self.store:
            # Cluster kinds are looked at by operators that serve the cluster.
            self.world.is_ready(self.store["name"], "KeyStore")
        self.world.is_ready(self.issuer["name"], self.issuer.get("kind", "KeyIssuer"))

    def begins_for_all(self) -> None:
        """Let there be a store and an issuer for all namespaces, and an operator that may serve any."""
        name, space = self.world.namespace, {"namespace": self.world.system}
        said = {"access": "ReadWrite", "rotators": {}}
        store = cluster_key_store(name, self.proxies["store"].url, self.world.mount, **said)
        self.world.apply(store)
        self.world.secret_is("openai-admin", {"key": self.vendor.admin}, **space)
        binding = {"openai": openai_admin(self.proxies["issuer"].url)}
        self.world.apply(cluster_key_issuer(name, binding, limits={"settle": "1s"}))
        self.store = {"kind": "ClusterKeyStore", "name": name}
        self.issuer = {"kind": "ClusterKeyIssuer", "name": name}
        self.starts()
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        served = self.world.must("GET", f"{rbac}/namespaces/{name}/roles/keywright")["rules"]
        everywhere = f"{name}-everywhere"
        ref = {"kind": "ClusterRole", "name": everywhere, "apiGroup": "rbac.authorization.k8s.io"}
        who = [{"kind": "ServiceAccount", "name": "keywright", **space}]
        for path, body in {
            "clusterroles": {"rules": served},
            "clusterrolebindings": {"roleRef": ref, "subjects": who},
        }.items():
            self.world.must("POST", f"{rbac}/{path}", {"metadata": {"name": everywhere}, **body})
            self.world.remove_later(f"{rbac}/{path}/{everywhere}")

    def starts(self) -> None:
        """Start an operator, which takes over soon after one that was killed; and another one if that is killed too."""
        api = self.proxies["api"]
        own = (f"--allow-issuer-endpoint={self.proxies['issuer'].url}", "--condemn-seconds=10", "--rotations")
        while True:
            made = self.world.launch(*own, *self.shelf.flags, "--lease-seconds=2", server=api.url, ca_file=api.ca_file)
            self.world.until(lambda made=made: not _runs(made) or (made.ready() and made.records()), "it works")  # type: ignore[misc]
            if _runs(made):
                return

    def process(self) -> int:
        """Return the process id of the present operator."""
        return int(self.world.operators[-1].process.pid)

    def lives(self) -> None:
        """Start an operator, if the last one was killed."""
        if not _runs(self.world.operators[-1]):
            self.starts()

    def subject(self, *, key: bool = True) -> Subject:
        """Let there be a key that is in use, by two Secrets; or the wish for a first one."""
        self._count += 1
        subject = Subject(f"run-{self._count}", None)
        if key:
            made = self.vendor.make(f"key_{subject.name}", "by-hand", "service account key")
            subject.first = made.parts["apiKey"]
            self.shelf.put(self.world, subject.path, api_key=subject.first, region="eu")
        self.wants(subject)
        other = entry("OPENAI_API_KEY", subject.path, "api_key")
        self.world.apply(api_key_secret(f"{subject.name}-reader", other, storeRef=self.store, refreshInterval="1h"))
        if key:
            self.world.is_ready(subject.name)
            self.world.is_ready(f"{subject.name}-reader")
        return subject

    def wants(self, subject: Subject, *, path: str = "", name: str = "", **rotation: Any) -> None:
        """Have it rotated, by one more object if it is named."""
        said = {"overlap": "0", "consumers": "Optional", "test": QUICK, **rotation}
        url = self.proxies["issuer"].url
        one = credential("openai", "OPENAI_API_KEY", url, issuerRef=self.issuer, rotation=said)
        source = entry("OPENAI_API_KEY", path or subject.path, "api_key")
        spec = {"storeRef": self.store, "credentials": [one], "refreshInterval": "1h"}
        self.world.apply(api_key_secret(name or subject.name, source, **spec))

    def asks(self, subject: Subject, action: str = "Rotate") -> None:
        """Ask for a rotation, or for something else of the one that was asked for."""
        self._asked += 1
        subject.action = f"{subject.name}-{self._asked}"
        made = self.world.apply(key_action(subject.action, subject.name, action=action, reason="Test"))
        if action == "Rotate":
            subject.uid = made["metadata"]["uid"]

    # Looking.

    def key(self, name: str) -> str | None:
        """Return the key in a Secret."""
        return (self.world.secret(name) or {}).get("OPENAI_API_KEY")

    def stored(self, subject: Subject) -> Json:
        """Return what the store has; nothing where nothing is there."""
        return self.shelf.read(self.world, subject.path)

    def told(self, subject: Subject) -> Json:
        """Return what the status tells of the rotation."""
        found = (self.world.object(subject.name).get("status") or {}).get("rotations") or [{}]
        return dict(found[0])

    def watching(self, subject: Subject) -> Watcher:
        """Look at both Secrets and the store, all the time."""
        return Watcher(
            {
                "the Secret": lambda: self.key(subject.name),
                "the reader's Secret": lambda: self.key(f"{subject.name}-reader"),
                "the store": lambda: self.stored(subject).get("api_key"),
            }
        )

    def names(self, subject: Subject) -> Names:
        """Return the names by which requests of its rotation are known."""
        found = {"namespace": self.world.namespace, "system": self.world.system, "name": subject.name}
        # Known from the first rotation, which is recorded.
        return found | {"journal": name_of(f"{self._location} {subject.path}") if self._location else "-"}

    # Rotating.

    def records(self, *, back: bool = False) -> Recording:
        """Let one rotation happen and nothing go wrong; return what it asked outside.

        Args:
            back: let it turn back when both keys are in use, and return what it asked from then on.
        """
        subject = self.subject()
        if back:
            self.spreads(subject)
        marks = {name: len(proxy.requests) for name, proxy in self.proxies.items()}
        before = self._announced(subject)
        (self.turns_back if back else self.runs)(subject)
        asked = {name: list(proxy.requests)[marks[name] :] for name, proxy in self.proxies.items()}
        (journal,) = self.journals(subject)
        self._location = journal["key"].removesuffix(f" {subject.path}")
        found, unknown = recording(asked, self.names(subject))
        assert not unknown, f"something is done outside that nobody sweeps: {unknown}"
        told = self._announced(subject) - before
        unsaid = [place for place in ANNOUNCED.values() if told[place] < found.count(place)]
        assert not unsaid, f"something is done outside that was not recorded before: {unsaid}"
        return found

    def _announced(self, subject: Subject) -> collections.Counter[str]:
        """Return how often something was announced, by the place at which it is done."""
        begun = self._trail.records("rotation.intent")
        codes = [str(each["code"]) for each in begun if each["object"]["name"] == subject.name]
        return collections.Counter(ANNOUNCED.get(code, code) for code in codes)

    def journals(self, subject: Subject, *, over: bool = True) -> list[Json]:
        """Return what the journals of a key are about, and see that those of rotations that are over hold no values."""
        found = self._journals(subject)
        assert not over or all(each["data"].keys() == {"about", "journal"} for each in found)
        return [_decoded(each, "about") for each in found]

    def at_rest(self, subject: Subject) -> bool:
        """Whether its journals say that nothing is under way, and hold no values."""
        found = self._journals(subject)
        idle = all(_decoded(each, "journal")["step"] == "Idle" for each in found)
        return idle and all(each["data"].keys() == {"about", "journal"} for each in found)

    def _journals(self, subject: Subject) -> list[Json]:
        path = f"/api/v1/namespaces/{self.world.system}/secrets?labelSelector=keywright.dev/journal=rotation"
        every = self.world.must("GET", path)["items"]
        return [each for each in every if _decoded(each, "about")["name"] == subject.name]

    def runs(self, subject: Subject, points: Sequence[Point] = (), outcome: str = "Rotated") -> list[Point]:
        """Let a rotation happen, with faults, and see that all is well all the time and at its end.

        Returns the points that came to pass.
        """
        return self._under(subject, points, outcome, "Rotate", "Failed" if outcome == "RolledBack" else "Succeeded")

    def spreads(self, subject: Subject) -> None:
        """Let a rotation happen until both keys are in use."""
        self.wants(subject, overlap="1h")
        self.asks(subject)
        self.world.until(
            lambda: self.told(subject).get("step") == "Grace", lambda: f"both are used: {self.told(subject)}"
        )

    def turns_back(self, subject: Subject, points: Sequence[Point] = ()) -> list[Point]:
        """Have a rotation turn back, of which both keys are in use; else as ``runs``."""
        return self._under(subject, points, "RolledBack", "Rollback", "Succeeded")

    def _under(self, subject: Subject, points: Sequence[Point], outcome: str, action: str, phase: str) -> list[Point]:
        with contextlib.ExitStack() as stack:
            rules = {each: self._armed(each, subject) for each in points}
            for rule in rules.values():
                stack.callback(rule.end)
            with self.watching(subject) as watcher:
                self.asks(subject, action)
                self.ends(subject, outcome, phase)
                # What it tells others comes a moment later.
                late = time.monotonic() + LATE
                while time.monotonic() < late and not all(rule.hits for rule in rules.values()):
                    time.sleep(0.05)
            hit = [each for each, rule in rules.items() if rule.hits]
        self.lives()
        assert watcher.wrong(self.vendor.lives, subject.first) == []
        self.is_well(subject, outcome)
        return hit

    @contextlib.contextmanager
    def held(self, subject: Subject, place: str) -> Iterator[None]:
        """Ask for a rotation, and hold it where it first asks for something, until the end of the block."""
        what = PLACES[place]
        path = what.pattern(self.names(subject))
        with self.proxies[what.server].fault(Hold(), method=what.methods, path=path, times=1) as held:
            self.asks(subject)
            held.wait()
            yield

    def _armed(self, point: Point, subject: Subject) -> Rule:
        place = PLACES[point.place]
        return self.proxies[place.server].fault(
            FAULTS[point.fault](self.process),
            method=place.methods,
            path=place.pattern(self.names(subject)),
            times=TIMES.get(point.fault, 1),
            after=point.number,
        )

    def ends(self, subject: Subject, outcome: str, phase: str = "", seconds: float = LONG) -> None:
        """Wait until its rotation is over, with a new operator whenever one is killed.

        Args:
            phase: of what asked for it last.
        """
        until, at_once = time.monotonic() + seconds, False
        while True:
            self.lives()
            told = self.told(subject)
            last = told.get("last") or {}
            if told.get("why") == Why.NEW_IN_OVERLAP and not at_once:
                # All is back: nothing but time ends the new key.
                at_once = True
                self.wants(subject)
            if told.get("step") == "Idle" and str(last.get("id")).startswith(f"kw-{subject.uid}-"):
                break
            assert time.monotonic() < until, f"the rotation of {subject.name} does not end: {told}"
            time.sleep(0.05)
        assert last["outcome"] == outcome, told
        phase = phase or {"Rotated": "Succeeded", "RolledBack": "Failed"}[outcome]

        def answered() -> bool:
            self.lives()
            status = self.world.object(subject.action, "KeyAction").get("status") or {}
            return status.get("phase") == phase

        self.world.until(answered, lambda: f"{self.world.object(subject.action, 'KeyAction')} is {phase}")

    def is_well(self, subject: Subject, outcome: str = "Rotated") -> None:
        """See that one key of ours is alive, that it is in use everywhere, and that nothing is left over."""
        ours = [each for each in self.vendor.made.values() if each.name.startswith(f"kw-{subject.uid}-")]
        if outcome == "Rotated":
            assert len(ours) == 1, f"{len(ours)} keys of one rotation are alive"
            assert subject.first is None or self.vendor.lives[subject.first].ended is not None
            key = ours[0].parts["apiKey"]
        else:
            assert not ours, f"{len(ours)} keys of a rotation that turned back are alive"
            key = subject.first or ""
        assert self.stored(subject)["api_key"] == key
        assert self.key(subject.name) == self.key(f"{subject.name}-reader") == key
        assert len(self.journals(subject)) == 1
        self.is_recorded()

    def is_recorded(self) -> None:
        """See that the audit trail is whole, and that everything that was begun has its outcome there."""

        def ended() -> bool:
            # What came of the last effect is told a moment after it, and may kill too.
            self.lives()
            return not self._trail.verdict().open

        self.world.until(ended, "every intent has its outcome")
        findings = self._trail.verdict(*self._trail.printed()).findings
        assert findings == (), findings


def _runs(operator: Operator) -> bool:
    return operator.process.poll() is None


def _decoded(secret: Json, entry: str) -> Json:
    return dict(json.loads(base64.b64decode(secret["data"][entry])))
