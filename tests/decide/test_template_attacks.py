"""Templates that want to run away, to look inside, or to have a value told: none does."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import nodes
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.filters import FILTERS as DEFAULT_FILTERS
from jinja2.tests import TESTS as DEFAULT_TESTS

from decide.templating import ABOUT, CANARY, MIB, SECRETS, WHERE, entries, made, refused, salt
from keywright import errors
from keywright.decide import sandbox
from keywright.decide.filters import FILTERS, TESTS
from keywright.decide.template import Template

#: A busy machine is not a bug.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

#: What a render may take at most while it runs, the text of 1 MiB that it is given already read once.
FEW = 12 * MIB

#: A full Secret, and what makes texts grow: quotes, control characters, letters that become three, wide characters.
LARGE = {
    "ascii": "x" * MIB,
    "lines": "\n" * MIB,
    "control": "\0" * MIB,
    "quotes": "'" * MIB,
    "growing": "ΐ" * (MIB // 2),
    "wide": "x" * (MIB - 4) + "😀",
    "json": '["' + "\\u00e9" * (MIB // 6 - 1) + '"]',
    "lists": "[" + "[]," * (MIB // 3 - 1) + "1]",
    "deep": "[" * (MIB // 2) + "]" * (MIB // 2),
    "base64": "QUFB" * (MIB // 4),
}

ARGUMENTS = {
    "replace": "('x', entries.big)",
    "split": "(',')",
    "default": "('x')",
    "indent": "(64, true)",
    "join": "(entries.big)",
}


@contextlib.contextmanager
def few_megabytes() -> Iterator[None]:
    """Fail if what happens inside takes more memory than a few MiB at any time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < FEW
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", LARGE)
@pytest.mark.parametrize("name", FILTERS)
def test_no_filter_makes_much_of_a_full_secret(name: str, kind: str) -> None:
    large = entries(big=LARGE[kind], other=LARGE[kind])
    use = f"{name}{ARGUMENTS.get(name, '')}"
    texts = [f"{{{{ big | {use} | length }}}}", f"{{{{ [big, other, big] | {use} | length }}}}"]
    texts += [f"{{{{ [big | {use}, other | {use}, big | {use}, big | {use}] | length }}}}"]
    templates = [Template(text, WHERE) for text in texts]

    for template in templates:
        with few_megabytes(), contextlib.suppress(errors.Stalled):
            template.render(large, ABOUT, salt)


COMMAS = repr("," * 9000)


def nested(depth: int, body: str) -> str:
    """Return loops of 20 rounds inside of each other."""
    loop = f"{{% for x in {list(range(20))} %}}"
    return loop * depth + body + "{% endfor %}" * depth


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ big }}x", "makes more than a Secret may hold"),
        ("{{ big ~ big }}", "makes more than a Secret may hold"),
        ("{{ big ~ big ~ big ~ big ~ big ~ big ~ big ~ big }}", "reads and makes more than 8 MiB"),
        ("{{ big + big + big + big + big + big + big + big }}", "reads and makes more than 8 MiB"),
        ("{{ big | replace('x', big) }}", "reads and makes more than 8 MiB"),
        ("{{ [big, big, big, big, big, big, big, big] | join }}", "reads and makes more than 8 MiB"),
        ("{{ [big, big, big, big, big, big, big, big] | tojson }}", "reads and makes more than 8 MiB"),
        ("{{ [" + "big | trim, " * 9 + "] | length }}", "reads and makes more than 8 MiB"),
        ("{{ [" + "big[1:], " * 9 + "] | length }}", "reads and makes more than 8 MiB"),
        ("{{ big" + " | b64encode" * 9 + " }}", "reads and makes more than 8 MiB"),
        ("{{ big | split('x') | length }}", "into more than 20000 parts"),
        ("{{ [" + "parts | split(','), " * 99 + "] | length }}", "reads and makes more than 8 MiB"),
        ("{{ [" + "list | fromjson, " * 99 + "] | length }}", "reads and makes more than 8 MiB"),
        (
            "{% for m in [map | fromjson] %}{{ [" + "m | items, " * 99 + "] | length }}{% endfor %}",
            "reads and makes more than 8 MiB",
        ),
        ("{{ [" + "(parts | split(','))[1:], " * 99 + "] | length }}", "reads and makes more than 8 MiB"),
        ("{{ list" + " | fromjson | tojson" * 9 + " }}", "reads and makes more than 8 MiB"),
        (nested(1, "{% if big == other %}{% endif %}"), "reads and makes more than 8 MiB"),
        (nested(1, "{% if big in other %}{% endif %}"), "reads and makes more than 8 MiB"),
        (nested(1, "{% if [big] in [[other]] %}{% endif %}"), "reads and makes more than 8 MiB"),
        (nested(1, "{% if entries == metadata %}{% endif %}"), "reads and makes more than 8 MiB"),
        (nested(2, "{{ big }}"), "makes more than a Secret may hold"),
        (nested(4, ""), "loops for more than 100000 steps"),
        (nested(8, "{{ x }}"), "loops for more than 100000 steps"),
        (nested(2, "{% for x in entries | keys if x %}{{ x }}" + "{{ '' }}" * 99 + "{% endfor %}"), "100000 steps"),
        ("{% for x in " + COMMAS + " | split(',') %}" + "{{ '' }}" * 19 + "{% endfor %}", "100000 steps"),
        ("{% for x in " + COMMAS + " | split(',') if x in [1, 2, 3, 4, 5, 6, 7, 8] %}{% endfor %}", "100000 steps"),
        ("{{ big | bcrypt }}", "hashes a password that bcrypt cannot take"),
        ("{{ 'x' | bcrypt }}" * 5, "uses bcrypt more than 4 times"),
        (nested(1, "{{ 'x' | bcrypt }}"), "uses bcrypt more than 4 times"),
    ],
)
def test_what_would_cost_too_much_is_stopped_before_it_is_made(text: str, said: str) -> None:
    given_large = entries(big=LARGE["ascii"], other=LARGE["ascii"], parts="ab," * 19_000)
    given_large |= entries(list="[" + "{}," * 9_000 + "1]", map="{" + ",".join(f'"{n}":1' for n in range(19_000)) + "}")
    template = Template(text, WHERE)

    with few_megabytes():
        assert said in refused(text, given_large)
    assert template.names <= given_large.keys()


@pytest.mark.parametrize(
    "text",
    [
        '{{ "x" | center(30000000) }}',
        '{{ "%1000000000s" | format(1) }}',
        '{{ "%1000000000s" % 1 }}',
        '{{ "{:>30000000}".format("x") }}',
        '{{ "x".ljust(30000000) }}',
        "{{ 'x' * 30000000 }}",
        "{{ [0] * 30000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ 7 // 0 }}",
        "{{ range(1000000000) }}",
        "{% for x in range(99999) %}{% endfor %}",
        "{% set x = 'x' %}{% for i in [1] %}{% set x = x ~ x %}{% endfor %}",
        "{% set ns = namespace(x='x') %}",
        "{% set x %}{% endset %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% call f() %}{% endcall %}",
        "{% for x in [[1]] recursive %}{{ loop(x) }}{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{% import '/etc/passwd' as x %}",
        "{% from '/etc/passwd' import x %}",
        "{% extends 'x' %}",
        "{% block x %}{% endblock %}",
        "{% filter upper %}x{% endfilter %}",
        "{% with x = 1 %}{% endwith %}",
        "{% autoescape true %}{% endautoescape %}",
        "{% do x %}",
        "{{ lipsum(9999) }}",
        "{{ cycler() }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ self.__init__.__globals__ }}{{ x() }}",
        "{{ user | attr('__class__') }}",
        "{{ user | map('upper') }}",
        "{{ user | xmlattr }}",
        "{{ user | pprint }}",
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{{ " + "[" * 3000 + "]" * 3000 + " }}",
        "{{ " + "-" * 9000 + "1 }}",
        "{{ " + "not " * 3000 + "1 }}",
        "{{ 1" + " + 1" * 3000 + " }}",
        "{{ 1" + " if 1 else 1" * 1000 + " }}",
        "{{ user" + " | trim" * 2000 + " }}",
        "{{ user" + ".a" * 5000 + " }}",
        "{% if 1 %}" * 700 + "{% endif %}" * 700,
        "{% for x in [1] %}" * 30 + "{% endfor %}" * 30,
        "{{ " + "9" * 16000 + " }}",
        "{{ '\ud800' }}",
        "{{ user | replace(old='a', old='b') }}",
        "\0{{",
        "{# x",
        "{{ 0x" + "f" * 16000 + " }}",
    ],
)
def test_what_could_run_away_is_refused_before_it_runs(text: str) -> None:
    with few_megabytes():
        assert refused(text).startswith("TemplateInvalid: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ " + "-" * 45 + "1 }}", "is nested too deeply"),
        ("{% for x in [1] %}" * 9 + "{% endfor %}" * 9, "is nested too deeply"),
        ("{% for x in [1] recursive %}{% endfor %}", "loops recursively"),
    ],
)
def test_what_python_would_still_take_is_refused_in_our_words(text: str, said: str) -> None:
    assert f"TemplateInvalid: {said} (line 1)" in refused(text)


@pytest.mark.parametrize(
    "text", ["'" + "9" * 5000 + "' | fromjson", "0x" + "f" * 5000 + " + 1", "'1e999' | fromjson | tojson"]
)
def test_numbers_that_cannot_be_written_are_not(text: str) -> None:
    assert refused(f"{{{{ {text} }}}}").startswith("Template")


def test_only_the_node_classes_that_somebody_looked_at_are_let_in() -> None:
    def below(kind: type[nodes.Node]) -> set[type[nodes.Node]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    harmful: list[type[nodes.Node]] = [
        nodes.Call,
        nodes.Assign,
        nodes.AssignBlock,
        nodes.With,
        nodes.Macro,
        nodes.CallBlock,
        nodes.Include,
    ]
    harmful += [nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block, nodes.FilterBlock, nodes.NSRef, nodes.Mul]
    harmful += [nodes.Pow, nodes.Mod, nodes.Div, nodes.FloorDiv, nodes.ExprStmt, nodes.Break, nodes.Continue]
    known = {each.__name__ for each in below(nodes.Node)}

    assert {each.__name__ for each in sandbox._ALLOWED} <= known
    assert not set(harmful) & sandbox._ALLOWED
    assert len(sandbox._ALLOWED) == 28


@pytest.mark.parametrize("name", sorted(DEFAULT_FILTERS.keys() - FILTERS.keys()))
def test_no_filter_of_jinja_is_there_by_itself(name: str) -> None:
    assert f"asks for a filter {name}, which there is not" in refused(f"{{{{ user | {name} }}}}")


def test_no_test_and_no_global_of_jinja_is_there_by_itself() -> None:
    for name in DEFAULT_TESTS.keys() - TESTS.keys():
        if name.isidentifier() and name != "in":
            assert f"asks for a test {name}" in refused(f"{{{{ user is {name} }}}}")
    for name in (*DEFAULT_NAMESPACE, "self", "super", "caller", "context", "environment", "loop", "varargs"):
        assert refused(f"{{{{ {name} }}}}").startswith("TemplateFailed: ")
        assert refused(f"{{{{ [{name}] | tojson }}}}").startswith("TemplateFailed: ")


@pytest.mark.parametrize("value", ["user", "json | fromjson", "[1]", "1", "raw", "entries", "metadata", "self", "none"])
def test_no_attribute_of_a_python_object_can_be_reached(value: str) -> None:
    names = {name for kind in (str, dict, list, int, object, type, errors.Stalled) for name in dir(kind)}
    for name in sorted(
        names | {"_read", "reveal", "__globals__", "__builtins__", "gi_frame", "_TemplateReference__context"}
    ):
        for text in (f"({value}).{name}", f"({value})['{name}']", f"({value})[{name!r}[:99]]"):
            assert "which is not there" in (said := refused(f"{{{{ {text} }}}}")) or "looks for what" in said, text


@pytest.mark.parametrize(
    "name", ["__class__", "_iterator", "_recurse", "cycle", "changed", "previtem", "nextitem", "depth"]
)
def test_of_a_loop_only_its_numbers_can_be_reached(name: str) -> None:
    assert "which is not there" in refused(f"{{% for x in [1, 2] %}}{{{{ loop.{name} }}}}{{% endfor %}}")
    assert "as text" in refused("{% for x in [1, 2] %}{{ loop }}{% endfor %}")


WORDS = (
    *("{{", "}}", "{%", "%}", "{#", "#}", "(", ")", "[", "]", "{", "}", ".", ",", "|", ":", "~", "+", "-", "=", "=="),
    *(
        "user",
        "password",
        "json",
        "raw",
        "entries",
        "metadata",
        "name",
        "loop",
        "self",
        "x",
        "\n",
        " ",
        "0",
        "1",
        "'a'",
    ),
    *("for", "in", "if", "else", "endfor", "endif", "not", "and", "or", "is", "defined", "none", "true", "set", "raw"),
    *FILTERS,
)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    """Make an expression that can be parsed, as a rule."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        names = ["user", "password", "json", "raw", "entries", "metadata", "nope", "x", "entries['tls.crt']"]
        return draw(st.sampled_from([*names, "1", "-2.5", "true", "none", "'a'", "'\\ud800'", "[]", "{}", "''"]))
    inner = [draw(expressions(depth - 1)) for _ in range(2)]
    name = draw(st.sampled_from([each for each in FILTERS if each != "bcrypt"]))
    operator = draw(st.sampled_from(["~", "+", "-", "==", "<", "in", "not in", "and", "or", "if x else"]))
    part = draw(st.sampled_from(["a", "text", "__class__", "items", "first"]))
    made_of = [
        *(f"({inner[0]}) | {name}", f"({inner[0]}) | {name}({inner[1]})", f"({inner[0]}) {operator} ({inner[1]})"),
        *(f"({inner[0]})[{inner[1]}]", f"({inner[0]}).{part}", f"[{inner[0]}, {inner[1]}]", f"{{'a': {inner[0]}}}"),
        f"({inner[0]}) is {draw(st.sampled_from(list(TESTS)))}",
    ]
    return draw(st.sampled_from(made_of))


def told_nothing(text: str) -> None:
    try:
        made(text)
    except UnicodeDecodeError:
        raise AssertionError("made what is no text") from None
    except errors.Error:
        refused(text)


@patient
@given(
    st.one_of(st.text(), st.lists(st.sampled_from(WORDS)).map(" ".join), st.lists(st.sampled_from(WORDS)).map("".join))
)
def test_any_text_makes_something_or_an_error_of_ours_without_a_value(text: str) -> None:
    told_nothing(text)
    told_nothing(f"{{{{ {text} }}}}")


@patient
@given(expressions())
def test_any_expression_makes_something_or_an_error_of_ours_without_a_value(expression: str) -> None:
    told_nothing(f"{{{{ {expression} }}}}")
    told_nothing(f"{{% for x in {expression} %}}{{{{ x }}}}{{% endfor %}}")
    told_nothing(f"{{% if {expression} %}}a{{% endif %}}")


def test_a_deep_json_is_refused_like_any_other_that_is_none() -> None:
    deep = entries(json="[" * 9000 + "]" * 9000)

    assert refused("{{ json | fromjson | tojson }}", deep).startswith("TemplateFailed: ")


def test_values_are_where_the_tests_look_for_them() -> None:
    assert CANARY in made("{{ password }}{{ json }}") and CANARY in repr([each.reveal() for each in SECRETS.values()])
