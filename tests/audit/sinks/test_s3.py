"""S3: what lies in a bucket cannot be changed, and what lay there before is not taken for ours."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import pathlib
import ssl
import urllib.parse
from collections.abc import Iterator

import botocore.exceptions
import pytest

from audit.sinks.contract import BODY, CANARY, NAME, Receiver, SinkContract, opened, said
from keywright import errors
from keywright.errors import Reason
from receivers import Buckets
from vendors.server import MoodyServer

KEY = f"team/a/000007-5f0c2a9b1d3e4f60/{NAME}.jsonl"
_numbers = itertools.count(1)


class Bucket(Receiver):
    def __init__(self, stack: contextlib.ExitStack, s3: Buckets, *, locked: bool = True) -> None:
        self._stack, self.s3, self.name = stack, s3, f"audit-{next(_numbers)}"
        s3.make(self.name, locked=locked)

    def server(self, context: ssl.SSLContext | None = None) -> MoodyServer:
        made = MoodyServer(self.s3.answer, context)
        self._stack.callback(made.close)
        return made

    def url(self, server: str = "", **options: str) -> str:
        given = {"endpoint": server or self.s3.url, "region": "eu-central-1", **options}
        return f"s3://{self.name}/team/a?{urllib.parse.urlencode(given)}"

    def taken(self) -> dict[str, bytes]:
        found = self.s3.objects(self.name)
        return {key.rpartition("/")[2].removesuffix(".jsonl"): body for key, body in found.items()}

    def head(self) -> dict[str, object]:
        return dict(self.s3.client.head_object(Bucket=self.name, Key=KEY))


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """What the SDK finds: nothing of whoever runs the tests."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"{CANARY}-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{CANARY}-secret")


@pytest.fixture
def bucket(s3: Buckets) -> Iterator[Bucket]:
    with contextlib.ExitStack() as stack:
        yield Bucket(stack, s3)


class TestS3(SinkContract):
    @pytest.fixture
    def receiver(self, bucket: Bucket) -> Receiver:
        return bucket


@pytest.mark.parametrize("mode", ["compliance", "governance"])
def test_what_is_retained_can_be_neither_replaced_nor_deleted(bucket: Bucket, mode: str) -> None:
    opened(bucket.url(retain="365d", mode=mode)).deliver(NAME, BODY)

    head = bucket.head()
    assert head["ObjectLockMode"] == mode.upper()
    assert head["ContentType"] == "application/x-ndjson"
    ends = head["ObjectLockRetainUntilDate"]
    assert isinstance(ends, datetime.datetime)
    assert 363 < (ends - datetime.datetime.now(datetime.UTC)).days <= 365
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        bucket.s3.client.delete_object(Bucket=bucket.name, Key=KEY, VersionId=head["VersionId"])
    assert bucket.s3.objects(bucket.name) == {KEY: BODY}


def test_a_delivery_whose_answer_was_lost_is_found_to_be_there(bucket: Bucket) -> None:
    bucket.s3.client.put_object(Bucket=bucket.name, Key=KEY, Body=BODY)

    opened(bucket.url(retain="1d", mode="governance")).deliver(NAME, BODY)

    assert len(bucket.s3.client.list_object_versions(Bucket=bucket.name)["Versions"]) == 1


@pytest.mark.parametrize("other", [b"", BODY[:-1], BODY + b"x", BODY.replace(b"Started", b"Stopped"), b"x" * 100_000])
def test_something_else_in_a_segments_place_is_told_and_left(bucket: Bucket, other: bytes) -> None:
    bucket.s3.client.put_object(Bucket=bucket.name, Key=KEY, Body=other)

    with pytest.raises(errors.Stalled, match="holds another object in the place of segment") as caught:
        opened(bucket.url()).deliver(NAME, BODY)

    assert caught.value.reason is Reason.AUDIT_TAMPERED
    assert bucket.s3.objects(bucket.name) == {KEY: other}


def test_a_bucket_that_would_keep_nothing_is_refused_at_the_first_contact(s3: Buckets) -> None:
    with contextlib.ExitStack() as stack:
        bucket = Bucket(stack, s3, locked=False)
        sink = opened(bucket.url(retain="1d", mode="compliance"))

        with pytest.raises(errors.Stalled, match="has a bucket without object lock") as caught:
            sink.deliver(NAME, BODY)
        assert caught.value.reason is Reason.UNSUPPORTED
        assert bucket.taken() == {}
        # Who does not ask for it need not have it.
        opened(bucket.url()).deliver(NAME, BODY)
        assert bucket.taken() == {NAME: BODY}


def test_a_bucket_that_is_not_there_and_credentials_that_are_not_are_told(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(errors.Stalled, match=r"answered 404 \(NoSuchBucket\)") as caught:
        opened(bucket.url().replace(bucket.name, "no-such-bucket")).deliver(NAME, BODY)
    assert caught.value.reason is Reason.NOT_FOUND

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(errors.Stalled, match="there are no credentials for it") as caught:
        opened(bucket.url()).deliver(NAME, BODY)
    assert caught.value.reason is Reason.CREDENTIAL_MISSING
    assert bucket.taken() == {}


def test_credentials_that_cannot_be_had_are_an_outage(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    token = tmp_path / "token"
    token.write_text(CANARY)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/audit")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")

    with pytest.raises(errors.Outage, match="whoever gives credentials for it does not answer") as caught:
        opened(bucket.url()).deliver(NAME, BODY)

    assert CANARY not in said(caught.value)


@pytest.mark.parametrize("options", [{}, {"retain": "1d", "mode": "governance"}])
def test_a_page_of_somebody_in_between_is_no_receipt(bucket: Bucket, options: dict[str, str]) -> None:
    server = bucket.server()
    sink = opened(bucket.url(server.url, **options))
    server.mood = "garbage"

    with pytest.raises(errors.Outage, match=r"answered 200 .*not in the form of its answers"):
        sink.deliver(NAME, BODY)


def test_a_key_of_kms_encrypts(bucket: Bucket) -> None:
    opened(bucket.url(**{"kms-key": "alias/audit"})).deliver(NAME, BODY)

    head = bucket.head()
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/audit")
