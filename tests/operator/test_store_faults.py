"""A store in trouble is told of once, on the store; what it gave stays, and all goes on when it is back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from build import api_key_secret, entry, key_store
from controlplane import Answer, Fault, FaultProxy, Hang, Hold, OpenBao, Replace
from running import Operator
from world import World

AGAIN = "It is tried again with growing pauses, at most 5 minutes."
NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def sealable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """An OpenBao with TLS that can be sealed."""
    with OpenBao.start_raft(tmp_path_factory.mktemp("raft")) as made:
        yield made


def wants(name: str, path: str = "", **spec: Any) -> dict[str, Any]:
    """Return an ApiKeySecret that wants a key of its own."""
    return api_key_secret(name, entry("KEY", path or f"llm/{name}", "api_key"), **spec)


def store_behind(world: World, bao_proxy: FaultProxy, timeout: str = "1s") -> None:
    """Let there be a KeyStore that is reached through a proxy."""
    world.apply(key_store("vault", bao_proxy.url, world.mount, limits={"timeout": timeout}))


def has_ready(world: World, *names: str, **spec: Any) -> None:
    """Let there be objects that are Ready."""
    for name in names:
        world.put(f"llm/{name}", api_key=f"sk-{name}")
        world.apply(wants(name, **spec))
    for name in names:
        world.is_ready(name)


def has_refreshed(world: World, name: str) -> None:
    """Wait until a refresh that was asked for has happened."""
    world.until(lambda: world.object(name)["status"].get("lastHandledRefresh") == "1", f"{name} is refreshed")


@contextlib.contextmanager
def untouched(world: World, *names: str) -> Iterator[None]:
    """See that Secrets are the same after the block."""
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(world.untouched(name))
        yield


TROUBLES: dict[str, tuple[Fault, str, str]] = {
    "nothing": (Answer(200, b""), "StoreAnswerInvalid", "answered 200"),
    "not-json": (Answer(200, "api_key=sk-one", "text/plain"), "StoreAnswerInvalid", "answered 200"),
    "html": (Answer(200, "<html>Log in</html>", "text/html"), "StoreAnswerInvalid", "answered 200"),
    "html-404": (Answer(404, "<html>Not found</html>", "text/html"), "StoreAnswerInvalid", "answered 404"),
    "empty-404": (Answer(404, b""), "StoreAnswerInvalid", "answered 404"),
    "html-403": (Answer(403, "<html>Forbidden</html>", "text/html"), "StoreAnswerInvalid", "answered 403"),
    "10-MiB": (
        Answer(200, b'{"data": "' + b"x" * (10 * 1024 * 1024) + b'"}'),
        "StoreAnswerInvalid",
        "answered 200 with more than 4194304 bytes",
    ),
    "500": (Answer(500, {"errors": ["sk-echoed"]}), "StoreError", "answered 500"),
    "502": (Answer(502, "<html>Bad gateway</html>", "text/html"), "StoreError", "answered 502"),
    "429": (Answer(429, {"errors": []}, retry_after=1), "StoreRateLimited", "answered 429"),
    "hangs": (Hang(), "StoreTimeout", "did not answer in time"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_of_a_store_is_told_once_and_its_objects_stay_as_they_are(
    bao_proxy: FaultProxy, world: World, trouble: str
) -> None:
    fault, reason, what = TROUBLES[trouble]
    world.start()
    store_behind(world, bao_proxy)
    has_ready(world, *NAMES)
    world.put("llm/new", api_key="sk-new")

    with untouched(world, *NAMES):
        with bao_proxy.fault(fault, path=r"/v1/.*/data/llm/"):
            for name in NAMES:
                world.annotate(name, refresh="1")
            said = world.told(reason, "vault", "KeyStore")
            world.apply(wants("new"))
            waits = world.told(reason, "new")
            ready = [world.condition(name)["status"] for name in NAMES]
        world.is_ready("vault", "KeyStore")
        world.is_ready("new")
        for name in NAMES:
            has_refreshed(world, name)

    assert ready == ["True"] * 3
    assert said.startswith(f"KeyStore/vault {what}") and f"Secrets keep what they hold. {AGAIN}" in said
    assert waits.startswith(f"KeyStore/vault {what}") and f"Its Secret is not written yet. {AGAIN}" in waits
    assert "sk-" not in said + waits
    world.has_events("Failed", "Recovered", name="vault")
    world.has_events("Created", name="new")
    for name in NAMES:
        world.has_events("Created", name=name)


def test_a_store_that_is_down_from_the_start_is_told_once_and_all_go_on_when_it_is_up(
    bao_proxy: FaultProxy, world: World
) -> None:
    world.start()
    for name in NAMES:
        world.put(f"llm/{name}", api_key=f"sk-{name}")
    bao_proxy.down()
    store_behind(world, bao_proxy)
    for name in NAMES:
        world.apply(wants(name))
    assert world.told("StoreUnreachable", "vault", "KeyStore").startswith("KeyStore/vault accepts no connection for ")
    for name in NAMES:
        assert world.told("StoreUnreachable", name).startswith("KeyStore/vault accepts no connection for ")

    bao_proxy.up()

    for name in NAMES:
        world.is_ready(name)
        world.has_events("Created", name=name)
    world.is_ready("vault", "KeyStore")
    world.has_events("Failed", "Recovered", name="vault")


def test_objects_stay_ready_through_an_outage_until_they_are_stale_and_get_no_event(
    bao_proxy: FaultProxy, world: World
) -> None:
    world.start()
    store_behind(world, bao_proxy)
    has_ready(world, "llm", refreshInterval="10s")

    with world.untouched():
        bao_proxy.down()
        world.is_refused("StoreUnreachable", "vault", "KeyStore")
        assert world.condition()["status"] == "True"
        said = world.told("Stale")
        kept = f"Secret llm keeps version 1. {AGAIN}"
        why = "KeyStore/vault accepts no connection for llm/llm"
        assert said.startswith(f"Not confirmed for more than 20 s, because {why}, since NOW. {kept}")

        bao_proxy.up()
        world.is_ready()
    world.has_events("Created")
    world.has_events("Failed", "Recovered", name="vault")


def test_a_secret_that_is_deleted_during_an_outage_is_missed_and_comes_back_with_the_store(
    bao_proxy: FaultProxy, world: World
) -> None:
    world.start()
    store_behind(world, bao_proxy)
    has_ready(world, "llm")

    bao_proxy.down()
    world.annotate("llm", refresh="1")
    world.is_refused("StoreUnreachable", "vault", "KeyStore")
    world.delete_secret("llm")
    said = world.told("SecretMissing")
    why = "KeyStore/vault accepts no connection for llm/llm"
    assert said.startswith(f"Secret llm was deleted while {why}, since NOW. ")
    assert "It is written again as soon as the store answers." in said
    assert "keeps" not in said
    # Later tries find the same.
    world.holds(lambda: world.told("SecretMissing") == said, "it is missed", seconds=3)

    bao_proxy.up()
    world.secret_becomes({"KEY": "sk-llm"})
    world.is_ready()
    world.has_events("Created", "Repaired")


def test_a_secret_that_is_changed_during_an_outage_is_repaired_when_the_store_is_back(
    bao_proxy: FaultProxy, world: World
) -> None:
    world.start()
    store_behind(world, bao_proxy)
    has_ready(world, "llm")

    bao_proxy.down()
    world.annotate("llm", refresh="1")
    world.is_refused("StoreUnreachable", "vault", "KeyStore")
    world.change_secret("llm", KEY="wrong")
    world.holds(lambda: world.secret() == {"KEY": "wrong"}, "nobody knows what belongs there")

    bao_proxy.up()
    world.secret_becomes({"KEY": "sk-llm"})
    world.has_events("Created", "Repaired")


def test_a_sealed_store_is_told_and_goes_on_when_it_is_unsealed(world: World, sealable: OpenBao) -> None:
    world.start()
    has_tls_store(world, sealable)
    client = sealable.client()
    client.secrets.kv.v2.create_or_update_secret(f"{world.namespace}/one", {"api_key": "sk-one"}, mount_point="secret")
    world.apply(wants("llm", f"{world.namespace}/one"))
    world.is_ready()

    with world.untouched():
        sealable.seal()
        world.annotate("llm", refresh="1")
        said = world.told("StoreSealed", "vault", "KeyStore")
        assert said.startswith("KeyStore/vault answered 503 for NS/one: sealed, since NOW. ")
        assert said.endswith(f"{AGAIN} Unseal it.")
        assert world.condition()["status"] == "True"
        sealable.unseal()
        world.is_ready("vault", "KeyStore")
    world.has_events("Created")
    world.has_events("Failed", "Recovered", name="vault")


def test_a_certificate_that_is_not_trusted_is_told_until_its_ca_is_named(world: World, sealable: OpenBao) -> None:
    world.start()
    client = sealable.client()
    client.secrets.kv.v2.create_or_update_secret(f"{world.namespace}/one", {"api_key": "sk-one"}, mount_point="secret")
    has_tls_store(world, sealable, ca_named=False)
    world.apply(wants("llm", f"{world.namespace}/one"))

    assert world.told("StoreTLSFailed").startswith("KeyStore/vault shows a certificate that is not trusted, for ")
    said = world.told("StoreTLSFailed", "vault", "KeyStore")
    assert said.endswith(f"{AGAIN} Check server and caProvider.")

    has_tls_store(world, sealable)
    world.is_ready()
    world.is_ready("vault", "KeyStore")


def has_tls_store(world: World, bao: OpenBao, *, ca_named: bool = True) -> None:
    """Let there be a KeyStore for an OpenBao with TLS, which says whom to trust or does not."""
    if world.secret("raft-token") is None:
        assert bao.ca_file
        world.secret_is("raft-token", {"token": bao.root_token})
        authority = {"metadata": {"name": "ca"}, "data": {"ca.crt": bao.ca_file.read_text()}}
        world.must("POST", f"/api/v1/namespaces/{world.namespace}/configmaps", authority)
    auth = {"token": {"secretRef": {"name": "raft-token", "key": "token"}}}
    trust = {"caProvider": {"kind": "ConfigMap", "name": "ca", "key": "ca.crt"}} if ca_named else {}
    world.apply(key_store("vault", bao.url, "secret", vault={"auth": auth, **trust}))


def test_an_answer_that_holds_less_than_before_takes_nothing_away(bao_proxy: FaultProxy, world: World) -> None:
    world.start()
    store_behind(world, bao_proxy)
    has_ready(world, "llm")
    less = Replace({"data": {"data": {}, "metadata": {"version": 2, "created_time": "2026-08-01T00:00:00Z"}}})

    with world.untouched(), bao_proxy.fault(less, path="/data/llm/"):
        world.annotate("llm", refresh="1")
        said = world.told("PropertyNotFound")

    assert said.startswith("Entry KEY (llm/llm of KeyStore/vault) has no property api_key, since NOW. Secret llm keeps")


def test_a_store_that_hangs_does_not_hold_up_the_objects_of_another(bao_proxy: FaultProxy, world: World) -> None:
    world.start()
    store_behind(world, bao_proxy, timeout="60s")
    world.has_store("healthy")
    names = [f"stuck-{number}" for number in range(40)]
    for number in range(40):
        world.put(f"llm/{number}", api_key=f"sk-{number}")

    with bao_proxy.fault(Hold(), path="/data/llm/") as held:
        for number, name in enumerate(names):
            world.apply(wants(name, f"llm/{number}"))
        held.wait(8)
        for number in range(10):
            world.apply(wants(f"free-{number}", f"llm/{number}", storeRef={"name": "healthy"}))
        for number in range(10):
            world.is_ready(f"free-{number}")
        assert [name for name in names if world.secret(name) is not None] == []

    for name in names:
        world.is_ready(name)


def test_a_restart_during_an_outage_changes_nothing(bao_proxy: FaultProxy, world: World) -> None:
    first = world.start()
    store_behind(world, bao_proxy)
    has_ready(world, "llm", refreshInterval="10s")
    world.has_events("Created")

    with world.untouched():
        bao_proxy.down()
        assert first.stop() == 0
        second = world.start()
        # Past its first refresh, which finds the store down.
        world.until(lambda: second.metric("keywright_store_calls_total") > 0, "the store is asked")
        assert world.condition()["status"] == "True"
        bao_proxy.up()
        world.until(lambda: has_read(second), "the store answers")
    world.has_events("Created")


def has_read(operator: Operator) -> bool:
    """Whether the operator has read a key from a store."""
    return any(
        "keywright_store_calls_total" in name and {"fetch", "Success"} <= set(name.split(chr(34)))
        for name in operator.metrics()
    )
