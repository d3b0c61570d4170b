"""Journals of rotations in a real cluster: made once, written over what was read, known again after a lost answer."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import pathlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from controlplane import Answer, ControlPlane, FaultProxy, LoseAnswer
from keywright import cluster, errors, settings
from keywright.decide.rotate.journal import Half, Journal, Step
from keywright.engine import journals
from keywright.engine.journals import About, Journals, Kept
from keywright.errors import Reason
from keywright.secret import SecretValue

ABOUT = About("ClusterKeyStore/vault 77a1|teams/team-a/llm/openai", "team-a", "llm", "uid-1")
OLD = {"apiKey": SecretValue("sk-old"), "blob": SecretValue(bytes(range(256)))}
FRESH = Kept(ABOUT, Journal("r1", Step.ISSUING, 1000.0, old=Half("f1", "k1")), OLD, {})
NAME = journals.name_of(ABOUT.key)


class Desk:
    """Journals that are written through a proxy."""

    def __init__(self, plane: ControlPlane, proxy: FaultProxy, namespace: str, folder: pathlib.Path) -> None:
        self.plane, self.proxy, self.namespace = plane, proxy, namespace
        self._config = plane.admin_kubeconfig(folder / "config", server=proxy.url, ca_file=proxy.ca_file)

    @contextlib.asynccontextmanager
    async def journals(self) -> AsyncIterator[Journals]:
        """Open them."""
        api = await cluster.Cluster.connect(settings.Settings(kubeconfig=str(self._config)))
        try:
            yield Journals(api, self.namespace)
        finally:
            await api.close()

    @property
    def path(self) -> str:
        """Path of the Secrets."""
        return f"/api/v1/namespaces/{self.namespace}/secrets"

    def secret(self) -> Any:
        """Return the journal's Secret as the API server has it."""
        return self.plane.request("GET", f"{self.path}/{NAME}")[1]

    def lost(self, method: str) -> contextlib.AbstractContextManager[Any]:
        """Have the answer to the next request of a kind lost, and the request done."""
        return self.proxy.fault(LoseAnswer(), method=method, path="/secrets", times=1)


@pytest.fixture
def desk(control_plane: ControlPlane, namespace: str, tmp_path: pathlib.Path) -> Iterator[Desk]:
    with FaultProxy(control_plane, tmp_path / "proxy") as proxy:
        yield Desk(control_plane, proxy, namespace, tmp_path)


def held(kept: Kept) -> Kept:
    """Return a journal one step on."""
    journal = kept.journal.at(Step.HELD, 1010.0, new=Half("f2", "k2"))
    return kept.but(journal, new={"apiKey": SecretValue("sk-new")})


async def test_a_journal_is_made_once_and_read_as_it_was_written(desk: Desk) -> None:
    async with desk.journals() as ours:
        assert await ours.find(ABOUT.key) is None
        made = await ours.claim(FRESH)
        written = await ours.write(held(made))

        again = await ours.claim(FRESH)
        listed = [each async for each in ours.all()]

    assert dataclasses.replace(made, version="") == FRESH
    assert again == written == listed[0]
    assert (again.journal.step, again.new["apiKey"].reveal(), again.old["blob"].reveal()) == (
        Step.HELD,
        b"sk-new",
        bytes(range(256)),
    )
    assert desk.secret()["type"] == journals.TYPE


async def test_another_object_cannot_claim_the_key_and_a_restored_one_can(desk: Desk) -> None:
    other = dataclasses.replace(FRESH, about=dataclasses.replace(ABOUT, namespace="team-b"))
    restored = dataclasses.replace(FRESH, about=dataclasses.replace(ABOUT, uid="uid-2"))

    async with desk.journals() as ours:
        made = await ours.claim(FRESH)
        with pytest.raises(journals.Elsewhere, match="is rotated by an object of another namespace") as refused:
            await ours.claim(other)
        with pytest.raises(journals.Elsewhere, match="is rotated by ApiKeySecret llm"):
            await ours.claim(dataclasses.replace(FRESH, about=dataclasses.replace(ABOUT, name="other")))
        taken = await ours.claim(restored)

    assert (taken.about.uid, taken.journal, taken.old) == ("uid-2", made.journal, made.old)

    assert refused.value.reason is Reason.ROTATION_OWNED_ELSEWHERE


def named(credential: str) -> str:
    """Return the recipe of a credential, as far as ownership needs it."""
    return json.dumps({"credential": {"name": credential}})


async def test_two_credentials_do_not_share_a_journal_and_one_that_was_renamed_goes_on_once_it_rests(
    desk: Desk,
) -> None:
    first = dataclasses.replace(FRESH, about=dataclasses.replace(ABOUT, recipe=named("one")))
    second = dataclasses.replace(FRESH, about=dataclasses.replace(ABOUT, recipe=named("two")))

    async with desk.journals() as ours:
        made = await ours.claim(first)
        for others in (frozenset({"one", "two"}), frozenset({"two"})):
            with pytest.raises(journals.Elsewhere, match="as credential one of the same object"):
                await ours.claim(second, others)
        rests = await ours.write(made.but(made.journal.rest(1020.0)))
        with pytest.raises(journals.Elsewhere, match="as credential one of the same object"):
            await ours.owned(second.about, frozenset({"one", "two"}))
        taken = await ours.claim(second, frozenset({"two"}))

    assert (taken.about, taken.journal) == (second.about, rests.journal)


async def test_of_two_writers_one_goes_on(desk: Desk) -> None:
    async with desk.journals() as ours, desk.journals() as theirs:
        made = await ours.claim(FRESH)
        await theirs.write(held(made))

        for late in (ours.write(made.but(made.journal.but(pinned=True))), ours.forget(made)):
            with pytest.raises(errors.Retry) as refused:
                await late
            assert refused.value.reason is Reason.CONFLICT
        found = await ours.find(ABOUT.key)

    assert found is not None
    assert found.journal.step is Step.HELD


async def test_a_write_whose_answer_was_lost_is_known_again(desk: Desk) -> None:
    async with desk.journals() as ours:
        with desk.lost("POST"):
            made = await ours.claim(FRESH)
        with desk.lost("PUT"):
            written = await ours.write(held(made))
        with desk.lost("DELETE"):
            await ours.forget(written)

        assert (made.journal.step, written.journal.step) == (Step.ISSUING, Step.HELD)
        assert await ours.find(ABOUT.key) is None
        await ours.forget(written)


async def test_what_a_later_version_has_put_there_is_written_again_and_its_values_go_with_the_rotation(
    desk: Desk,
) -> None:
    about = json.dumps(
        {**{name: getattr(ABOUT, name) for name in ("key", "namespace", "name", "uid", "recipe")}, "team": "a"}
    )
    data = {"about": about, "older.apiKey": "sk-older"}
    again = dataclasses.replace(ABOUT, uid="uid-2")

    async with desk.journals() as ours:
        await ours.claim(FRESH)
        body = {"data": {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}}
        desk.plane.request("PATCH", f"{desk.path}/{NAME}", body, content_type="application/merge-patch+json")
        taken = await ours.claim(dataclasses.replace(FRESH, about=again))
        assert taken == await ours.claim(dataclasses.replace(FRESH, about=again))
        written = await ours.write(held(taken))
        entries = {
            name: base64.b64decode(text).decode() for name, text in desk.secret()["data"].items() if name in data
        }
        rests = await ours.write(written.but(written.journal.rest(1020.0)))

    assert (json.loads(entries["about"]), entries["older.apiKey"]) == (
        {**json.loads(about), "uid": "uid-2"},
        "sk-older",
    )
    assert desk.secret()["data"].keys() == {"about", "journal"}
    assert (rests.about.uid, rests.about.later) == ("uid-2", '{"team":"a"}')


async def test_what_cannot_be_written_is_told_and_what_was_there_stays(desk: Desk) -> None:
    large = {"apiKey": SecretValue(b"k" * journals.MAX)}
    half = dataclasses.replace(FRESH, old={"apiKey": SecretValue(b"k" * (journals.MAX // 2))})

    async with desk.journals() as ours:
        with pytest.raises(errors.Stalled, match="take more than 900 KiB together"):
            await ours.claim(half)
        made = await ours.claim(FRESH)
        with pytest.raises(errors.Stalled, match="take more than 900 KiB together"):
            await ours.write(made.but(made.journal, new=large))
        with desk.proxy.fault(Answer(507), method="PUT", path="/secrets"), pytest.raises(errors.Retry):
            await ours.write(held(made))
        with desk.proxy.fault(Answer(403), method="PUT", path="/secrets"), pytest.raises(errors.Stalled) as denied:
            await ours.write(held(made))
        with desk.proxy.fault(Answer(422), method="PUT", path="/secrets"), pytest.raises(cluster.Refused):
            await ours.write(held(made))
        assert denied.value.reason is Reason.TARGET_DENIED

        assert await ours.find(ABOUT.key) == made


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        ("journal", json.dumps({"version": 2}), "needs a later version of Keywright"),
        ("journal", "", "is no journal of a rotation"),
        ("about", "{}", "is no journal of a rotation"),
        ("about", json.dumps({**dataclasses.asdict(ABOUT), "uid": 1}), "is no journal of a rotation"),
        ("about", json.dumps({**dataclasses.asdict(ABOUT), "key": "other"}), "is the journal of another key"),
    ],
)
async def test_a_journal_that_was_changed_is_left_alone(desk: Desk, entry: str, value: str, said: str) -> None:
    async with desk.journals() as ours:
        await ours.claim(FRESH)
        body = {"data": {entry: base64.b64encode(value.encode()).decode()}}
        desk.plane.request("PATCH", f"{desk.path}/{NAME}", body, content_type="application/merge-patch+json")

        with pytest.raises(errors.Stalled, match=said) as refused:
            await ours.find(ABOUT.key)
        with pytest.raises(errors.Stalled, match=said):
            await ours.claim(FRESH)
        listed = [each async for each in ours.all()]

    assert refused.value.reason is Reason.JOURNAL_UNREADABLE
    assert [str(each) for each in listed] == [str(refused.value)]
