"""The command line: one file a command, found by its name; works as ``keywright`` and as ``kubectl keywright``.

A command is loaded when it is called, so that ``keywright --help`` does not load Kopf.

Does not belong here: what the operator does; commands call the same functions.
"""

from __future__ import annotations

import importlib
import pathlib
import pkgutil
import sys

import click

from .. import __version__, errors

#: Exit codes beside click's own 2 for wrong usage.
FAILED, BUG = 1, 70


class _Commands(click.Group):
    """Finds a command in the file of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(each.name for each in pkgutil.iter_modules(__path__) if not each.name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="keywright")
def keywright() -> None:
    """Keep API keys right: pull them from where they live, write native Secrets, repair them."""


def main() -> None:
    """Run the command line; errors of ours become one line for a person."""
    try:
        # kubectl runs a plugin by its file's name.
        plugin = pathlib.PurePath(sys.argv[0]).name.startswith("kubectl-")
        sys.exit(keywright(prog_name="kubectl keywright" if plugin else "keywright", standalone_mode=False))
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except errors.Error as error:
        hint = f"\n{error.hint}." if error.hint else ""
        click.echo(f"Error ({error.reason}): {error.message}.{hint}", err=True)
        sys.exit(FAILED)
