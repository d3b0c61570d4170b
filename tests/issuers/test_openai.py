"""What OpenAI has of its own: a 401 may be about the key, and about much else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers.issuing import secret
from keywright.issuers import table
from keywright.issuers.base import Finding, Verdict
from keywright.issuers.openai import OpenAI
from keywright.wire import Answer
from vendors.openai import OpenAI as Vendor


def probed(status: int, body: object) -> Finding:
    """Return what an answer means."""
    told = Answer(status, json.dumps(body).encode())
    return OpenAI(None, table()).probe(secret(Vendor().samples()["project key"]), lambda *_, **__: told)


def error(code: object, kind: object = "invalid_request_error") -> dict[str, object]:
    """Return an error in the form of OpenAI's."""
    return {"error": {"message": "m", "type": kind, "code": code, "param": None}}


@pytest.mark.parametrize(
    ("status", "body", "verdict", "said"),
    [
        (401, error("invalid_api_key"), Verdict.INVALID, "answered 401 (invalid_api_key)"),
        (401, error("account_deactivated"), Verdict.INVALID, "answered 401 (account_deactivated)"),
        (401, error(None, "invalid_api_key"), Verdict.INVALID, "answered 401 (invalid_api_key)"),
        (401, error("ip_not_authorized"), Verdict.LIMITED, "answered 401 (ip_not_authorized)"),
        (429, error("insufficient_quota"), Verdict.LIMITED, "answered 429 (insufficient_quota)"),
        (403, error(None), Verdict.LIMITED, "answered 403"),
        (401, error("incorrect_hostname"), Verdict.UNKNOWN, "answered 401"),
        (401, error("invalid_organization"), Verdict.UNKNOWN, "answered 401"),
        (401, error("some_new_code"), Verdict.UNKNOWN, "answered 401"),
        (401, error(None), Verdict.UNKNOWN, "answered 401"),
        (401, error({}), Verdict.UNKNOWN, "answered 401"),
        (401, error([["x"]], []), Verdict.UNKNOWN, "answered 401"),
        (
            401,
            {"error": {"reason": "log in to the proxy"}},
            Verdict.UNKNOWN,
            "answered 401, and not in the form of its answers",
        ),
        (403, {"error": {"reason": "no"}}, Verdict.UNKNOWN, "answered 403, and not in the form of its answers"),
        (200, {"data": None}, Verdict.UNKNOWN, "answered 200, and not in the form of its answers"),
        (200, {"data": []}, Verdict.VALID, "answered 200"),
    ],
)
def test_only_openais_own_words_condemn_a_key(status: int, body: object, verdict: Verdict, said: str) -> None:
    assert probed(status, body) == Finding(verdict, said)


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each, max_size=2))


@given(st.sampled_from([200, 401, 403, 429]), _JSON, _JSON)
def test_whatever_the_code_is_something_is_said(status: int, code: object, kind: object) -> None:
    assert probed(status, error(code, kind)).verdict is not Verdict.VALID
