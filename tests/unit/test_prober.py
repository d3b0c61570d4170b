"""Probes are shared, paced and bounded; an issuer in trouble holds up nobody else. Real connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from issuers.issuing import issuer, secret
from keywright.decide.checks import History
from keywright.engine import egress, lanes, prober
from keywright.engine.prober import Probe, Prober
from keywright.engine.queue import Key
from keywright.issuers import ISSUERS, table
from keywright.issuers.base import Verdict
from vendors import VendorServer, serving

KEY = Key("team-a", "llm")
LOOPBACK = egress.Scope(loopback=True)


@pytest.fixture
def vendor() -> Iterator[VendorServer]:
    with serving("openai") as server:
        yield server


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a moment only."""
    monkeypatch.setattr(prober, "PATIENCE", 0.3)


@contextlib.asynccontextmanager
async def probing(over: float = 600.0) -> AsyncIterator[tuple[Prober, list[Key]]]:
    """Run a prober; also what it has called about."""
    news: list[Key] = []
    found = Prober(over, news.append)
    yield found, news
    found.close()
    await asyncio.sleep(0)


def probe(
    server: VendorServer, parts: dict[str, str] | None = None, *, known: bool = True, every: float = 3600
) -> Probe:
    """Make a probe of a key, which its vendor knows."""
    chosen = parts or dict(server.vendor.samples()["project key"])
    if known:
        server.vendor.knows(chosen)
    return Probe(issuer(server), secret(chosen), LOOPBACK, every)


def verdict(found: tuple[History | None, float]) -> Verdict | None:
    """Return what the last probe said."""
    return found[0].finding.verdict if found[0] else None


async def test_who_asks_at_the_same_time_shares_a_probe(vendor: VendorServer) -> None:
    one = probe(vendor)
    async with probing() as (asker, news):
        found = await asyncio.gather(*(asker.ask(one, Key("team-a", str(number))) for number in range(50)))

    assert {verdict(each) for each in found} == {Verdict.VALID}
    assert len(vendor.requests) == 1
    assert news == []


async def test_the_same_key_at_another_issuer_is_another_matter(vendor: VendorServer) -> None:
    with serving("openai") as other:
        parts = dict(vendor.vendor.samples()["project key"])
        async with probing() as (asker, _):
            here = await asker.ask(probe(vendor, parts), KEY)
            there = await asker.ask(probe(other, parts, known=False), KEY)

    assert (verdict(here), verdict(there)) == (Verdict.VALID, Verdict.INVALID)


async def test_who_waits_too_long_is_called_when_it_is_known(vendor: VendorServer) -> None:
    vendor.mood, vendor.pause = "slow", 1
    one = probe(vendor)
    async with probing() as (asker, news):
        assert verdict(await asker.ask(one, KEY)) is None
        while not news:  # noqa: ASYNC110 - there is nothing else to wait for
            await asyncio.sleep(0.05)
        assert verdict(await asker.ask(one, KEY)) is Verdict.VALID

    assert news == [KEY]
    assert len(vendor.requests) == 1


async def test_an_issuer_that_hangs_holds_up_nobody_else(vendor: VendorServer) -> None:
    vendor.mood, vendor.pause = "slow", 3
    with serving("openai") as other:
        async with probing() as (asker, _):
            hanging = [asyncio.create_task(asker.ask(probe(vendor), KEY)) for _ in range(8)]
            assert verdict(await asker.ask(probe(other), KEY)) is Verdict.VALID
            await asyncio.gather(*hanging)


async def test_an_issuer_in_trouble_is_left_alone(vendor: VendorServer) -> None:
    vendor.mood = "broken"
    async with probing() as (asker, _):
        for _ in range(4):
            assert verdict(await asker.ask(probe(vendor), KEY)) is Verdict.UNKNOWN

    assert len(vendor.requests) == 3


async def test_an_answer_about_one_key_is_no_trouble_of_its_issuer(vendor: VendorServer) -> None:
    vendor.mood = "html"
    async with probing() as (asker, _):
        for _ in range(3):
            assert verdict(await asker.ask(probe(vendor), KEY)) is Verdict.UNKNOWN
        vendor.mood = "documented"
        await asyncio.sleep(0.5)
        found = await asker.ask(probe(vendor), KEY)
        while found[0] is None:
            found = await asker.ask(probe(vendor), KEY)

    assert verdict(found) is Verdict.VALID


async def test_an_issuer_at_an_address_inside_is_not_asked(vendor: VendorServer) -> None:
    inside = Probe(issuer(vendor), secret(vendor.vendor.samples()["project key"]), egress.Scope(), 3600)
    async with probing() as (asker, _):
        history, _again = await asker.ask(inside, KEY)

    assert history
    assert history.finding.verdict is Verdict.UNKNOWN
    assert "may not be reached" in history.finding.said
    assert vendor.requests == []


async def test_a_certificate_that_nobody_trusts_ends_the_matter(vendor: VendorServer) -> None:
    url = vendor.url.replace("http:", "https:")
    secure = ISSUERS["openai"](None, table(), url)
    async with probing() as (asker, _):
        history, _again = await asker.ask(
            Probe(secure, secret(vendor.vendor.samples()["project key"]), LOOPBACK, 3600), KEY
        )

    assert history
    assert (history.finding.verdict, history.finding.said) == (Verdict.UNKNOWN, "failed the TLS handshake")


async def test_a_person_has_it_asked_anew(vendor: VendorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prober, "RECENT", 0.0)
    one = probe(vendor)
    async with probing() as (asker, _):
        await asker.ask(one, KEY)
        await asker.ask(one, KEY)
        await asker.ask(one, KEY, anew=True)

    assert len(vendor.requests) == 2


async def test_what_is_remembered_is_bounded(vendor: VendorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prober, "REMEMBERED", 2)
    first, second, third = (probe(vendor) for _ in range(3))
    async with probing() as (asker, _):
        for each in (first, second, third, first):
            await asker.ask(each, KEY)

    assert len(vendor.requests) == 4


async def test_addresses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LANES", 2)
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(serving("openai")) for _ in range(4)]
        async with probing() as (asker, _):
            for each in servers:
                assert verdict(await asker.ask(probe(each), KEY)) is Verdict.VALID
            assert len(asker._lanes) <= 2
