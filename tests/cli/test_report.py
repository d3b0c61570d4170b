"""``keywright report``: what an auditor sees, and somebody who may not read all of it."""

from __future__ import annotations

import asyncio
import pathlib
import time
from typing import Any

import pytest

from build import api_key_secret, credential, entry, key_store
from cli.terminal import call, person
from keywright import errors, pacing
from keywright.audit import lines, segment
from keywright.audit.chain import Chain
from keywright.audit.heads import SigningKey
from keywright.audit.record import Action, Entry, KeyChange, Object, Type, Version, Who
from keywright.cli import report as command
from keywright.cli._report import pages, sources
from keywright.cli._report.shape import Report
from keywright.cluster import Cluster
from keywright.secret import SecretValue
from keywright.settings import Settings
from world import GROUP, World

Json = dict[str, Any]
DAY = 86_400.0
ALICE = Who(kind="User", name="alice@example.com", verified=True)
LOG = "000007-5f0c2a9b1d3e4f60"
READ = {"apiGroups": ["keywright.dev"], "resources": ["apikeysecrets", "keystores"], "verbs": ["get", "list"]}


class Recorder:
    """Records in a log, and puts segments of it where the operator would."""

    def __init__(self, world: World, log: str = LOG) -> None:
        self._world, self._chain, self._number = world, Chain(log, 7, SigningKey(SecretValue(b"\x01" * 32))), 0
        self.lines: list[bytes] = []

    def records(self, *entries: Entry, ago: float = 1) -> None:
        """Record something, so many days ago."""
        if not self.lines:
            opened = Entry(type=Type.LOG_OPENED, code="Started", who=ALICE, public_key=self._chain.key.public)
            entries = (opened, *entries)
        batch = self._chain.build([(each, time.time() - ago * DAY) for each in entries])
        self._chain.commit(batch)
        self.lines += [*batch.lines, lines.head_line(batch.head)]
        body = segment.body(self._world.system, batch, self._number, "")
        self._world.must("POST", f"{GROUP}/namespaces/{self._world.system}/auditsegments", body)
        self._number += 1

    def exported(self, path: pathlib.Path) -> pathlib.Path:
        """Write the log into a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\n".join(self.lines) + b"\n")
        return path


def told(kind: Type, world: World, code: str = "Done", **more: Any) -> Entry:
    """Return an entry about ``llm``."""
    about = Object(kind="ApiKeySecret", name="llm", namespace=world.namespace)
    return Entry(type=kind, code=code, who=ALICE, object=about, **more)


def has(world: World, name: str, reason: str = "Synced", **more: Any) -> None:
    """Let there be an object with a status that tells of one credential of OpenAI, 45 days old."""
    spec = api_key_secret(name, entry("KEY", "llm/openai", "api_key"), credentials=[credential("openai", "KEY")])
    generation = world.apply(spec)["metadata"]["generation"]
    since = pacing.rfc3339(time.time() - DAY)
    ready = {"type": "Ready", "status": "True" if reason == "Synced" else "False", "reason": reason}
    key = {"name": "openai", "issuer": "openai", "verdict": "Valid", "since": since, "fingerprint": "a:b"}
    key |= {"createdAt": pacing.rfc3339(time.time() - 45 * DAY)} | more
    status = {
        "observedGeneration": generation,
        "conditions": [ready | {"message": "Said why.", "lastTransitionTime": since}],
        "credentials": [key],
        "versions": [{"key": "KEY", "fingerprint": "a:b"}],
    }
    path = f"{world.path('ApiKeySecret', name)}/status"
    world.must("PATCH", path, {"status": status}, "application/merge-patch+json")


def what_happened(world: World) -> Recorder:
    """Let there be a store of production, two objects, and a trail of two segments."""
    world.apply(key_store("vault", world.bao.url, world.mount, environment="production"))
    has(world, "llm")
    has(world, "other", "NotFound", expiresAt=pacing.rfc3339(time.time() + 5 * DAY))
    recorder = Recorder(world)
    versions = KeyChange(key="KEY", store="KeyStore/vault", path="llm/openai", old=Version(version="1"))
    written = [versions.model_copy(update={"new": Version(version=each)}) for each in ("2", "3")]
    recorder.records(told(Type.SYNC_WRITTEN, world, "Changed", keys=(written[0],)), ago=40)
    asked = Action(name="refresh-llm", uid="u-1", act="Refresh", reason="Compromised", reference="SEC-1234")
    recorder.records(
        told(Type.SYNC_WRITTEN, world, "Changed", keys=(written[1],)),
        told(Type.ACTION_INTENT, world, "Refresh", id="u-1", action=asked),
        told(Type.ACTION_OUTCOME, world, id="u-1", action=asked),
        told(Type.READ, world, "Revealed", keys=(versions,)),
        told(Type.ACCESS_DENIED, world, "AccessDenied"),
    )
    return recorder


def gathered(world: World, kubeconfig: pathlib.Path | None = None, **asked: Any) -> Report:
    """Return what the command gathers; a process for each costs seconds."""

    async def work() -> Report:
        api = await Cluster.connect(Settings(kubeconfig=str(kubeconfig or world.plane.kubeconfig)))
        try:
            since = time.time() - asked.pop("days", 30) * DAY
            told = {"namespace": world.namespace, "operator_namespace": world.system, "since": since} | asked
            return await sources.gather(api, sources.Asked(**told), time.time())
        finally:
            await api.close()

    return asyncio.run(work())


def test_an_auditor_sees_what_objects_and_the_trail_tell(world: World) -> None:
    what_happened(world)
    page = world.folder / "report.html"

    said = call(world, "report", "--format=json")
    written = call(world, "report", "--format=html", f"--output={page}")
    long = gathered(world, days=90)

    found = said.json
    assert (said.code, written.code, written.everything) == (3, 3, f"wrote {page}\n")
    assert found["notRead"] == []
    assert found["head"]["namespaces"] == [world.namespace]
    assert [(each["records"], each["verdict"]) for each in found["trails"]] == [(7, "Unwitnessed")]
    assert found["byEnvironment"] == [{"name": "production", "keys": 2}]
    assert found["byIssuer"] == [{"name": "openai", "keys": 2}]
    assert {each["name"]: each["keys"] for each in found["byAge"] if each["keys"]} == {"30–90 d": 2}
    assert [(each["name"], each["reason"]) for each in found["notReady"]] == [("other", "NotFound")]
    assert [each["name"] for each in found["ending"]] == ["other"]
    ((change,), (act,), (read,)) = found["changes"], found["actions"], found["reads"]
    assert (change["writes"], change["keys"][0]["versions"]) == (1, ["1", "3"])
    assert [(each.writes, each.keys[0].versions) for each in long.changes] == [(2, ("1", "2", "1", "3"))]
    told_of = ("state", "who", "verified", "act", "reason", "reference")
    assert [act[each] for each in told_of] == ["done", "alice@example.com", True, "Refresh", "Compromised", "SEC-1234"]
    assert (read["who"], read["path"], read["count"]) == ("alice@example.com", "llm/openai", 1)
    assert [each["code"] for each in found["violations"]] == ["AccessDenied"]
    assert page.read_text().startswith("<!doctype html>")
    assert f"<td>{world.namespace}</td><td>other</td><td>False</td>" in page.read_text()
    assert f"| {world.namespace} | other | False | NotFound |" in pages.markdown(long)


def test_what_somebody_may_not_read_is_told_and_may_come_from_a_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = what_happened(world)
    kubeconfig = person(world, READ)
    export = str(recorder.exported(world.folder / "export.jsonl"))
    monkeypatch.setenv("XDG_DATA_HOME", str(world.folder / "nowhere"))
    monkeypatch.setenv("KEYWRIGHT_AUDIT_FOLDER", str(world.folder / "trail"))
    other = Recorder(world, "alice-laptop")
    other.records(Entry(type=Type.READ, code="Revealed", who=ALICE))
    local = other.exported(world.folder / "trail" / "000001.jsonl")
    # Not a file of the trail.
    (local.parent / "notes.jsonl").write_text("mine\n")

    made = gathered(world, kubeconfig)
    with_files = gathered(world, kubeconfig, files=(export, export), audit=False, local=True)
    monkeypatch.setenv("KEYWRIGHT_AUDIT_FOLDER", str(world.folder / "none"))
    anywhere = gathered(world, kubeconfig, namespace=None, audit=False, local=True)

    right = "you have no right to"
    assert made.not_read == (
        f"{right} list auditsegments in namespace {world.system}",
        f"{right} get namespaces {world.namespace}",
        f"{right} list clusterkeystores",
    )
    assert (made.trails, made.summary.objects) == ((), 2)
    assert [each.records for each in with_files.trails] == [7, 7, 2]
    assert (with_files.summary.reads, with_files.summary.violations) == (2, 1)
    assert with_files.trails[2].name == f"this workstation ({local.parent})"
    assert anywhere.head.namespaces == ()
    assert anywhere.not_read[0] == f"this workstation ({world.folder / 'none'}): there is no such folder"
    assert f"{right} list apikeysecrets in all namespaces" in anywhere.not_read
    assert f"{right} list apikeysecrets in namespace default" in anywhere.not_read


def test_all_is_well_or_it_is_said_what_is_wrong(world: World) -> None:
    has(world, "llm")

    good = call(world, "report")

    assert good.code == 0
    assert "**To look at**\n\n* nothing\n" in good.out
    assert f"| the cluster (namespace {world.system}) | 0 | 0 | nothing is recorded in it | - |" in good.out
    with pytest.raises(errors.Stalled, match=r"^/no/such\.jsonl cannot be read"):
        gathered(world, files=("/no/such.jsonl",))
    with pytest.raises(errors.Stalled, match=r"^Namespace no-such-namespace does not exist"):
        gathered(world, namespace="no-such-namespace")
    with pytest.raises(errors.Stalled, match=r"^/no/such/report\.md cannot be written: No such file or directory"):
        command._write("/no/such/report.md", "")


def test_somebody_without_a_cluster_right_gets_each_namespace_that_there_is(world: World) -> None:
    what_happened(world)
    kubeconfig = person(world, READ)
    name, rbac = f"{world.namespace}-namespaces", "/apis/rbac.authorization.k8s.io/v1"
    rules = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}]
    role = {"kind": "ClusterRole", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    subject = {"kind": "ServiceAccount", "name": "person", "namespace": world.namespace}
    world.must("POST", f"{rbac}/clusterroles", {"metadata": {"name": name}, "rules": rules})
    binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
    world.must("POST", f"{rbac}/clusterrolebindings", binding)

    made = gathered(world, kubeconfig, namespace=None, audit=False)

    for kind in ("clusterrolebindings", "clusterroles"):
        world.must("DELETE", f"{rbac}/{kind}/{name}")
    assert made.head.namespaces == (world.namespace,)
    assert made.summary.objects == 2
    kinds = ("keystores", "clusterkeystores", "apikeysecrets")
    assert [kind in told for kind, told in zip(kinds, made.not_read, strict=True)] == [True] * 3
    assert made.not_read[2].startswith("you have no right to list apikeysecrets in ")
