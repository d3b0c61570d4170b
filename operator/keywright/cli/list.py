"""``keywright list``: the entries of the encrypted file, without their values.

Does not belong here: one entry (``get``).
"""

from __future__ import annotations

import click

from . import _keyfile, _output
from ._section import Section

SECTION = Section.FILE


@click.command("list")
@click.argument("prefix", default="")
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@_keyfile.opens
def command(keys: _keyfile.Keys, prefix: str, output: str) -> None:
    """List the entries of the encrypted file, those whose path begins with PREFIX: paths, versions, ages.

    Exit code: 0, also where there are none; 1 if the file does not open.
    """
    contents = keys.open()
    found = [each for each in contents.newest if each.path.startswith(prefix)]
    if output != "table":
        entries = [{"path": e.path, "version": e.version, "created": e.created, "form": e.form} for e in found]
        told = {"file": str(keys.path), "generation": contents.header.generation, "entries": entries}
        _output.structured(output, told)
        return
    page = _output.Page()
    if not found:
        page.line(f"No entries in {keys.path}" + (f" below {prefix}." if prefix else "."))
        return
    rows = [[e.path, str(e.version), e.form, _output.lasting(_output.seconds_since(e.created))] for e in found]
    page.table(["PATH", "VERSION", "FORM", "AGE"], rows)
