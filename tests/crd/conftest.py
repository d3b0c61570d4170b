"""What the tests of the CRDs need: a control plane that serves them."""

from __future__ import annotations

import time

import pytest

from controlplane import ControlPlane
from crd.definitions import DEFINITIONS, Json, condition
from keywright import kinds


@pytest.fixture(scope="session", autouse=True)
def established(control_plane: ControlPlane) -> Json:
    """The CRDs of the control plane, once it serves them."""
    until = time.monotonic() + 30
    while True:
        _, answer = control_plane.request("GET", DEFINITIONS)
        found = {each["metadata"]["name"]: each for each in answer["items"]}
        ours = [found[f"{kind.plural}.{kinds.GROUP}"] for kind in kinds.KINDS.values()]
        if all(condition(each, "Established") == "True" for each in ours) or time.monotonic() > until:
            return found
        time.sleep(0.1)
