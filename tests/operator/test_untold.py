"""Secrets that hold what their object's status does not tell yet. On the real servers."""

from __future__ import annotations

from typing import Any

import pytest

from build import api_key_secret, entry
from controlplane import FaultProxy, Hold, KillBefore
from world import World

STATUS = "/apikeysecrets/llm/status"
TEMPLATE = {"template": {"stringData": {"url": "https://{{ REGION }}/{{ KEY }}"}}}


def defaulted(default: str = "eu", **target: Any) -> dict[str, Any]:
    """Return an object of which one entry has a default until the store has it."""
    region = entry("REGION", "llm/region", "name", default=default)
    return api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), region, target=target)


@pytest.mark.parametrize("target", [{}, TEMPLATE], ids=["entries", "template"])
def test_no_default_is_written_over_what_the_store_gave_before_the_status_tells_of_it(
    api_proxy: FaultProxy, world: World, target: dict[str, Any]
) -> None:
    world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    world.apply(defaulted(**target))
    world.is_ready()

    with api_proxy.fault(Hold(), method="PATCH", path=STATUS, times=1) as held:
        world.put("llm/region", name="us")
        world.annotate("llm", refresh="1")
        held.wait()
        written = world.secret()
        world.forget("llm/region")
        world.annotate("llm", refresh="2")

    world.is_refused("NotFound")
    assert written in ({"KEY": "sk-one", "REGION": "us"}, {"url": "https://us/sk-one"})
    assert world.secret() == written


def test_no_default_is_written_over_what_a_killed_operator_wrote(api_proxy: FaultProxy, world: World) -> None:
    first = world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    world.apply(defaulted())
    world.is_ready()
    world.put("llm/region", name="us")
    with api_proxy.fault(KillBefore(first.process.pid), method="PATCH", path=STATUS, times=1):
        world.annotate("llm", refresh="1")
        first.process.wait(30)
    assert world.secret() == {"KEY": "sk-one", "REGION": "us"}
    world.forget("llm/region")

    world.start()

    world.is_refused("NotFound")
    assert world.secret() == {"KEY": "sk-one", "REGION": "us"}


def test_a_default_goes_on_where_somebody_has_touched_the_secret(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    world.apply(defaulted())
    world.is_ready()
    world.change_secret("llm", theirs="1")

    world.apply(defaulted("de"))

    world.secret_becomes({"KEY": "sk-one", "REGION": "de", "theirs": "1"})
    world.is_ready()
