from __future__ import annotations

import pytest

from issuers.issuing import asking, issuer, secret
from keywright.issuers.base import Verdict
from vendors import serving
from vendors.base import Response
from vendors.stripe import Stripe


@pytest.mark.parametrize(
    ("status", "error", "verdict", "said"),
    [
        (
            401,
            {"type": "invalid_request_error", "code": "api_key_expired"},
            Verdict.INVALID,
            "answered 401 (api_key_expired)",
        ),
        (401, {"type": "authentication_error", "code": "rk_live_abc"}, Verdict.INVALID, "answered 401"),
        (403, {"type": "invalid_request_error", "code": ["api_key_expired"]}, Verdict.LIMITED, "answered 403"),
        (400, {"type": "invalid_request_error"}, Verdict.UNKNOWN, "answered 400"),
        (401, {"type": "api_error"}, Verdict.UNKNOWN, "answered 401"),
        (
            401,
            {"type": "invalid_request_error", "message": "The key does not allow requests from your IP address."},
            Verdict.UNKNOWN,
            "answered 401",
        ),
        (401, {"type": "gateway"}, Verdict.UNKNOWN, "answered 401, and not in the form of its answers"),
        (401, {"type": {}}, Verdict.UNKNOWN, "answered 401, and not in the form of its answers"),
    ],
)
def test_an_error_counts_in_the_form_of_stripe(
    status: int, error: dict[str, object], verdict: Verdict, said: str
) -> None:
    class Saying(Stripe):
        def answer(self, request: object) -> Response:
            return Response(status, {"error": {"message": "no"} | error})

    with serving("stripe") as server:
        server.vendor = Saying()

        found = asking(issuer(server), server.url, secret(next(iter(server.vendor.samples().values()))))

    assert (found.verdict, found.said) == (verdict, said)
