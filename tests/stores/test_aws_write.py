"""AWS Secrets Manager writes: the contract, stages as AWS's own rotation leaves them, and answers that are lost."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from amazon import Amazon
from keywright import errors
from keywright.errors import Reason
from keywright.secret import SecretValue
from keywright.stores.aws import SecretsManager
from keywright.stores.base import Mark, Ref
from stores.accounts import logged_in, with_key
from stores.contract import CANARY, assert_clean, failure
from stores.writing import HERE, OURS, WriteBackend, WriteContract, entries, held, refused, token, write
from vendors.base import ALNUM, word


class AmazonBackend(WriteBackend):
    def __init__(self, aws: Amazon) -> None:
        self.aws = aws
        self.parts = aws.user()
        self.credentials = tuple(self.parts.values())

    def put(self, path: str, values: Mapping[str, Any]) -> None:
        self.aws.put(path, json.dumps(values, ensure_ascii=False))

    def store(self) -> SecretsManager:
        return with_key(self.aws, self.parts)

    def reader(self) -> SecretsManager:
        return with_key(self.aws, self.aws.user("PutSecretValue", "UpdateSecretVersionStage", "CreateSecret"))

    def refused(self) -> SecretsManager:
        return with_key(self.aws, self.parts | {"secretAccessKey": word(40, ALNUM)})

    def goes_back(self, path: str) -> None:
        self.aws.client.delete_secret(SecretId=path, ForceDeleteWithoutRecovery=True)
        self.put(path, {"api_key": "one"})


class TestContract(WriteContract):
    @pytest.fixture
    def backend(self, aws: Amazon) -> WriteBackend:
        return AmazonBackend(aws)


def test_stages_end_as_the_rotation_of_aws_leaves_them(aws: Amazon) -> None:
    first = aws.put("llm/openai", '{"api_key": "one"}')
    store = logged_in(aws)

    second = write(store, entries(api_key="two"), first)
    assert aws.stages("llm/openai") == {second: ["AWSCURRENT", "AWSPENDING"], first: ["AWSPREVIOUS"]}
    third = write(store, entries(api_key="three"), second)

    assert aws.stages("llm/openai") == {third: ["AWSCURRENT", "AWSPENDING"], second: ["AWSPREVIOUS"]}
    assert store.fetch(Ref("llm/openai", "AWSPREVIOUS")).version == second


@pytest.mark.parametrize("operation", ["CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"])
def test_whichever_answer_is_lost_the_write_is_brought_to_its_end_once(aws: Amazon, operation: str) -> None:
    first = None if operation == "CreateSecret" else aws.put("llm/openai", '{"api_key": "one"}')
    store, name = logged_in(aws), token()
    aws.lost.append(operation)

    lost = refused(store, entries(api_key="two"), first, name)

    assert (type(lost), lost.reason) == (errors.Outage, Reason.STORE_UNREACHABLE)
    assert write(store, entries(api_key="two"), first, name) == name
    assert held(store) == {"api_key": "two"}
    assert set(aws.stages("llm/openai")) == {name} | ({first} if first else set())


def test_somebody_elses_pending_version_is_left_alone(aws: Amazon) -> None:
    first = aws.put("llm/openai", '{"api_key": "one"}')
    theirs = token()
    aws.client.put_secret_value(
        SecretId="llm/openai", SecretString=CANARY, ClientRequestToken=theirs, VersionStages=["AWSPENDING"]
    )

    error = refused(logged_in(aws), entries(api_key="two"), first)

    assert (type(error), error.reason) == (errors.Stalled, Reason.PENDING_HELD_ELSEWHERE)
    assert theirs in error.message
    assert_clean(error, CANARY)
    assert aws.stages("llm/openai") == {first: ["AWSCURRENT"], theirs: ["AWSPENDING"]}


def test_what_a_killed_write_of_ours_left_pending_holds_up_no_later_one(aws: Amazon) -> None:
    first, left = aws.put("llm/openai", '{"api_key": "one"}'), str(uuid.uuid5(uuid.NAMESPACE_OID, "r1 Tested 1"))
    store = logged_in(aws)
    aws.client.put_secret_value(
        SecretId="llm/openai", SecretString="{}", ClientRequestToken=left, VersionStages=["AWSPENDING"]
    )
    # Without our mark it may be anybody's.
    assert refused(store, entries(api_key="two"), first).reason is Reason.PENDING_HELD_ELSEWHERE

    store.claim(HERE, Mark("keywright-a"), Mark())
    second = write(store, entries(api_key="two"), first)

    assert held(store) == {"api_key": "two"}
    stages = aws.stages("llm/openai")
    assert (stages[second], stages[first]) == (["AWSCURRENT", "AWSPENDING"], ["AWSPREVIOUS"])


def test_a_secret_that_aws_rotates_is_left_to_it(aws: Amazon) -> None:
    first = aws.put("llm/openai", '{"api_key": "one"}')
    aws.rotated.add("llm/openai")

    error = refused(logged_in(aws), entries(api_key="two"), first)

    assert (type(error), error.reason) == (errors.Stalled, Reason.ROTATION_OWNED_ELSEWHERE)
    assert aws.stages("llm/openai") == {first: ["AWSCURRENT"]}


def test_a_version_that_became_current_at_the_last_moment_stays_and_ours_is_not_left_pending(aws: Amazon) -> None:
    first = aws.put("llm/openai", '{"api_key": "one"}')
    store, theirs = logged_in(aws), []
    aws.before["UpdateSecretVersionStage"] = lambda: theirs.append(aws.put("llm/openai", '{"api_key": "theirs"}'))

    error = refused(store, entries(api_key="two"), first)

    assert (type(error), error.reason) == (errors.Retry, Reason.STORE_CHANGED)
    assert held(store) == {"api_key": "theirs"}
    assert aws.stages("llm/openai") == {theirs[0]: ["AWSCURRENT"], first: ["AWSPREVIOUS"]}


def test_a_secret_that_is_scheduled_for_deletion_is_neither_written_nor_marked(aws: Amazon) -> None:
    first = aws.put("llm/openai", "one")
    aws.client.delete_secret(SecretId="llm/openai", RecoveryWindowInDays=7)
    store = logged_in(aws)

    for expected in (first, None):
        assert refused(store, entries(api_key="two"), expected).reason is Reason.VERSION_DELETED
    assert failure(lambda: store.claim(HERE, Mark("a"), Mark())).reason is Reason.VERSION_DELETED


def test_a_secret_that_somebody_makes_at_the_same_moment_is_theirs(aws: Amazon) -> None:
    store = logged_in(aws)
    aws.before["CreateSecret"] = lambda: aws.put("llm/openai", '{"api_key": "theirs"}')

    assert refused(store, entries(api_key="ours"), None).reason is Reason.STORE_CHANGED
    assert held(store) == {"api_key": "theirs"}


def test_a_secret_that_was_made_without_a_value_gets_its_first(aws: Amazon) -> None:
    aws.client.create_secret(Name="llm/openai")
    store = logged_in(aws)

    version = write(store, entries(api_key="one"), None)

    assert (store.fetch(HERE).version, held(store)) == (version, {"api_key": "one"})


@pytest.mark.parametrize("value", [b"text", b"\xff\x00bytes", b'{"api_key": 7}'])
def test_text_and_bytes_are_written_as_they_are(aws: Amazon, value: bytes) -> None:
    store = logged_in(aws)

    version = write(store, SecretValue(value), None)

    assert (store.fetch(HERE).value.reveal(), store.fetch(HERE).version) == (value, version)


def test_a_value_may_be_as_large_as_aws_allows_and_not_empty(aws: Amazon) -> None:
    store = logged_in(aws)

    version = write(store, SecretValue("x" * 65_536), None)

    assert refused(store, SecretValue("x" * 65_537), version).reason is Reason.VALUE_TOO_LARGE
    assert refused(store, SecretValue(""), version).reason is Reason.VALUE_EMPTY
    assert aws.asked("PutSecretValue") == 0


SAID: list[tuple[str, str, type[errors.Error], Reason]] = [
    ("AccessDeniedException", "not authorized", errors.Stalled, Reason.STORE_READ_ONLY),
    ("AccessDeniedException", "Access to KMS is not allowed", errors.Stalled, Reason.ACCESS_DENIED),
    ("LimitExceededException", "", errors.Stalled, Reason.STORE_READ_ONLY),
    ("EncryptionFailure", "", errors.Stalled, Reason.ACCESS_DENIED),
    ("InvalidRequestException", "it was marked for deletion", errors.Stalled, Reason.VERSION_DELETED),
    ("ThrottlingException", "", errors.Outage, Reason.STORE_RATE_LIMITED),
    ("ExpiredTokenException", "", errors.LoginExpired, Reason.AUTH_FAILED),
]


@pytest.mark.parametrize(("code", "text", "kind", "reason"), SAID, ids=range(len(SAID)))
def test_each_refusal_of_a_write_has_its_reason(
    aws: Amazon, code: str, text: str, kind: type[errors.Error], reason: Reason
) -> None:
    store, first = logged_in(aws), aws.put("llm/openai", "one")
    aws.before["PutSecretValue"] = lambda: aws.says(code, text=f"{text} {CANARY}")

    error = refused(store, entries(api_key="two"), first)

    assert (type(error), error.reason) == (kind, reason)
    assert error.hint
    assert_clean(error, CANARY)


def test_a_mark_is_a_tag_and_others_stay(aws: Amazon) -> None:
    aws.client.create_secret(Name="llm/openai", SecretString="one", Tags=[{"Key": "owner", "Value": "team-a"}])
    store = logged_in(aws)

    store.claim(HERE, OURS, Mark())
    marked = tags(aws)
    store.release(HERE, OURS)

    assert marked == {"owner": "team-a", **OURS.entries()}
    assert tags(aws) == {"owner": "team-a"}


def tags(aws: Amazon) -> dict[str, str]:
    found = aws.client.describe_secret(SecretId="llm/openai").get("Tags", [])
    return {each["Key"]: each["Value"] for each in found}


def test_who_may_not_look_or_mark_is_told_which_right_is_missing(aws: Amazon) -> None:
    aws.put("llm/openai", "one")

    for denied, reason in (("DescribeSecret", Reason.ACCESS_DENIED), ("TagResource", Reason.STORE_READ_ONLY)):
        store = logged_in(aws, aws.user(denied))
        error = failure(lambda store=store: store.claim(HERE, Mark("a"), Mark()))  # type: ignore[misc]
        assert (error.reason, f"secretsmanager:{denied}" in error.hint) == (reason, True)


def test_a_write_without_a_usable_name_is_refused(aws: Amazon) -> None:
    assert refused(logged_in(aws), entries(a="b"), None, "short").reason is Reason.UNSUPPORTED
    assert failure(lambda: logged_in(aws).write(Ref("a b"), entries(a="b"), expected=None, token=token())).reason
