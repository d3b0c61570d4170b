from __future__ import annotations

import pytest

from issuers.issuing import asking, issuer, secret
from keywright.issuers.base import Verdict
from vendors import serving
from vendors.anthropic import Anthropic
from vendors.base import Response


@pytest.mark.parametrize(
    ("status", "kind", "verdict", "said"),
    [
        (402, "billing_error", Verdict.LIMITED, "answered 402 (billing_error)"),
        (529, "overloaded_error", Verdict.UNKNOWN, "answered 529 (overloaded_error)"),
        (400, "invalid_request_error", Verdict.UNKNOWN, "answered 400 (invalid_request_error)"),
        (401, "permission_error", Verdict.UNKNOWN, "answered 401 (permission_error)"),
        # What the firewall in front of it says.
        (403, "forbidden", Verdict.UNKNOWN, "answered 403, and not in the form of its answers"),
        (401, ["authentication_error"], Verdict.UNKNOWN, "answered 401, and not in the form of its answers"),
    ],
)
def test_status_and_type_of_an_error_must_agree(status: int, kind: object, verdict: Verdict, said: str) -> None:
    class Saying(Anthropic):
        def answer(self, request: object) -> Response:
            return Response(status, {"type": "error", "error": {"type": kind, "message": "no"}})

    with serving("anthropic") as server:
        server.vendor = Saying()

        found = asking(issuer(server), server.url, secret(next(iter(server.vendor.samples().values()))))

    assert (found.verdict, found.said) == (verdict, said)
