"""The shelf of minted keys in a real cluster: made once, written over what was read, known again."""

from __future__ import annotations

import asyncio
import base64
import pathlib
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from controlplane import Answer, ControlPlane, FaultProxy, LoseAnswer
from keywright import cluster, errors, settings
from keywright.engine import shelf
from keywright.engine.credentials import ClusterCredentials
from keywright.engine.shelf import Shelf
from keywright.errors import Reason
from keywright.secret import SecretValue
from keywright.stores.base import Fetched, Mark, Ref

T = TypeVar("T")

REF = Ref(shelf.path("team-a", "llm", "github"))
NAME = shelf.name_of(REF.path)
TOKEN = "0b7e7f5e-7d4c-4d0e-9d6c-5b6a4cf1a001"


class Desk:
    """A shelf that is asked through a proxy."""

    def __init__(self, plane: ControlPlane, proxy: FaultProxy, namespace: str, folder: pathlib.Path) -> None:
        self.plane, self.proxy, self.namespace = plane, proxy, namespace
        self._config = plane.admin_kubeconfig(folder / "config", server=proxy.url, ca_file=proxy.ca_file)

    def ask(self, call: Callable[[Shelf], T]) -> T:
        """Ask it something, in a thread, as stores are."""

        async def asked() -> T:
            api = await cluster.Cluster.connect(settings.Settings(kubeconfig=str(self._config)))
            try:
                loop = asyncio.get_running_loop()
                own = Shelf(None, ClusterCredentials(api, loop, "team-a", self.namespace), 5.0)
                return await asyncio.to_thread(call, own)
            finally:
                await api.close()

        return asyncio.run(asked())

    def put(self, text: str, expected: str | None) -> str:
        """Put a token there that lives from 1000 to 4600."""
        content = {"token": SecretValue(text), **shelf.times(1000.0, 4600.0)}
        return self.ask(lambda own: own.write(REF, content, expected=expected, token=TOKEN))

    def read(self) -> Fetched:
        """Read what is there."""
        return self.ask(lambda own: own.fetch(REF))

    def refused(self, call: Callable[[], object]) -> Reason:
        """Return why something is refused; nothing that was there is told."""
        with pytest.raises(errors.Error) as caught:
            call()
        assert "ghs_" not in str(caught.value)
        return caught.value.reason

    def later(self, name: str, text: str) -> None:
        """Put an entry there, as no version does that there is."""
        path = f"/api/v1/namespaces/{self.namespace}/secrets/{NAME}"
        body = {"data": {name: base64.b64encode(text.encode()).decode()}}
        assert self.plane.request("PATCH", path, body, content_type="application/merge-patch+json")[0] == 200

    def secret(self) -> Any:
        """Return its Secret as the API server has it."""
        return self.plane.request("GET", f"/api/v1/namespaces/{self.namespace}/secrets/{NAME}")[1]


@pytest.fixture
def desk(control_plane: ControlPlane, api_proxy: FaultProxy, namespace: str, tmp_path: pathlib.Path) -> Desk:
    return Desk(control_plane, api_proxy, namespace, tmp_path)


def test_what_is_put_there_is_read_with_its_times_until_it_is_taken_off(desk: Desk) -> None:
    assert desk.refused(desk.read) is Reason.KEY_NOT_MINTED

    version = desk.put("ghs_one", None)

    found = desk.read()
    assert found.value == SecretValue('{"token":"ghs_one"}')
    assert (found.is_map, found.version) == (True, version)
    assert (found.created_at, found.expires_at) == ("1970-01-01T00:16:40Z", "1970-01-01T01:16:40Z")
    # A later version may put something beside the parts, under a name with a dot.
    desk.later("at.renewed", "1")
    assert desk.read().value == found.value
    meta = desk.secret()["metadata"]
    assert meta["labels"] == shelf.LABEL
    assert meta["annotations"] == {shelf.OF: "team-a/llm/github"}
    for _ in range(2):
        desk.ask(lambda own: own.release(REF, Mark("anybody")))
        assert desk.refused(desk.read) is Reason.KEY_NOT_MINTED


def test_nothing_is_written_over_what_was_not_read(desk: Desk) -> None:
    assert desk.refused(lambda: desk.put("ghs_one", "7")) is Reason.STORE_CHANGED
    first = desk.put("ghs_one", None)
    assert desk.refused(lambda: desk.put("ghs_two", None)) is Reason.STORE_CHANGED
    second = desk.put("ghs_two", first)
    assert desk.refused(lambda: desk.put("ghs_three", first)) is Reason.STORE_CHANGED
    assert desk.read().value == SecretValue('{"token":"ghs_two"}')

    # What was written, and whose answer was lost, is known again.
    with desk.proxy.fault(LoseAnswer(), method="PUT", path="/secrets", times=1):
        third = desk.put("ghs_three", second)
    assert desk.put("ghs_three", second) == third == desk.read().version != second


def test_what_is_no_minted_key_is_refused(desk: Desk) -> None:
    blob = {"token": SecretValue(b"\xff")}
    assert desk.refused(lambda: desk.ask(lambda own: own.write(REF, blob, expected=None, token=TOKEN))) is (
        Reason.DECODE_FAILED
    )
    with desk.proxy.fault(Answer(403), path=NAME):
        assert desk.refused(desk.read) is Reason.ACCESS_DENIED
    path = f"/api/v1/namespaces/{desk.namespace}/secrets"
    for kind, text in (("Opaque", b"ghs_one"), (shelf.TYPE, b"\xff")):
        body = {"metadata": {"name": NAME}, "type": kind, "data": {"token": base64.b64encode(text).decode()}}
        assert desk.plane.request("POST", path, body)[0] == 201
        assert desk.refused(desk.read) is Reason.STORE_ANSWER_INVALID
        desk.ask(lambda own: own.release(REF, Mark("anybody")))
