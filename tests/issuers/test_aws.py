"""What AWS has of its own: signatures that are checked, clocks, accounts, regions, ids in the place of secrets."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from issuers.issuing import asking, issuer, secret
from keywright.issuers import table
from keywright.issuers.aws import Aws
from keywright.issuers.base import Finding, Malformed, Unrecognised, Verdict
from vendors import VendorServer, serving
from vendors.aws import Aws as Sts


@pytest.fixture
def sts() -> Iterator[VendorServer]:
    with serving("aws") as server:
        yield server


def _vendor(sts: VendorServer) -> Sts:
    assert isinstance(sts.vendor, Sts)
    return sts.vendor


def _known(sts: VendorServer, kind: str = "access key") -> dict[str, str]:
    parts = dict(_vendor(sts).samples()[kind])
    _vendor(sts).knows(parts)
    return parts


def _configured(**fields: str) -> Aws:
    return Aws(Aws.Config.model_validate(fields), table())


def _probe(sts: VendorServer, parts: dict[str, str], **fields: str) -> Finding:
    own = Aws(Aws.Config.model_validate(fields), table(), sts.url)
    return asking(own, sts.url, secret(parts))


def test_a_secret_that_is_another_does_not_sign_what_sts_wants(sts: VendorServer) -> None:
    parts = _known(sts)
    other = _vendor(sts).samples()["access key"]["secretAccessKey"]

    found = _probe(sts, parts | {"secretAccessKey": other})

    assert found == Finding(Verdict.INVALID, "answered 403 (SignatureDoesNotMatch)")
    assert _probe(sts, parts).verdict is Verdict.VALID


def test_the_secret_itself_is_not_sent(sts: VendorServer) -> None:
    parts = _known(sts)

    _probe(sts, parts)

    (request,) = sts.requests
    assert parts["secretAccessKey"] not in f"{request.headers}{request.body!r}"


@pytest.mark.parametrize("below", ["", "/", "/below", "/below/"])
def test_what_is_signed_is_what_is_asked(sts: VendorServer, below: str) -> None:
    parts = _known(sts)
    at = sts.url + below

    assert asking(Aws(None, table(), at), at, secret(parts)).verdict is Verdict.VALID


def test_a_refusal_that_is_a_slip_of_sts_is_asked_for_again(sts: VendorServer) -> None:
    parts = _known(sts)
    _vendor(sts).spurious = 1

    assert _probe(sts, parts).verdict is Verdict.VALID
    assert len(sts.requests) == 2


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_clocks_that_differ_say_nothing_of_a_key(sts: VendorServer, ahead: float) -> None:
    parts = _known(sts)
    _vendor(sts).ahead = ahead

    found = _probe(sts, parts)

    assert found.verdict is Verdict.UNKNOWN
    assert "clock" in found.said


def test_a_session_that_has_ended_is_invalid(sts: VendorServer) -> None:
    parts = _known(sts, "temporary key")
    _vendor(sts).ends[parts["accessKeyId"]] = "2026-01-01T00:00:00Z"

    assert _probe(sts, parts) == Finding(Verdict.INVALID, "answered 403 (ExpiredToken)")


def test_a_temporary_key_without_its_session_token_is_not_asked_about(sts: VendorServer) -> None:
    parts = _known(sts, "temporary key")
    del parts["sessionToken"]

    assert _probe(sts, parts).verdict is Verdict.NOT_CHECKED
    assert not sts.requests


def test_a_key_of_another_account_is_alive_and_told(sts: VendorServer) -> None:
    parts, account = _known(sts), _vendor(sts).account
    other = f"{(int(account) + 1) % 10**12:012}"

    assert _probe(sts, parts, account=account).verdict is Verdict.VALID
    found = _probe(sts, parts, account=other)
    assert found.verdict is Verdict.LIMITED
    assert "another account" in found.said
    assert account not in found.said


def test_a_session_token_is_not_logged_where_signatures_are(sts: VendorServer) -> None:
    parts, stream = _known(sts, "temporary key"), io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        assert _probe(sts, parts).verdict is Verdict.VALID
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(logging.WARNING)

    assert stream.getvalue()
    assert parts["sessionToken"] not in stream.getvalue()


def test_an_id_in_the_place_of_the_secret_is_malformed(sts: VendorServer) -> None:
    parts = _known(sts)
    swapped = {"accessKeyId": parts["secretAccessKey"], "secretAccessKey": parts["accessKeyId"]}

    found = issuer(sts).recognise(secret(swapped))

    assert found == Malformed("secretAccessKey", "is the id of an access key, not its secret")


def test_a_secret_that_was_cut_off_is_not_recognised(sts: VendorServer) -> None:
    parts = _known(sts)

    found = issuer(sts).recognise(secret(parts | {"secretAccessKey": parts["secretAccessKey"][:-1]}))

    assert isinstance(found, Unrecognised)


@pytest.mark.parametrize(
    ("region", "address"),
    [
        (None, "https://sts.us-east-1.amazonaws.com"),
        ("eu-central-1", "https://sts.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_sts_is_that_of_the_region(region: str | None, address: str) -> None:
    own = _configured(region=region) if region else Aws(None, table())

    assert own.address == address
    assert Aws.may_be_at(address)


@pytest.mark.parametrize(
    "region", ["evil.example", "us-east-1.evil.example/", "a@evil", "us-east-1\n", "US-EAST-1", "us-east-1#", ""]
)
def test_no_region_leads_elsewhere(region: str) -> None:
    with pytest.raises(ValueError, match="region"):
        Aws.Config.model_validate({"region": region})


@pytest.mark.parametrize(
    "url",
    [
        "http://sts.eu-central-1.amazonaws.com",
        "https://sts.evil.s3.eu-central-1.amazonaws.com",
        "https://sts.evil.amazonaws.com",
        "https://sts.eu-central-1.amazonaws.com.evil.example",
        "https://sts.eu-central-1.amazonaws.com:8443",
        "https://x@sts.eu-central-1.amazonaws.com",
    ],
)
def test_hosts_of_others_below_amazonaws_are_not_its_own(url: str) -> None:
    assert not Aws.may_be_at(url)


HOSTILE: list[bytes] = [
    b"<ErrorResponse><Error><Code>" + b"InvalidClientTokenId" * 50_000,
    b"<ErrorResponse><Error><Code>EverythingIsLost</Code></Error></ErrorResponse>",
    b'{"told": "<ErrorResponse><Code>InvalidClientTokenId</Code>"}',
    b"<html><Code>InvalidClientTokenId</Code></html>",
    b"<GetCallerIdentityResponse><Account>1</Account></GetCallerIdentityResponse>",
    b"<ErrorResponse>" * 60_000,
]


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_xml_that_sts_would_not_write_says_nothing(body: bytes, status: int) -> None:
    from keywright.wire import Answer

    def answered(*_: Any, **__: Any) -> Answer:
        return Answer(status, body)

    parts = secret(Sts().samples()["access key"])

    assert Aws(None, table()).probe(parts, answered).verdict is Verdict.UNKNOWN


def test_what_signs_is_not_loaded_with_the_operator() -> None:
    code = "import sys, keywright.issuers; sys.exit('botocore' in sys.modules or 'cryptography' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
