"""One login for many reads: made once, renewed in time, made anew where it ends."""

from __future__ import annotations

import asyncio
import time

import pytest

from keywright import errors
from keywright.engine.opened import RENEW_AT, SOON, THREADS
from keywright.errors import Reason
from unit.desk import DOWN, Desk, Place, grown_old, settle


async def test_there_is_one_login_for_each_identity(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    reads = (desk.insists(store, f"key-{n}", f"team-{n}", identity="ab"[n % 2]) for n in range(30))

    assert len(await asyncio.gather(*reads)) == 30
    assert place.logins == 2


async def test_a_login_that_is_no_longer_accepted_is_made_anew_once(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    await desk.reads(store, "llm")
    grown_old(store)
    place.refused = {1}

    assert await desk.reads(store, "llm") == "llm"
    assert (place.logins, len(place.reads)) == (2, 3)


async def test_what_a_new_login_may_not_read_either_is_denied_for_good(desk: Desk) -> None:
    place = Place(refused=set(range(100)))
    store = desk.opens(place)
    for n in range(3):
        with pytest.raises(errors.Stalled, match=rf"^KeyStore/memory answered 403 for key-{n}$") as caught:
            await desk.reads(store, f"key-{n}")
        assert caught.value.reason is Reason.ACCESS_DENIED
    assert place.logins == 2

    grown_old(store)
    reads = len(place.reads)
    with pytest.raises(errors.Stalled):
        await desk.reads(store, "key-9")
    assert (place.logins, len(place.reads)) == (3, reads + 2)


async def test_many_who_are_refused_at_once_share_one_new_login(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    await desk.reads(store, "llm")
    grown_old(store)
    place.refused = {1}
    answers = await asyncio.gather(*(desk.insists(store, f"key-{n}", f"team-{n}") for n in range(30)))

    assert answers == [f"key-{n}" for n in range(30)]
    assert place.logins == 2


async def test_one_who_is_refused_after_others_have_logged_in_again_reads_with_the_new_login(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    await desk.reads(store, "llm")
    grown_old(store)
    place.refused = {1}
    late = desk.starts(store, "slow")
    await place.has_begun(2)
    assert await desk.reads(store, "llm") == "llm"
    assert place.logins == 2
    place.slow.set()

    assert await late == "slow"
    assert place.logins == 2


async def test_a_burst_on_a_login_that_fails_makes_one_attempt_and_then_there_is_a_pause(desk: Desk) -> None:
    place = Place(login_failing=errors.Stalled(Reason.AUTH_FAILED, "answered 400 to the login"), login_waits=True)
    store = desk.opens(place)
    burst = [asyncio.create_task(desk.insists(store, f"key-{n}", f"team-{n}")) for n in range(30)]
    await place.has_begun(1)
    place.slow.set()

    results = await asyncio.gather(*burst, return_exceptions=True)
    assert {str(each) for each in results} == {"KeyStore/memory answered 400 to the login"}
    assert (place.logins, place.reads) == (1, [])

    place.login_failing = None
    with pytest.raises(errors.Stalled):
        await desk.reads(store, "llm")
    assert place.logins == 1
    login = store._logins[""]
    assert login.failed
    login.failed = login.failed[0] - login.pause, login.failed[1]
    assert await desk.reads(store, "llm") == "llm"


async def test_a_wish_is_not_answered_from_memory_but_does_not_hurry_a_login_either(desk: Desk) -> None:
    place = Place(login_failing=errors.Stalled(Reason.AUTH_FAILED, "answered 400 to the login"))
    store = desk.opens(place)
    with pytest.raises(errors.Stalled):
        await desk.reads(store, "llm")
    place.login_failing = None
    failed = store._logins[""].failed
    assert failed

    store.wish("")
    assert await desk.reads(store, "llm") == "llm"

    assert place.logins == 2
    assert time.monotonic() - failed[0] >= SOON


async def test_a_login_is_renewed_at_two_thirds_of_its_time(desk: Desk) -> None:
    place = Place(holds=3600.0)
    store = desk.opens(place)
    await desk.reads(store, "llm")
    login = store._logins[""]
    assert login.at is not None
    assert login.due - login.at == pytest.approx(3600.0 * RENEW_AT)
    assert login.ends - login.at == pytest.approx(3600.0)
    await desk.reads(store, "llm")
    assert place.renewals == 0

    login.due = time.monotonic()
    await asyncio.gather(*(desk.reads(store, f"key-{n}", f"team-{n}") for n in range(20)))
    assert (place.logins, place.renewals) == (1, 1)
    assert login.due > time.monotonic() + 2000


async def test_a_renewal_that_fails_leaves_the_login_in_use(desk: Desk) -> None:
    place = Place(holds=3600.0)
    store = desk.opens(place)
    await desk.reads(store, "llm")
    store._logins[""].due = time.monotonic()
    place.login_failing = DOWN

    assert await desk.reads(store, "llm") == "llm"
    assert await desk.reads(store, "llm") == "llm"
    assert (place.logins, place.renewals) == (1, 1)


async def test_a_login_whose_time_is_over_is_made_anew(desk: Desk) -> None:
    place = Place(holds=3600.0)
    store = desk.opens(place)
    await desk.reads(store, "llm")
    login = store._logins[""]
    login.due = login.ends = time.monotonic()

    assert await desk.reads(store, "llm") == "llm"
    assert (place.logins, place.renewals) == (2, 0)


async def test_a_login_without_an_end_is_never_renewed(desk: Desk) -> None:
    store = desk.opens(Place())
    await desk.reads(store, "llm")

    assert store._logins[""].due == store._logins[""].ends == float("inf")


async def test_what_waits_for_a_store_that_is_closed_is_told_to_ask_again(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    inside = [desk.starts(store, f"slow-{n}", f"team-{n}") for n in range(THREADS)]
    await place.has_begun(THREADS)
    waiting = desk.starts(store, "late", "team-late")
    await settle()
    store.close()
    place.slow.set()

    assert await asyncio.gather(*inside) == [f"slow-{n}" for n in range(THREADS)]
    with pytest.raises(errors.Retry, match="was changed while it was read"):
        await waiting
