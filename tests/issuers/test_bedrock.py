"""What Bedrock has of its own: short-term keys that tell their end and their region, and may tell lies."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers.issuing import asking, issuer, secret
from keywright.issuers import table
from keywright.issuers.base import Finding, Malformed, Recognised, Unrecognised, Verdict
from keywright.issuers.bedrock import Bedrock
from vendors import VendorServer, serving
from vendors.bedrock import short_term

NEW_YEAR = 1_767_225_600.0


@pytest.fixture
def bedrock() -> Iterator[VendorServer]:
    with serving("bedrock") as server:
        yield server


def _long_term() -> dict[str, str]:
    from vendors.bedrock import Bedrock as Vendor

    return dict(Vendor().samples()["long-term key"])


def _recognised(key: str) -> object:
    return Bedrock(None, table()).recognise(secret({"apiKey": key}))


def _in(region: str) -> Bedrock:
    return Bedrock(Bedrock.Config.model_validate({"region": region}), table())


def test_a_short_term_key_says_when_it_ends() -> None:
    found = _recognised(short_term(NEW_YEAR, X_Amz_Expires="3600"))

    assert found == Recognised("short-term key", "2026-01-01T01:00:00Z")


@pytest.mark.parametrize(
    "told",
    [
        {"X_Amz_Expires": "-1"},
        {"X_Amz_Expires": "9999999"},
        {"X_Amz_Expires": "604801"},
        {"X_Amz_Expires": "1e3"},
        {"X_Amz_Expires": "٣٦٠٠"},
        {"X_Amz_Expires": ""},
        {"X_Amz_Date": ""},
        {"X_Amz_Date": "20261301T000000Z"},
        {"X_Amz_Date": "99991231T235959Z"},
        {"X_Amz_Date": "20260101T000000+01"},
    ],
)
def test_an_end_that_cannot_be_is_none(told: dict[str, str]) -> None:
    assert _recognised(short_term(NEW_YEAR, **told)) == Recognised("short-term key", None)


@given(st.binary(min_size=75, max_size=2000))
def test_whatever_is_in_a_short_term_key_it_is_one(inside: bytes) -> None:
    found = _recognised("bedrock-api-key-" + base64.b64encode(inside).decode())

    assert found == Recognised("short-term key", None)


def test_more_parameters_than_a_presigned_request_has_are_not_counted() -> None:
    query = b"bedrock.amazonaws.com/?" + b"a=b&" * 5000 + b"X-Amz-Date=20260101T000000Z&X-Amz-Expires=1"

    assert _recognised("bedrock-api-key-" + base64.b64encode(query).decode()) == Recognised("short-term key", None)


def test_a_short_term_key_is_asked_about_in_its_own_region() -> None:
    parts = secret({"apiKey": short_term(region="ap-southeast-2")})

    assert Bedrock(None, table()).address_for(parts) == "https://bedrock.ap-southeast-2.amazonaws.com"
    assert _in("eu-west-1").address_for(parts) == "https://bedrock.ap-southeast-2.amazonaws.com"
    assert Bedrock(None, table(), "https://here").address_for(parts) == "https://here"


def test_a_long_term_key_is_asked_about_in_the_region_of_the_object() -> None:
    assert _in("eu-west-1").address_for(secret(_long_term())) == "https://bedrock.eu-west-1.amazonaws.com"
    assert _in("eu-west-1").address == "https://bedrock.eu-west-1.amazonaws.com"


HOSTILE = [
    "evil.example#",
    "evil.example/",
    "us-east-1.evil.example?",
    "us-east-1@evil.example",
    "us-east-1\n",
    "us-east-١",
    "US-EAST-1",
    "../..",
    "",
    "aa" + "-a" * 50 + "-1",
]


@pytest.mark.parametrize("region", HOSTILE)
def test_no_region_in_a_key_leads_elsewhere(region: str) -> None:
    parts = secret({"apiKey": short_term(region=region)})

    assert Bedrock(None, table()).address_for(parts) == ""
    assert _in("eu-west-1").address_for(parts) == "https://bedrock.eu-west-1.amazonaws.com"


@pytest.mark.parametrize("region", HOSTILE)
def test_no_region_of_an_object_leads_elsewhere(region: str) -> None:
    with pytest.raises(ValueError, match="region"):
        _in(region)


@given(st.text(max_size=40))
def test_whatever_region_a_key_names_the_host_is_bedrocks(region: str) -> None:
    address = Bedrock(None, table()).address_for(secret({"apiKey": short_term(region=region)}))

    assert not address or Bedrock.may_be_at(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://bedrock.evil.s3.us-east-1.amazonaws.com",
        "https://bedrock.evil.amazonaws.com",
        "https://bedrock.us-east-1.amazonaws.com.evil.example",
        "http://bedrock.us-east-1.amazonaws.com",
    ],
)
def test_hosts_of_others_below_amazonaws_are_not_its_own(url: str) -> None:
    assert not Bedrock.may_be_at(url)


def test_a_long_term_key_without_a_region_is_not_asked_about(bedrock: VendorServer) -> None:
    found = asking(Bedrock(None, table()), bedrock.url, secret(_long_term()))

    assert found.verdict is Verdict.NOT_CHECKED
    assert "region" in found.said
    assert not bedrock.requests


def test_a_short_term_key_that_has_ended_is_invalid(bedrock: VendorServer) -> None:
    parts = {"apiKey": short_term(NEW_YEAR)}
    bedrock.vendor.knows(parts, ends="2026-01-01T12:00:00Z")

    found = asking(issuer(bedrock), bedrock.url, secret(parts))

    assert found == Finding(Verdict.INVALID, "answered 403")


@pytest.mark.parametrize("cut", [1, 2, 3])
@pytest.mark.parametrize("begun", ["ABSK", "bedrock-api-key-"])
def test_base64_that_was_cut_off_is_not_recognised(begun: str, cut: int) -> None:
    key = begun + base64.b64encode(b"x" * 96).decode()

    assert isinstance(_recognised(key), Recognised)
    assert isinstance(_recognised(key[:-cut]), Unrecognised | Malformed)
