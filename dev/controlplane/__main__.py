"""``python -m controlplane``: a control plane and OpenBao by hand; ``python -m controlplane build`` only builds."""

from __future__ import annotations

import pathlib
import signal
import sys
import tempfile
import threading

from . import BuildError, ControlPlane, OpenBao, StartError, assets


def main() -> int:
    """Build, and unless that is all, start and wait for Ctrl-C."""
    try:
        assets()
        if sys.argv[1:] == ["build"]:
            return 0
        with tempfile.TemporaryDirectory(prefix="keywright-") as place:
            folder = pathlib.Path(place)
            with ControlPlane.start(folder / "kubernetes") as plane, OpenBao.start(folder / "openbao") as bao:
                print(f"export KUBECONFIG={plane.kubeconfig}")
                print(f"export VAULT_ADDR={bao.url} VAULT_TOKEN={bao.root_token}", flush=True)
                print("Ctrl-C ends both.", file=sys.stderr, flush=True)
                _wait_for_the_end()
    except (BuildError, StartError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _wait_for_the_end() -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()


if __name__ == "__main__":
    sys.exit(main())
