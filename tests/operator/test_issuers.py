"""Every issuer through the real operator, each against its vendor's server: alive, short of a right, dead, silent."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from build import api_key_secret
from controlplane.certificates import Authority
from keywright.issuers import ISSUERS
from served import samples, spec
from vendors import VendorServer, serving, vendors
from world import Json, World


@pytest.fixture
def served(tmp_path: pathlib.Path) -> Iterator[dict[str, VendorServer]]:
    """A server for each vendor, all with certificates of one authority of our own."""
    authority = Authority("issuers")
    (tmp_path / "ca.pem").write_text(authority.pem)
    context = authority.server(tmp_path)
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(serving(name, context)) for name in vendors()}


@pytest.fixture
def asking(world: World, served: dict[str, VendorServer], tmp_path: pathlib.Path) -> World:
    """A world whose operator may ask them all."""
    allowed = [f"--allow-issuer-endpoint={each.url}" for each in served.values()]
    world.start(*allowed, f"--issuer-ca-file={tmp_path / 'ca.pem'}", "--condemn-seconds=600")
    world.has_store()
    return world


def has(world: World, server: VendorServer, parts: dict[str, str]) -> None:
    """Let there be a credential in the store, and an object called as its issuer that says what it is."""
    path = f"keys/{server.vendor.name}"
    world.put(path, **parts)
    wanted = spec(server, parts, path)
    world.apply(api_key_secret(server.vendor.name.lower(), refreshInterval="10s", **wanted))


def test_living_credentials_of_all_issuers_are_written(asking: World, served: dict[str, VendorServer]) -> None:
    for server in served.values():
        parts = samples(server)
        server.vendor.knows(parts)
        has(asking, server, parts)

    for name in served:
        (told,) = asking.is_ready(name.lower())["status"]["credentials"]
        assert (told["issuer"], told["verdict"]) == (name, "Valid")


def test_credentials_that_may_do_less_are_written_and_told(asking: World, served: dict[str, VendorServer]) -> None:
    limited = {name: server for name, server in served.items() if server.vendor.limits}
    for server in limited.values():
        parts = samples(server)
        server.vendor.knows(parts, "limited")
        has(asking, server, parts)

    for name in limited:
        assert asking.is_ready(name.lower())["status"]["credentials"][0]["verdict"] == "ValidLimited", name


def test_dead_credentials_of_all_issuers_are_held_back(asking: World, served: dict[str, VendorServer]) -> None:
    for server in served.values():
        has(asking, server, samples(server))

    for name in served:
        told = asking.is_refused("KeyInvalid", name.lower())
        assert f"{ISSUERS[name].title} answered" in told["message"]
        assert asking.secret(name.lower()) is None


@pytest.mark.parametrize("mood", ["slow down", "echo", "html", "hangs up"])
def test_what_says_nothing_of_a_credential_holds_it_back(
    asking: World, served: dict[str, VendorServer], mood: Any
) -> None:
    values: list[str] = []
    for server in served.values():
        server.mood = mood
        parts = samples(server)
        values += parts.values()
        has(asking, server, parts)

    told = [str(asking.until(lambda n=name: _held(asking, n.lower()), f"{name} is held back")) for name in served]  # type: ignore[misc]

    texts = "".join(told) + asking.operators[0].log.read_text()
    assert not [each for each in values if each[-16:] in texts]


def _held(world: World, name: str) -> Json | None:
    found = world.condition(name)
    return found if found.get("status") == "False" and world.secret(name) is None else None
