"""One store, one object or one answer that takes its time holds up nobody else. On the real servers."""

from __future__ import annotations

import json
import pathlib
import time
from typing import Any

import pytest
import requests

from build import api_key_secret, entry, key_store
from controlplane import Answer, FaultProxy, Hold
from world import World


def test_many_stores_that_hang_hold_up_nobody_else(bao_proxy: FaultProxy, world: World) -> None:
    world.start("--concurrency=16")
    world.has_store("healthy")
    world.put("ok", api_key="sk-ok")

    with bao_proxy.fault(Hold(), path="/data/llm/") as held:
        for store in range(3):
            world.apply(key_store(f"hangs-{store}", bao_proxy.url, world.mount, limits={"timeout": "30s"}))
            for number in range(12):
                wanted = entry("KEY", f"llm/{store}-{number}", "api_key")
                world.apply(api_key_secret(f"stuck-{store}-{number}", wanted, storeRef={"name": f"hangs-{store}"}))
        held.wait(12)
        world.apply(api_key_secret("free", entry("KEY", "ok", "api_key"), storeRef={"name": "healthy"}))
        world.until(lambda: world.secret("free") == {"KEY": "sk-ok"}, "a healthy store is read", seconds=20)


def test_objects_that_wait_for_one_store_leave_room_in_another(bao_proxy: FaultProxy, world: World) -> None:
    world.start()
    world.has_store("quick")
    world.put("quick", api_key="sk-quick")
    world.apply(key_store("slow", bao_proxy.url, world.mount, limits={"timeout": "30s"}))

    with bao_proxy.fault(Hold(), path="/data/slow") as held:
        for number in range(30):
            world.apply(
                api_key_secret(
                    f"both-{number}",
                    entry("QUICK", "quick", "api_key", storeRef={"name": "quick"}),
                    entry("SLOW", "slow", "api_key", storeRef={"name": "slow"}),
                )
            )
        held.wait()
        world.until(lambda: held.hits and world.secret("both-0") is None, "they wait")
        world.apply(api_key_secret("free", entry("KEY", "quick", "api_key"), storeRef={"name": "quick"}))
        world.until(lambda: world.secret("free") == {"KEY": "sk-quick"}, "the quick one has room", seconds=20)


def test_an_object_with_many_keys_is_ready_though_its_store_is_slow(world: World) -> None:
    world.start()
    count = 40
    for number in range(count):
        world.put(f"many/{number}", api_key=f"sk-{number}")
    world.has_store(limits={"requestsPerSecond": 4})
    mark = world.bao.mark()

    world.apply(api_key_secret("many", *(entry(f"K{each}", f"many/{each}", "api_key") for each in range(count))))

    world.is_ready("many")
    read = [each.path for each in world.bao.requests(mark) if "/data/many/" in each.path]
    assert len(read) == len(set(read)) == count


def test_a_large_answer_for_many_entries_does_not_stop_the_operator(bao_proxy: FaultProxy, world: World) -> None:
    operator = world.start()
    large = {"data": {"data": {f"k{each}": each for each in range(200_000)}, "metadata": {"version": 1}}}
    with bao_proxy.fault(Answer(200, json.dumps(large, separators=(",", ":"))), path="/data/large"):
        world.apply(key_store("vault", bao_proxy.url, world.mount, limits={"timeout": "30s"}))
        world.apply(api_key_secret("large", *(entry(f"K{each}", "large", f"k{each}") for each in range(500))))
        slowest = 0.0
        while not world.condition("large").get("status"):
            began = time.monotonic()
            assert requests.get(f"{operator.url}/healthz", timeout=60).ok
            slowest = max(slowest, time.monotonic() - began)

    world.is_ready("large")
    # Parsed once it takes a moment; parsed for each entry it took most of a minute.
    assert slowest < 10


def test_a_slow_api_server_is_not_the_fault_of_the_store(
    control_plane: object, world: World, tmp_path: pathlib.Path
) -> None:
    with FaultProxy(world.plane, tmp_path / "api") as api:
        world.start("--lease-seconds=60", server=api.url, ca_file=api.ca_file)
        world.put("llm/openai", api_key="sk-one")
        with api.fault(Hold(), path="/secrets/vault-token"):
            world.has_store(limits={"timeout": "1s"})
            world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key")))
            world.is_refused("KubernetesUnavailable")
            assert world.condition("vault", "KeyStore") == {}
        world.is_ready()


COSTLY = [{"regexp": {"source": "(?:(a)|b|ab|a?b?){150}c", "target": "y"}}] * 10


@pytest.mark.parametrize(
    ("value", "spec", "reason", "said"),
    [
        (
            {f"n{number}" + "a" * 240: "1" for number in range(2)},
            {
                "dataFrom": [
                    {"extract": {"path": "large"}, "rewrite": [*COSTLY, {"prefix": f"p{number}_"}]}
                    for number in range(28)
                ]
            },
            "InvalidSpec",
            "has a rewrite that costs too much, with all before it",
        ),
        (
            {"v": "x" * 700_000},
            {"data": [entry(f"K{number}", "large", "v") for number in range(20)]},
            "ValueTooLarge",
            "entries together are larger than 8 MiB",
        ),
        (
            {"v": [[]] * 330_000},
            {"data": [entry("K", "large", "other", default="x")]},
            "ValueTooLarge",
            "take more than 32 MiB when they are taken apart",
        ),
    ],
    ids=["rewrites", "values", "parts"],
)
def test_what_one_object_may_cost_is_bounded(
    world: World, value: dict[str, Any], spec: dict[str, Any], reason: str, said: str
) -> None:
    world.start()
    world.has_store()
    world.put("large", **value)
    world.apply(api_key_secret("llm", **spec))

    assert said in world.is_refused(reason)["message"]
