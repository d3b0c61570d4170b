"""How a report is shown: the sample in the docs is real, and nothing in the data becomes a mark of the page."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import pathlib
import re
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from keywright.cli._report import pages, shape
from keywright.logs import visible
from unit.reporting import everything, objects, report, trail

ROOT = pathlib.Path(__file__).parents[2]
SAMPLE = ROOT / "docs/howto/report-sample.md"
FULL = report(objects(), trail(*everything()), not_read=["you have no right to list keystores in namespace team-c"])
#: What somebody may hope to get into a page.
MARKS = (
    *(
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "</td></tr></table>",
        "'\"><b>",
        "{{ 7*7 }}",
        "&lt;",
    ),
    *(
        "|",
        "a|b",
        "\\|",
        "`x`",
        "**x**",
        "_x_",
        "~~x~~",
        "[x](https://evil.example)",
        "![x](y)",
        "<https://evil.example>",
    ),
    *("# x", "- x", "+ x", "1. x", "2) x", "> x", "---", "===", "    x", "```", "$x$", "^[x]", "[x]: y", "-->", "<!--"),
    *(
        "\n\n# x",
        "\r\n| x |",
        "\x1b[31m",
        "\u202e",
        "\x85x",
        "www.evil.example",
        "https://evil.example",
        "mailto:a@b.c",
    ),
)
HOSTILE = st.lists(st.sampled_from(MARKS) | st.text(max_size=8), min_size=1, max_size=3).map("".join).filter(str.strip)
SOME = settings(max_examples=15, deadline=None)


def poisoned(value: Any, text: str) -> Any:
    """Return a report in which every text is this one."""
    if isinstance(value, str):
        return text
    if isinstance(value, tuple):
        return tuple(poisoned(each, text) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name != "left_off"]
        changed = {name: poisoned(getattr(value, name), text) for name in names}
        # How a trail is, is a word of ours.
        return dataclasses.replace(value, **(changed | ({"verdict": "Open"} if "verdict" in changed else {})))
    return value


class Page(html.parser.HTMLParser):
    """What a page is built of, and the text in it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.built: list[Any] = []
        self.texts: list[str] = [""]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._part((tag, [each for each in attrs if each != ("class", "long")]))

    def handle_endtag(self, tag: str) -> None:
        self._part(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self._part(("comment", data))

    def handle_pi(self, data: str) -> None:
        self._part(("instruction", data))

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data

    def _part(self, part: Any) -> None:
        self.built.append(part)
        self.texts.append("")


def built(text: str) -> list[Any]:
    """Return what a page of Markdown is built of, as GitHub reads it, without its text."""
    parsed = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return [
        (each.type, each.tag, [inner.type for inner in each.children or () if inner.type != "text"]) for each in parsed
    ]


def inline(text: str) -> list[str]:
    """Return the texts of a page of Markdown."""
    parsed = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return ["".join(inner.content for inner in each.children or ()) for each in parsed if each.type == "inline"]


#: The report with a harmless text everywhere, to compare with.
PLAIN, PLAIN_TEXT = Page(pages.html(poisoned(FULL, "x"))), pages.markdown(poisoned(FULL, "x"))


def test_the_sample_in_the_docs_is_the_report_of_a_small_world() -> None:
    assert SAMPLE.read_text() == pages.markdown(FULL)


@SOME
@example(" ".join(MARKS))
@given(HOSTILE)
def test_nothing_in_the_data_becomes_an_element_or_an_attribute(text: str) -> None:
    page = Page(pages.html(poisoned(FULL, text)))

    assert page.built == PLAIN.built
    cells = [each for each, other in zip(page.texts, PLAIN.texts, strict=True) if other == "x"]
    assert set(cells) == {visible(text)}
    assert len(cells) > 80


@SOME
@example(" ".join(MARKS))
@given(HOSTILE)
def test_nothing_in_the_data_becomes_a_mark_of_markdown(text: str) -> None:
    page = pages.markdown(poisoned(FULL, text))

    assert built(page) == built(PLAIN_TEXT)
    cells = [each for each, other in zip(inline(page), inline(PLAIN_TEXT), strict=True) if other == "x"]
    assert {" ".join(each.split()) for each in cells} == {" ".join(visible(text).split())}
    assert len(cells) > 80
    assert not re.search(r"(?i)[a-z]://|www\.", page)


def test_a_page_needs_nothing_from_elsewhere() -> None:
    page = pages.html(FULL)

    tags = {part[0] for part in Page(page).built if isinstance(part, tuple)}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "a", "form"})
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_programs_get_all_of_it_under_a_version() -> None:
    told = json.loads(json.dumps(shape.as_json(FULL)))

    assert told["v"] == 1
    assert told["attention"] == list(FULL.attention)
    assert told["head"]["since"] == "2026-10-30T12:00:00Z"
    assert told["byAge"][1] == {"name": "30–90 d", "keys": 1}
    assert told["changes"][0]["keys"][0]["versions"] == ["1", "2", "4"]
    assert told["reads"][1]["count"] == 2


def test_what_is_not_shown_is_counted() -> None:
    made = dataclasses.replace(FULL, not_ready=FULL.not_ready * 700, left_off={"not_ready": 5})

    said = "… and 205 more; --format json tells up to 10,000 of a list."
    assert said in pages.markdown(made)
    assert said in pages.html(made)


def test_without_a_trail_nobody_is_told_that_nothing_happened() -> None:
    page = pages.markdown(report(objects()))

    assert page.count("Not known: no trail was read.") == 10
    assert "\n| Repairs | - |\n" in page
    assert "\n## Not Ready\n\n| Namespace" in page


def test_a_report_of_nothing_says_that_there_is_nothing() -> None:
    page = pages.markdown(report([], trail()))

    assert "**To look at**\n\n* nothing\n" in page
    assert "\n## Steps of rotations\n\nNone.\n" in page


def named(value: Any) -> set[str]:
    """Return the names of all fields."""
    if isinstance(value, dict):
        return set(value) | {name for each in value.values() for name in named(each)}
    return {name for each in value for name in named(each)} if isinstance(value, list) else set()


def test_every_field_that_programs_are_told_is_in_the_docs() -> None:
    section = (ROOT / "docs/cli.md").read_text().partition("\n## report\n")[2].partition("\n## ")[0]
    told = {re.split(r"[.\[]", name)[-1] or name for name in re.findall(r"`([\w.\[\]]+)`", section.replace("[]", ""))}

    assert named(shape.as_json(FULL)) - {"trails", "summary", "head"} <= told
