"""What Azure OpenAI has of its own: there is no asking without the endpoint of the resource."""

from __future__ import annotations

import pytest

from issuers.issuing import asking, secret
from keywright.issuers import table
from keywright.issuers.azure_openai import AzureOpenAI
from keywright.issuers.base import Finding, Recognised, Unrecognised, Verdict
from keywright.wire import Answer
from vendors import serving
from vendors.azure_openai import AzureOpenAI as Vendor

REFUSAL = b"Access denied due to invalid subscription key"


def test_without_an_endpoint_nobody_is_asked() -> None:
    own = AzureOpenAI(None, table())
    with serving("azureOpenai") as server:
        found = asking(own, server.url, secret(Vendor().samples()["key"]))

        assert not server.requests

    assert own.address == ""
    assert found.verdict is Verdict.NOT_CHECKED
    assert "endpoint" in found.said


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://llm.openai.azure.com", True),
        ("https://llm.cognitiveservices.azure.com", True),
        ("https://llm.services.ai.azure.com", True),
        ("http://llm.openai.azure.com", False),
        ("https://openai.azure.com.evil.example", False),
        ("https://evil-openai.azure.com", False),
    ],
)
def test_its_hosts_are_those_of_resources(url: str, own: bool) -> None:
    assert AzureOpenAI.may_be_at(url) is own


@pytest.mark.parametrize(
    ("mark", "known"), [("AAABACOG", True), ("AAAAACOG", True), ("AAAEACOG", True), ("AAACACOG", False)]
)
def test_keys_of_all_its_services_are_recognised(mark: str, known: bool) -> None:
    key = "a" * 52 + "JQQJ" + "99CL" + "b" * 12 + mark + "1234"

    for text in (key, f"{key}Aa=="):
        found = AzureOpenAI(None, table()).recognise(secret({"apiKey": text}))
        assert found == (Recognised("key") if known else Unrecognised())


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (403, b'{"error": {"code": "AuthenticationTypeDisabled", "message": "Key based ..."}}', Verdict.UNKNOWN),
        (403, b'{"error": {"code": "Forbidden", "message": "..."}}', Verdict.LIMITED),
        (401, b'{"error": {"code": "PermissionDenied", "message": "Principal does not ..."}}', Verdict.UNKNOWN),
        (401, b'{"error": {"code": "401", "message": "Log in to the gateway"}}', Verdict.UNKNOWN),
        (401, b'{"error": {"code": "Unauthorized", "message": "%s."}}' % REFUSAL, Verdict.INVALID),
        (401, b'{"statusCode": 401, "message": "%s. Make sure to ..."}' % REFUSAL, Verdict.INVALID),
        (401, b'{"statusCode": 403, "message": "%s. Make sure to ..."}' % REFUSAL, Verdict.UNKNOWN),
        (401, b'{"statusCode": 401, "message": "Unauthorized"}', Verdict.UNKNOWN),
        (401, b'{"error": {"code": {}, "message": []}}', Verdict.UNKNOWN),
        (401, b'{"error": {"code": 401, "message": "of somebody else"}}', Verdict.UNKNOWN),
        (401, b'{"error": "denied"}', Verdict.UNKNOWN),
        (404, b'{"error": {"code": "404", "message": "Resource not found"}}', Verdict.UNKNOWN),
        (200, b'{"data": "none"}', Verdict.UNKNOWN),
    ],
)
def test_answers_mean_what_azure_means_by_them(status: int, body: bytes, verdict: Verdict) -> None:
    own = AzureOpenAI(None, table(), "https://llm.openai.azure.com")

    found = own.probe(secret(Vendor().samples()["key"]), lambda *_, **__: Answer(status, body))

    assert isinstance(found, Finding)
    assert found.verdict is verdict
