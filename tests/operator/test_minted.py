"""Keys that live for a short while: minted at once, minted anew before they end, and never for any other reason."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from audit.trails import Kept
from build import key_issuer
from cli.terminal import call
from minting import Minting
from rotating import QUICK
from vendors import serving
from vendors.base import Request, Response
from world import World


@pytest.fixture
def minting(world: World) -> Iterator[Minting]:
    """A credential that is minted."""
    with serving("github") as server:
        yield Minting(world, server)


def is_alive(minting: Minting, token: str) -> bool:
    """Ask as a user of the token does."""
    url, shown = f"{minting.server.url}/installation/repositories", {"Authorization": f"Bearer {token}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=shown)) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


def test_a_token_is_minted_at_once_and_its_end_is_known(world: World, minting: Minting) -> None:
    with minting.refusing():
        minting.begins()
        minting.starts()
        waits = world.told("KeyNotMinted")
    assert waits.startswith("Minted keys have none yet for NS/llm/github"), waits
    assert world.secret() is None

    world.is_ready()
    told = minting.rests()
    (token,) = minting.tokens()
    assert minting.token() == minting.shelved()["token"] == token
    assert 3500 < minting.left() < 3600
    assert told["last"]["outcome"] == "Rotated"
    assert told["next"] == world.object()["status"]["nextRotation"]
    assert "debts" not in told
    assert not world.condition(type_="Rotating")
    plan = call(world, "plan", "llm", "-o", "json")
    (row,) = plan.json["entries"]
    assert (plan.json["act"], row["state"], row["store"]) == ("nothing", "unchanged", "minted keys"), plan


def test_nothing_but_its_end_or_its_loss_mints_another(world: World, minting: Minting) -> None:
    minting.begins()
    operator = minting.starts()
    world.is_ready()
    told, (token,) = minting.rests(), minting.tokens()

    # A refresh reads the shelf once, and writes nothing.
    mark = world.plane.mark()
    with world.untouched():
        world.refreshes("one")
    reads = [each.uri for each in world.requests(operator, mark) if "/keywright-minted-" in each.uri]
    assert len(reads) == 1, reads
    # A repair, a kill and a lost status read it as well.
    world.delete_secret("llm")
    world.secret_becomes({"GITHUB_TOKEN": token})
    operator.kill()
    world.must("PATCH", world.path("ApiKeySecret", "llm") + "/status", {"status": None}, "application/merge-patch+json")
    minting.starts()
    world.is_ready()
    world.until(lambda: minting.told().get("next") == told["next"], lambda: f"all is known again: {minting.told()}")
    assert (minting.tokens(), minting.asked(), minting.token()) == ([token], 1, token)

    # Nor does a journal that is lost mint one; but what is lost on the shelf is minted anew.
    world.operators[-1].stop()
    minting.forgets(minting.journals())
    minting.starts()
    world.is_ready()
    world.until(lambda: minting.told().get("next") == told["next"], lambda: f"all is known again: {minting.told()}")
    assert minting.tokens() == [token]
    minting.forgets(minting.shelves())
    world.annotate("llm", refresh="two")
    world.until(lambda: minting.token() == minting.tokens()[-1] != token, "another one is minted")


def test_users_have_a_living_token_over_several_lives(world: World, minting: Minting) -> None:
    minting.vendor.life = 30.0
    minting.begins()
    minting.starts()
    world.is_ready()
    had: list[str] = []

    while len(had) < 3:
        token = minting.token()
        had += [token] if token not in had else []
        assert is_alive(minting, token), had
        time.sleep(0.2)

    assert minting.tokens()[:3] == had
    # Nobody can revoke one; nothing is owed for that, and nobody asked to see to it.
    assert not any(each.method == "DELETE" for each in minting.server.requests)
    assert "debts" not in minting.told()
    assert "RotationWaits" not in world.event_reasons()
    assert "KeyExpiresSoon" not in world.event_reasons()


def test_one_that_is_overdue_is_minted_by_whoever_leads_next(world: World, minting: Minting) -> None:
    minting.begins()
    operator = minting.starts()
    world.is_ready()
    minting.rests()
    (first,) = minting.tokens()
    operator.stop()
    minting.ages(seconds=1100)

    minting.starts()

    world.until(lambda: minting.token() not in ("", first), "the next one is in the Secret")
    world.until(lambda: minting.left() > 3500, "its end is told")


def test_a_token_that_was_minted_as_the_operator_died_is_used_by_nobody(world: World, minting: Minting) -> None:
    minting.begins()
    operator = minting.starts()
    world.is_ready()
    minting.rests()
    (first,) = minting.tokens()
    answer = minting.vendor.answer

    def dies(request: Request) -> Response:
        made: Response = answer(request)
        if request.method == "POST":
            minting.vendor.answer = answer
            operator.process.kill()
        return made

    minting.vendor.answer = dies
    minting.asks("Rotate")
    operator.process.wait(30)
    assert minting.token() == first

    minting.starts()
    world.ends("please", "Succeeded")

    lost, new = minting.tokens()[1:]
    assert minting.token() == new != lost
    # It is not owed either: it ends by itself.
    assert "debts" not in minting.rests()
    assert is_alive(minting, first)
    Kept(world).has("rotation.outcome", code="Unknown")


def test_a_token_that_is_not_accepted_gets_nowhere(world: World, minting: Minting) -> None:
    minting.begins(test=QUICK | {"within": "10s"})
    minting.starts()
    world.is_ready()
    minting.rests()
    (first,) = minting.tokens()
    state = minting.vendor.state
    minting.vendor.state = lambda mark: state(mark) if mark == first else "invalid"

    minting.asks("Rotate")
    told = world.ends("please", "Failed")["conditions"]

    assert "turned back" in str(told), told
    assert minting.rests()["last"]["why"] == "TestFailed"
    assert len(minting.tokens()) == 2
    assert minting.token() == minting.shelved()["token"] == first
    assert "debts" not in minting.told()


def test_what_is_not_wanted_any_more_leaves_nothing_behind(world: World, minting: Minting) -> None:
    minting.begins()
    minting.starts("--give-up-seconds=1")
    for also in ([], ["KeyIssuer"]):
        world.is_ready()
        minting.rests()
        token = minting.token()

        # As a namespace goes: who mints may be gone before.
        for kind in also:
            world.delete(kind, "github")
        world.delete("ApiKeySecret", "llm")

        world.until(lambda: not minting.shelves(), "the shelf is empty")
        world.until(lambda: not minting.journals(), "the journal is gone")
        # A deletion revokes nothing.
        assert is_alive(minting, token)
        world.has_gone()
        minting.wants()
    assert len(minting.tokens()) == 2
    trail = Kept(world)
    trail.has("rotation.outcome", code="EmptyShelf")
    begun = [each["id"] for each in trail.records("rotation.intent", code="EmptyShelf")]
    world.until(lambda: not trail.verdict().open, "all has its outcome")
    assert begun == [each["id"] for each in trail.records("rotation.outcome", code="EmptyShelf")]
    assert len(begun) == 2


def test_what_cannot_be_minted_is_told_by_name(world: World, minting: Minting) -> None:
    minting.begins()
    minting.starts()
    world.is_ready()
    minting.rests()
    token = minting.token()
    world.apply(key_issuer("generated", generated={"random": {"part": "token", "length": 32}}))
    minting.wants(issuer="generated")
    minting.is_refused("has no remoteRef, and keys of Keywright are kept in a store. Name a remoteRef")

    minting.wants(spec={"data": [{"key": "GITHUB_TOKEN", "remoteRef": {"path": "a", "property": "token"}}]})
    minting.is_refused("what KeyIssuer/github mints is kept in no store. Leave out remoteRef")
    assert minting.token() == token
