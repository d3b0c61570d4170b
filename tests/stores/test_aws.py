"""AWS Secrets Manager as a store, against moto held to what AWS documents: the contract, and what is its own."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from amazon import Amazon
from keywright import errors
from keywright.errors import Reason
from keywright.stores.aws import SecretsManager
from keywright.stores.base import Ref
from stores.accounts import logged_in, with_key
from stores.contract import CANARY, Backend, StoreContract, assert_clean, refusal
from vendors.base import ALNUM, Response, word


class AmazonBackend(Backend):
    odd_path = "team-a/key+1_@x=y.z!"

    def __init__(self, aws: Amazon) -> None:
        self.aws = aws
        self.parts = aws.user()
        self.bad = self.parts | {"secretAccessKey": word(40, ALNUM)}
        self.credentials = (*self.parts.values(), self.bad["secretAccessKey"])

    def put(self, path: str, values: Mapping[str, Any]) -> None:
        self.aws.put(path, json.dumps(values, ensure_ascii=False))

    def store(self) -> SecretsManager:
        return with_key(self.aws, self.parts)

    def refused(self) -> SecretsManager:
        return with_key(self.aws, self.bad)


class TestContract(StoreContract):
    @pytest.fixture
    def backend(self, aws: Amazon) -> Backend:
        return AmazonBackend(aws)


def test_a_version_comes_with_its_id_and_time(aws: Amazon) -> None:
    version = aws.put("llm/openai", "sk-1")

    fetched = logged_in(aws).fetch(Ref("llm/openai"))

    made = aws.client.get_secret_value(SecretId="llm/openai", VersionStage="AWSCURRENT")["CreatedDate"]
    assert (fetched.version, fetched.is_map, fetched.value.reveal()) == (version, False, b"sk-1")
    assert fetched.created_at == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made.timestamp()))


def test_what_is_current_is_read_whatever_was_written_last(aws: Amazon) -> None:
    first, second = aws.put("llm/openai", "sk-1"), aws.put("llm/openai", "sk-2")
    store = logged_in(aws)
    assert store.fetch(Ref("llm/openai", "AWSPREVIOUS")).value.reveal() == b"sk-1"
    stage = {"SecretId": "llm/openai", "VersionStage": "AWSCURRENT"}

    aws.client.update_secret_version_stage(**stage, MoveToVersionId=first, RemoveFromVersionId=second)

    assert store.fetch(Ref("llm/openai")).version == first
    assert store.fetch(Ref("llm/openai", "AWSPREVIOUS")).version == second
    assert store.fetch(Ref("llm/openai", second)).value.reveal() == b"sk-2"


def test_before_the_current_version_comes_the_previous_stage_and_nothing_before_that(aws: Amazon) -> None:
    first, second = aws.put("llm/openai", "sk-1"), aws.put("llm/openai", "sk-2")

    before = SecretsManager.previous(second)

    assert logged_in(aws).fetch(Ref("llm/openai", before)).version == first
    assert SecretsManager.previous(before or "") is None
    assert SecretsManager.previous("") is None


@pytest.mark.parametrize(
    ("value", "is_map"),
    [
        ('{"a": 1, "b": {"c": null}}', True),
        ('[{"a": 1}]', False),
        ('"text"', False),
        ("sk-plain", False),
        ('{"a": NaN}', False),
        ('{"a": 1', False),
        ("[" * 100_00, False),
        (bytes(range(256)), False),
        (b'{"a": 1}', False),
    ],
    ids=range(9),
)
def test_text_bytes_and_maps_come_out_as_they_are(aws: Amazon, value: str | bytes, is_map: bool) -> None:
    aws.put("llm/any", value)

    fetched = logged_in(aws).fetch(Ref("llm/any"))

    assert (fetched.value.reveal(), fetched.is_map) == (value.encode() if isinstance(value, str) else value, is_map)


def test_a_secret_is_read_by_its_arn(aws: Amazon) -> None:
    aws.put("llm/openai", "sk-1")
    arn = aws.client.describe_secret(SecretId="llm/openai")["ARN"]

    assert logged_in(aws).fetch(Ref(arn)).value.reveal() == b"sk-1"


@pytest.mark.parametrize("path", ["a b", "ü", "a?b", "arn:aws:iam::1:role/x", "x" * 513, "arn:aws:secretsmanager:a:b"])
def test_what_cannot_be_a_name_is_not_asked_for(aws: Amazon, path: str) -> None:
    store = logged_in(aws)

    assert refusal(store, Ref(path)).reason is Reason.NOT_FOUND
    assert aws.asked("GetSecretValue") == 0


def test_what_cannot_be_a_version_is_not_asked_for(aws: Amazon) -> None:
    assert refusal(logged_in(aws), Ref("llm/openai", "no such version")).reason is Reason.UNSUPPORTED
    assert aws.asked("GetSecretValue") == 0


@pytest.mark.parametrize("version", ["3f9c1a52-0d2f-4a4b-5c6d-7a445b1d9c0e", "AWSPENDING"])
def test_a_version_that_never_was_is_named(aws: Amazon, version: str) -> None:
    aws.put("llm/openai", "sk-1")

    error = refusal(logged_in(aws), Ref("llm/openai", version))

    assert (type(error), error.reason) == (errors.Stalled, Reason.NOT_FOUND)
    assert f"for llm/openai version {version} (request " in error.message


def test_a_secret_that_is_scheduled_for_deletion_is_not_missing_and_comes_back(aws: Amazon) -> None:
    aws.put("llm/openai", CANARY)
    aws.client.delete_secret(SecretId="llm/openai", RecoveryWindowInDays=7)
    store = logged_in(aws)

    error = refusal(store, Ref("llm/openai"))
    aws.client.restore_secret(SecretId="llm/openai")

    assert (type(error), error.reason) == (errors.Stalled, Reason.VERSION_DELETED)
    assert store.fetch(Ref("llm/openai")).value.reveal() == CANARY.encode()


def test_what_is_denied_is_told_with_whose_right_is_missing_and_asks_for_no_login(aws: Amazon) -> None:
    aws.put("llm/openai", CANARY)
    parts = aws.user("GetSecretValue", "GetRandomPassword")

    error = refusal(logged_in(aws, parts), Ref("llm/openai"))

    assert (type(error), error.reason) == (errors.Stalled, Reason.ACCESS_DENIED)
    assert error.hint == "Allow the access key in Secret aws secretsmanager:GetSecretValue on it"
    assert_clean(error, *parts.values())


#: What AWS says, and what we make of it: code, status, text, class, reason.
SAID: list[tuple[str, int, str, type[errors.Error], Reason]] = [
    ("ThrottlingException", 400, "Rate exceeded", errors.Outage, Reason.STORE_RATE_LIMITED),
    ("TooManyRequestsException", 429, "", errors.Outage, Reason.STORE_RATE_LIMITED),
    ("InternalServiceError", 500, "", errors.Outage, Reason.STORE_ERROR),
    ("ServiceUnavailable", 503, "", errors.Outage, Reason.STORE_ERROR),
    ("DecryptionFailure", 400, "", errors.Stalled, Reason.ACCESS_DENIED),
    ("AccessDeniedException", 400, "Access to KMS is not allowed", errors.Stalled, Reason.ACCESS_DENIED),
    ("InvalidRequestException", 400, "something else", errors.Stalled, Reason.UNSUPPORTED),
    ("InvalidParameterException", 400, "", errors.Stalled, Reason.UNSUPPORTED),
    ("ExpiredTokenException", 400, "", errors.LoginExpired, Reason.AUTH_FAILED),
    ("UnrecognizedClientException", 400, "", errors.LoginExpired, Reason.AUTH_FAILED),
    ("InvalidSignatureException", 400, "Signature expired: 1 is", errors.LoginExpired, Reason.AUTH_FAILED),
    ("SomethingNew", 400, "", errors.Outage, Reason.STORE_ANSWER_INVALID),
    ("ResourceNotFoundException", 500, "", errors.Outage, Reason.STORE_ERROR),
]


@pytest.mark.parametrize(
    ("code", "status", "text", "kind", "reason"), SAID, ids=[f"{each[0]} {each[1]}" for each in SAID]
)
def test_each_word_of_aws_has_its_reason_and_none_of_its_text_is_shown(
    aws: Amazon, code: str, status: int, text: str, kind: type[errors.Error], reason: Reason
) -> None:
    store = logged_in(aws)
    aws.says(code, status, f"{text} {CANARY}")

    error = refusal(store, Ref("llm/openai"))

    assert (type(error), error.reason) == (kind, reason)
    assert f"answered {status} for llm/openai (request " in error.message
    assert error.hint
    assert_clean(error, CANARY)


def test_a_kms_key_and_a_clock_are_named_where_they_are_the_trouble(aws: Amazon) -> None:
    store = logged_in(aws)
    aws.says("AccessDeniedException", text="Access to KMS is not allowed")
    aws.says("InvalidSignatureException", text="Signature not yet current: 20261129T")

    assert "kms:Decrypt" in refusal(store, Ref("a")).hint
    assert "clock" in refusal(store, Ref("a")).hint


def test_the_wish_to_wait_is_passed_on(aws: Amazon) -> None:
    store = logged_in(aws)
    aws.says("ThrottlingException", Retry_After="7")

    error = refusal(store, Ref("llm/openai"))

    assert isinstance(error, errors.Outage)
    assert error.after == 7.0
    assert aws.asked("GetSecretValue") == 1  # the engine tries again, the SDK does not


HTML = f"<html>{CANARY}</html>".encode()


@pytest.mark.parametrize(
    "answer",
    [
        Response(403, HTML, {"Content-Type": "text/html"}),
        Response(400, b'{"message": "%s"}' % CANARY.encode()),
        Response(404),
        Response(200, HTML, {"Content-Type": "text/html"}),
        Response(200, {}),
        Response(200, {"Name": "llm/openai", "VersionId": "1", "SecretString": 7}),
        Response(200, {"Name": "llm/other", "VersionId": "1", "SecretString": CANARY}),
        Response(200, {"Name": "llm/openai", "SecretString": CANARY}),
        Response(200, {"Name": "llm/openai", "VersionId": "1", "SecretString": CANARY, "CreatedDate": "soon"}),
        Response(200, {"Name": "llm/openai", "VersionId": "1"}),
        Response(200, b'{"Name": "llm/openai", "VersionId": "1", "SecretString": "\\ud800"}'),
        Response(302, b"", {"Location": "http://127.0.0.1:9/"}),
        Response(200, b" " * (5 << 20)),
    ],
    ids=range(13),
)
def test_what_is_no_answer_of_aws_never_counts_as_one(aws: Amazon, answer: Response) -> None:
    store = logged_in(aws)
    aws.script.append(answer)

    error = refusal(store, Ref("llm/openai"))

    assert (type(error), error.reason) == (errors.Outage, Reason.STORE_ANSWER_INVALID)
    assert_clean(error, CANARY)


def test_a_server_that_is_silent_is_a_timeout_and_one_that_hangs_up_is_told_as_such(aws: Amazon) -> None:
    store = logged_in(aws, timeout=0.4)
    aws.server.pause, aws.server.mood = 2, "slow"
    assert refusal(store, Ref("a")).reason is Reason.STORE_TIMEOUT

    aws.server.mood = "hangs up"
    assert refusal(logged_in_while(aws, "documented", "hangs up"), Ref("a")).reason is Reason.STORE_UNREACHABLE


def logged_in_while(aws: Amazon, good: Any, bad: Any) -> SecretsManager:
    aws.server.mood = good
    store = logged_in(aws)
    aws.server.mood = bad
    return store


def test_a_fetch_before_a_login_asks_for_one(aws: Amazon) -> None:
    assert isinstance(refusal(with_key(aws), Ref("a")), errors.LoginExpired)
    assert not with_key(aws).accepted()
