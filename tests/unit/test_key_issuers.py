"""Issuers as objects say it, and their opened form, with an issuer that is real."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from build import cluster_key_issuer, key_issuer, openai_admin
from keywright import errors, kinds, metrics
from keywright.decide.rotate.recipe import Recipe
from keywright.engine.catalog import Namespace, identifier
from keywright.engine.egress import Scope
from keywright.engine.issuers import Issuers
from keywright.engine.opened_issuer import THREADS, Guard, OpenedIssuer, Turns
from keywright.engine.rotate import policies
from keywright.errors import Reason
from keywright.issuing.base import Issued, Issuing, Order, Way
from keywright.kinds import CredentialSpec
from keywright.secret import SecretValue
from keywright.settings import Settings
from stores.contract import HeldCredentials
from vendors import VendorServer, serving

Json = dict[str, Any]
ORDER = Order("kw-0123-1")
SETTINGS = Settings(namespace="keywright-system", allow_loopback_stores=True)
UUID: Json = {"generated": {"uuid": {}}}


@pytest.fixture
def openai() -> Iterator[VendorServer]:
    with serving("openai") as server:
        yield server


class Desk:
    """Issuers of which nobody but the test tells.

    Attributes:
        labels: of namespaces.
        homes: whose Secrets were looked into.
        changed: identifiers of issuers that were new, changed or gone.
        used: what calls came to.
    """

    def __init__(self, server: VendorServer | None = None, settings: Settings = SETTINGS) -> None:
        self.server = server
        self.labels: dict[str, dict[str, str]] = {}
        self.homes: list[str] = []
        self.changed: list[str] = []
        self.used: list[Reason | None] = []
        self.led = True
        self.issuers = Issuers(
            settings,
            lambda name: Namespace({"uid": name, "labels": self.labels[name]}) if name in self.labels else None,
            self._credentials,
            fence=self._fence,
            changed=self.changed.append,
            used=lambda _, __, error: self.used.append(error.reason if error else None),
        )

    def _credentials(self, home: str) -> HeldCredentials:
        self.homes.append(home)
        return HeldCredentials({("openai-admin", "key"): self.server.vendor.admin} if self.server else {})

    def _fence(self) -> None:
        if not self.led:
            raise errors.Retry(Reason.NOT_LEADER, "another leads")

    def has(self, manifest: Json, generation: int = 1, uid: str = "uid-1") -> None:
        """Let there be an issuer; a KeyIssuer is in namespace team-a."""
        space = {} if manifest["kind"] == "ClusterKeyIssuer" else {"namespace": "team-a"}
        meta = {**manifest["metadata"], **space, "uid": uid, "generation": generation, "resourceVersion": "1"}
        self.issuers.observe(manifest["kind"], {**manifest, "metadata": meta})

    def has_openai(self, name: str = "openai", generation: int = 1, uid: str = "uid-1", **limits: Any) -> OpenedIssuer:
        """Let there be a KeyIssuer for the server, and return it opened."""
        assert self.server
        self.has(key_issuer(name, openai=openai_admin(self.server.url), limits=limits), generation, uid)
        return self.issuers.opened("KeyIssuer", name, "team-a")

    def refused(self, kind: str, name: str, namespace: str = "team-a") -> errors.Stalled:
        """Return why an issuer may not be used."""
        with pytest.raises(errors.Stalled) as caught:
            self.issuers.opened(kind, name, namespace)
        return caught.value


async def test_keys_are_made_listed_and_revoked_and_calls_are_counted(openai: VendorServer) -> None:
    desk = Desk(openai)
    opened = desk.has_openai("counted")

    issued = await opened.issue(ORDER)
    listed = await opened.keys(ORDER)
    await opened.revoke(issued.handle or "", {})

    assert [each.handle for each in listed if each.ours] == [issued.handle]
    assert openai.vendor.made == {}
    assert (opened.name, opened.who) == ("KeyIssuer/counted", "openai uid-1 proj_abc")
    assert opened.issuing.way is Way.ISSUE
    assert desk.homes == ["team-a"]
    assert desk.used == [None, None, None]
    assert counted() == {("issue", "Success"): 1, ("list", "Success"): 1, ("revoke", "Success"): 1}
    desk.issuers.gone(identifier("KeyIssuer", "team-a", "counted"))
    assert counted() == {}
    assert desk.refused("KeyIssuer", "counted").message == "KeyIssuer/counted does not exist in team-a"
    assert desk.changed == ["KeyIssuer/team-a/counted"] * 2


def counted() -> dict[tuple[str, str], float]:
    """Return how often the issuer ``counted`` of team-a was called, by operation and outcome."""
    return {
        (each.labels["operation"], each.labels["outcome"]): each.value
        for family in metrics.ISSUER_CALLS.collect()
        for each in family.samples
        if each.name.endswith("_total") and each.labels["issuer"] == "KeyIssuer/team-a/counted"
    }


@pytest.mark.parametrize(
    ("mood", "kind", "reason"),
    [
        ("broken", errors.Outage, Reason.ISSUER_UNAVAILABLE),
        ("slow", errors.Outage, Reason.ISSUER_UNAVAILABLE),
        ("html", errors.Outage, Reason.ISSUER_ANSWER_INVALID),
        ("hangs up", errors.Outage, Reason.ISSUER_UNAVAILABLE),
        ("denies", errors.Stalled, Reason.ISSUER_DENIED),
    ],
)
async def test_what_comes_of_a_call_bears_the_issuers_name_and_is_not_tried_again(
    openai: VendorServer, mood: Any, kind: type[errors.Error], reason: Reason
) -> None:
    desk = Desk(openai)
    opened = desk.has_openai(timeout="300ms" if mood == "slow" else "30s")
    openai.pause = 30
    if mood == "denies":
        openai.vendor.denies = True
    else:
        openai.mood = mood

    with pytest.raises(kind) as caught:
        await opened.issue(ORDER)

    assert caught.value.reason is reason
    assert caught.value.message.startswith("KeyIssuer/openai ")
    assert caught.value.__cause__ is caught.value.__context__ is None
    # On a busy machine the time of the slow one is over before it is asked.
    assert len(openai.requests) == 1 or (mood == "slow" and not openai.requests)
    assert desk.used == [reason]


async def test_where_an_issuer_may_not_be_nothing_is_sent_and_where_nobody_leads_nothing_is_done(
    openai: VendorServer,
) -> None:
    inside = Desk(openai, dataclasses.replace(SETTINGS, allow_loopback_stores=False))
    desk = Desk(openai)
    opened = desk.has_openai()

    desk.has(key_issuer("private", openai=openai_admin("http://10.255.255.1")))
    for refused in (inside.has_openai(), desk.issuers.opened("KeyIssuer", "private", "team-a")):
        with pytest.raises(errors.Stalled) as forbidden:
            await refused.issue(ORDER)
        assert forbidden.value.reason is Reason.ENDPOINT_FORBIDDEN
    desk.led = False
    for call in (opened.issue(ORDER), opened.revoke("key_1", {})):
        with pytest.raises(errors.Retry) as unled:
            await call
        assert unled.value.reason is Reason.NOT_LEADER

    assert openai.requests == []
    assert await opened.keys(ORDER) == []


async def test_a_changed_object_is_opened_anew_and_the_old_one_is_asked_no_more(openai: VendorServer) -> None:
    desk = Desk(openai)
    opened = desk.has_openai()

    assert desk.has_openai() is opened
    changed = desk.has_openai(generation=2, timeout="5s")
    made_anew = desk.has_openai(uid="uid-2")

    assert len({opened, changed, made_anew}) == 3
    assert opened.closed and changed.closed
    assert (changed.who, made_anew.who) == (opened.who, "openai uid-2 proj_abc")
    with pytest.raises(errors.Retry) as caught:
        await opened.issue(ORDER)
    assert caught.value.reason is Reason.CONFLICT
    assert openai.requests == []
    assert (await made_anew.issue(ORDER)).handle in openai.vendor.made
    assert desk.changed == ["KeyIssuer/team-a/openai"] * 3
    # What became of a call of before is none of the new object's business.
    assert desk.used == [None]


async def test_the_first_binding_that_selects_a_namespace_counts_and_a_broken_one_harms_no_other() -> None:
    desk = Desk()
    by_team = [{"namespaceSelector": {"matchLabels": {"team": each}}} for each in ("a", "a", "b")]
    bound = [UUID, {"generated": {"random": {}}}, {"generated": {"random": {"length": 8}}}]
    desk.labels = {"team-a": {"team": "a"}, "team-b": {"team": "b"}, "team-c": {}}
    desk.has(cluster_key_issuer("all", *(one | other for one, other in zip(by_team, bound, strict=True))))

    opened = desk.issuers.opened("ClusterKeyIssuer", "all", "team-a")
    broken, strange = (desk.refused("ClusterKeyIssuer", "all", each) for each in ("team-b", "team-c"))

    assert opened is desk.issuers.opened("ClusterKeyIssuer", "all", "team-a")
    assert len((await opened.issue(ORDER)).parts["value"].reveal()) == 36
    assert broken.reason is Reason.INVALID_SPEC
    assert broken.message.startswith("ClusterKeyIssuer/all, in bindings[2], generated.random makes keys of 48 random")
    assert strange.reason is Reason.NAMESPACE_NOT_SELECTED
    assert set(desk.homes) == {"keywright-system"}
    # Where nothing is told of a namespace, it has no labels.
    assert desk.refused("ClusterKeyIssuer", "all", "unheard").reason is Reason.NAMESPACE_NOT_SELECTED


def test_who_names_what_is_not_there_or_cannot_be_read_is_told_so() -> None:
    async def told() -> list[errors.Stalled]:
        off, desk = Desk(settings=dataclasses.replace(SETTINGS, cluster_stores=False)), Desk()
        off.has(cluster_key_issuer("all", UUID))
        desk.has(key_issuer("later", vendorOfTomorrow={}))
        desk.has(key_issuer("wrong", openai={"project": 7}))
        return [
            off.refused("ClusterKeyIssuer", "all"),
            desk.refused("ClusterKeyIssuer", "none"),
            desk.refused("KeyIssuer", "later", "team-b"),
            desk.refused("KeyIssuer", "later"),
            desk.refused("KeyIssuer", "wrong"),
        ]

    found = asyncio.run(told())

    assert [each.reason for each in found] == [Reason.ISSUER_NOT_FOUND] * 3 + [Reason.INVALID_SPEC] * 2
    assert "ClusterKeyIssuers are switched off in this install" in found[0].message
    assert found[1].message == "ClusterKeyIssuer/none does not exist"
    assert found[2].message == "KeyIssuer/later does not exist in team-b"
    assert found[3].message == "KeyIssuer/later names no issuer that this version knows"
    assert found[4].message.startswith("KeyIssuer/wrong cannot be used: the spec of this KeyIssuer cannot be read (")


async def test_what_an_issuer_cannot_do_is_not_asked_of_it(openai: VendorServer) -> None:
    desk = Desk(openai)
    desk.has(key_issuer("own", **UUID))
    desk.has(key_issuer("by-hand", anthropic={"adminKeyRef": {"name": "a", "key": "b"}}))
    own, by_hand = (desk.issuers.opened("KeyIssuer", each, "team-a") for each in ("own", "by-hand"))

    for call in (own.keys(ORDER), own.revoke("a", {}), own.disable("a"), own.enable("a"), by_hand.issue(ORDER)):
        with pytest.raises(errors.Stalled) as caught:
            await call
        assert caught.value.reason is Reason.UNSUPPORTED
    assert own.who == "generated uid-1 "


async def test_objects_that_name_one_place_take_turns_as_the_strictest_allows(openai: VendorServer) -> None:
    desk = Desk(openai)
    wide = desk.has_openai("wide", rotationsAtOnce=3)
    strict = desk.has_openai("strict", uid="uid-2", rotationsAtOnce=2)
    assert wide.turns is strict.turns
    order: list[str] = []

    async def rotates(name: str) -> None:
        async with wide.turns:
            order.append(name)

    for _ in range(2):
        await wide.turns.acquire()
    waiting = [asyncio.create_task(rotates(each)) for each in ("one", "two")]
    await asyncio.sleep(0)
    assert (wide.turns.locked(), order) == (True, [])
    desk.issuers.gone(identifier("KeyIssuer", "team-a", "strict"))
    await asyncio.gather(*waiting)
    assert order == ["one", "two"]
    # Who rotates still holds the turns of the place, whatever becomes of the object.
    changed = desk.has_openai("wide", generation=2, rotationsAtOnce=2)
    assert changed.turns is wide.turns
    assert changed.turns.locked()


async def test_where_keys_bear_no_names_one_rotation_at_a_time_asks_for_one() -> None:
    desk, ref = Desk(), {"name": "a", "key": "b"}
    user = {"user": "ci", "accessKeyIdRef": ref, "secretAccessKeyRef": ref}
    desk.has(key_issuer("aws", awsIam=user, limits={"rotationsAtOnce": 8}))
    turns = desk.issuers.opened("KeyIssuer", "aws", "team-a").turns

    await turns.acquire()

    assert turns.locked()


async def test_who_makes_other_parts_than_a_credential_has_is_not_asked() -> None:
    desk = Desk()
    issue = {"path": "/keys", "parts": {"token": "value"}}
    desk.has(key_issuer("hook", webhook={"server": "https://keys.example.org", "issue": issue}))
    opened = desk.issuers.opened("KeyIssuer", "hook", "team-a")
    names = {"OPENAI_API_KEY": "apiKey", "TOKEN": "token"}
    made = {
        part: Recipe(CredentialSpec(name="llm", issuer="openai", parts={part: entry}), None, "llm", {part: None})
        for entry, part in names.items()
    }

    policies.fits(made["token"], opened)
    with pytest.raises(errors.Stalled) as caught:
        policies.fits(made["apiKey"], opened)

    assert caught.value.reason is Reason.ROTATION_UNSUPPORTED
    assert caught.value.message == "KeyIssuer/hook makes no part apiKey, which credential llm has"


async def test_a_turn_that_nobody_waits_for_any_more_is_not_lost() -> None:
    turns = Turns()
    await turns.acquire()
    given_up, waits = asyncio.create_task(turns.acquire()), asyncio.create_task(turns.acquire())
    await asyncio.sleep(0)

    turns.release()
    given_up.cancel()
    await waits

    assert turns.locked()
    turns.release()
    assert not turns.locked()


class Stuck(Issuing, name="stuck", title="Nobody", way=Way.ISSUE):
    """Makes keys when it is let."""

    Config = kinds.IssuerLimits

    def __init__(self, config: object, credentials: object, timeout: float) -> None:
        self.let, self.ended = threading.Event(), threading.Semaphore(0)
        self.begun = 0

    @property
    def account(self) -> str:
        return "here"

    def issue(self, order: Order) -> Issued:
        self.begun += 1
        self.let.wait(60)
        self.ended.release()
        if order.name == "kw-bug":
            raise RuntimeError("sk-secret")
        return Issued({"apiKey": SecretValue("sk-new")})


def stuck(used: Callable[[OpenedIssuer, errors.Error | None], None] = lambda _, __: None) -> tuple[Stuck, OpenedIssuer]:
    """Return one that hangs, opened with hardly any patience."""
    issuing = Stuck(None, None, 0.0)
    guard = Guard(0.05, Scope(), lambda: None, grace=0.05)
    return issuing, OpenedIssuer("KeyIssuer/stuck", "uid", issuing, Turns(), guard, label="stuck", used=used)


async def test_a_call_that_nobody_waits_for_any_more_is_not_begun() -> None:
    issuing, opened = stuck()

    came = await asyncio.gather(*(opened.issue(ORDER) for _ in range(THREADS + 2)), return_exceptions=True)

    assert {type(each) for each in came} == {errors.Outage}
    assert {getattr(each, "reason", None) for each in came} == {Reason.ISSUER_UNAVAILABLE}
    assert issuing.begun == THREADS
    issuing.let.set()
    for _ in range(THREADS):
        assert await asyncio.to_thread(issuing.ended.acquire, timeout=60)
    assert issuing.begun == THREADS
    opened.close()


async def test_whether_it_may_be_done_is_asked_where_it_is_done() -> None:
    threads: list[str] = []
    issuing = Stuck(None, None, 0.0)
    issuing.let.set()
    guard = Guard(20.0, Scope(), lambda: threads.append(threading.current_thread().name))
    opened = OpenedIssuer("KeyIssuer/own", "uid", issuing, Turns(), guard, label="own", used=lambda _, __: None)

    await opened.issue(ORDER)

    assert [each.rpartition("_")[0] for each in threads] == ["KeyIssuer/own"]
    opened.close()


async def test_a_bug_is_told_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    issuing, opened = stuck()
    issuing.let.set()

    with pytest.raises(errors.Retry) as caught:
        await opened.issue(Order("kw-bug"))

    assert caught.value.reason is Reason.INTERNAL_ERROR
    assert "sk-secret" not in caught.value.message + caplog.text
    assert "RuntimeError at test_key_issuers.py" in caplog.text
