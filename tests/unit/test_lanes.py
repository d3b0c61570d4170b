"""No tenant, key or path holds up all others at an issuer, and what is found out about one is not lost to another."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from issuers.issuing import issuer, secret
from keywright.decide import checks
from keywright.engine import endpoints, lanes, prober
from keywright.engine.prober import Probe, Prober
from keywright.engine.queue import Key
from keywright.issuers import ISSUERS, table
from keywright.issuers.base import Verdict
from keywright.issuers.custom import Custom
from unit.test_prober import KEY, LOOPBACK, probe, probing, verdict
from vendors import VendorServer, serving

OTHER = Key("team-b", "good")


@pytest.fixture
def vendor() -> Iterator[VendorServer]:
    with serving("openai") as server:
        yield server


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a moment only."""
    monkeypatch.setattr(prober, "PATIENCE", 0.3)


def at(url: str, number: int, every: float = 3600) -> Probe:
    """Make a probe of one of many keys at an address."""
    return Probe(
        ISSUERS["openai"](None, table(), url),
        secret({"apiKey": f"sk-{number:020d}T3BlbkFJ{number:020d}"}),
        LOOPBACK,
        every,
    )


async def known(asker: Prober, one: Probe, vendor: VendorServer) -> Verdict | None:
    """Ask for another namespace until something is known, or others have been asked about too often meanwhile."""
    while (found := await asker.ask(one, OTHER))[0] is None and len(vendor.requests) < 20:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return verdict(found)


# Pace and breaker.


async def test_many_paths_of_one_host_share_its_pace(vendor: VendorServer) -> None:
    async with probing() as (asker, _):
        begun = time.monotonic()
        spellings = (f"{vendor.url}/p{n}" for n in range(50))
        await asyncio.gather(*(asker.ask(at(url, n), KEY) for n, url in enumerate(spellings)))
        most = 4 + 2 * (time.monotonic() - begun)

    assert 4 <= len(vendor.requests) <= most + 1
    assert {"/p0/", "/p1/", "/p2/", "/p3/"} <= {each.target[:4] for each in vendor.requests}


@pytest.mark.parametrize(
    "url",
    [
        "https://API.example.com",
        "https://api.example.com.",
        "https://api.example.com:443",
        "HTTPS://api.example.com/v1?a",
    ],
)
def test_however_an_address_is_written_it_is_the_same_host(url: str) -> None:
    assert endpoints.origin(url) == ("https", "api.example.com", 443)


async def test_a_key_whose_quota_is_used_up_does_not_silence_others() -> None:
    with serving("github") as hub:
        drained, good = (dict(next(iter(hub.vendor.samples().values()))) for _ in range(2))
        async with probing() as (asker, _):
            hub.mood, hub.pause = "slow down", 3000
            _, again = await asker.ask(Probe(issuer(hub), secret(drained), LOOPBACK, 60), KEY)
            assert again - time.time() > 2900
            hub.mood = "documented"
            assert verdict(await asker.ask(probe(hub, good), OTHER)) is Verdict.VALID


async def test_a_key_that_was_told_to_wait_waits_whoever_wishes(
    vendor: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prober, "RECENT", 0.0)
    vendor.mood, vendor.pause = "slow down", 999_999_999
    one = probe(vendor)
    async with probing() as (asker, _):
        for _each in range(3):
            _, again = await asker.ask(one, KEY, anew=True)

    assert again - time.time() <= checks.LONGEST_PATIENCE
    assert len(vendor.requests) == 1


async def test_an_issuer_that_asks_two_keys_for_patience_is_left_alone(vendor: VendorServer) -> None:
    vendor.mood, vendor.pause = "slow down", 3000
    async with probing() as (asker, _):
        for _each in range(2):
            assert verdict(await asker.ask(probe(vendor), KEY)) is Verdict.UNKNOWN
        vendor.mood = "documented"
        assert verdict(await asker.ask(probe(vendor), KEY)) is None

    assert len(vendor.requests) == 2


async def test_one_key_that_fails_again_and_again_does_not_close_its_issuer(
    vendor: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prober, "RECENT", 0.0)
    one = probe(vendor)
    vendor.mood = "broken"
    async with probing() as (asker, _):
        for _each in range(4):
            await asker.ask(one, KEY, anew=True)
        assert len(vendor.requests) == 4
        vendor.mood = "documented"
        assert await known(asker, probe(vendor), vendor) is Verdict.VALID


async def test_a_declared_probe_does_not_close_a_gateway_for_others(vendor: VendorServer) -> None:
    config = Custom.Config.model_validate({"parts": [{"name": "apiKey"}], "probe": {"url": "https://gateway.example/"}})
    assert config.probe
    # Objects can name https only.
    config = config.model_copy(update={"probe": config.probe.model_copy(update={"url": f"{vendor.url}/bad"})})
    good = probe(vendor)
    async with probing() as (asker, _):
        vendor.mood = "broken"
        for number in range(4):
            bad = Probe(Custom(config, table()), secret({"apiKey": f"key-{number}-abcdef"}), LOOPBACK, 60)
            await asker.ask(bad, KEY)
        assert len(vendor.requests) == 3
        vendor.mood = "documented"
        assert verdict(await asker.ask(good, OTHER)) is Verdict.VALID


# Turns.


async def test_a_namespace_with_many_keys_does_not_make_others_wait(vendor: VendorServer) -> None:
    async with probing() as (asker, _):
        await asyncio.gather(*(asker.ask(at(vendor.url, number), KEY) for number in range(320)))
        assert await known(asker, probe(vendor), vendor) is Verdict.VALID


async def test_a_namespace_with_many_keys_does_not_overtake_others(vendor: VendorServer) -> None:
    async with probing() as (asker, _):
        for number in range(5):
            await asker.ask(at(vendor.url, number), OTHER)
        await asyncio.gather(*(asker.ask(at(vendor.url, number), KEY) for number in range(5, 325)))
        assert await known(asker, at(vendor.url, 4), vendor) is Verdict.INVALID


async def test_a_key_for_which_another_namespace_waits_comes_in_the_turn_of_both(vendor: VendorServer) -> None:
    async with probing() as (asker, _):
        await asyncio.gather(*(asker.ask(at(vendor.url, number), KEY) for number in range(320)))
        assert await known(asker, at(vendor.url, 319), vendor) is Verdict.INVALID


# Bounds.


async def test_issuers_are_remembered_up_to_the_limit(monkeypatch: pytest.MonkeyPatch, vendor: VendorServer) -> None:
    monkeypatch.setattr(lanes, "LANES", 4)
    with serving("openai") as second, serving("openai") as third:
        async with probing() as (asker, _):
            for each in (vendor, second, third):
                await asker.ask(probe(each), KEY)
            assert len(asker._lanes) == 3


async def test_where_all_lanes_are_busy_that_is_told(monkeypatch: pytest.MonkeyPatch, vendor: VendorServer) -> None:
    monkeypatch.setattr(lanes, "LANES", 1)
    with serving("openai") as slow:
        slow.mood, slow.pause = "slow", 1
        async with probing() as (asker, news):
            await asker.ask(probe(slow), KEY)
            history, _again = await asker.ask(probe(vendor), OTHER)
            assert history
            assert history.finding.said == "is not asked yet: too many addresses are asked already"
            while not news:  # noqa: ASYNC110 - there is nothing else to wait for
                await asyncio.sleep(0.05)
            assert verdict(await asker.ask(probe(vendor), OTHER)) is Verdict.VALID


async def test_paths_that_hang_take_no_lanes_from_others(vendor: VendorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LANES", 4)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with probing() as (asker, _):
            await asyncio.gather(*(asker.ask(at(f"{url}/p{n}", n), KEY) for n in range(9)))
            assert verdict(await asker.ask(probe(vendor), OTHER)) is Verdict.VALID


async def test_what_fails_in_an_unforeseen_way_is_told_as_such(
    vendor: VendorServer, caplog: pytest.LogCaptureFixture
) -> None:
    one = probe(vendor)
    async with probing() as (asker, _):
        lane = asker._lane(one)
        assert lane
        lane._threads.shutdown()
        history, _again = await asker.ask(one, KEY)

    assert history
    assert history.finding.said == "could not be asked: a bug, of which the log tells the place"
    assert "an issuer failed in an unforeseen way: RuntimeError at thread.py:" in caplog.text


# What is remembered.


async def test_who_asks_often_is_not_kept_waiting_by_who_asks_seldom(vendor: VendorServer) -> None:
    parts = dict(vendor.vendor.samples()["project key"])
    async with probing() as (asker, _):
        _, seldom = await asker.ask(probe(vendor, parts, every=30 * 86400), KEY)
        _, often = await asker.ask(probe(vendor, parts, every=60), OTHER)

    assert often - time.time() <= 60
    assert seldom - time.time() > 20 * 86400
    assert len(vendor.requests) == 1


async def test_a_namespace_with_many_keys_does_not_have_refusals_of_others_forgotten(
    vendor: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prober, "REMEMBERED", 2)
    dead = probe(vendor, known=False)
    async with probing() as (asker, _):
        await asker.ask(dead, OTHER)
        for _each in range(3):
            await asker.ask(probe(vendor), KEY)
        history, _again = await asker.ask(dead, OTHER)

    assert history
    assert history.refusals == 1
    assert len(vendor.requests) == 4
