"""``keywright get``: look at one entry of the encrypted file; its value only where that is asked for.

Does not belong here: how entries are listed (``list``).
"""

from __future__ import annotations

import sys
from typing import Any

import click

from . import _keyfile, _output, _recording
from ._section import Section

SECTION = Section.FILE


@click.command("get")
@click.argument("path")
@click.option("--version", "number", type=click.IntRange(1), metavar="NUMBER", help="Version. Default: the newest.")
@click.option("--reveal", is_flag=True, help="Print the value, byte for byte, and nothing else.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@_keyfile.opens
def command(keys: _keyfile.Keys, path: str, number: int | None, reveal: bool, output: str) -> None:
    """Show the entry PATH of the encrypted file: version, age, and a fingerprint of its value.

    The fingerprint is made with a key of this file: equal for equal values of one entry, and good for nothing else.

    With --reveal it is recorded first, in this machine's audit trail; a value that cannot be recorded is not shown.

    Exit code: 0 if it is there, 1 if not.
    """
    from ..keyfile.contents import check_path

    if reveal and output != "table":
        raise click.UsageError("--reveal prints the value and nothing else: it does not go with -o.")
    keys.named(lambda: check_path(path))
    contents = keys.open()
    entry = keys.named(lambda: contents.read(path, str(number) if number else None))
    if reveal:
        _recording.revealed(keys.path.name, contents, entry)
        sys.stdout.buffer.write(entry.value.reveal())
        sys.stdout.buffer.flush()
        if sys.stdout.isatty():
            click.echo()
        return
    told: dict[str, Any] = {
        "path": entry.path,
        "version": entry.version,
        "created": entry.created,
        "form": entry.form,
        "fingerprint": contents.fingerprint(entry),
    }
    if output != "table":
        _output.structured(output, told)
        return
    age = _output.lasting(_output.seconds_since(entry.created))
    row = [entry.path, str(entry.version), entry.form, age, told["fingerprint"]]
    _output.Page().table(["PATH", "VERSION", "FORM", "AGE", "FINGERPRINT"], [row])
