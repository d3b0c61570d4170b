"""The Vault store against a real OpenBao: the contract, and what is Vault's own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any

import pydantic
import pytest

from controlplane import OpenBao
from keywright import errors, pacing
from keywright.errors import Reason
from keywright.stores.base import Ref
from keywright.stores.vault import Vault
from stores.contract import CANARY, Backend, HeldCredentials, StoreContract, assert_clean, failure, refusal
from stores.engines import Engine, engine_of

BAD_TOKEN = "s.this-token-was-never-issued"


class EngineBackend(Backend):
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._token = engine.token()
        self.versions = engine.version == 2
        self.credentials = (self._token, BAD_TOKEN)

    def put(self, path: str, values: Mapping[str, Any]) -> None:
        self._engine.put(path, values)

    def store(self) -> Vault:
        return self._engine.with_token(self._token)

    def refused(self) -> Vault:
        return self._engine.with_token(BAD_TOKEN)


class TestVersion2(StoreContract):
    @pytest.fixture
    def backend(self, kv: Engine) -> Backend:
        return EngineBackend(kv)


class TestVersion1(StoreContract):
    @pytest.fixture
    def backend(self, kv1: Engine) -> Backend:
        return EngineBackend(kv1)


def test_a_version_comes_with_its_number_and_time(kv: Engine) -> None:
    kv.put("llm/openai", {"api_key": "1"})
    kv.put("llm/openai", {"api_key": "2"})

    fetched = kv.logged_in().fetch(Ref("llm/openai"))

    made = kv.root.secrets.kv.v2.read_secret_metadata("llm/openai", mount_point=kv.mount)["data"]["versions"]["2"]
    assert (fetched.version, fetched.created_at) == ("2", f"{made['created_time'][:19]}Z")
    assert fetched.expires_at is None


@pytest.mark.parametrize(
    ("marked", "ends"),
    [
        ({"expires_at": "2031-05-01T12:00:00Z"}, "2031-05-01T12:00:00Z"),
        ({"expires-at": "2031-05-01T14:00:00+02:00"}, "2031-05-01T12:00:00Z"),
        ({"expires": "2031-05-01", "owner": "team-a"}, "2031-05-01T00:00:00Z"),
        ({"expires_at": "soon"}, None),
    ],
)
def test_custom_metadata_tells_when_a_key_ends(kv: Engine, marked: dict[str, str], ends: str | None) -> None:
    kv.put("llm/openai", {"api_key": CANARY})
    kv.root.secrets.kv.v2.update_metadata("llm/openai", custom_metadata=marked, mount_point=kv.mount)

    assert kv.logged_in().fetch(Ref("llm/openai")).expires_at == ends


def test_a_version_that_is_to_be_removed_tells_when(kv: Engine) -> None:
    kv.root.secrets.kv.v2.update_metadata("llm/openai", delete_version_after="24h", mount_point=kv.mount)
    kv.put("llm/openai", {"api_key": CANARY})

    ends = pacing.unix(kv.logged_in().fetch(Ref("llm/openai")).expires_at)

    assert ends == pytest.approx(time.time() + 86400, abs=60)


@pytest.mark.parametrize("act", ["delete_secret_versions", "destroy_secret_versions"])
def test_a_deleted_or_destroyed_version_is_not_a_missing_key(kv: Engine, act: str) -> None:
    kv.put("llm/openai", {"api_key": CANARY})
    getattr(kv.root.secrets.kv.v2, act)("llm/openai", [1], mount_point=kv.mount)

    error = refusal(kv.logged_in(), Ref("llm/openai"))

    assert (type(error), error.reason) == (errors.Stalled, Reason.VERSION_DELETED)
    assert "request " in error.message
    assert_clean(error, CANARY)


def test_an_undeleted_version_is_back(kv: Engine) -> None:
    kv.put("llm/openai", {"api_key": "1"})
    kv.root.secrets.kv.v2.delete_secret_versions("llm/openai", [1], mount_point=kv.mount)
    kv.root.secrets.kv.v2.undelete_secret_versions("llm/openai", [1], mount_point=kv.mount)

    assert kv.logged_in().fetch(Ref("llm/openai")).version == "1"


def test_a_key_deleted_with_all_versions_is_missing(kv: Engine) -> None:
    kv.put("llm/openai", {"api_key": "1"})
    kv.root.secrets.kv.v2.delete_metadata_and_all_versions("llm/openai", mount_point=kv.mount)

    assert refusal(kv.logged_in(), Ref("llm/openai")).reason == Reason.NOT_FOUND


def test_a_version_that_never_was_is_named(kv: Engine) -> None:
    kv.put("llm/openai", {"api_key": "1"})

    error = refusal(kv.logged_in(), Ref("llm/openai", "7"))

    assert (error.reason, error.message) == (Reason.NOT_FOUND, "answered 404 for llm/openai version 7")


@pytest.mark.parametrize("version", ["0", "-1", "latest", "1 ", "²", "9999999999"])
def test_a_version_that_is_no_number_is_not_asked_for(kv: Engine, version: str) -> None:
    kv.put("llm/openai", {"api_key": "1"})

    assert refusal(kv.logged_in(), Ref("llm/openai", version)).reason == Reason.UNSUPPORTED


@pytest.mark.parametrize("declared", [None, 2])
def test_a_declared_version_and_a_detected_one_read_the_same(kv: Engine, declared: int | None) -> None:
    kv.put("llm/openai", {"api_key": "1"})

    assert kv.logged_in(version=declared).fetch(Ref("llm/openai")).version == "1"


def test_a_version_1_engine_declared_as_2_is_not_a_missing_key(kv1: Engine) -> None:
    kv1.put("llm/openai", {"api_key": "1"})

    error = refusal(kv1.logged_in(version=2), Ref("llm/openai"))

    assert (type(error), error.reason) == (errors.LoginExpired, Reason.UNSUPPORTED)
    assert error.message == f"has version 1 of the KV engine at {kv1.mount}, not 2"


def test_a_version_2_engine_declared_as_1_is_not_a_missing_key(kv: Engine) -> None:
    kv.put("llm/openai", {"api_key": "1"})

    error = refusal(kv.logged_in(version=1), Ref("llm/openai"))

    assert (type(error), error.reason) == (errors.LoginExpired, Reason.UNSUPPORTED)


def test_an_unmounted_engine_is_not_a_missing_key(kv: Engine) -> None:
    store = kv.logged_in(str(kv.root.token))
    kv.root.delete(f"/sys/mounts/{kv.mount}")

    error = refusal(store, Ref("llm/openai"))

    assert (type(error), error.reason) == (errors.Stalled, Reason.MOUNT_NOT_FOUND)
    assert kv.mount in error.message


def test_an_engine_that_came_back_with_another_version_is_asked_again(kv: Engine) -> None:
    store = kv.logged_in(str(kv.root.token))
    kv.root.delete(f"/sys/mounts/{kv.mount}")
    kv.root.sys.enable_secrets_engine("kv", path=kv.mount, options={"version": "1"})
    kv.root.secrets.kv.v1.create_or_update_secret("llm/openai", {"api_key": "1"}, mount_point=kv.mount, method="POST")

    assert isinstance(refusal(store, Ref("llm/openai")), errors.LoginExpired)
    store.login()
    assert store.fetch(Ref("llm/openai")).version is None


@pytest.mark.parametrize("mount", ["nothing-is-here", "{kv}/llm"])
def test_a_mount_that_is_not_there_is_said_at_the_login(kv: Engine, mount: str) -> None:
    error = failure(kv.with_token(mount=mount.format(kv=kv.mount)).login)

    assert (type(error), error.reason) == (errors.Stalled, Reason.MOUNT_NOT_FOUND)


def test_a_mount_of_another_engine_is_refused(kv: Engine) -> None:
    error = failure(kv.with_token(mount="cubbyhole").login)

    assert (type(error), error.reason) == (errors.Stalled, Reason.UNSUPPORTED)


def test_a_path_that_the_policy_does_not_allow_asks_for_a_new_login_and_says_what_to_check(kv: Engine) -> None:
    kv.root.sys.create_or_update_policy("team-a", f'path "{kv.mount}/data/team-a/*" {{ capabilities = ["read"] }}')
    kv.put("team-b/openai", {"api_key": CANARY})

    error = refusal(kv.logged_in(kv.token("team-a")), Ref("team-b/openai"))

    assert (type(error), error.reason) == (errors.LoginExpired, Reason.ACCESS_DENIED)
    assert error.message == "answered 403 for team-b/openai"
    assert error.hint == f"Check that the token in Secret vault may read {kv.mount}/data/team-b/openai in Vault"


def test_a_revoked_token_asks_for_a_new_login(kv: Engine) -> None:
    token = kv.token()
    store = kv.logged_in(token)
    kv.root.auth.token.revoke(token)

    assert isinstance(refusal(store, Ref("ready")), errors.LoginExpired)
    assert failure(store.login).reason == Reason.AUTH_FAILED


def test_a_fetch_without_a_login_asks_for_one(kv: Engine) -> None:
    assert isinstance(refusal(kv.with_token(), Ref("ready")), errors.LoginExpired)


def test_a_namespace_has_engines_of_its_own(openbao: OpenBao) -> None:
    name = f"ns-{uuid.uuid4().hex[:8]}"
    openbao.client().write_data(f"sys/namespaces/{name}", data={})
    with engine_of(openbao.client(name), 2) as engine:
        engine.put("llm/openai", {"api_key": "inside"})
        token = engine.token()

        inside = engine.logged_in(token, namespace=name).fetch(Ref("llm/openai"))

        assert json.loads(inside.value.reveal()) == {"api_key": "inside"}
        error = failure(engine.with_token(token).login)
        assert (error.reason, "vault.namespace" in error.hint) == (Reason.MOUNT_NOT_FOUND, True)


@pytest.mark.parametrize("version", [1, 2])
def test_an_empty_map_is_an_answer(openbao: OpenBao, version: int) -> None:
    with engine_of(openbao.client(), version) as engine:
        engine.put("llm/empty", {"": ""})

        assert engine.logged_in().fetch(Ref("llm/empty")).value.reveal() == b'{"":""}'


def test_numbers_and_structures_stay_json(kv: Engine) -> None:
    values: dict[str, Any] = {"n": 9007199254740991, "f": 0.5, "t": True, "z": None, "l": [1, "a"], "m": {"a.b": {}}}
    kv.put("llm/all", values)

    assert json.loads(kv.logged_in().fetch(Ref("llm/all")).value.reveal()) == values


def test_a_path_of_1024_characters_is_read(kv: Engine) -> None:
    path = "/".join(["segment-9"] * 102) + "/end"
    assert len(path) == 1023
    kv.put(path, {"api_key": "1"})

    assert kv.logged_in().fetch(Ref(path)).version == "1"


def test_importing_all_stores_imports_no_sdk() -> None:
    said = "import keywright.stores, sys; print({'hvac', 'requests', 'urllib3', 'boto3'} & sys.modules.keys())"

    printed = subprocess.run([sys.executable, "-c", said], cwd="operator", capture_output=True, text=True, check=True)

    assert printed.stdout == "set()\n"


def test_the_environment_changes_nothing(kv: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    kv.put("llm/openai", {"api_key": "1"})
    token = kv.token()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "VAULT_ADDR"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("VAULT_TOKEN", BAD_TOKEN)
    monkeypatch.setenv("VAULT_NAMESPACE", "elsewhere")

    assert kv.logged_in(token).fetch(Ref("llm/openai")).version == "1"


def test_nothing_secret_is_logged_even_at_debug(kv: Engine, caplog: pytest.LogCaptureFixture) -> None:
    kv.put("llm/openai", {"api_key": CANARY})
    token = kv.token()
    caplog.set_level("DEBUG")

    store = kv.logged_in(token)
    store.fetch(Ref("llm/openai"))
    refusal(store, Ref("llm/missing"))
    failure(kv.with_token(BAD_TOKEN).login)

    assert "llm/openai" in caplog.text
    assert [secret for secret in (CANARY, token, BAD_TOKEN) if secret in caplog.text] == []


SECRET = {"secretRef": {"name": "a", "key": "b"}}
ACCOUNT = {"serviceAccountRef": {"name": "a"}}


@pytest.mark.parametrize(
    ("auth", "identity"),
    [
        ({"token": SECRET}, ""),
        ({"appRole": {"roleId": "r", "secretIdRef": SECRET["secretRef"]}}, ""),
        ({"userPass": {"username": "u", "passwordRef": SECRET["secretRef"]}}, ""),
        ({"cert": {}}, ""),
        ({"cert": {"role": "{namespace}"}}, "team-a"),
        ({"jwt": {"role": "r"} | SECRET}, ""),
        ({"jwt": {"role": "r-{namespace}"} | SECRET}, "team-a"),
        ({"jwt": {"role": "r"} | ACCOUNT}, "team-a"),
        ({"kubernetes": {"role": "r"} | ACCOUNT}, "team-a"),
    ],
)
def test_objects_share_a_login_unless_it_depends_on_their_namespace(auth: dict[str, Any], identity: str) -> None:
    config = Vault.Config.model_validate({"server": "https://vault", "mount": "kv", "auth": auth})

    assert Vault.identity(config, "team-a") == identity


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("server", ["https://vault.example.com:8200", "http://[::1]:8200", "https://lb/vault"], ["vault", "ftp://v"]),
        ("server", [], ["https://user:pw@v", "https://v/?q", "https://v/#f", "https://v\n", "https://"]),
        (
            "mount",
            ["kv", "teams/a/kv", "_k.v-1"],
            ["", "/kv", "kv/", "a//b", "..", "a/../b", "k v", "kv?x", "{namespace}"],
        ),
        ("namespace", ["", "a", "a/b/"], ["/a", "a//b", "..", "a\r\nX: 1"]),
        ("version", [1, 2, None], [0, 3, "two"]),
    ],
)
def test_fields_are_as_the_server_can_have_them(field: str, good: list[object], bad: list[object]) -> None:
    base = {"server": "https://vault", "mount": "kv", "auth": {"token": SECRET}}

    for value in good:
        Vault.Config.model_validate(base | {field: value})
    for value in bad:
        with pytest.raises(pydantic.ValidationError):
            Vault.Config.model_validate(base | {field: value})


def test_a_configuration_without_a_way_to_log_in_is_said_to_be_invalid() -> None:
    for auth in ({}, {"jwt": {"role": "r"}}):
        config = Vault.Config.model_validate({"server": "https://vault", "mount": "kv", "auth": auth})

        assert failure(Vault(config, HeldCredentials(), 1.0).login).reason == Reason.INVALID_SPEC


def test_where_keys_lie_is_told_as_it_always_was_since_journals_are_named_by_it() -> None:
    auth = {"token": {"secretRef": {"name": "a", "key": "b"}}}
    told = {"server": "https://vault.example", "mount": "kv", "version": 2, "namespace": "teams/a", "auth": auth}

    said = Vault.location(Vault.Config.model_validate(told), "team-a")

    assert said == 'vault {"server":"https://vault.example","mount":"kv","namespace":"teams/a"}'


def test_one_place_is_one_however_it_is_spelled_and_keeps_the_name_that_journals_have() -> None:
    auth = {"token": {"secretRef": {"name": "a", "key": "b"}}}

    def key(server: str, **more: str) -> str:
        told = {"server": server, "mount": "kv", "auth": auth, **more}
        return Vault.locate(Vault.Config.model_validate(told), "llm/openai", "team-a", "team-a").key

    plain = 'vault {"server":"https://vault.example","mount":"kv"} llm/openai'
    for server in (
        "https://vault.example",
        "https://Vault.Example/",
        "https://vault.example.",
        "https://vault.example:443",
    ):
        assert key(server) == key(server, namespace="root") == plain, server
    apart = Vault.Config(server="https://Vault.Example/", mount="kv", namespace="teams/a/", auth=auth)
    assert {Vault.location(each, "team-a") for each in Vault.spellings(apart)} == {
        'vault {"server":"https://vault.example","mount":"kv","namespace":"teams/a"}',
        'vault {"server":"https://Vault.Example/","mount":"kv","namespace":"teams/a/"}',
    }
    there = key("https://vault.example", namespace="teams/a")
    assert there == key("https://vault.example/", namespace="teams/a/") != plain
    assert (
        there
        == key("https://vault.example", mount="teams/a/kv")
        == key("https://vault.example", namespace="teams", mount="a/kv")
    )
    assert (
        len({plain, key("http://vault.example"), key("https://vault.example:8200"), key("https://vault.example/b")})
        == 4
    )
