"""Entries without a place in a store: what the API server takes, and what it refuses by name."""

from __future__ import annotations

from typing import Any

import pytest

from build import api_key_secret, entry
from controlplane import ControlPlane
from crd.definitions import Json, refusal

HOMELESS = "an entry without remoteRef has to be a part of a credential with issuerRef and rotation"
ALONE = "an entry without remoteRef is minted: no storeRef, sources, decode, optional, default or allowEmpty"


def minted(*more: Json, own: Json | None = None, **said: Any) -> Json:
    """Return an object whose entry KEY is minted, with more entries, said of it and of its credential."""
    rotated = {"name": "a", "issuer": "github", "parts": {"token": "KEY"}, "issuerRef": {"name": "b"}, "rotation": {}}
    one = {name: value for name, value in (rotated | said).items() if value is not None}
    return api_key_secret("llm", {"key": "KEY", **(own or {})}, *more, credentials=[one], storeRef=None)


MORE = [entry(f"K{number}", "a") for number in range(491)]
PAIR: dict[str, Any] = {"issuer": "custom", "custom": {"parts": [{"name": "token"}, {"name": "second"}]}}
PARTS = {"token": "KEY", "second": "SECOND"}
TAKEN = {
    "alone": minted(),
    "beside 491 that are not": minted(*MORE),
    "a pair": minted({"key": "SECOND"}, parts=PARTS, **PAIR),
}
REFUSED = {
    "no credential": (api_key_secret("llm", {"key": "KEY"}), HOMELESS),
    "no rotation": (minted(issuerRef=None, rotation=None), HOMELESS),
    "another's credential": (minted(entry("OTHER", "a"), parts={"token": "OTHER"}), HOMELESS),
    "half of it in a store": (
        minted(entry("SECOND", "a"), parts=PARTS, **PAIR),
        "all parts of a credential are entries without remoteRef, or none is",
    ),
    "half of it in no entry": (
        minted(parts=PARTS, **PAIR),
        "all parts of a credential are entries without remoteRef, or none is",
    ),
    "a store": (minted(own={"storeRef": {"name": "a"}}), ALONE),
    "sources": (minted(own={"sources": [{"storeRef": {"name": "a"}, "remoteRef": {"path": "b"}}]}), ALONE),
    "decode": (minted(own={"decode": "Base64"}), ALONE),
    "optional": (minted(own={"optional": True}), ALONE),
    "default": (minted(own={"default": "a"}), ALONE),
    "allowEmpty": (minted(own={"allowEmpty": True}), ALONE),
}


@pytest.mark.parametrize("manifest", TAKEN.values(), ids=TAKEN.keys())
def test_what_is_minted_is_taken(control_plane: ControlPlane, manifest: Json) -> None:
    assert refusal(control_plane, manifest) == ""


@pytest.mark.parametrize(("manifest", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_minted_is_refused_by_name(control_plane: ControlPlane, manifest: Json, said: str) -> None:
    assert said in refusal(control_plane, manifest)
