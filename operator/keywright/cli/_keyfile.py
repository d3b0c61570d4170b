"""What commands on the encrypted file share: where it is, what opens it, how a value comes in.

Values and passphrases come from a hidden prompt, a pipe or a file, never from an argument: those are seen by everybody
on the machine, and kept by shells.

Does not belong here: the file itself (``keyfile/``).
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .. import errors, settings
from ..errors import Reason
from ..secret import SecretValue
from . import _recording, _types

if TYPE_CHECKING:
    from ..keyfile.contents import Contents
    from ..keyfile.edit import KeyFile
    from ..keyfile.place import Place

T = TypeVar("T")

#: Bytes of a file that holds a passphrase or key; how short a passphrase that is thought of may be.
MAX_SECRET, MIN_PASSPHRASE = 4096, 8
#: Bytes from which on a terminal's line may have been cut off without a word (Linux: termios(3), canonical mode).
MAX_TYPED = 4095
_PIPE = "Pipe it in, or name a file that holds it"

_OPTIONS = (
    click.option("--file", type=_types.FILE, help="The file. Default: $XDG_DATA_HOME/keywright/keys.kw."),
    click.option(
        "--key-file",
        type=_types.FILE,
        envvar="KEYWRIGHT_MASTER_KEY_FILE",
        show_envvar=True,
        help="File that holds its passphrase or raw key. Default: you are asked.",
    ),
)


class Keys:
    """The encrypted file that a command works on; errors name it."""

    def __init__(self, path: str | None, key_file: str | None) -> None:
        self.path = pathlib.Path(path) if path else _usual_place()
        self._key_file = key_file
        self._opened: KeyFile | None = None

    def open(self) -> Contents:
        """Read it.

        Raises:
            errors.Error: see ``KeyFile.open``.
        """
        return self._told(lambda file: file.open())

    def update(
        self, change: Callable[[Contents], Contents], code: _recording.Code, path: str, algorithm: Any = None
    ) -> Contents:
        """Change it, or make it; that is recorded before it is saved.

        Args:
            code: what is done to the entry at ``path``.

        Raises:
            errors.Error: see ``KeyFile.update``, and ``_recording.record``.
        """
        with _recording.Change(code, path, self.path.name) as recorded:

            def changed(before: Contents) -> Contents:
                after = change(before)
                recorded.begins(before, after)
                return after

            return self._told(lambda file: file.update(changed, algorithm))

    def write(self, change: Callable[[Contents], Contents]) -> Contents:
        """Change it without a record: whoever calls keeps one of their own.

        Raises:
            errors.Error: see ``KeyFile.update``.
        """
        return self._told(lambda file: file.update(change))

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep out whoever else rotates keys of it.

        Raises:
            errors.Error: see ``Place.claimed``.
        """
        with contextlib.ExitStack() as held:
            self.named(lambda: held.enter_context(self._place.claimed()))
            yield

    def rekey(self, secret: Callable[[], SecretValue], algorithm: Any = None) -> Contents:
        """Seal it anew; the new passphrase is asked for once the old one has opened it.

        Raises:
            errors.Error: see ``KeyFile.rekey``, and ``_recording.record``.
        """
        with _recording.Change(_recording.Code.REKEYED, None, self.path.name) as recorded:

            def sealed_anew(file: KeyFile) -> Contents:
                before, new = file.open(), secret()
                recorded.begins(before)
                return file.rekey(new, algorithm)

            return self._told(sealed_anew)

    def named(self, work: Callable[[], T]) -> T:
        """Do something with what is in it; what goes wrong names it.

        Raises:
            errors.Error: that of ``work``.
        """
        try:
            return work()
        except errors.Error as error:
            own = isinstance(error, _Own) or error.reason in _recording.OURS
            named = error if own else error.about(str(self.path))
        raise named

    def _told(self, work: Callable[[KeyFile], Contents]) -> Contents:
        """Do something with the file; its passphrase is asked for once."""
        from ..keyfile.edit import KeyFile

        file = self._opened or KeyFile(self._place, lambda there: passphrase(self._key_file, new=not there))
        self._opened = file
        return self.named(lambda: work(file))

    @property
    def _place(self) -> Place:
        from ..keyfile import sealed
        from ..keyfile.place import Place

        return Place(self.path, sealed.MAX_FILE)


class _Own(errors.Stalled):
    """An error that is not about the encrypted file."""


def _usual_place() -> pathlib.Path:
    said = "there is no place for the encrypted file by what HOME and XDG_DATA_HOME say"
    error = _Own(Reason.FILE_REFUSED, said, "Name it: --file")
    with errors.boundary(lambda _: error):
        place = settings.key_file()
    if not place.is_absolute() or not str(place).isprintable():
        raise error
    return place


def opens(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which file; it gets them as one ``keys``."""

    @functools.wraps(function)
    def command(file: str | None, key_file: str | None, **given: Any) -> None:
        function(Keys(file, key_file), **given)

    return functools.reduce(lambda made, option: option(made), reversed(_OPTIONS), command)


def passphrase(key_file: str | None, *, new: bool) -> SecretValue:
    """Return what opens a file: out of a file, asked for on a terminal, or out of the environment, with a warning.

    Args:
        new: whether it is thought of now, so that it is asked for twice and must not be short.

    Raises:
        errors.Stalled: there is no way to get it.
    """
    if (found := _of_person(key_file, "Passphrase", new=new)) is not None:
        return found
    if given := settings.master_passphrase():
        click.echo("Warning: API_KEY_MASTER is seen by every program that is started here; a file is not.", err=True)
        # As the bytes that the environment holds: they need not be text.
        return _long_enough(os.fsencode(given), new=new)
    raise _Own(
        Reason.CREDENTIAL_MISSING,
        "there is no passphrase, and no terminal to ask for it",
        "Name a file that holds it: KEYWRIGHT_MASTER_KEY_FILE, or --key-file",
    )


def new_passphrase(key_file: str | None) -> SecretValue:
    """Return what is to open a file from now on; never out of the environment, which holds what opens it now.

    Raises:
        errors.Stalled: there is no way to get it.
    """
    if (found := _of_person(key_file, "New passphrase", new=True)) is not None:
        return found
    said = "there is no new passphrase, and no terminal to ask for it"
    raise _Own(Reason.CREDENTIAL_MISSING, said, "Name a file that holds it: --new-key-file")


def _of_person(key_file: str | None, question: str, *, new: bool) -> SecretValue | None:
    """Return what is in the file that is named, or what is typed on a terminal; None where there is neither."""
    if key_file:
        return _from(key_file, new=new)
    return _asked(question, new=new) if sys.stderr.isatty() else None


def value(path: str, *, exact: bool) -> SecretValue:
    """Return a value that is to be stored: asked for on a terminal, else all of a pipe.

    Args:
        exact: whether the line break that ends a single line belongs to it.

    Raises:
        errors.Stalled: there is none, or what is typed cannot be all of it.
    """
    from ..keyfile import sealed

    if sys.stdin.isatty():
        data = typed(f"Value of {path}", default="", show_default=False)
        if data.startswith(b"-----BEGIN "):
            # The other lines would answer the next question, or be commands of the shell.
            raise _Own(Reason.DECODE_FAILED, "a value of several lines cannot be typed", _PIPE)
    else:
        # One more than there may be, and a line break: a pipe need not have an end.
        data = sys.stdin.buffer.read(sealed.MAX_VALUE + 3)
    if not exact and data.count(b"\n") == 1 and data.endswith(b"\n"):
        data = data.removesuffix(b"\n").removesuffix(b"\r")
    if not data:
        raise _Own(Reason.VALUE_EMPTY, f"there is no value for {path}", "Type it, or pipe it in")
    return SecretValue(data)


def _from(key_file: str, *, new: bool) -> SecretValue:
    from ..keyfile import place

    try:
        found = place.read_private(pathlib.Path(key_file), MAX_SECRET)
        if len(found) <= MAX_SECRET:
            return _long_enough(found, new=new)
        named = _Own(Reason.FILE_REFUSED, f"{key_file} is too large for a passphrase or key", "Name another file")
    except _Own:
        raise
    except errors.Error as error:
        named = _Own(error.reason, f"{key_file} {error.message}", error.hint)
    raise named


def _asked(what: str, *, new: bool) -> SecretValue:
    return _long_enough(typed(what, confirmation_prompt=new), new=new)


def typed(what: str, **how: Any) -> bytes:
    """Return what somebody types, unseen.

    Args:
        how: more for ``click.prompt``.

    Raises:
        errors.Stalled: it is no text, or the terminal may have cut it off.
    """
    with contextlib.suppress(UnicodeError):
        answer = click.prompt(what, hide_input=True, err=True, **how).encode()
        if len(answer) < MAX_TYPED:
            return bytes(answer)
        raise _Own(Reason.VALUE_TOO_LARGE, "a terminal takes no line of more than 4094 bytes", _PIPE)
    raise _Own(Reason.DECODE_FAILED, "what was typed is no text that this terminal's settings can say", _PIPE)


def _long_enough(secret: bytes, *, new: bool) -> SecretValue:
    """Return a passphrase or key, unless it is a new one and too short; characters count, wherever it comes from."""
    if new and len(secret.decode(errors="replace").rstrip("\r\n")) < MIN_PASSPHRASE:
        said = f"a passphrase has at least {MIN_PASSPHRASE} characters"
        raise _Own(Reason.AUTH_FAILED, said, "Think of a longer one")
    return SecretValue(secret)
