"""A process that has loaded the whole program, and becomes a call of it as often as it is asked to.

Each call is a process of its own: it has the arguments, the environment, the folder and the streams that it is given,
works and ends as one that was started from a shell does, and can be signalled, frozen and killed. ``forking`` starts
this and asks, over a socket that is its standard input.

Does not belong here: who asks (``forking``), and what is asked.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import sys
import threading
import wsgiref.handlers  # noqa: F401 - looks at each variable; nothing is done with that

#: What is loaded late, by a call that needs it.
LATE = (
    "botocore.auth",
    "botocore.session",
    "cel",
    "cryptography.x509",
    "hvac",
    "jsonschema_rs",
    "re2",
    "uvloop",
    "yaml",
)
#: Names a file of Python that a call runs before it begins, as Python does with a ``sitecustomize``.
BEGINS_WITH = "KEYWRIGHT_TEST_BEGINS_WITH"
NUMBER = struct.Struct("i")
LARGEST = 1 << 20


def load() -> list[str]:
    """Load all that a call may load, and return the variables that were asked for: their values count as of now."""
    asked, ask = set(), os._Environ.__getitem__

    def noting(held: os._Environ[str], name: str) -> str:
        asked.add(name)
        return ask(held, name)

    os._Environ.__getitem__ = noting  # type: ignore[method-assign,assignment]
    package = importlib.import_module("keywright")
    for each in pkgutil.walk_packages(package.__path__, "keywright."):
        if not each.name.endswith("__main__"):
            importlib.import_module(each.name)
    for name in LATE:
        importlib.import_module(name)
    os._Environ.__getitem__ = ask  # type: ignore[method-assign]
    if threading.active_count() > 1:
        raise SystemExit("what was loaded has started threads: they would be missing in every call")
    gc.collect()
    gc.freeze()
    return sorted(asked)


def serve(asking: socket.socket) -> bool:
    """Fork for each call; return True in its process, False in this one once nobody can ask any more."""
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    #: Where to tell how a process has ended.
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([asking.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            tell_ends(running)
        if asking.fileno() not in ready:
            continue
        message, received, _, _ = socket.recv_fds(asking, LARGEST, 4)
        if not message:
            return end(running)
        *streams, told = received
        if not (pid := os.fork()):
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # Ignored in whatever a shell has started in the background, as tests may be; a call at a terminal takes it.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for each in (woken, waking, told, asking.detach(), *running.values()):
                os.close(each)
            become(json.loads(message), streams)
            return True
        running[pid] = told
        os.write(told, NUMBER.pack(pid))
        for each in streams:
            os.close(each)


def tell_ends(running: dict[int, int]) -> None:
    """Tell of each process that has ended how it did."""
    for pid, told in list(running.items()):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            del running[pid]
            with contextlib.suppress(BrokenPipeError):
                os.write(told, NUMBER.pack(os.waitstatus_to_exitcode(status)))
            os.close(told)


def end(running: dict[int, int]) -> bool:
    """Let no process outlive who has asked for it."""
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    return False


def become(call: dict[str, object], streams: list[int]) -> None:
    """Be the process that was asked for."""
    for number, each in enumerate(streams):
        os.dup2(each, number)
        os.close(each)
    os.chdir(str(call["folder"]))
    os.environ.clear()
    os.environ.update(call["environment"])  # type: ignore[call-overload]
    sys.argv[:] = call["arguments"]  # type: ignore[call-overload]
    # Python looks at this when it starts.
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())  # type: ignore[union-attr]


def leave(code: str | int | None) -> None:
    """End as Python does, but for taking apart all that was loaded, which takes as long as many a call."""
    if isinstance(code, str):
        raise SystemExit(code)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()
    for each in (sys.stdout, sys.stderr):
        each.flush()
    os._exit(code or 0)


def main() -> None:
    """Serve until nobody can ask any more; in the process of a call, be the program."""
    asking = socket.socket(fileno=os.dup(0))
    asking.send(json.dumps(load()).encode())
    if not serve(asking):
        return
    from keywright import cli

    try:
        if before := os.environ.pop(BEGINS_WITH, ""):
            runpy.run_path(before, run_name="__main__")
        cli.main()
    except SystemExit as ended:
        leave(ended.code)


if __name__ == "__main__":
    main()
