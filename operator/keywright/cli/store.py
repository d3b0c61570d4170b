"""``keywright store``: put a value into the encrypted file.

Does not belong here: how a value gets here (``_keyfile``), how it is sealed (``keyfile/``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import _keyfile, _recording
from ._section import Section

if TYPE_CHECKING:
    from ..keyfile.contents import Contents

SECTION = Section.FILE


@click.command("store")
@click.argument("path")
@click.option("--map", "is_map", is_flag=True, help="The value is a JSON map, of which a property can be chosen.")
@click.option("--binary", is_flag=True, help="The value is bytes, not text.")
@click.option("--exact", is_flag=True, help="Keep the line break at the end of a single line.")
@click.option(
    "--kdf",
    type=click.Choice(["argon2id", "pbkdf2-sha256", "raw"]),
    help="How a new file derives its key. Default: argon2id; raw for a raw key.",
)
@_keyfile.opens
def command(keys: _keyfile.Keys, path: str, *, is_map: bool, binary: bool, exact: bool, kdf: Any) -> None:
    """Store a value in the encrypted file, as a new version of the entry PATH.

    The value is asked for, or read from a pipe; never written as an argument. A file that is not there is made.

    It is recorded first, in this machine's audit trail.

    Exit code: 0 if it is stored, 1 if not.
    """
    from ..keyfile.contents import check_path

    if is_map and binary:
        raise click.UsageError("--map and --binary exclude each other")
    keys.named(lambda: check_path(path))
    found = _keyfile.value(path, exact=exact or binary)

    def put(contents: Contents) -> Contents:
        return contents.put(path, found, "map" if is_map else "bytes" if binary else "text")

    stored = keys.update(put, _recording.Code.STORED, path, kdf)
    click.echo(f"{path}: version {stored.read(path).version}")
