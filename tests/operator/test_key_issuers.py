"""What a KeyIssuer and a ClusterKeyIssuer tell of themselves, and who may use them. On the real API server."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator

import pytest

from build import cluster_key_issuer, key_issuer, openai_admin
from controlplane import Answer, ControlPlane, FaultProxy
from keywright import cluster, errors, events
from keywright.engine import issuer_health
from keywright.engine.catalog import Namespace
from keywright.engine.issuers import Issuers
from keywright.errors import Reason
from keywright.issuing.base import Order
from keywright.settings import Settings
from vendors import VendorServer
from world import World

WEAK = {"random": {"length": 8}}
STRONG = {"random": {"length": 40}}


def test_an_issuer_is_ready_once_it_can_be_asked_and_says_what_is_wrong_where_it_cannot(
    api_proxy: FaultProxy, world: World
) -> None:
    operator = world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    name = f"{world.namespace}-all"

    with api_proxy.fault(Answer(409), method="PATCH", path="/keyissuers/openai/status", times=1) as refused:
        world.apply(key_issuer("openai", openai=openai_admin("https://api.openai.example")))
        refused.wait()
    with api_proxy.fault(Answer(403), method="PATCH", path="/keyissuers/weak/status", times=1) as denied:
        world.apply(key_issuer("weak", generated=WEAK))
        denied.wait()
    world.apply(cluster_key_issuer(name, {"generated": STRONG}, {"generated": WEAK}))

    ready = world.is_ready("openai", "KeyIssuer")["status"]["conditions"]
    assert [each["message"] for each in ready] == ["KeyIssuer/openai can be asked as it is configured."]
    said = "makes keys of 48 random bits, and its minEntropy is 128"
    meanwhile = "Keys stay as they are. Raise length, or add characters."
    assert world.told("InvalidSpec", "weak", "KeyIssuer") == f"KeyIssuer/weak generated.random {said}. {meanwhile}"
    told = world.told("InvalidSpec", name, "ClusterKeyIssuer")
    assert told == f"ClusterKeyIssuer/NS-all, in bindings[1], generated.random {said}. {meanwhile}"
    assert world.condition("weak", "KeyIssuer", "Stalled")["status"] == "True"
    world.has_events(name="openai")
    world.has_events("Refused", name="weak")

    world.apply(key_issuer("weak", generated=STRONG))
    world.apply(cluster_key_issuer(name, {"generated": STRONG}))

    assert world.is_ready("weak", "KeyIssuer")["status"]["observedGeneration"] == 2
    world.is_ready(name, "ClusterKeyIssuer")
    world.has_events("Refused", "Recovered", name="weak")
    operator.stop()
    mark = world.plane.mark()
    world.start()
    assert not [each for each in world.plane.audit(mark) if each.subresource == "status" and "issuers" in each.resource]


def test_an_operator_without_cluster_kinds_says_nothing_of_a_cluster_issuer(world: World) -> None:
    operator = world.start("--no-cluster-stores")
    mark, name = world.plane.mark(), f"{world.namespace}-all"

    world.apply(cluster_key_issuer(name, {"generated": STRONG}))
    world.apply(key_issuer("own", generated=STRONG))

    world.is_ready("own", "KeyIssuer")
    # Operators of tests beside this one may say something.
    asked = {each.resource for each in world.requests(operator, mark)}
    assert "keyissuers" in asked
    assert "clusterkeyissuers" not in asked


class Desk:
    """Issuers as an operator has them.

    Attributes:
        labels: of every namespace.
    """

    def __init__(self, world: World, issuers: Issuers, labels: dict[str, str], api: cluster.Cluster) -> None:
        self.world, self.issuers, self.labels, self.api = world, issuers, labels, api

    def has(self, manifest: dict[str, object]) -> None:
        """Let there be an issuer, and the watch tell of it."""
        made = self.world.apply(manifest)
        self.issuers.observe(made["kind"], made)

    async def is_told(self, status: str, reason: str, name: str, kind: str = "KeyIssuer") -> str:
        """Wait until an issuer tells how it is; return why."""
        while True:
            told = await asyncio.to_thread(self.world.condition, name, kind)
            if (told.get("status"), told.get("reason")) == (status, reason):
                return str(told["message"])
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def desk(world: World, plane: ControlPlane, folder: pathlib.Path) -> AsyncIterator[Desk]:
    config = plane.admin_kubeconfig(folder / "config")
    settings = Settings(kubeconfig=str(config), namespace=world.system, allow_loopback_stores=True)
    api = await cluster.Cluster.connect(settings)
    recorder = events.Recorder(api, "test")
    writing = asyncio.create_task(recorder.run())
    labels: dict[str, str] = {}
    issuers = issuer_health.issuers(settings, api, recorder, lambda name: Namespace({"uid": name, "labels": labels}))
    try:
        async with asyncio.timeout(60):
            yield Desk(world, issuers, labels, api)
            await recorder.drain()
    finally:
        issuers.close()
        writing.cancel()
        await api.close()


async def test_what_an_issuer_answers_is_told_by_its_object(
    world: World, control_plane: ControlPlane, openai: VendorServer, tmp_path: pathlib.Path
) -> None:
    async with desk(world, control_plane, tmp_path) as ours:
        ours.has(key_issuer("openai", openai=openai_admin(openai.url)))
        await ours.is_told("True", "Valid", "openai")
        opened = ours.issuers.opened("KeyIssuer", "openai", world.namespace)
        reasons = []
        for there in (None, "sk-wrong", openai.vendor.admin):
            if there:
                world.plane.request("DELETE", f"/api/v1/namespaces/{world.namespace}/secrets/openai-admin")
                world.secret_is("openai-admin", {"key": there})
            try:
                issued = await opened.issue(Order("kw-1"))
            except errors.Stalled as error:
                reasons.append(error.reason)
                message = await ours.is_told("False", str(error.reason), "openai")
                assert message.startswith("KeyIssuer/openai ")
                assert "sk-wrong" not in message
        assert reasons == [Reason.CREDENTIAL_MISSING, Reason.ISSUER_DENIED]
        await ours.is_told("True", "Valid", "openai")
        assert issued.handle in openai.vendor.made
    world.has_events("Refused", "Refused", "Recovered", name="openai")


async def test_who_leads_no_more_has_no_key_made_listed_ones_may_still_be_looked_at(
    world: World, control_plane: ControlPlane, openai: VendorServer, tmp_path: pathlib.Path
) -> None:
    world.secret_is("openai-admin", {"key": openai.vendor.admin})

    def lost() -> float:
        raise errors.Retry(Reason.NOT_LEADER, "another one leads")

    async with desk(world, control_plane, tmp_path) as ours:
        ours.has(key_issuer("openai", openai=openai_admin(openai.url)))
        opened = ours.issuers.opened("KeyIssuer", "openai", world.namespace)
        # As in the operator, which knows whether it leads only after it was put together.
        ours.api.fence = lost

        with pytest.raises(errors.NotBegun) as caught:
            await opened.issue(Order("kw-1"))
        with pytest.raises(errors.NotBegun):
            await opened.revoke("key_1", {})

        assert caught.value.reason is Reason.NOT_LEADER
        assert await opened.keys(Order("kw-1")) == []
        assert {each.method for each in openai.requests} == {"GET"}
        ours.api.fence = lambda: 60.0


async def test_a_binding_decides_where_keys_are_made_and_by_what_right(
    world: World, control_plane: ControlPlane, openai: VendorServer, tmp_path: pathlib.Path
) -> None:
    name = f"{world.namespace}-all"
    world.secret_is("openai-admin", {"key": openai.vendor.admin}, namespace=world.system)
    world.secret_is("openai-admin", {"key": "sk-the-tenant's"})
    chosen = {"namespaceSelector": {"matchLabels": {"team": "a"}}, "openai": openai_admin(openai.url)}
    async with desk(world, control_plane, tmp_path) as ours:
        ours.has(cluster_key_issuer(name, chosen))
        with pytest.raises(errors.Stalled) as caught:
            ours.issuers.opened("ClusterKeyIssuer", name, world.namespace)
        assert caught.value.reason is Reason.NAMESPACE_NOT_SELECTED
        assert caught.value.message == f"ClusterKeyIssuer/{name} does not serve namespace {world.namespace}"
        ours.labels["team"] = "a"
        opened = ours.issuers.opened("ClusterKeyIssuer", name, world.namespace)

        await opened.issue(Order("kw-1"))

        await ours.is_told("True", "Valid", name, "ClusterKeyIssuer")
    assert [each.name for each in openai.vendor.made.values()] == ["kw-1"]
