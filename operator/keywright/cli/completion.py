"""``keywright completion``: what a shell needs to complete commands and options.

Does not belong here: the completion itself (click).
"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ._section import Section

SECTION = Section.OFFLINE


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete commands and options.

    \b
    bash: source <(keywright completion bash)                    in ~/.bashrc
    zsh:  source <(keywright completion zsh)                     in ~/.zshrc
    fish: keywright completion fish | source                     in ~/.config/fish/config.fish
    """  # noqa: D301 - to click, the control character says that lines stay as they are
    made = get_completion_class(shell)
    assert made  # noqa: S101 - click knows these three
    click.echo(made(ctx.find_root().command, {}, "keywright", "_KEYWRIGHT_COMPLETE").source())
