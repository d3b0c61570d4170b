"""What an issuer could say nothing true of is not sent to it."""

from __future__ import annotations

import pytest

from issuers.issuing import asking, issuer, secret
from keywright.issuers.base import Verdict
from vendors import serving
from vendors.base import word


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("anthropic", "sk-ant-oat01-"),
        ("anthropic", "sk-ant-ort01-"),
        ("github", "ghr_"),
        ("gitlab", "gldt-"),
        ("gitlab", "glrt-"),
        ("gitlab", "glagent-"),
        ("stripe", "whsec_"),
        ("stripe", "pk_live_"),
        ("slack", "xoxe-1-"),
    ],
)
def test_what_cannot_be_asked_about_is_not_sent(name: str, beginning: str) -> None:
    with serving(name) as vendor:
        own = issuer(vendor)

        found = asking(own, vendor.url, secret({own.parts[0].name: beginning + word(40)}))

        assert found.verdict is Verdict.NOT_CHECKED
        assert found.said.startswith("was not asked: ")
        assert not vendor.requests
