from __future__ import annotations

import pytest

from issuers.issuing import asking, issuer, secret
from keywright.issuers import ISSUERS
from keywright.issuers.base import Finding, Verdict
from vendors import VendorServer, serving
from vendors.base import Response, word
from vendors.huggingface import HuggingFace


def _probed(server: VendorServer, token: str) -> Finding:
    return asking(issuer(server), server.url, secret({"token": token}))


def test_when_a_token_was_made_and_when_it_ends_is_told() -> None:
    token = f"hf_{word(34)}"
    with serving("huggingface") as server:
        server.vendor.knows({"token": token}, ends="2098-07-06T05:04:03.210Z")

        found = _probed(server, token)

    assert (found.created_at, found.expires_at) == ("2026-01-02T03:04:05Z", "2098-07-06T05:04:03Z")


@pytest.mark.parametrize("written", [None, 7, {}, "yesterday", "9999-12-31T23:59:59-12:00"])
def test_dates_that_are_none_are_left_out(written: object) -> None:
    token = f"hf_{word(34)}"
    with serving("huggingface") as server:
        assert isinstance(server.vendor, HuggingFace)
        server.vendor.created = written  # type: ignore[assignment] # what is no text is hostile
        server.vendor.knows({"token": token}, ends="soon")

        assert _probed(server, token) == Finding(Verdict.VALID, "answered 200")


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        (Response(401, {"error": "Invalid username or password."}), Verdict.INVALID),
        (Response(401, {"error": "It ended."}, {"X-Error-Message": "It ended."}), Verdict.INVALID),
        (Response(401, {"error": "no login at this gateway"}), Verdict.UNKNOWN),
        (Response(403, {"error": "blocked by policy"}), Verdict.UNKNOWN),
        (Response(200, {"auth": [], "name": "x"}), Verdict.UNKNOWN),
        (Response(200, {"auth": {"accessToken": "none"}, "name": "x"}), Verdict.VALID),
    ],
)
def test_an_answer_counts_in_the_form_of_the_hub(response: Response, verdict: Verdict) -> None:
    class Saying(HuggingFace):
        def answer(self, request: object) -> Response:
            return response

    with serving("huggingface") as server:
        server.vendor = Saying()

        assert _probed(server, f"hf_{word(34)}").verdict is verdict


def test_the_hub_is_asked_seldom() -> None:
    assert ISSUERS["huggingface"].pace <= 0.2
