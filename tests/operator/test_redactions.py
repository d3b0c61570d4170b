"""The last line of defence has nothing to do in any test; where it has, the test fails."""

from __future__ import annotations

import contextlib
import pathlib

import pytest

from build import api_key_secret, entry
from controlplane import ControlPlane, OpenBao
from world import World


def test_a_redaction_is_counted_and_fails_the_test(
    control_plane: ControlPlane, openbao: OpenBao, namespace: str, tmp_path: pathlib.Path
) -> None:
    redacting = World(control_plane, openbao, namespace, tmp_path)
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(redacting)
        operator = world.start()
        world.has_store()
        # A key that somebody took for a name.
        name = f"sk-{'a1' * 20}"
        world.apply(api_key_secret(name, entry("KEY", "nowhere")))
        world.is_refused("NotFound", name)

        assert name not in operator.log.read_text()
        assert operator.metric("keywright_log_redactions_total") > 0
        with pytest.raises(AssertionError, match="redacted"):
            stack.close()
