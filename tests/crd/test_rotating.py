"""How keys are replaced, as objects and issuers say it: what the API server takes, and what it refuses by name."""

from __future__ import annotations

from typing import Any

import pytest

from build import api_key_secret, credential, entry, key_issuer
from controlplane import ControlPlane
from crd.definitions import Json, refusal
from issuing.cases import webhook


def calls(**more: Any) -> Json:
    """Return an issuer that is asked by declared calls."""
    said = webhook("https://keys.example.com") | more
    return key_issuer("gateway", webhook={name: value for name, value in said.items() if value is not None})


def rotated(**rotation: Any) -> Json:
    """Return an object whose key is replaced."""
    one = credential("openai", "KEY", None, issuerRef={"name": "b"}, rotation=rotation)
    return api_key_secret("llm", entry("KEY", "a"), credentials=[one])


TAKEN = {
    "all calls": calls(),
    "no way to find a key": calls(find=None),
    "off for no time": rotated(observe="0"),
    "off for a day": rotated(observe="24h"),
}
REFUSED = {
    "a key that is found in no list": (calls(list=None), "find needs list"),
    "a key that is found by nothing": (calls(find={"path": "/me"}), "spec.webhook.find.handle: Required value"),
    "off without on": (calls(enable=None), "disable and enable go together"),
    "off for more than a day": (rotated(observe="25h"), "must be at most 24h"),
}


@pytest.mark.parametrize("manifest", TAKEN.values(), ids=TAKEN.keys())
def test_what_can_be_replaced_so_is_taken(control_plane: ControlPlane, manifest: Json) -> None:
    assert refusal(control_plane, manifest) == ""


@pytest.mark.parametrize(("manifest", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_replaced_so_is_refused_by_name(control_plane: ControlPlane, manifest: Json, said: str) -> None:
    assert said in refusal(control_plane, manifest)
