"""A local rotation from what a command was given to how it ends.

Does not belong here: what may be said (``options``), what follows (``task``, ``driving``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ... import errors
from ...errors import Reason
from ...schema import NAMELESS
from .. import _keyfile
from .._exit import Exit
from .options import OPTIONS, Options

if TYPE_CHECKING:
    from .book import Book
    from .task import Task

#: What has a meaning for both.
_SHARED = ("path", "test_only", "wait", "timeout")
_NAMES = tuple(field.name for field in dataclasses.fields(Options) if field.name not in _SHARED)


def given(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a local rotation; it gets them as ``local``, None where it is about a cluster."""

    @_keyfile.opens
    @functools.wraps(function)
    def command(keys: _keyfile.Keys, local: str | None, test_only: bool, **more: Any) -> None:
        own = {name: more.pop(name) for name in _NAMES}
        if local is None:
            if stray := [name for name in _NAMES if _is_said(name)]:
                raise click.UsageError(f"--{stray[0].replace('_', '-')} needs --local.")
            function(local=None, test_only=test_only, **more)
            return
        if not own["issuer_file"]:
            raise click.UsageError("--local needs --issuer-file: who makes keys.")
        waits = {"wait": more["wait"], "timeout": more["timeout"] if _is_said("timeout") else math.inf}
        asked = Options(path=local, test_only=test_only, **waits, **own)
        function(local=functools.partial(run, keys, asked), test_only=test_only, **more)

    return functools.reduce(lambda made, option: option(made), reversed(OPTIONS), command)


def _is_said(name: str) -> bool:
    """Whether an option of the command that runs was given, and is not as it is by default."""
    return click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT


def run(keys: _keyfile.Keys, asked: Options) -> Exit:
    """Begin a local rotation, or go on with it; return the exit code.

    Raises:
        errors.Error: it cannot be begun, or gone on with.
        click.Abort: a person does not want it, or has broken it off.
    """
    from ...keyfile.contents import check_path
    from . import task as tasks
    from .book import Book

    keys.named(lambda: check_path(asked.path))
    task, book = tasks.read(keys, asked.path, asked), Book(keys, asked.path)
    with keys.claimed():
        try:
            return _driven(task, book, asked)
        except KeyboardInterrupt:
            with contextlib.suppress(OSError):
                click.echo("Broken off. If it had begun, the same command goes on.", err=True)
            raise click.Abort from None


def _driven(task: Task, book: Book, asked: Options) -> Exit:
    from ...decide.rotate import lost
    from ...decide.rotate.sight import Wish
    from .driving import Driver, Patience
    from .telling import Telling

    if asked.made_from is not None and asked.forget != NAMELESS:
        raise click.UsageError("--made-from goes with --forget -.")
    telling = Telling(asked.path, asked.output, task.rules)
    driver, kept = Driver(task, book, telling, Patience(asked.wait, asked.timeout)), book.read()
    if kept and kept.runs and kept.layout != task.layout:
        said = f"the rotation of {asked.path} has begun with {_layout(kept.layout)}"
        raise errors.Stalled(Reason.INVALID_SPEC, said, "Say the same until it is over")
    if asked.forget is not None:
        return telling.end(driver.forget(kept, asked.forget, asked.made_from), back=False)
    if not (kept and kept.runs):
        if asked.back:
            said = f"no rotation of {asked.path} is under way, so there is nothing to turn back"
            raise errors.Stalled(Reason.NOT_FOUND, said, "Store the former version anew, if its key still lives")
        if kept and lost.owes(kept.journal):
            kept = driver.run(kept, Wish()).kept
        _ask(task, asked)
        kept = driver.begin(kept, test_only=asked.test_only)
        what = "a new key" if kept.old else "a first key, as there is none at this path"
        telling.line(f"{task.name} is asked for {what}.")
    elif asked.back:
        telling.line("turning back is asked for.")
    else:
        telling.line(f"going on with rotation {kept.journal.id}.")
    return telling.end(driver.run(kept, Wish(back=asked.back)), back=asked.back)


def _layout(layout: Mapping[str, Any]) -> str:
    parts = ",".join(f"{part}={name}" if name else part for part, name in (layout.get("parts") or {}).items())
    whose = f"--credential-issuer {layout['issuer']} " if layout.get("issuer") else ""
    return f"{whose}--parts {parts}"


def _ask(task: Task, asked: Options) -> None:
    """Have a person say yes, and see which entry it is about."""
    from ...stores.encrypted_file import current

    if asked.yes:
        return
    there = current(task.keys.open(), asked.path)
    later = "" if task.rules.overlap == 0 else f" {asked.overlap} later"
    what = (
        f"write it to {asked.path}, and end the old one{later}" if there else f"write it to {asked.path}, a new entry"
    )
    if asked.test_only:
        what = "test it, and end it again"
    click.confirm(f"Have {task.name} make a new key, {what}?", abort=True, err=True)
