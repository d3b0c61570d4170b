"""What Google has of its own: keys found in public, keys for other APIs, standard keys without restrictions."""

from __future__ import annotations

from typing import Any

import pytest

from issuers.issuing import asking, issuer, secret
from keywright.issuers import table
from keywright.issuers.base import Recognised, Verdict
from keywright.issuers.google import Google
from keywright.wire import Answer
from vendors import google, serving


@pytest.mark.parametrize(
    ("answer", "kind", "verdict", "said"),
    [
        (google.LEAKED, "standard key", Verdict.INVALID, "answered 403 (reported as leaked)"),
        (google.EXPIRED, "standard key", Verdict.INVALID, "answered 400 (API_KEY_INVALID)"),
        (google.UNRESTRICTED, "standard key", Verdict.UNKNOWN, "answered 401"),
        (google.UNRESTRICTED, "auth key", Verdict.UNKNOWN, "answered 401 (ACCESS_TOKEN_TYPE_UNSUPPORTED)"),
        ((*google.UNRESTRICTED[:3], ""), "auth key", Verdict.INVALID, "answered 401"),
        ((*google.UNRESTRICTED[:3], ""), "standard key", Verdict.UNKNOWN, "answered 401"),
        ((401, "UNAUTHENTICATED", "Log in to the gateway", ""), "auth key", Verdict.UNKNOWN, "answered 401"),
        ((401, "DENIED", google.UNRESTRICTED[2], ""), "auth key", Verdict.UNKNOWN, "answered 401"),
        ((403, "PERMISSION_DENIED", "…", "CONSUMER_SUSPENDED"), "auth key", Verdict.LIMITED, "answered 403 (CONSUMER_"),
        ((400, "FAILED_PRECONDITION", "User location", ""), "auth key", Verdict.UNKNOWN, "answered 400"),
        ((403, "PERMISSION_DENIED", "…", "MADE_UP"), "auth key", Verdict.LIMITED, "answered 403"),
    ],
)
def test_answers_mean_what_google_means_by_them(answer: Any, kind: str, verdict: Verdict, said: str) -> None:
    with serving("google") as server:
        assert isinstance(server.vendor, google.Google)
        parts = server.vendor.samples()[kind]
        server.vendor.special[parts["apiKey"]] = answer

        found = asking(issuer(server), server.url, secret(parts))

    assert found.verdict is verdict
    assert found.said.startswith(said)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b'{"error": {"message": "denied"}}'),
        (400, b'{"error": {"code": 400, "status": "X", "details": {"reason": "API_KEY_INVALID"}}}'),
        (
            400,
            b'{"error": {"code": 400, "status": "X", "details": [["X"], {"reason": ["API_KEY_INVALID"]}]}}',
        ),
        (400, b'{"error": {"code": 403, "status": "X", "details": [{"reason": "API_KEY_INVALID"}]}}'),
        (200, b"{}"),
        (200, b'{"models": {}}'),
    ],
)
def test_answers_that_google_would_not_give_say_nothing(status: int, body: bytes) -> None:
    parts = secret(google.Google().samples()["auth key"])

    assert Google(None, table()).probe(parts, lambda *_, **__: Answer(status, body)).verdict is Verdict.UNKNOWN


def test_auth_keys_may_be_longer_than_those_of_today() -> None:
    key = google.Google().samples()["auth key"]["apiKey"]

    assert Google(None, table()).recognise(secret({"apiKey": key + "x" * 40})) == Recognised("auth key")
