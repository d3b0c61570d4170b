"""The command line: one file a command, found by its name; works as ``keywright`` and as ``kubectl keywright``.

A command is loaded when it is called, so that ``keywright --help`` does not load Kopf.

Does not belong here: what the operator does; commands call the same functions.
"""

from __future__ import annotations

import importlib
import logging
import os
import pathlib
import pkgutil
import sys
import traceback
from types import ModuleType
from typing import NoReturn

import click

from .. import __version__, dumps, errors, logs
from ._exit import Exit
from ._section import Section
from ._usage import own_words

log = logging.getLogger(__name__)


class _Commands(click.Group):
    """Finds a command in the file of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(each.name for each in pkgutil.iter_modules(__path__) if not each.name.startswith("_"))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what they are about, with whole sentences."""
        for section in Section:
            names = [name for name in self.list_commands(ctx) if self._module(name).SECTION is section]
            with formatter.section(section):
                formatter.write_dl([(name, self._command(name).get_short_help_str(200)) for name in names])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        return self._command(cmd_name)

    def _command(self, name: str) -> click.Command:
        command: click.Command = self._module(name).command
        return command

    @staticmethod
    def _module(name: str) -> ModuleType:
        return importlib.import_module(f"{__name__}.{name}")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="keywright")
def keywright() -> None:
    """Keep API keys right: pull them from where they live, write native Secrets, repair them."""


def main() -> None:
    """Run the command line; whatever goes wrong becomes a line for a person, and an exit code."""
    try:
        _fill_in_streams()
        dumps.prevent()
        logs.guard()
        # kubectl runs a plugin by its file's name.
        plugin = pathlib.PurePath(sys.argv[0]).name.startswith("kubectl-")
        sys.exit(keywright(prog_name="kubectl keywright" if plugin else "keywright", standalone_mode=False))
    except click.exceptions.Abort:
        click.echo("Aborted.", err=True)
        sys.exit(Exit.BROKEN_OFF)
    except click.ClickException as wrong:
        (own_words(wrong) if isinstance(wrong, click.UsageError) else wrong).show()
        sys.exit(Exit.USAGE if isinstance(wrong, click.UsageError) else Exit.FAILED)
    except errors.Error as error:
        # Without the reason: it is a word of conditions, and nothing that is told here is one.
        _fail(f"{error.message}." + (f"\n{error.hint}." if error.hint else ""), Exit.FAILED)
    except OSError as refused:
        _fail(f"this machine refuses what is needed: {os.strerror(refused.errno or 0)}.", Exit.FAILED)
    except Exception as bug:
        # A traceback is no message, and its text may be anybody's.
        log.info("the way to a bug", exc_info=bug)
        place = traceback.extract_tb(bug.__traceback__)[-1]
        where = f"{type(bug).__name__} at {pathlib.PurePath(place.filename).name}:{place.lineno}"
        # Commands that log at all have the option, and an operator's log has been told already.
        level = logging.getLogger("keywright").level
        more = " --log-level=debug tells more." if level > logging.INFO else ""
        _fail(f"this is a bug in Keywright ({where}); please report it.{more}", Exit.BUG)


def _fill_in_streams() -> None:
    """Where the caller has closed a stream, put one that refuses: else the next file that is opened took its number."""
    for name, refusing, mode in (("stdin", os.O_WRONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_RDWR, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.open(os.devnull, refusing), mode))  # noqa: SIM115 - as long as the process


def _fail(message: str, code: Exit) -> NoReturn:
    click.echo("\n".join(map(logs.visible, f"Error: {message}".split("\n"))), err=True)
    try:
        sys.stdout.flush()
    except OSError:
        # What cannot be printed is given up: Python would try it again, and end with a code of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
