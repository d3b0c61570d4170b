"""Trails as an operator writes them, for tests that read them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence

from keywright.audit import lines, segment
from keywright.audit.chain import Batch, Chain
from keywright.audit.heads import Head, SigningKey
from keywright.audit.record import Action, Entry, KeyChange, Object, Type, Version, Who
from keywright.audit.verify import Verdict, Verifier
from keywright.secret import SecretValue

KEY, OTHER_KEY = SigningKey(SecretValue(b"\x07" * 32)), SigningKey(SecretValue(b"\x08" * 32))
OPERATOR = Who(
    kind="ServiceAccount",
    name="system:serviceaccount:keywright-system:keywright",
    verified=True,
    instance="keywright-7d4b9_32f6c894",
)
#: 2026-05-04T09:00:00Z.
START = 1777885200.0
DAY = 86400.0


def written(
    version: int, name: str = "llm", namespace: str = "team-a", key: str = "OPENAI_API_KEY", code: str = "Updated"
) -> Entry:
    """Return the entry of a Secret that got another version of a key."""
    change = KeyChange(
        key=key,
        store="ClusterKeyStore/vault",
        path=f"{namespace}/{name}/openai",
        old=Version(version=str(version - 1), fingerprint="d069f272:da35bec0cf2e395bdf0e") if version > 1 else None,
        new=Version(version=str(version), fingerprint="d069f272:bc8d8044943a6794d4f8"),
    )
    thing = Object(kind="ApiKeySecret", name=name, namespace=namespace, uid="5b1fd1c6-33cd-4a59-bfc5-9e8a24d31a5f")
    return Entry(type=Type.SYNC_WRITTEN, code=code, who=OPERATOR, object=thing, secret=name, keys=(change,))


def act(kind: Type, id_: str, who: str = "alice@example.com", code: str = "Requested") -> Entry:
    """Return an entry about an act that a person asked for."""
    action = Action(name="refresh-llm", uid="0d5a", act="Refresh", reason="Leak", reference="INC-42")
    thing = Object(kind="ApiKeySecret", name="llm", namespace="team-a")
    person = Who(kind="User", name=who, verified=True)
    return Entry(type=kind, code=code, who=person, id=id_, object=thing, action=action)


@dataclasses.dataclass(frozen=True)
class Part:
    """One log: its batches, each of which a segment holds."""

    name: str
    batches: tuple[Batch, ...]
    before: str = ""

    @property
    def head(self) -> Head:
        return self.batches[-1].head

    def lines(self) -> list[bytes]:
        """Return its lines, as an export has them."""
        return [line for batch in self.batches for line in (*batch.lines, lines.head_line(batch.head))]

    def segments(self, namespace: str) -> list[dict[str, object]]:
        """Return its objects."""
        return [segment.body(namespace, batch, number, self.before) for number, batch in enumerate(self.batches)]


def log(
    epoch: int,
    groups: Sequence[Sequence[Entry]],
    previous: Head | None = None,
    at: float = START,
    *,
    key: SigningKey = KEY,
    closed: bool = False,
    name: str = "",
    generation: int | None = None,
) -> Part:
    """Return a log with these entries, those of one segment together; a minute lies between two."""
    number = int((at - START) // DAY) + 100 if generation is None else generation
    chain = Chain(name or f"{epoch:06d}-{number:04d}-5f0c2a9b1d3e", epoch, key)
    opened = Entry(
        type=Type.LOG_OPENED,
        code="Started",
        who=OPERATOR,
        previous=previous,
        public_key=key.public,
        generation=generation,
    )
    end = [[Entry(type=Type.LOG_CLOSED, code="Stopped", who=OPERATOR)]] if closed else []
    batches = []
    for number, group in enumerate([[opened, *(groups[0] if groups else [])], *groups[1:], *end]):
        batch = chain.build([(entry, at + 60.0 * number + place) for place, entry in enumerate(group)])
        chain.commit(batch)
        batches.append(batch)
    return Part(chain.log, tuple(batches), previous.log if previous else "")


def trail(key: SigningKey = KEY) -> list[Part]:
    """Return three logs, of which the first ended in order: 9 records in 5 segments."""
    first = log(1, [[written(1)]], closed=True, key=key, generation=0)
    second = log(2, [[written(2)]], first.head, START + DAY, key=key, generation=1)
    third = log(3, [[written(3)], [written(4), written(5)]], second.head, START + 2 * DAY, key=key, generation=2)
    return [first, second, third]


def whole(parts: Iterable[Part]) -> list[bytes]:
    """Return the lines of logs."""
    return [line for part in parts for line in part.lines()]


def judged(
    every: Iterable[bytes], witnesses: Iterable[Head] = (), trusted: Sequence[str] = (), told: Sequence[str] = ()
) -> Verdict:
    """Return what a verification of one place comes to."""
    verifier = Verifier(witnesses, trusted, told)
    verifier.begins("trail.jsonl")
    for line in every:
        verifier.take(line)
    return verifier.verdict()


def edited(line: bytes, **fields: object) -> bytes:
    """Return a record with other fields, as somebody would write it who knows the form."""
    return json.dumps(json.loads(line) | fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def records(every: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines that are records."""
    return (line for line in every if not lines.is_head(line))
