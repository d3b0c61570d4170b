"""``keywright rekey``: another passphrase or key for the encrypted file.

Does not belong here: how it is sealed anew (``keyfile/``).
"""

from __future__ import annotations

from typing import Any

import click

from . import _keyfile, _types
from ._section import Section

SECTION = Section.FILE


@click.command("rekey")
@click.option("--new-key-file", type=_types.FILE, help="File that holds the new passphrase or raw key.")
@click.option(
    "--kdf",
    type=click.Choice(["argon2id", "pbkdf2-sha256", "raw"]),
    help="How the key is derived. Default: argon2id; raw for a raw key.",
)
@_keyfile.opens
def command(keys: _keyfile.Keys, new_key_file: str | None, kdf: Any) -> None:
    """Seal the encrypted file anew, under another passphrase, raw key or key derivation.

    Every value gets another key as well, and the generation before is removed: what the old passphrase opens is then in
    backups only. If it is interrupted, the file opens with one of the two; call it again.

    It is recorded first, in this machine's audit trail.

    Exit code: 0 if it is done, 1 if not.
    """
    keys.rekey(lambda: _keyfile.new_passphrase(new_key_file), kdf)
    click.echo(f"{keys.path}: sealed anew")
