"""The form of a report: Markdown and HTML, for people. Pure, but for the page's pattern.

What comes from a cluster or a trail is data: it becomes text, and never a mark of the page.

Does not belong here: what is told (``sections``).
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterator

import jinja2

from ...logs import visible
from .sections import Cell, Section, head, sections
from .shape import Report

TITLE = "Keywright report"
#: Signs of a word that is broken where there is no room for it.
_LONG = 24
#: What means something in the middle of a line of Markdown; an underscore only where a word ends at it.
_MARKS = re.compile(r"[\\`*\[\]<>&|~$^=!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
#: What means something where a line begins.
_BEGINS = re.compile(r"^()([-+#])|^([0-9]{1,9})([.)])")
#: What some make links of by themselves.
_LINKS = re.compile(r"(?i)(www)(\.)|([a-z])(:)(?=//)|(mailto|xmpp)(:)")


def markdown(report: Report) -> str:
    """Return a report as Markdown, with tables as GitHub has them."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {TITLE}"
    yield ""
    yield from (f"* {word}: {_text(what)}" for word, what in head(report))
    for title, clauses in _lists(report):
        yield from ("", f"**{title}**", "")
        yield from map(_item, clauses)
    for section in sections(report):
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield from ("", f"## {section.title}", "")
    if section.note:
        yield from (section.note, "")
    if not section.rows:
        yield section.empty
    else:
        yield _row(section.columns)
        yield "".join(f"| {'---:' if isinstance(cell, int) else '---'} " for cell in section.rows[0]) + "|"
        yield from map(_row, section.rows)
    if section.more:
        yield from ("", _more(section.more))


def _row(cells: tuple[Cell, ...]) -> str:
    return "".join(f"| {_text(str(cell))} " for cell in cells) + "|"


def _text(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    return _LINKS.sub(_apart, _MARKS.sub(r"\\\g<0>", " ".join(visible(text).split())))


def _item(text: str) -> str:
    """Return text as an item of a list, of which it begins no other."""
    return f"* {_BEGINS.sub(_apart, _text(text))}"


def _apart(found: re.Match[str]) -> str:
    """Put a backslash before the sign that would mean something: the last group that was found."""
    *_, sign = (each for each in found.groups() if each)
    return f"{found[0][: -len(sign)]}\\{sign}"


def html(report: Report) -> str:
    """Return a report as one page that needs nothing else: no script, no style or picture from elsewhere."""
    pattern = importlib.resources.files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["text"] = lambda each: visible(str(each))
    environment.tests["counted"] = lambda each: isinstance(each, int)
    environment.tests["long"] = lambda each: any(len(word) > _LONG for word in str(each).split())
    page = environment.from_string(pattern)
    told = {"title": TITLE, "head": head(report), "lists": _lists(report), "sections": tuple(sections(report))}
    return page.render(told, more=_more) + "\n"


def _lists(report: Report) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what stands before all else: what a person must look at, and what is missing."""
    found = (("To look at", report.attention), ("Not read", report.not_read))
    return tuple((title, clauses) for title, clauses in found if clauses) or (("To look at", ("nothing",)),)


def _more(number: int) -> str:
    return f"… and {number} more; --format json tells up to 10,000 of a list."
