"""What every store must do, whatever is behind it. A store's tests subclass ``StoreContract`` and give it a backend.

Does not belong here: what one store does differently (its test file).
"""

from __future__ import annotations

import abc
import base64
import concurrent.futures
import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from keywright import errors
from keywright.errors import Reason
from keywright.schema import CaProvider, SecretKeyRef, ServiceAccountRef
from keywright.secret import SecretValue
from keywright.stores.base import Ref, Store

CANARY = "kw-canary-6f1d2c9b4a"
TIMEOUT = 10.0


class HeldCredentials:
    """Credentials out of dictionaries.

    Args:
        secrets: by name of the Secret and key.
        bundles: CA certificates (PEM), by name and key.
        entries: of ConfigMaps and Secrets, by kind, name and key.
        files: by their path below the root.
        tokens: makes a token for a ServiceAccount, an audience and seconds.
    """

    def __init__(
        self,
        secrets: Mapping[tuple[str, str], bytes | str] | None = None,
        *,
        namespace: str = "team-a",
        bundles: Mapping[tuple[str, str], str] | None = None,
        entries: Mapping[tuple[str, str, str], bytes] | None = None,
        files: Mapping[str, bytes] | None = None,
        tokens: Callable[[str, str, int], str] | None = None,
    ) -> None:
        self.namespace = namespace
        self.secrets = dict(secrets or {})
        self.bundles = dict(bundles or {})
        self.entries = dict(entries or {})
        self.files = dict(files or {})
        self._tokens = tokens

    def secret(self, ref: SecretKeyRef) -> SecretValue:
        if (ref.name, ref.key) not in self.secrets:
            raise errors.Stalled(Reason.CREDENTIAL_MISSING, f"Secret {ref.name} has no entry {ref.key}")
        return SecretValue(self.secrets[ref.name, ref.key])

    def entry(self, kind: str, name: str, key: str) -> SecretValue:
        if (kind, name, key) not in self.entries:
            raise errors.Stalled(Reason.CREDENTIAL_MISSING, f"{kind} {name} has no entry {key}")
        return SecretValue(self.entries[kind, name, key])

    def file(self, path: str, limit: int) -> SecretValue:
        if path not in self.files:
            raise errors.Stalled(Reason.FILE_REFUSED, f"reads file {path}, which cannot be read")
        return SecretValue(self.files[path][: limit + 1])

    def swap_file(self, path: str, before: SecretValue, after: SecretValue) -> bool:
        raise errors.Stalled(Reason.STORE_READ_ONLY, f"writes file {path}, which cannot be written")

    def ca(self, provider: CaProvider) -> str:
        if (provider.name, provider.key) not in self.bundles:
            raise errors.Stalled(Reason.CREDENTIAL_MISSING, f"{provider.kind} {provider.name} has no {provider.key}")
        return self.bundles[provider.name, provider.key]

    def service_account_token(self, ref: ServiceAccountRef, audience: str, seconds: int) -> SecretValue:
        if self._tokens is None:
            raise errors.Stalled(Reason.CREDENTIAL_MISSING, f"ServiceAccount {ref.name} does not exist")
        return SecretValue(self._tokens(ref.name, audience, seconds))


class Backend(abc.ABC):
    """What is behind a store: the real thing, and how the store is configured to reach it."""

    #: Whether the store keeps versions that a ``Ref`` can pin.
    versions = True
    #: A path with all kinds of signs that paths of this store may have.
    odd_path = "team a/key+1 ?&#=ü"
    #: Texts that stand in credentials and must never be shown.
    credentials: tuple[str, ...] = ()

    @abc.abstractmethod
    def put(self, path: str, values: Mapping[str, Any]) -> None:
        """Write a key."""

    @abc.abstractmethod
    def store(self) -> Store:
        """Open the store with good credentials; not logged in yet."""

    @abc.abstractmethod
    def refused(self) -> Store:
        """Open the store with credentials that it refuses."""


class StoreContract(abc.ABC):
    """Tests that every store passes. Subclasses define the fixture ``backend``."""

    @pytest.fixture
    @abc.abstractmethod
    def backend(self) -> Backend | Iterator[Backend]: ...

    @pytest.fixture
    def store(self, backend: Backend) -> Iterator[Store]:
        store = backend.store()
        store.login()
        yield store
        store.close()

    def test_a_key_is_fetched_whole(self, backend: Backend, store: Store) -> None:
        backend.put("llm/openai", {"api_key": CANARY, "org": "acme"})

        fetched = store.fetch(Ref("llm/openai"))

        assert fetched.is_map
        assert json.loads(fetched.value.reveal()) == {"api_key": CANARY, "org": "acme"}

    def test_a_new_value_is_seen_at_the_next_fetch(self, backend: Backend, store: Store) -> None:
        backend.put("llm/openai", {"api_key": "old"})
        before = store.fetch(Ref("llm/openai"))
        backend.put("llm/openai", {"api_key": "new"})

        after = store.fetch(Ref("llm/openai"))

        assert json.loads(after.value.reveal()) == {"api_key": "new"}
        assert (after.version != before.version) == backend.versions

    def test_a_pinned_version_stays_or_is_refused(self, backend: Backend, store: Store) -> None:
        backend.put("llm/openai", {"api_key": "first"})
        first = store.fetch(Ref("llm/openai"))
        backend.put("llm/openai", {"api_key": "second"})

        if backend.versions:
            assert store.fetch(Ref("llm/openai", first.version)).value == first.value
        else:
            assert refusal(store, Ref("llm/openai", "1")).reason == Reason.UNSUPPORTED

    def test_a_missing_key_is_named(self, backend: Backend, store: Store) -> None:
        error = refusal(store, Ref("llm/nothing-here"))

        assert isinstance(error, errors.Stalled)
        assert error.reason == Reason.NOT_FOUND
        assert "llm/nothing-here" in error.message

    @pytest.mark.parametrize(
        "text",
        [
            "ünïcødé",
            "🔑",
            "e\u0301",
            "\u202eright-to-left",
            "tab\tand\r\nline\n",
            " spaces ",
            '"quo\\ted"',
            "<&>",
            "nul\x00",
        ],
    )
    def test_text_comes_back_as_it_was_written(self, backend: Backend, store: Store, text: str) -> None:
        backend.put("llm/text", {"value": text})

        assert json.loads(store.fetch(Ref("llm/text")).value.reveal()) == {"value": text}

    def test_many_keys_at_once_have_the_answers_that_each_has_alone(self, backend: Backend, store: Store) -> None:
        backend.put("llm/openai", {"api_key": "one"})
        backend.put("llm/other", {"api_key": "two"})
        refs = [Ref("llm/openai"), Ref("llm/other"), Ref("llm/nothing-here")]

        # Who cannot read all at once is asked for each.
        answer = store.snapshot() if store.snapshot else store.fetch

        assert [answer(ref) for ref in refs[:2]] == [store.fetch(ref) for ref in refs[:2]]
        if store.snapshot:
            absent = answer(refs[2])
            assert isinstance(absent, errors.Error)
            assert (absent.reason, absent.message) == (Reason.NOT_FOUND, refusal(store, refs[2]).message)

    def test_all_bytes_survive_as_base64(self, backend: Backend, store: Store) -> None:
        every = bytes(range(256))
        backend.put("llm/bytes", {"value": base64.b64encode(every).decode()})

        value = json.loads(store.fetch(Ref("llm/bytes")).value.reveal())["value"]

        assert base64.b64decode(value, validate=True) == every

    def test_a_path_with_spaces_and_signs_is_one_path(self, backend: Backend, store: Store) -> None:
        backend.put(backend.odd_path, {"value": "here"})

        assert json.loads(store.fetch(Ref(backend.odd_path)).value.reveal()) == {"value": "here"}

    def test_a_second_login_changes_nothing(self, backend: Backend, store: Store) -> None:
        backend.put("llm/openai", {"api_key": CANARY})

        store.login()
        store.renew()

        assert json.loads(store.fetch(Ref("llm/openai")).value.reveal()) == {"api_key": CANARY}

    def test_eight_threads_fetch_while_the_login_is_renewed(self, backend: Backend, store: Store) -> None:
        for number in range(8):
            backend.put(f"llm/{number}", {"number": number})

        with concurrent.futures.ThreadPoolExecutor(9) as threads:
            reads = [threads.submit(store.fetch, Ref(f"llm/{turn % 8}")) for turn in range(80)]
            logins = [threads.submit(store.login) for _ in range(3)]
            answers = [json.loads(read.result().value.reveal()) for read in reads]

        assert answers == [{"number": turn % 8} for turn in range(80)]
        assert all(login.exception() is None for login in logins)

    def test_a_closed_store_can_be_closed_again_and_logged_in_again(self, backend: Backend, store: Store) -> None:
        backend.put("llm/openai", {"api_key": CANARY})

        store.close()
        store.close()
        store.login()

        assert json.loads(store.fetch(Ref("llm/openai")).value.reveal()) == {"api_key": CANARY}

    def test_refused_credentials_are_said_to_be_refused(self, backend: Backend) -> None:
        error = failure(backend.refused().login)

        assert isinstance(error, errors.Stalled)
        assert error.reason == Reason.AUTH_FAILED
        assert error.hint

    def test_no_error_shows_a_value_or_a_credential(self, backend: Backend, store: Store) -> None:
        backend.put("llm/openai", {"api_key": CANARY})
        seen = [
            refusal(store, Ref("llm/nothing-here")),
            refusal(store, Ref("llm/openai", "no such version")),
            failure(backend.refused().login),
        ]

        assert backend.credentials
        for error in seen:
            assert_clean(error, CANARY, *backend.credentials)

    def test_a_fetched_value_does_not_show(self, backend: Backend, store: Store) -> None:
        backend.put("llm/openai", {"api_key": CANARY})

        fetched = store.fetch(Ref("llm/openai"))

        assert CANARY in fetched.value.reveal().decode()
        assert CANARY not in f"{fetched!r} {fetched}"

    def test_every_field_of_the_configuration_is_described(self, backend: Backend) -> None:
        schema = type(backend.store()).Config.model_json_schema()

        models = [schema, *schema["$defs"].values()]
        assert [
            (model["title"], name)
            for model in models
            for name, field in model["properties"].items()
            if not field.get("description")
        ] == []


def failure(call: Callable[[], object]) -> errors.Error:
    """Return the error that a call raises."""
    with pytest.raises(errors.Error) as caught:
        call()
    return caught.value


def refusal(store: Store, ref: Ref) -> errors.Error:
    """Return the error that a fetch raises."""
    return failure(lambda: store.fetch(ref))


def assert_clean(error: errors.Error, *secrets: str) -> None:
    """Fail if an error shows a secret, or leads to the foreign exception that it was made of."""
    shown = "".join(traceback.TracebackException.from_exception(error).format())
    said = f"{error} {error!r} {error.message} {error.hint} {error.args} {shown}"
    assert [secret for secret in secrets if secret in said] == []
    assert error.__context__ is None
    assert error.__cause__ is None
