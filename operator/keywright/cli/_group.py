"""A command that has commands of its own, listed with whole sentences.

Does not belong here: which commands those are (the commands' files).
"""

from __future__ import annotations

import click


class Group(click.Group):
    """Lists its commands with whole sentences."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(200)) for name, each in self.commands.items()])
