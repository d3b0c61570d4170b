"""``keywright delete``: take an entry out of the encrypted file.

Does not belong here: what is left of it (``keyfile/``).
"""

from __future__ import annotations

import click

from . import _keyfile, _recording
from ._section import Section

SECTION = Section.FILE


@click.command("delete")
@click.argument("path")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@_keyfile.opens
def command(keys: _keyfile.Keys, path: str, yes: bool) -> None:
    """Delete the entry PATH of the encrypted file, with all its versions.

    The generation before stays beside the file, as its .previous, until the next change.

    It is recorded first, in this machine's audit trail.

    Exit code: 0 if it is deleted, 1 if not.
    """
    from ..keyfile.contents import check_path

    keys.named(lambda: check_path(path))
    if not yes:
        click.confirm(f"Delete {path}?", abort=True, err=True)
    keys.update(lambda contents: contents.delete(path), _recording.Code.DELETED, path)
    click.echo(f"{path}: deleted")
