"""The Vault store writes: the contract against a real OpenBao, and answers that are lost on the way."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from controlplane import FaultProxy, OpenBao
from controlplane.faults import LoseAnswer
from keywright import errors
from keywright.errors import Reason
from keywright.secret import SecretValue
from keywright.stores.base import Mark
from keywright.stores.vault import Vault
from stores.contract import CANARY, assert_clean, failure
from stores.engines import Engine
from stores.writing import HERE, OURS, WriteBackend, WriteContract, entries, held, refused, token, write

RULES = """
path "{mount}/data/*" {{ capabilities = ["create", "read", "update"] }}
path "{mount}/metadata/*" {{ capabilities = ["read", "patch"] }}
"""


def rotator(kv: Engine) -> str:
    """Return a token that may write, and mark."""
    name = f"{kv.policy}-writes"
    kv.root.sys.create_or_update_policy(name, RULES.format(mount=kv.mount))
    return kv.token(name, "default")


class EngineBackend(WriteBackend):
    def __init__(self, kv: Engine) -> None:
        self._kv = kv
        self._token = rotator(kv)
        self.credentials = (self._token,)

    def put(self, path: str, values: Mapping[str, Any]) -> None:
        self._kv.put(path, values)

    def store(self) -> Vault:
        return self._kv.with_token(self._token)

    def reader(self) -> Vault:
        return self._kv.with_token()

    def refused(self) -> Vault:
        return self._kv.with_token("s.this-token-was-never-issued")

    def goes_back(self, path: str) -> None:
        self._kv.root.secrets.kv.v2.delete_metadata_and_all_versions(path, mount_point=self._kv.mount)
        self._kv.put(path, {"api_key": "one"})


class TestContract(WriteContract):
    @pytest.fixture
    def backend(self, kv: Engine) -> WriteBackend:
        return EngineBackend(kv)


@pytest.fixture
def proxy(openbao: OpenBao, tmp_path: pathlib.Path) -> Iterator[FaultProxy]:
    with FaultProxy(openbao, tmp_path / "proxy") as made:
        yield made


def test_a_write_whose_answer_is_lost_is_found_when_it_is_repeated(kv: Engine, proxy: FaultProxy) -> None:
    kv.put("llm/openai", {"api_key": "one"})
    store = kv.logged_in(rotator(kv), server=proxy.url, timeout=5.0)
    name = token()

    with proxy.fault(LoseAnswer(), method="POST", path="/data/", times=1):
        lost = refused(store, entries(api_key="two"), "1", name)
    assert isinstance(lost, errors.Outage)

    assert write(store, entries(api_key="two"), "1", name) == "2"
    assert store.fetch(HERE).version == "2"


def test_a_write_whose_answer_is_lost_and_that_was_written_over_is_not_done_again(
    kv: Engine, proxy: FaultProxy
) -> None:
    kv.put("llm/openai", {"api_key": "one"})
    store = kv.logged_in(rotator(kv), server=proxy.url)

    with proxy.fault(LoseAnswer(), method="POST", path="/data/", times=1):
        refused(store, entries(api_key="two"), "1")
    kv.put("llm/openai", {"api_key": "theirs"})

    assert refused(store, entries(api_key="two"), "1").reason is Reason.STORE_CHANGED
    assert held(store) == {"api_key": "theirs"}


@pytest.mark.parametrize("gone", ["delete_secret_versions", "destroy_secret_versions"])
def test_what_was_deleted_is_written_over_only_as_long_as_it_is(kv: Engine, proxy: FaultProxy, gone: str) -> None:
    own = kv.root.secrets.kv.v2
    kv.put("llm/openai", {"api_key": "one"})
    kv.put("llm/openai", {"api_key": "two"})
    getattr(own, gone)("llm/openai", [2], mount_point=kv.mount)
    store = kv.logged_in(rotator(kv), server=proxy.url, timeout=5.0)

    assert refused(store, entries(api_key="new"), "1").reason is Reason.STORE_CHANGED
    # Of two writes the second one is done: the first finds that what is there is deleted.
    with proxy.fault(LoseAnswer(), method="POST", path="/data/", after=1, times=1):
        lost = refused(store, entries(api_key="new"), None)
    assert isinstance(lost, errors.Outage)
    assert write(store, entries(api_key="new"), None) == "3"
    assert (store.fetch(HERE).version, held(store)) == ("3", {"api_key": "new"})
    assert refused(store, entries(api_key="else"), None).reason is Reason.STORE_CHANGED

    getattr(own, gone)("llm/openai", [3], mount_point=kv.mount)
    assert write(store, entries(api_key="more"), "3") == "4"


def test_what_comes_back_before_it_is_written_over_stays(kv: Engine) -> None:
    kv.put("llm/openai", {"api_key": "one"})
    kv.root.secrets.kv.v2.delete_secret_versions("llm/openai", [1], mount_point=kv.mount)
    kv.root.secrets.kv.v2.undelete_secret_versions("llm/openai", [1], mount_point=kv.mount)

    error = refused(kv.logged_in(rotator(kv)), entries(api_key="two"), None)

    assert (error.reason, "it is at version 1" in error.message) == (Reason.STORE_CHANGED, True)


def test_version_1_is_not_written_because_nobody_would_see_who_lost(kv1: Engine) -> None:
    kv1.put("llm/openai", {"api_key": "one"})
    store = kv1.logged_in(str(kv1.root.token))

    for error in (
        refused(store, entries(api_key=CANARY), None),
        failure(lambda: store.claim(HERE, Mark("a"), Mark())),
        failure(lambda: store.release(HERE, Mark("a"))),
    ):
        assert (type(error), error.reason) == (errors.Stalled, Reason.UNSUPPORTED)
        assert "version 1" in error.message
    assert held(store) == {"api_key": "one"}


def test_one_text_is_no_map_and_a_vault_keeps_maps(kv: Engine) -> None:
    store = kv.logged_in(rotator(kv))

    for text in (CANARY, f'["{CANARY}"]', "{"):
        error = refused(store, SecretValue(text), None)
        assert (type(error), error.reason) == (errors.Stalled, Reason.DECODE_FAILED)
        assert_clean(error, CANARY)


def test_a_mark_leaves_the_metadata_of_others_alone(kv: Engine) -> None:
    kv.put("llm/openai", {"api_key": "one"})
    kv.root.secrets.kv.v2.update_metadata(
        "llm/openai", custom_metadata={"owner": "team-a"}, max_versions=7, mount_point=kv.mount
    )
    store = kv.logged_in(rotator(kv))

    store.claim(HERE, OURS, Mark())
    marked = metadata(kv)
    store.release(HERE, OURS)

    assert marked["custom_metadata"] == {"owner": "team-a", **OURS.entries()}
    assert (metadata(kv)["custom_metadata"], metadata(kv)["max_versions"]) == ({"owner": "team-a"}, 7)


def metadata(kv: Engine) -> Any:
    return kv.root.secrets.kv.v2.read_secret_metadata("llm/openai", mount_point=kv.mount)["data"]


def test_who_may_not_mark_is_told_which_right_is_missing(kv: Engine) -> None:
    kv.put("llm/openai", {"api_key": "one"})
    name = f"{kv.policy}-reads"
    kv.root.sys.create_or_update_policy(name, f'path "{kv.mount}/metadata/*" {{ capabilities = ["read"] }}')
    store = kv.logged_in(kv.token(name, kv.policy, "default"))

    error = failure(lambda: store.claim(HERE, Mark("a"), Mark()))

    assert (type(error), error.reason) == (errors.LoginExpired, Reason.STORE_READ_ONLY)
    assert f"may patch {kv.mount}/metadata/llm/openai" in error.hint
    assert json.dumps(metadata(kv)["custom_metadata"]) == "null"
