from __future__ import annotations

import pytest

from issuers.issuing import asking, issuer, secret
from keywright.issuers.base import Verdict
from vendors import serving
from vendors.slack import Slack


@pytest.mark.parametrize(
    ("error", "verdict", "said"),
    [
        ("invalid_auth", Verdict.INVALID, "answered 200 (invalid_auth)"),
        ("token_revoked", Verdict.INVALID, "answered 200 (token_revoked)"),
        ("token_expired", Verdict.INVALID, "answered 200 (token_expired)"),
        ("account_inactive", Verdict.INVALID, "answered 200 (account_inactive)"),
        ("not_allowed_token_type", Verdict.LIMITED, "answered 200 (not_allowed_token_type)"),
        ("team_access_not_granted", Verdict.LIMITED, "answered 200 (team_access_not_granted)"),
        ("fatal_error", Verdict.UNKNOWN, "answered 200 (fatal_error)"),
        ("xoxb-1-what-nobody-documents", Verdict.UNKNOWN, "answered 200"),
        (["invalid_auth"], Verdict.UNKNOWN, "answered 200, and not in the form of its answers"),
        ({}, Verdict.UNKNOWN, "answered 200, and not in the form of its answers"),
    ],
)
def test_the_body_tells_what_the_status_does_not(error: object, verdict: Verdict, said: str) -> None:
    with serving("slack") as server:
        assert isinstance(server.vendor, Slack)
        server.vendor.error = error  # type: ignore[assignment] # what is no text is hostile

        found = asking(issuer(server), server.url, secret(next(iter(server.vendor.samples().values()))))

    assert (found.verdict, found.said) == (verdict, said)
