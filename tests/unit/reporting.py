"""A small world to report on: objects, stores and records as they come from a cluster; no cluster is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from build import api_key_secret, cluster_key_store, credential, entry, key_store
from keywright import pacing
from keywright.audit import lines
from keywright.audit.chain import Chain, stamp
from keywright.audit.heads import SigningKey
from keywright.audit.record import Action, Credential, Entry, KeyChange, Object, Type, Version, Who
from keywright.audit.verify import Verifier
from keywright.cli._report.assembly import assemble, judged
from keywright.cli._report.shape import Head, Report
from keywright.cli._report.state import Environments, State
from keywright.cli._report.trail import Trail
from keywright.secret import SecretValue

Json = dict[str, Any]
DAY = 86_400.0
#: 2026-11-29 12:00 UTC.
NOW = 1_795_953_600.0
OPERATOR = Who(kind="ServiceAccount", name="system:serviceaccount:keywright-system:keywright", verified=True)
ALICE = Who(kind="User", name="alice@example.com", verified=True)
BOB = Who(kind="User", name="bob", verified=False)
VAULT = "ClusterKeyStore/vault"


def days(many: float) -> str:
    """Return a time so many days from now, or before (negative), as objects have it."""
    return pacing.rfc3339(NOW + many * DAY)


def key(name: str, issuer: str | None = None, age: float | None = None, **more: Any) -> Json:
    """Return a credential as a status tells it; ``ends`` says in how many days."""
    told: Json = {"name": name, "issuer": issuer, "verdict": more.pop("verdict", "Valid"), "since": days(-1)}
    ends = more.pop("ends", None)
    told |= {"createdAt": None if age is None else days(-age), "expiresAt": None if ends is None else days(ends)}
    return {field: each for field, each in (told | {"fingerprint": "a:b"} | more).items() if each is not None}


def seen(manifest: Json, namespace: str, *credentials: Json, reason: str = "Synced", **conditions: Any) -> Json:
    """Return an object as the API server has it, with a status that tells of credentials."""
    ready = {"type": "Ready", "status": "True" if reason == "Synced" else "False", "reason": reason}
    ready |= {"message": conditions.pop("message", ""), "lastTransitionTime": days(-2)}
    entries = [{"key": each["key"], "fingerprint": "a:b"} for each in manifest["spec"]["data"]]
    status = {"observedGeneration": 1, "conditions": [ready], "versions": entries, "credentials": list(credentials)}
    meta = {**manifest["metadata"], "namespace": namespace, "generation": 1, "creationTimestamp": days(-90)}
    return {**manifest, "metadata": meta, "status": status}


def recorded(kind: Type, ago: float, code: str = "Done", who: Who = OPERATOR, **more: Any) -> tuple[Entry, float]:
    """Return an entry and when it was, so many days ago; ``name`` is that of an ApiKeySecret in team-a."""
    name = more.pop("name", None)
    if name:
        more["object"] = Object(kind="ApiKeySecret", name=name, namespace=more.pop("namespace", "team-a"))
    return Entry(type=kind, code=code, who=who, **more), NOW - ago * DAY


def change(name: str, old: str | None, new: str | None, path: str = "llm/openai") -> KeyChange:
    """Return what became of an entry: the store's versions."""
    versions = (Version(version=each) if each else None for each in (old, new))
    return KeyChange(key=name, store=VAULT, path=path, old=next(versions), new=next(versions))


def trail(*entries: tuple[Entry, float], log: str = "000007-5f0c2a9b1d3e4f60") -> list[bytes]:
    """Return the lines of a log: its opening, records, and the head behind them."""
    chain = Chain(log, 7, SigningKey(SecretValue(b"\x01" * 32)))
    opened = recorded(Type.LOG_OPENED, 400, "Started", public_key=chain.key.public)
    batch = chain.build([opened, *entries])
    return [*batch.lines, lines.head_line(batch.head)]


def everything() -> list[tuple[Entry, float]]:
    """Return records of all that a report tells of."""
    return [*synced(), *asked_for()]


def synced() -> list[tuple[Entry, float]]:
    """Return records of debts, of what was written, and of what was not."""
    token = Credential(name="token", issuer="github")
    return [
        recorded(Type.CLEANUP_OWED, 90, "IssuerUnreachable", name="ci", id="debt-1", credential=token),
        recorded(Type.CLEANUP_OWED, 80, "IssuerUnreachable", name="ci", id="debt-2", credential=token),
        recorded(Type.CLEANUP_DONE, 79, "Done", name="ci", id="debt-2", credential=token),
        recorded(
            Type.SYNC_WRITTEN, 60, "Created", name="llm", secret="llm", keys=(change("OPENAI_API_KEY", None, "1"),)
        ),
        recorded(
            Type.SYNC_WRITTEN, 20, "Changed", name="llm", secret="llm", keys=(change("OPENAI_API_KEY", "1", "2"),)
        ),
        recorded(
            Type.SYNC_WRITTEN, 10, "Changed", name="llm", secret="llm", keys=(change("OPENAI_API_KEY", "2", "4"),)
        ),
        recorded(Type.SYNC_REPAIRED, 9, "Changed", name="llm", secret="llm", count=3, since=stamp(NOW - 9.5 * DAY)),
        recorded(Type.SYNC_REPAIRED, 8, "Changed", name="llm", secret="llm"),
        recorded(Type.SYNC_DELETED, 7, "Removed", name="old", secret="old"),
        recorded(Type.SYNC_REFUSED, 6, "TargetExists", name="llm", secret="llm"),
        recorded(Type.ACCESS_DENIED, 5, "AccessDenied", name="ci", keys=(change("TOKEN", None, None, "ci/token"),)),
        recorded(Type.POLICY_DENIED, 5, "StoreForbidden", name="ci"),
    ]


def asked_for() -> list[tuple[Entry, float]]:
    """Return records of checks, of acts, and of what people did."""
    asked = Action(name="refresh-llm", uid="u-1", act="Refresh", reason="Compromised", reference="SEC-1234")
    other = asked.model_copy(update={"name": "refresh-other", "uid": "u-2", "reason": "Test", "reference": None})
    openai = Credential(name="openai", issuer="openai", old="Valid", new="Invalid")
    return [
        recorded(Type.CHECK_VERDICT, 4, "Invalid", name="llm", credential=openai),
        recorded(Type.ACTION_INTENT, 3, "Refresh", ALICE, name="llm", id="u-1", action=asked),
        recorded(Type.ACTION_OUTCOME, 3, "Done", ALICE, name="llm", id="u-1", action=asked),
        recorded(Type.ACTION_INTENT, 2, "Refresh", BOB, name="other", id="u-2", action=other),
        recorded(Type.ACTION_OUTCOME, 2, "ObjectNotFound", BOB, name="other", id="u-2", action=other),
        recorded(Type.ROTATION_INTENT, 1, "Create", name="llm", id="step-1", credential=openai),
        recorded(
            Type.READ, 1, "Revealed", ALICE, keys=(KeyChange(key="llm/openai", store="keys.kw", path="llm/openai"),)
        ),
        recorded(
            Type.READ, 0.5, "Revealed", ALICE, keys=(KeyChange(key="llm/openai", store="keys.kw", path="llm/openai"),)
        ),
        recorded(Type.REKEYED, 0.4, "Done", BOB),
        recorded(Type.BREAK_GLASS, 0.3, "Unrecorded", name="llm"),
        recorded(Type.RECORDS_LOST, 0.2, "Unavailable", count=2),
    ]


def objects() -> list[Json]:
    """Return three objects in two namespaces."""
    llm = api_key_secret(
        "llm",
        entry("OPENAI_API_KEY", "llm/openai", "api_key"),
        entry("REGION", "llm/bedrock", "region"),
        storeRef={"kind": "ClusterKeyStore", "name": "vault"},
        credentials=[credential("openai", "OPENAI_API_KEY", rotation={"every": "30d"})],
    )
    tokens = (entry("GITHUB_TOKEN", "ci/github", "token"), entry("HF_TOKEN", "ci/hf", "token"))
    gone = "ClusterKeyStore/vault answered 404 for llm/none. Check the path."
    rotates = seen(llm, "team-a", key("openai", "openai", 45, verdict="Invalid"))
    last = {"id": "kw-1", "outcome": "RolledBack", "at": days(-3), "why": "TestFailed"}
    debt = {"owed": "Revoke", "handle": "key_1", "since": days(-3), "tries": 2}
    told = {"credential": "openai", "step": "Idle", "last": last, "next": days(1), "asks": True, "debts": [debt]}
    rotates["status"]["rotations"] = [told]
    return [
        rotates,
        seen(
            api_key_secret("ci", *tokens),
            "team-b",
            key("GITHUB_TOKEN", "github", 200, ends=12),
            key("HF_TOKEN", ends=-1),
        ),
        seen(api_key_secret("other", entry("KEY", "llm/none", "key")), "team-a", reason="NotFound", message=gone),
    ]


def environments() -> Environments:
    """Return a store that says its environment, one that does not, and a namespace that does."""
    found = Environments()
    found.take_store("ClusterKeyStore", cluster_key_store("vault", "https://vault", "kv", environment="production"))
    store = key_store("vault", "https://vault", "kv")
    found.take_store("KeyStore", store | {"metadata": {"name": "vault", "namespace": "team-b"}})
    found.take_namespace({"metadata": {"name": "team-b", "labels": {"environment": "staging"}}})
    return found


def report(
    items: Iterable[Json] = (),
    records: Sequence[bytes] | None = None,
    since: float = 30,
    *,
    namespaces: tuple[str, ...] | None = None,
    not_read: Sequence[str] = (),
    limit: int = 10_000,
) -> Report:
    """Make a report of objects, and of the lines of a trail if there is one."""
    state, told = State(environments(), NOW), Trail(stamp(NOW - since * DAY), namespaces, limit)
    for each in items:
        state.take(each)
    trails = []
    if records is not None:
        verifier = Verifier()
        for row in verifier.take_all(records):
            told.take(row)
        trails = [judged("the cluster (namespace keywright-system)", verifier)]
    head = Head("https://cluster.example.com:6443", namespaces, days(-since), days(0))
    return assemble(head, state, told, trails, not_read)
