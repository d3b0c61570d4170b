"""``keywright issuers``: whose credentials this version knows, by which forms, and where it asks whether they live.

Does not belong here: the forms (``issuers/``), reading a file of them (``issuers/_overrides.py``).
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Any

import click

from . import _output, _types
from ._section import Section

if TYPE_CHECKING:
    from ..issuers._table import Format, Table


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What is known of one vendor's credentials.

    Attributes:
        issuer: as objects write it.
        named: whether objects can name it; else its credentials are only told where another's should be.
        parts: names of the parts, those that are optional in parentheses; none where the object declares them.
        probed: whether it can be asked if a credential is alive.
        address: where it is asked; None where the object says that, or nobody is asked.
        formats: the forms, with all that the table of formats has of them.
    """

    issuer: str
    title: str | None
    named: bool
    parts: tuple[str, ...]
    probed: bool
    address: str | None
    formats: tuple[Format, ...]


SECTION = Section.OFFLINE


@click.command("issuers")
@click.option("--formats", type=_types.FILE, help="Take the forms in this file into account, as the operator would.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
def command(formats: str | None, output: str) -> None:
    """List the issuers whose credentials are known, the forms of these, and where they are checked.

    Exit code: 0; 1 if the file of forms is wrong.
    """
    from ..issuers import load, table

    found = _known(load(pathlib.Path(formats)) if formats else table())
    if output == "table":
        _show(found)
    else:
        _output.structured(output, {"issuers": [dataclasses.asdict(each) for each in found]})


def _known(table: Table) -> list[Known]:
    """Return what is known, those that objects can name first."""
    from ..issuers import ISSUERS

    own = [
        Known(
            issuer=name,
            title=issuer.title,
            named=True,
            parts=tuple(each.name if each.required else f"({each.name})" for each in issuer.parts),
            probed=True,
            address=issuer.origin or None,
            formats=table.of(name),
        )
        for name, issuer in sorted(ISSUERS.items())
    ]
    strangers = sorted(set(table.issuers()) - set(ISSUERS))
    return own + [Known(name, None, False, (), False, None, table.of(name)) for name in strangers]


def _show(found: list[Known]) -> None:
    page = _output.Page()
    columns = ["ISSUER", "PARTS", "ASKED AT", "KIND", "BEGINS WITH", "SEEN"]
    page.table(columns, [row for each in found if each.named for row in _rows(each)])
    if strangers := [each for each in found if not each.named]:
        page.line()
        page.line("Known in the place of another's only:")
        page.line()
        page.table(
            ["VENDOR", *columns[3:]], [[row[0], *row[3:]] for each in strangers for row in _rows(each) if each.formats]
        )


def _rows(of: Known) -> list[list[str]]:
    """Return a row for each form; what is the issuer's stands in the first."""
    parts, address = ", ".join(of.parts) or "as the object says", of.address or "as the object says"
    forms: list[Any] = [[each.kind, each.prefix or "-", each.checked] for each in of.formats] or [["-", "-", "-"]]
    return [
        [of.issuer, parts, address, *form] if number == 0 else [of.issuer, "", "", *form]
        for number, form in enumerate(forms)
    ]
