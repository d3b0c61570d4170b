"""What libraries log, warn of and leave uncaught, whatever ``--log-level`` says, in a process that has them loaded."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

import keywright

PLACE = str(pathlib.Path(keywright.__file__).parent.parent)
CANARY = "canary-7f3a9c"

#: Loggers of libraries that stores will load, by the names that their authors give them.
LATER = (
    "azure.core.pipeline.policies.http_logging_policy",
    "azure.identity._internal.msal_client",
    "azure.keyvault.secrets",
    "google.auth.transport.requests",
    "google.cloud.secretmanager_v1",
    "googleapiclient.discovery",
    "grpc._cython.cygrpc",
    "httpcore.http11",
    "httpx",
    "msal.token_cache",
    "oauthlib.oauth2",
    "psycopg.pool",
    "s3transfer.utils",
)

PROGRAM = f"""
import logging, sys, warnings
from keywright import logs, stores, issuers

logs.configure("debug")

# What the operator and its stores and issuers load, at first use.
import aiohttp.web, boto3, botocore.auth, botocore.session, hvac, kopf, kubernetes.aio.client, kubernetes.aio.config
import requests, urllib3, uvloop, asyncio, cryptography, jinja2, jmespath, s3transfer.manager
from keywright import botocore_adapter, cluster, handlers, hvac_adapter, wire
from keywright.engine import app

later = [logging.getLogger(name) for name in {LATER}]
made = logging.root.manager.loggerDict
ours = lambda name: name.partition(".")[0] == "keywright"
loud = [name for name, each in made.items() if isinstance(each, logging.Logger) and not ours(name)
        and each.getEffectiveLevel() < logging.WARNING]
print("libraries:", len([name for name in made if not ours(name)]))
print("loud:", loud)
print("ours:", {{logging.getLogger("keywright.engine").getEffectiveLevel()}})

# One that gives itself a level, as with boto3.set_stream_logger or http.client's debug switch.
for name in (*logs.CAPPED, *{LATER}, "botocore.parsers", "urllib3.connectionpool", "http.client", "its.own"):
    own = logging.getLogger(name)
    own.setLevel(logging.DEBUG)
    own.debug("chatter {CANARY}")
    own.info("chatter {CANARY}")
logging.getLogger("kubernetes.aio").error("chatter {CANARY}")
logging.getLogger("its.own").warning("it speaks up")

warnings.simplefilter("always")
warnings.warn("about {CANARY}")
"""

UNCONFIGURED = f"""
import logging, sys, threading
from keywright import logs

logs.guard()
try:
    raise ValueError("{CANARY}")
except ValueError:
    logging.getLogger("keywright.cli").exception("one of ours")
    logging.getLogger("urllib3").exception("one of theirs")
    logging.getLogger("kubernetes").exception("chatter")
    logging.getLogger("urllib3").info("chatter", exc_info=True)

# A handler of somebody else's that cannot print.
class Broken(logging.Handler):
    def emit(self, record):
        try:
            raise OSError("{CANARY}")
        except OSError:
            self.handleError(record)

elsewhere = logging.getLogger("elsewhere")
elsewhere.addHandler(Broken())
elsewhere.error("{CANARY}")
raise ValueError("{CANARY}")
"""


def _run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": PLACE},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def loaded() -> subprocess.CompletedProcess[str]:
    """A process at debug that has loaded all that stores and issuers load."""
    return _run(PROGRAM)


def test_no_logger_of_a_library_speaks_below_warning(loaded: subprocess.CompletedProcess[str]) -> None:
    libraries, loud, ours = loaded.stdout.splitlines()

    assert int(libraries.partition(":")[2]) > 60, loaded.stderr
    assert loud == "loud: []"
    assert ours == "ours: {10}"


def test_a_library_that_gives_itself_a_level_is_not_heard_below_its_floor(
    loaded: subprocess.CompletedProcess[str],
) -> None:
    assert loaded.returncode == 0
    assert "chatter" not in loaded.stderr
    assert "WARNING its.own: it speaks up\n" in loaded.stderr


def test_a_warning_is_told_by_its_kind_and_place(loaded: subprocess.CompletedProcess[str]) -> None:
    assert "WARNING keywright.logs: a library warns: UserWarning at <string>:" in loaded.stderr
    assert CANARY not in loaded.stderr


def test_before_logging_is_set_up_no_text_of_a_foreign_exception_is_printed_either() -> None:
    ended = _run(UNCONFIGURED)

    assert ended.returncode == 1
    assert CANARY not in ended.stderr
    assert "chatter" not in ended.stderr
    for title in ("keywright.cli: one of ours", "urllib3: one of theirs", "keywright.logs: not caught"):
        assert f"{title}\n  <string>:" in ended.stderr
    assert ended.stderr.count("  ValueError\n") == 3
