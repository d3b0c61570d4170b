"""What templates make of entries, and what they say when they cannot: tables and properties, no server."""

from __future__ import annotations

import base64
import functools
import pathlib
import re

import bcrypt
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from decide.templating import ABOUT, MIB, WHERE, entries, made, refusal, refused, salt
from keywright import crd
from keywright.decide.dialects import ELSEWHERE
from keywright.decide.filters import FILTERS, TESTS
from keywright.decide.template import MAX_SOURCE, Template
from keywright.errors import Reason
from keywright.kinds.target import DELIMITER, Delimiters

PAGE = (pathlib.Path(__file__).parents[2] / "docs/howto/template.md").read_text()

GIVEN = entries(
    user="ad min", password="p@ss/w'rd", port="5432", tls__crt="A\nB\n", json='{"b": {"c": [1, 2.5]}, "a": null}'
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("no name\n", "no name\n"),
        ("{{ user }}:{{ password | urlencode }}@db", "ad min:p%40ss%2Fw%27rd@db"),
        ('{{ entries["tls.crt"] | indent(2) }}', "A\n  B\n"),
        ("{{ entries.user }}", "ad min"),
        ("{{ metadata.namespace }}/{{ metadata.name }}", "team-a/llm"),
        ("{{ (json | fromjson).b.c[1] }}{{ (json | fromjson)['b'] | tojson }}", '2.5{"c":[1,2.5]}'),
        ("{% for name in entries %}{{ name }} {% endfor %}", "json password port tls.crt user "),
        ("{% for k, v in {'a': 1, 'b': 2} | items %}{{ loop.index }}{{ k }}{{ v }}{% endfor %}", "1a12b2"),
        ("{% for x in [1, 2, 3] if x > 1 %}{{ x }}{{ '' if loop.last else ',' }}{% endfor %}", "2,3"),
        ("{% for x in [] %}{% else %}none{% endfor %}", "none"),
        ("{% for user in ['a'] %}{{ user }}{% endfor %}{{ user }}", "aad min"),
        ("{% if region is defined %}a{% elif user == 'ad min' %}b{% else %}c{% endif %}", "b"),
        ("{{ region | default('eu') }}{{ '' | default('x') }}{{ '' | default('y', true) }}", "euy"),
        ("{{ 1 + 2 - 4 }}{{ 'a' + 'b' ~ 1.5 ~ true }}", "-1ab1.5true"),
        ("{{ user[:2] }}{{ [1, 2, 3][1:] | join }}{{ [1, 2][-1] }}", "ad232"),
        ("{{ 'text' in 'some text' }} {{ 'nope' in entries }} {{ 'user' in entries }}", "true false true"),
        ("{{ 'a' if user else 'b' }}{{ not user }}{{ user and port or 1 }}", "afalse5432"),
        ("{# comment #}{% raw %}{{ user }}{% endraw %}{{- ' x' -}} y", "{{ user }} xy"),
        ("{{ '{{ user }}' }}", "{{ user }}"),
        ("{{ 'ü😀' | upper }}{{ 'ü' | length }}", "Ü😀1"),
    ],
)
def test_a_template_makes(text: str, expected: str) -> None:
    assert made(text, GIVEN) == expected


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_is_written_as_it_is_and_never_read_as_a_template(value: str) -> None:
    for given_value in (value, f"{{{{ {value} }}}}", f"{{% {value} %}}"):
        assert made("{{ user }}", entries(user=given_value)) == given_value


def test_bytes_that_are_no_text_can_be_encoded_and_hashed_only() -> None:
    given_raw = entries(raw=b"\xff\0", user="u")

    assert made("{{ raw | b64encode }} {{ (raw | sha256)[:8] }} {{ raw is binary }}", given_raw) == "/wA= ea5dbf95 true"
    assert made("{{ 'QQ==' | b64decode }}{{ '/wA=' | b64decode | b64encode }}") == "A/wA="
    for use in ("", " | upper", " | urlencode | length", " ~ 'x'", "[:1]", " | indent", " | split('a') | length"):
        said = refused(f"{{{{ raw{use} }}}}", given_raw)
        assert ("bytes that are no text" in said and "b64encode" in said) or use == " | urlencode | length"


@pytest.mark.parametrize(
    ("text", "names", "uses_all"),
    [
        ("text", "", False),
        ("{{ user }}{% if password is defined %}{{ region | default('x') }}{% endif %}", "user password region", False),
        ('{{ entries["tls.crt"] }}{{ entries.user }}{{ metadata.name }}', "tls.crt user", False),
        ("{% for name in entries %}{{ user }}{{ name }}{% endfor %}", "user", True),
        ("{{ entries[user] }}", "user", True),
        ("{{ entries.a }}{{ 'b' in entries }}", "a", True),
        ("{% for user in ['x'] %}{{ user }}{{ loop.index }}{% endfor %}", "", False),
        ('{{ entries["entries"] }}{{ entries["metadata"] }}', "entries metadata", False),
    ],
)
def test_a_template_tells_which_entries_it_uses(text: str, names: str, uses_all: bool) -> None:
    template = Template(text, WHERE)

    assert (template.names, template.uses_all) == (frozenset(names.split()), uses_all)


def test_reserved_names_win_over_entries() -> None:
    clash = entries(entries="an entry", metadata="another")

    assert made('{{ metadata.name }} {{ entries["metadata"] }} {{ entries.entries }}', clash) == "llm another an entry"


def test_other_delimiters_leave_the_usual_ones_alone() -> None:
    text = "[[ user ]] {{ x }} {% if true %}[[ [[1], [2]][1][0] ]]{% endif %} [[ entries[['user'][0]] ]]"

    assert made(text, GIVEN, ("[[", "]]")) == "ad min {{ x }} 2 ad min"
    assert made("<< user >>{{", GIVEN, ("<<", ">>")) == "ad min{{"


@pytest.mark.parametrize(
    "pair", [("{%", "%}"), ("{#", "#}"), ("", ""), ("a", "b"), ("{{", "{{"), ("[", "]"), ("[[\n", "]]")]
)
def test_delimiters_that_could_not_be_told_from_the_rest_are_refused(pair: tuple[str, str]) -> None:
    error = refusal(lambda: Template("text", WHERE, pair))

    assert error.reason == Reason.TEMPLATE_INVALID and "delimiters" in error.message


def test_a_hash_by_bcrypt_stays_the_same_and_fits_its_password() -> None:
    text = "{{ password | bcrypt }} {{ password | bcrypt(cost=11) }}"

    first, second = made(text, GIVEN).split()

    assert made(text, GIVEN) == f"{first} {second}"
    assert first.startswith("$2b$10$") and second.startswith("$2b$11$")
    assert all(bcrypt.checkpw(GIVEN["password"].reveal(), each.encode()) for each in (first, second))
    assert Template(text, WHERE).slow and not Template("{{ password }}", WHERE).slow


@settings(deadline=None)
@given(st.binary())
def test_what_is_encoded_is_decoded(data: bytes) -> None:
    template = Template("{{ raw | b64encode | b64decode | b64encode }}", WHERE)

    assert template.render(entries(raw=data), ABOUT, salt).reveal() == base64.b64encode(data)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "\n\n{{ region }}",
            "TemplateFailed: names region, which is not there (line 3); Check the names of the entries",
        ),
        ('a\n{{ entries["no.such"] }}', "TemplateFailed: names no.such, which is not there (line 2)"),
        ("{{ metadata.uid }}", "TemplateFailed: names uid, which is not there (line 1)"),
        ("{{ user.name }}", "TemplateFailed: names name, which is not there (line 1)"),
        ("{{ region.name }}", "TemplateFailed: names region, which"),
        ("{{ region | upper }}", "TemplateFailed: names region, which"),
        ("{{ user ~ region }}", "TemplateFailed: names region, which"),
        ("{% if region == 'x' %}{% endif %}", "TemplateFailed: names region, which"),
        ("{% for x in region %}{% endfor %}", "TemplateFailed: names region, which"),
        ("{{ [region] | tojson }}", "TemplateFailed: names region, which"),
        ("{{ user }}\n{{ entries[password] }}", "TemplateFailed: looks for what is not there (line 2)"),
        ("{{ user[password] }}", "TemplateFailed: looks for what is not there"),
        ("{{ (json | fromjson)[user] }}", "TemplateFailed: looks for what is not there"),
        ("{{ json | fromjson }}", "TemplateFailed: uses a list or a map as text (line 1); Use join, or tojson"),
        ("{{ none }}", "TemplateFailed: uses none as text"),
        ("{{ user | fromjson }}", "TemplateFailed: reads as JSON what is none"),
        ("{{ 'NaN' | fromjson }}", "TemplateFailed: reads as JSON what is none"),
        ("{{ user | b64decode }}", "TemplateFailed: decodes what is not Base64"),
        ("{{ [raw] | tojson }}", "TemplateFailed: writes as JSON what JSON cannot say"),
        ("{{ user | join(',') }}", "TemplateFailed: uses as a list what is none"),
        ("{{ user | items }}", "TemplateFailed: uses as a map what is none"),
        ("{{ [] | first }}", "TemplateFailed: takes an item of an empty list"),
        ("{{ user < 1 }}", "TemplateFailed: does with a value what cannot be done with it (line 1)"),
        ("{{ 1 + user }}", "TemplateFailed: adds text to a number"),
        ("{{ '\\ud800' }}", "TemplateFailed: does with a value what cannot be done with it (line 1)"),
        ("{% for x in user %}{% endfor %}", "TemplateFailed: loops over what is neither"),
        ("{% for a, b in [[user]] %}{% endfor %}", "TemplateFailed: does with a value"),
        ("{{ (user ~ tls | default(user * 1)) }}", "TemplateInvalid: uses an operator"),
        ("{{ user | bcrypt(4) }}", "TemplateFailed: gives bcrypt a cost that is not a number from 10 to 12"),
        ("{{ user | indent(true) }}", "TemplateFailed: gives indent a width that is not a number"),
        ("{{ (user ~ user ~ user) | bcrypt }}", "TemplateFailed: hashes a password that bcrypt cannot take"),
        ("{{ user | replace('', 'x') }}", "TemplateFailed: replaces empty text"),
        ("{{ user", "TemplateInvalid: cannot be parsed (line 1); Check that each {{ and {% has its end"),
        ("\n{% if user %}", "TemplateInvalid: cannot be parsed (line 2)"),
        ("{{ user | upper(1) }}", "TemplateInvalid: gives the filter upper arguments that it does not take (line 1)"),
        ("{{ user | replace('a') }}", "TemplateInvalid: gives the filter replace arguments"),
        ("{{ user | first(*entries) }}", "TemplateInvalid: gives the filter first arguments"),
        (
            "{{ user is even }}",
            "TemplateInvalid: asks for a test even, which there is not (line 1); Use one of defined",
        ),
        ("{{ 'a' if user }}", "TemplateInvalid: has an if without an else"),
        ("{% for entries in [1] %}{% endfor %}", "TemplateInvalid: calls a loop's variable entries"),
        ("{{ ключ }}", "TemplateInvalid: has a name with other letters"),
        ("\n{{ ['a'] | " + "x" * 99 + " }}", "TemplateInvalid: asks for a filter " + "x" * 60 + "…, which there is"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_without_a_value(text: str, said: str) -> None:
    assert said in refused(text)


def test_a_text_of_more_than_16_kib_is_refused() -> None:
    assert made("x" * MAX_SOURCE) == "x" * MAX_SOURCE
    assert "TemplateInvalid: is larger than 16 KiB" in refused("ü" * (MAX_SOURCE // 2) + "x")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("{{ user | toJson }}", "Write value | tojson"),
        ("{{ user | b64enc }}", "Write value | b64encode"),
        ("{{ b64enc(user) }}", "Write value | b64encode"),
        ("{{ user.upper() }}", "Write value | upper"),
        ("{{ toJson .user }}", "Write value | tojson"),
        ("{{ upper .user }}", "Write value | upper"),
        ("{{ user | quote }}", "shquote for a shell"),
        ("{{ .user }}", "reads like a Go template"),
        ("{{- $user -}}", "reads like a Go template"),
        ('{{ default "x" .user }}', "reads like a Go template"),
        ("{{ range .list }}{{ end }}", "reads like a Go template"),
        ("{{ if .tls }}x{{ end }}", "reads like a Go template"),
        ('{{ printf "%s" .user }}', "reads like a Go template"),
        ('{{ index . "a" }}', "reads like a Go template"),
    ],
)
def test_who_writes_what_others_call_it_is_told_our_name(text: str, hint: str) -> None:
    assert hint in refused(text).partition("; ")[2]


def cells(title: str) -> list[list[str]]:
    """Return the cells of the rows of a table in the docs."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)] for row in rows]


@pytest.mark.parametrize("row", cells("Filters"), ids=lambda row: row[0])
def test_a_filter_makes_what_the_docs_say(row: list[str]) -> None:
    assert made(f"{{{{ {row[2].strip('`')} }}}}") == row[3][1:-1]


def test_every_filter_and_test_is_in_the_docs() -> None:
    assert [re.split(r"[`(]", row[0])[1] for row in cells("Filters")] == sorted(
        FILTERS, key=[re.split(r"[`(]", row[0])[1] for row in cells("Filters")].index
    )
    (line,) = re.findall(r"^Tests, after `is`: (.*)\.$", PAGE, re.MULTILINE)
    assert re.findall(r"`(\w+)`", line) == list(TESTS)


@pytest.mark.parametrize("row", cells("Come from Go templates"), ids=lambda row: row[0])
def test_what_there_is_instead_of_go_templates_is_a_template(row: list[str]) -> None:
    for text in re.findall(r"`(\{.*?\})`", row[1]):
        Template(text, WHERE)


def test_what_others_call_it_is_not_what_we_call_it() -> None:
    assert not ELSEWHERE.keys() & FILTERS.keys()
    for hint in ELSEWHERE.values():
        for name in re.findall(r"\| (\w+)", hint):
            assert name in FILTERS


@pytest.mark.parametrize("block", re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_the_templates_in_the_docs_make_something(block: str) -> None:
    read = yaml.safe_load(block)
    template = read.get("spec", read)["target"]["template"]
    given_docs = entries(user="u", password="p", keystore=b"\xff")
    left_right = template.get("delimiters", {"left": "{{", "right": "}}"})

    for text in {**template.get("stringData", {}), **template.get("data", {})}.values():
        assert "{{" not in made(text, given_docs, (left_right["left"], left_right["right"]))


def test_entries_that_are_not_used_are_not_looked_at() -> None:
    huge = entries(user="x", large=b"x" * (9 * 1024 * 1024))

    assert made("{{ user }}", huge) == "x"
    assert "ValueTooLarge" in refused("{{ entries | length }}", huge)


def test_texts_of_wide_characters_count_for_what_they_take_in_memory() -> None:
    wide = "x" * (MIB - 4) + "😀"

    assert made("{{ entries | length }}", entries(a="x" * MIB, b="x" * MIB, c="x" * MIB)) == "3"
    assert "ValueTooLarge" in refused("{{ entries | length }}", entries(a=wide, b=wide, c=wide))


def test_what_is_a_function_elsewhere_is_an_entry_like_any_other() -> None:
    given_names = entries(range="1", dict="2", self="3", loop="4", upper="5")

    assert made("{{ range }}{{ dict }}{{ entries.self }}{{ loop }}{{ upper }}", given_names) == "12345"


SIGNS = [each for each in map(chr, range(33, 127)) if re.fullmatch(DELIMITER, each)]


def test_the_docs_the_crd_and_templates_have_one_list_of_signs() -> None:
    (told,) = re.findall(r"^Each is two to four of `(.*?)`", PAGE, re.MULTILINE)
    left = crd.structural(Delimiters, "delimiters")["properties"]["left"]

    assert sorted(told.split()) == SIGNS
    assert (left["pattern"], left["minLength"], left["maxLength"]) == (DELIMITER, 2, 4)
    for sign in set(map(chr, range(33, 127))) - set(SIGNS):
        assert refusal(functools.partial(Template, "", WHERE, (sign * 2, "]]"))).reason == Reason.TEMPLATE_INVALID


@pytest.mark.parametrize("sign", SIGNS)
def test_every_sign_can_be_a_delimiter(sign: str) -> None:
    for left, right in ((sign * 2, sign * 3), (sign * 4, "!="), ("!=", sign * 2)):
        text = f"a {left} user {right} b{left}user{right}"
        template = Template(text, WHERE, (left, right))
        assert template.render(GIVEN, ABOUT, salt).reveal() == b"a ad min bad min"
