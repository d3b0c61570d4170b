"""What a KeyAction may say: nothing in it has room for a key."""

from __future__ import annotations

import pytest

from build import key_action
from controlplane import ControlPlane
from crd.definitions import Json, refusal

ROTATIONS = ("Rotate", "Rollback", "Pin", "Unpin", "RevokeNow", "Reissue", "RetryDebts")
NO_DEBT = "debt goes with action: ForgetDebt, and only so"
ACCEPTED = {
    "the least": key_action("a"),
    "everything": key_action("a", reference="SEC-1234", requestedBy="alice@example.com", expiresAfter="30d"),
    "the longest reference": key_action("a", reference=f"{'A' * 16}#{'1' * 12}"),
    **{name: key_action("a", reference=name) for name in ("INC0012345", "#12", "GH#7", "7", "PROJ-1")},
    "a ServiceAccount": key_action("a", requestedBy="system:serviceaccount:team-a:deployer"),
    "a name with spaces": key_action("a", requestedBy="CN=Jörg Doe, OU=Platform"),
    **{name: key_action("a", action=name) for name in ROTATIONS},
    "a credential": key_action("a", action="Reissue", credential="openai"),
    "a test": key_action("a", action="Rotate", testOnly=True),
    "no test": key_action("a", action="Rotate", testOnly=False),
    "a mark that is taken over": key_action("a", action="Reissue", takeOver=True),
    "a debt": key_action("a", action="ForgetDebt", debt="key_4f1a9b", credential="openai"),
    "the longest debt": key_action("a", action="ForgetDebt", debt="a" * 512),
    "a debt without a name": key_action("a", action="ForgetDebt", debt="-"),
    "one of several": key_action("a", action="ForgetDebt", debt="-", madeFrom="2026-11-20T12:58:04Z"),
}
REFUSED: dict[str, tuple[Json, str]] = {
    "no action": (key_action("a", action=None), "spec.action: Required value"),
    "an act of a later version": (key_action("a", action="Teleport"), "spec.action: Unsupported value"),
    "a refresh of one credential": (key_action("a", credential="openai"), "a Refresh is of the whole object"),
    "a credential that is no name": (key_action("a", action="Pin", credential="sk 1"), "spec.credential: Invalid"),
    "a refresh as a test": (key_action("a", testOnly=True), "testOnly goes with action: Rotate"),
    "a hurry as a test": (key_action("a", action="Reissue", testOnly=True), "testOnly goes with action: Rotate"),
    "a pin that takes over": (key_action("a", action="Pin", takeOver=True), "takeOver goes with action: Rotate or"),
    "a test that takes over": (key_action("a", action="Rotate", takeOver=True, testOnly=True), "without testOnly"),
    "a debt of a refresh": (key_action("a", debt="key_1"), NO_DEBT),
    "debts that are tried by name": (key_action("a", action="RetryDebts", debt="key_1"), NO_DEBT),
    "a debt by name and time": (
        key_action("a", action="ForgetDebt", debt="key_1", madeFrom="2026-11-20T12:58:04Z"),
        "madeFrom goes with debt: -",
    ),
    "a time of no debt": (key_action("a", madeFrom="2026-11-20T12:58:04Z"), "madeFrom goes with debt: -"),
    "no time of a debt": (key_action("a", action="ForgetDebt", debt="-", madeFrom="yesterday"), "spec.madeFrom: Inv"),
    "no debt to forget": (key_action("a", action="ForgetDebt"), NO_DEBT),
    "an empty debt": (key_action("a", action="ForgetDebt", debt=""), "spec.debt: Invalid value"),
    "a debt of two words": (key_action("a", action="ForgetDebt", debt="key 1"), "spec.debt: Invalid value"),
    "a long debt": (key_action("a", action="ForgetDebt", debt="a" * 513), "spec.debt: Too long"),
    "no object": (key_action("a", apiKeySecret=None), "spec.apiKeySecret: Required value"),
    "an object elsewhere": (key_action("a", "team-b/llm"), "spec.apiKeySecret: Invalid value"),
    "no reason": (key_action("a", reason=None), "spec.reason: Required value"),
    "free text": (key_action("a", reason="because of sk-1"), "spec.reason: Unsupported value"),
    "expired at once": (key_action("a", expiresAfter="0"), "must be at least 1s"),
    "a user of two lines": (key_action("a", requestedBy="a\nb"), "spec.requestedBy: Invalid value"),
    "nobody": (key_action("a", requestedBy=""), "spec.requestedBy: Invalid value"),
    "a long user": (key_action("a", requestedBy="a" * 254), "spec.requestedBy: Too long"),
    **{
        f"reference {text}": (key_action("a", reference=text), "spec.reference")
        for text in (
            *("", "SEC-", "SEC 12", "SEC-12 ", "SEC--12", "https://tickets.example/12", "a" * 17 + "1", "1" * 13),
            *("sk-proj-4f1a9b", "AKIAIOSFODNN7EXAMPLE", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "12-SEC"),
        )
    },
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_right_is_accepted(control_plane: ControlPlane, name: str) -> None:
    assert refusal(control_plane, ACCEPTED[name]) == ""


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_by_name(control_plane: ControlPlane, name: str) -> None:
    manifest, said = REFUSED[name]

    assert said in refusal(control_plane, manifest)
