"""A small world for the machine: an issuer, a store, Secrets, their users, and whatever goes wrong among them.

All of it is plain data, and every choice comes from one source of chance, so that what failed can be played again.

Does not belong here: what must hold in it (``test_world.py``).
"""

from __future__ import annotations

import dataclasses
import math
import random

from keywright import dates
from keywright.decide.rotate import calls, machine, outcomes, sight
from keywright.decide.rotate.journal import Cause, Half, Journal, Step, Why
from keywright.decide.rotate.moves import Came, Do, Effect, End, Go, Move, Situation, Wait
from keywright.decide.rotate.sight import Has, Holds, Place, Rules, Seen, Targets, Trial, Users, Wish
from keywright.issuers.base import Verdict
from keywright.issuing.base import Listed, Order, Way

#: Words in a row that no rotation writes to its journal.
CYCLE = 12
#: Refusals in a row that condemn a key.
CONDEMNS = 3
#: Seconds that a minted key lives.
LIFE = 3600.0


@dataclasses.dataclass(slots=True)
class Key:
    """A key as its issuer has it."""

    value: str
    named: str = ""
    accepted_from: float = 0.0
    dies_at: float = math.inf
    disabled: bool = False
    made_at: float = 0.0
    listed_from: float = 0.0


@dataclasses.dataclass
class World:
    """One credential and all that there is around it."""

    rules: Rules
    chance: random.Random
    faults: float = 0.0
    now: float = 1_000_000.0
    #: The issuer's keys by handle.
    keys: dict[str, Key] = dataclasses.field(default_factory=dict)
    #: Keys that are revoked, and still accepted for a while.
    dying: list[Key] = dataclasses.field(default_factory=list)
    #: Names of keys that people have made or killed by themselves.
    theirs: set[str] = dataclasses.field(default_factory=set)
    store: str | None = "v0"
    targets: list[str | None] = dataclasses.field(default_factory=lambda: ["v0", "v0"])
    users: list[str | None] = dataclasses.field(default_factory=lambda: ["v0", "v0", "v0"])
    #: Secrets, by number, that nobody writes any more; what nobody can see any more.
    stuck: frozenset[int] = frozenset()
    #: Secrets, by number, of which nobody knows what they have.
    dark: frozenset[int] = frozenset()
    unseen: frozenset[Place] = frozenset()
    journal: Journal | None = None
    wish: Wish = dataclasses.field(default_factory=Wish)
    made: int = 0
    #: What the operator remembers of tests, until it is killed.
    tests: dict[str, list[tuple[float, Verdict]]] = dataclasses.field(default_factory=dict)
    tries: dict[str, int] = dataclasses.field(default_factory=dict)
    #: Values that have passed, ever.
    passed: set[str] = dataclasses.field(default_factory=set)
    story: list[str] = dataclasses.field(default_factory=list)

    #: For how long at most a new key is not in the list.
    lag: float = 0.0
    #: How often a key is made to live longer.
    renewals: int = 0
    #: When keys end by themselves, by their values.
    ends: dict[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = {"k0": Key("v0")}
        if self.minted:
            # One of which a third is left.
            self.ends["v0"] = self.keys["k0"].dies_at = self.now + LIFE / 3

    @property
    def minted(self) -> bool:
        """Whether keys live for a while."""
        return self.rules.way is Way.MINTED

    def ended(self, value: str | None) -> bool:
        """Whether a value has ended by itself."""
        return self.ends.get(value or "", math.inf) <= self.now

    def half(self, value: str) -> Half:
        """Return a value as a journal that knows everything knows it."""
        until = self.ends.get(value)
        return Half(value, self.handle(value), lives_from=until - LIFE if until else None, lives_until=until)

    def chosen(self, share: float) -> bool:
        """Whether something happens that does so in this share of all cases."""
        return self.chance.random() < share

    def accepted(self, value: str | None) -> bool:
        """Whether the issuer accepts a value now."""
        known = (key for key in [*self.keys.values(), *self.dying] if not key.disabled)
        return any(key.value == value and key.accepted_from <= self.now < key.dies_at for key in known)

    def handle(self, value: str | None) -> str | None:
        """Return the issuer's name for a value."""
        return next((name for name, key in self.keys.items() if key.value == value), None)

    def tell(self, said: str) -> None:
        """Go on with the story; what is said again is not told again."""
        if not self.story or not self.story[-1].endswith(said):
            self.story.append(f"{self.now:.0f} {said}")

    # The operator.

    def turn(self) -> Move:
        """Look and do one thing."""
        assert self.journal
        seen = self.look(self.journal)
        at = Situation(self.rules, self.journal, seen, self.now)
        move = machine.decide(at)
        self.tell(f"{self.journal.step}: {_short(move)}")
        declared(self.journal.step, move)
        if isinstance(move, End):
            self.journal = None
        elif isinstance(move, Go):
            self.journal = move.journal
        elif isinstance(move, Do):
            self.journal = move.first or self.journal
            self.act(dataclasses.replace(at, journal=self.journal), move, before=at.journal)
        return move

    def act(self, at: Situation, do: Do, before: Journal) -> None:
        """Do something outside; perhaps its answer is lost, or we are killed right after."""
        if self.chosen(self.faults) and self.chosen(0.5):
            # Not done, and nobody knows; nor perhaps that it was to be done.
            came = Came.UNCLEAR if self.chosen(0.5) else Came.NOT_BEGUN
            self.journal = outcomes.came(at, do, came, before=before) if self.chosen(0.5) else self.journal
            return
        refused = self.chosen(self.faults) and self.chosen(0.3)
        came, issued = (Came.REFUSED, None) if refused else self._done(at.journal, do)
        if self.chosen(self.faults):
            self.story.append("  killed")
            self.tests.clear()
            self.tries.clear()
            return
        if self.chosen(self.faults):
            came, issued = Came.UNCLEAR, None
        self.journal = outcomes.came(at, do, came, issued)
        step = at.journal.step
        if self.journal.step is not step:
            assert self.journal.step in outcomes.AFTER[do.effect, step], f"{do.effect} leads to {self.journal.step}"

    def _done(self, journal: Journal, do: Do) -> tuple[Came, Half | None]:
        match do.effect:
            case Effect.ISSUE:
                return Came.DONE, self._issue(journal)
            case Effect.STORE_NEW:
                return self._write(journal.old, journal.new), None
            case Effect.STORE_OLD:
                return self._write(journal.new, journal.old), None
            case Effect.DISABLE | Effect.ENABLE:
                if do.handle in self.keys:
                    self.keys[do.handle].disabled = do.effect is Effect.DISABLE
            case Effect.REVOKE:
                self._revoke(do.handle)
            case Effect.RENEW:
                return self._renew(do.handle)
        return Came.DONE, None

    def _renew(self, handle: str) -> tuple[Came, Half | None]:
        key = self.keys.get(handle)
        if key is None or key.dies_at <= self.now or self.renewals <= 0:
            return Came.REFUSED, None
        self.renewals -= 1
        self.ends[key.value] = key.dies_at = self.now + LIFE
        return Came.DONE, Half(key.value, handle, lives_until=key.dies_at)

    def _issue(self, journal: Journal) -> Half:
        self.made += 1
        name, value = f"k{self.made}", f"v{self.made}"
        if self.rules.way is Way.SLOTS:
            old = journal.old.handle if journal.old else None
            name = "k1" if old == "k0" else "k0"
        if self.rules.way is not Way.LOCAL:
            late = self.now + self.chance.choice((0.0, self.lag / 2, self.lag))
            known = self.now + self.chance.choice((0.0, 60.0))
            self.keys[name] = Key(value, journal.id, known, made_at=self.now, listed_from=late)
        if self.minted:
            self.ends[value] = self.keys[name].dies_at = self.now + LIFE
            return self.half(value)
        return Half(value, None if self.rules.way is Way.LOCAL else name)

    def _write(self, over: Half | None, new: Half | None) -> Came:
        assert new
        if self.store != (over.fingerprint if over else None):
            return Came.REFUSED
        self.store = new.fingerprint
        return Came.DONE

    def _revoke(self, handle: str) -> None:
        if self.rules.way is Way.SLOTS and handle in self.keys:
            self.made += 1
            self.keys[handle] = Key(f"v{self.made}")
        elif gone := self.keys.pop(handle, None):
            gone.dies_at = self.now + self.chance.choice((0.0, 0.0, 120.0))
            self.dying.append(gone)

    # What it sees.

    def look(self, journal: Journal) -> Seen:
        """Look at what the step wants to see; now and then something does not answer."""
        wanted = sight.looks(self.rules, journal, self.now) - self.unseen
        places = [each for each in wanted if not self.chosen(self.faults)]
        found: dict[str, object] = {}
        for place in places:
            found |= getattr(self, f"_see_{place.value}")(journal)
        return Seen(**found, wish=self.wish)  # type: ignore[arg-type]

    def _see_keys(self, journal: Journal) -> dict[str, object]:
        if not self.rules.lists:
            return {}
        order = calls.order(journal, {})
        there = {name: key for name, key in self.keys.items() if key.listed_from <= self.now}
        listed = [Listed(name, self._ours(order, name, key), created_at=_at(key)) for name, key in there.items()]
        return {"keys": calls.keys(listed, journal)}

    def _ours(self, order: Order, name: str, key: Key) -> bool:
        return order.named(key.named) if self.rules.names else order.made(name, key.made_at, 10.0)

    def _see_store(self, journal: Journal) -> dict[str, object]:
        if self.store is None:
            return {"store": Holds.NOTHING}
        holds = {half.fingerprint: name for name, half in ((Holds.NEW, journal.new), (Holds.OLD, journal.old)) if half}
        held = Half(self.store, self.handle(self.store))
        return {"store": holds.get(self.store, Holds.OTHER), "held": held}

    def _see_targets(self, journal: Journal) -> dict[str, object]:
        old = journal.old.fingerprint if journal.old else None
        new = journal.new.fingerprint if journal.new else None
        known = {None: Has.NOTHING, old: Has.OLD, new: Has.NEW}
        # A Secret that nobody can look into may have either.
        has = [Has.UNKNOWN if n in self.dark else known.get(each, Has.NOTHING) for n, each in enumerate(self.targets)]
        counts = (has.count(each) for each in (Has.OLD, Has.NEW, Has.UNKNOWN))
        return {"targets": Targets(*counts), "own": has[0]}

    def _see_users(self, journal: Journal) -> dict[str, object]:
        held = set(self.targets)
        return {"users": Users(len(self.users), sum(each not in held for each in self.users))}

    def _see_new(self, journal: Journal) -> dict[str, object]:
        return {"new": self._tried(journal.new)}

    def _see_old(self, journal: Journal) -> dict[str, object]:
        return {"old": self._tried(journal.old)}

    def _see_theirs(self, journal: Journal) -> dict[str, object]:
        return {"theirs": self._tried(Half(self.store) if self.store else None)}

    def _tried(self, half: Half | None) -> Trial | None:
        if half is None or not self.rules.tests:
            return None
        said = Verdict.VALID if self.accepted(half.fingerprint) else Verdict.INVALID
        said = Verdict.UNKNOWN if self.chosen(self.faults) else said
        log = self.tests.setdefault(half.fingerprint, [])
        if said is not Verdict.UNKNOWN:
            if log and log[-1][1] is not said:
                log.clear()
            log.append((self.now, said))
        self.tries[half.fingerprint] = self.tries.get(half.fingerprint, 0) + 1
        if not log:
            return Trial(Verdict.UNKNOWN, tries=self.tries[half.fingerprint])
        over, last = log[-1][0] - log[0][0], log[-1][1]
        passes = len(log) if last is Verdict.VALID else 0
        if passes >= self.rules.passes and over >= self.rules.apart:
            self.passed.add(half.fingerprint)
        dead = last is Verdict.INVALID and len(log) >= CONDEMNS and over >= 600
        verdict = Verdict.INVALID if dead else Verdict.VALID if last is Verdict.VALID else Verdict.UNKNOWN
        return Trial(verdict, passes, over, last, self.tries[half.fingerprint], log[-1][0])

    # Everybody else.

    def settle(self) -> None:
        """Let every Secret and every user take up what there is."""
        for index, each in enumerate(self.targets):
            if each and index not in self.stuck:
                self.targets[index] = self.store
        taken = next((each for each in self.targets if each), None)
        self.users = [taken or each for each in self.users]

    def backup(self) -> None:
        """Put the old key back into the store, as long as nobody is about to end it."""
        journal = self.journal
        if journal and journal.step in (Step.STORED, Step.WRITTEN) and journal.old and self.chosen(0.2):
            self.tell("  a backup is restored")
            self.store = journal.old.fingerprint

    def person(self) -> None:
        """Make a key and write it to the store, as a person does who is asked to."""
        self.made += 1
        self.keys[f"k{self.made}"] = Key(f"v{self.made}", accepted_from=self.now)
        self.store = f"v{self.made}"
        self.passed.add(self.store)

    def somebody(self) -> None:
        """Let somebody else do something, or time pass."""
        happening = self.chance.choice(("sync", "sync", "restart", "restart", "time", "time", "long", "backup"))
        index = self.chance.randrange(6)
        if happening == "sync":
            index %= len(self.targets)
            if self.targets[index] and index not in self.stuck:
                self.targets[index] = self.store
        elif happening == "restart":
            self.users[index % len(self.users)] = self.targets[index % len(self.targets)] or self.store
        elif happening == "backup":
            self.backup()
        else:
            self.now += self.chance.choice((1.0, 10.0, 60.0) if happening == "time" else (1000.0, 5000.0))


def declared(step: Step, move: Move) -> None:
    """See that a move is one that the lists of its step declare, and so the picture shows."""
    rows = machine.STEPS[step]
    if isinstance(move, Go) and move.journal.step is not step:
        assert any(move.journal.step in row.to for row in rows), f"{step} leads to {move.journal.step}"
    if isinstance(move, Do):
        assert any(move.effect in row.does for row in rows), f"{step} does {move.effect}"


def _at(key: Key) -> str | None:
    return dates.of_unix(key.made_at)


def _short(move: Move) -> str:
    match move:
        case Do(effect, handle):
            return f"{effect} {handle}"
        case Go(journal):
            return f"to {journal.step} {journal.why or ''}"
        case Wait(_, why, asks):
            return f"waits {why or ''}{' for a person' if asks else ''}"
    return "ends"


def begun(world: World, *, test_only: bool = False) -> World:
    """Begin a rotation of what the store holds."""
    old = world.half(world.store) if world.store else None
    world.journal = machine.begin(world.journal, f"r{world.made}", Cause.DUE, old, world.now, test_only=test_only)
    return world


def ends(world: World, turns: int = 400) -> Move | None:
    """Let the rotation end with nothing going wrong any more; return the last move."""
    world.faults, move, going = 0.0, None, 0
    for _ in range(turns):
        if world.journal is None or world.journal.step is Step.IDLE:
            return move
        move = world.turn()
        going = going + 1 if isinstance(move, Go) else 0
        assert going < CYCLE, "it goes round in a circle"
        world.settle()
        if isinstance(move, Wait) and move.why is Why.NOT_MADE:
            world.person()
        if isinstance(move, Wait):
            if move.why is Why.TO_REVOKE and world.journal.old:
                # A person does.
                world.keys.pop(world.handle(world.journal.old.fingerprint) or "", None)
            world.now = max(world.now + 1.0, move.until)
        if isinstance(move, Wait) and move.why is None and world.journal and world.journal.step is Step.GRACE:
            # Nothing happens meanwhile.
            world.now = max(world.now, min(world.journal.until, world.now + 900.0))
    assert isinstance(move, Wait), "it neither ends nor waits"
    assert move.asks, "it waits for ever and asks nobody"
    return move
