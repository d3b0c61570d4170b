"""Nothing makes an image of a process that has values in its memory: seen from outside, on the real kernel."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import keywright
from controlplane.certificates import Authority

PLACE = str(pathlib.Path(keywright.__file__).parent.parent)

#: What a process of nobody's does, watched by another one of the same user, before and after.
PROGRAM = """
import ctypes, os, sys
from keywright import dumps

def seen():
    reader = os.fork()
    if not reader:
        try:
            open(f"/proc/{os.getppid()}/environ", "rb").read()
        except PermissionError:
            os._exit(1)
        os._exit(0)
    return not os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1])

libc = ctypes.CDLL(None)
if not os.getuid():
    os.setuid(65534)
libc.prctl(4, 1, 0, 0, 0)
before = seen()
dumps.prevent()
own = open("/proc/self/status").read() and os.listdir("/proc/self/fd")
print(before, seen(), libc.prctl(3, 0, 0, 0, 0), bool(own))
"""
COMMAND = """
import ctypes, resource, sys
from keywright import cli

sys.argv = ["keywright", "--version"]
try:
    cli.main()
except SystemExit:
    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))
"""
#: A client certificate is taken up, by a process that is closed and has no rights to speak of.
IDENTITY = """
import ctypes, os, sys
from keywright import dumps, wire
from keywright.secret import SecretValue

certificate, key = sys.stdin.read().split("#")
made = []
sys.addaudithook(lambda event, told: event == "tempfile.mkstemp" and made.append(event))
wire.trust()
if not os.getuid():
    os.setuid(65534)
dumps.prevent()
context = wire.trust(None, [SecretValue(certificate), SecretValue(key)])
print(type(context).__name__, made, len(os.listdir("/proc/self/fd")) < 10)
"""
CRASH = """
import os, resource, signal
from keywright import dumps

soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
dumps.prevent()
value = "canary-7f3a9c"
os.kill(os.getpid(), signal.SIGABRT)
"""


def _run(program: str, folder: pathlib.Path, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": PLACE, **more},
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_others_of_the_same_user_see_no_memory_and_no_environment(tmp_path: pathlib.Path) -> None:
    ended = _run(PROGRAM, tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    # Seen before, not seen after; not dumpable; and it still sees itself.
    assert ended.stdout.split() == ["True", "False", "0", "True"]


def test_every_command_is_closed_from_its_start(tmp_path: pathlib.Path) -> None:
    ended = _run(COMMAND, tmp_path)

    assert ended.stdout.endswith("\n0 (0, 0)\n"), ended.stderr


def test_a_crash_leaves_no_core_and_tells_places_only(tmp_path: pathlib.Path) -> None:
    ended = _run(CRASH, tmp_path, PYTHONFAULTHANDLER="1")

    assert ended.returncode == -6
    assert list(tmp_path.iterdir()) == []
    assert 'File "<string>"' in ended.stderr
    assert "canary" not in ended.stdout + ended.stderr


def test_the_key_of_a_client_certificate_is_never_in_a_file(tmp_path: pathlib.Path) -> None:
    certificate, key = Authority("people").sign("keywright")

    ended = _run(IDENTITY, tmp_path, stdin=f"{certificate.decode()}#{key.decode()}")

    assert ended.stdout == "SSLContext [] True\n", ended.stderr
