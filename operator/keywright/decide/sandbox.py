"""What a template may be made of: Jinja's syntax without calls, assignments and whatever else could run away.

The whitelist is of node classes, so what a later Jinja adds is refused until somebody has looked at it. Then each
operation whose cost depends on values is turned into one of our filters, which count. Attributes of Python objects
are never looked at: a dot and a bracket choose from maps and lists only.

Does not belong here: what filters do (``filters.py``), rendering and messages (``template.py``).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from jinja2 import StrictUndefined, Template, TemplateRuntimeError, TemplateSyntaxError, meta, nodes, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from ..errors import Reason
from . import dialects, filters
from .filters import FILTERS, TESTS, Work, Wrong

#: How deep expressions and blocks may be inside of each other. Python's own compiler takes 20 loops.
MAX_DEPTH, MAX_LOOPS = 40, 8

#: Names that are no entries, whatever the entries are called.
ENTRIES, METADATA = "entries", "metadata"
RESERVED = frozenset({ENTRIES, METADATA})

#: Where a render keeps its work; no template can say this name, nor those of the filters that we put in.
WORK = " work"
_LOOP, _JOINED, _SLICED, _WEIGHED = " loop", " joined", " sliced", " weighed"

_OF_LOOPS = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})

_ALLOWED: Final = frozenset(
    (
        *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For),
        *(nodes.Const, nodes.Name, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Getattr, nodes.Getitem),
        *(nodes.Slice, nodes.Filter, nodes.Test, nodes.Keyword, nodes.CondExpr, nodes.Compare, nodes.Operand),
        *(nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos, nodes.Concat, nodes.Add, nodes.Sub),
    )
)

_CALLS = ("calls a function or a method", "Use a filter: value | upper")
_SETS = ("sets a variable", "Write the expression where it is needed")
_PARTS = ("uses a tag that makes templates of several parts", "Write one template")
_CALCULATES = ("uses an operator that templates do not have", "Use + and - for numbers, ~ to join texts")

#: Why the others are refused, and what to do instead.
_REFUSED: Final[dict[type[nodes.Node], tuple[str, str]]] = {
    nodes.Call: _CALLS,
    **dict.fromkeys((nodes.Assign, nodes.AssignBlock, nodes.With, nodes.NSRef), _SETS),
    **dict.fromkeys((nodes.Macro, nodes.CallBlock, nodes.Block, nodes.Extends, nodes.Include), _PARTS),
    **dict.fromkeys((nodes.Import, nodes.FromImport), _PARTS),
    **dict.fromkeys((nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow), _CALCULATES),
    nodes.FilterBlock: ("puts a filter around a block", "Use the filter on each value"),
}
_OTHERWISE = ("asks for what templates cannot do", "Use names, filters, if and for")

_NAMES = "Check the names of the entries; for what may be missing, use default"


def shown(name: str) -> str:
    """Return a name of the template's text as a message may show it: one short line of plain letters."""
    return name if name.isprintable() and name.isascii() and len(name) <= 64 else f"{ascii(name[:60])[1:-1]}…"


class Absent(StrictUndefined):
    """What is not there; whoever uses it raises ``Wrong``.

    Jinja's own message names what was looked for, which may be a value: ``entries[password]``. Ours is made where it
    is known whether the name stands in the template's text.
    """

    __slots__ = ()

    def __init__(self, hint: str | None = None, obj: Any = None, name: str | None = None, exc: Any = None) -> None:
        clause = hint or (f"names {shown(name)}, which is not there" if name else "looks for what is not there")
        missing = functools.partial(_Missing, hint=dialects.instead(name or "", _NAMES))
        super().__init__(hint=clause, exc=cast("type[TemplateRuntimeError]", missing))


class _Missing(Wrong, TemplateRuntimeError):
    pass


class Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with our filters, tests and access to maps, and nothing of its own."""

    intercepted_binops = frozenset({"+"})

    def __init__(self, left: str, right: str) -> None:
        super().__init__(
            variable_start_string=left,
            variable_end_string=right,
            undefined=Absent,
            autoescape=False,
            keep_trailing_newline=True,
            # Nothing is calculated before there is a budget to take it from. The same holds for what is written, as
            # _written takes the context.
            optimized=False,
            finalize=_written,
            cache_size=0,
        )
        self.globals.clear()
        self.tests = dict(TESTS)
        metered: dict[str, Callable[..., Any]] = {
            _LOOP: _loop,
            _JOINED: filters.joined,
            _SLICED: _sliced,
            _WEIGHED: _weighed,
        }
        self.filters = {name: _counting(function) for name, function in (FILTERS | metered).items()}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return what a map has by a name that stands in the template's text."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, LoopContext) and attribute in _OF_LOOPS:
            return getattr(obj, attribute)
        if isinstance(obj, Absent):
            obj._fail_with_undefined_error()  # noqa: SLF001 - how filters do it in Jinja
        return Absent(name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return what a map or a list has by what an expression came to: never told."""
        filters.text(argument)
        if isinstance(obj, Absent):
            obj._fail_with_undefined_error()  # noqa: SLF001
        if isinstance(obj, dict) and isinstance(argument, str):
            return obj.get(argument, Absent())
        if isinstance(obj, list | tuple) and type(argument) is int and -len(obj) <= argument < len(obj):
            return obj[argument]
        return Absent()

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Add numbers, and join text to text."""
        if isinstance(left, str) and isinstance(right, str):
            return filters.joined(context.parent[WORK], (left, right))
        if isinstance(left, int | float) and isinstance(right, int | float):
            return left + right
        for each in (left, right):
            filters.text(each)
        raise Wrong("adds text to a number", "Use ~ to join them")


@pass_context
def _written(_: Context, value: Any) -> str:
    made = filters.text(value)
    if not made.isascii():
        made.encode()  # half a character is found here, where its line is known
    return made


def _counting(function: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def filter_(context: Context, *arguments: Any, **keywords: Any) -> Any:
        return function(context.parent[WORK], *arguments, **keywords)

    return filter_


def _loop(work: Work, value: Any, cost: int) -> list[Any]:
    """Return what a loop goes over, after all its rounds are taken."""
    if not isinstance(value, list | tuple | dict):
        filters.text(value)
        raise Wrong("loops over what is neither a list nor a map", "Use split on text, fromjson on JSON")
    work.step((len(value) + 1) * cost)
    work.touch(len(value) * 8)
    return list(value)


def _sliced(work: Work, value: Any, start: Any, stop: Any, step: Any) -> Any:
    if isinstance(value, list | tuple):
        work.touch(len(value) * 8)
    else:
        value = filters.text(value)
        work.touch(filters.cost(len(value), value))
    return value[start:stop:step]


def _weighed(work: Work, value: Any, operator: str) -> Any:
    """Take what a comparison reads. A map is not read to find a name in it."""
    if not (isinstance(value, dict) and operator in {"in", "notin"}):
        filters.weigh(work, value)
    return value


class Program(NamedTuple):
    """A template that was checked and compiled."""

    template: Template
    names: frozenset[str]
    uses_all: bool
    slow: bool


def compiled(text: str, left: str, right: str) -> Program:
    """Check and compile a template.

    Raises:
        Wrong: ``TemplateInvalid``.
    """
    environment = _environment(left, right)
    tree = _parsed(environment, text)
    _check(tree)
    _Metered().visit(tree)
    tree.set_environment(environment)
    named, uses_all = _of_entries(tree)
    names = meta.find_undeclared_variables(tree) - RESERVED | named
    slow = any(each.name == "bcrypt" for each in tree.find_all(nodes.Filter))
    return Program(environment.from_string(tree), frozenset(names), uses_all, slow)


@functools.lru_cache(16)
def _environment(left: str, right: str) -> Environment:
    """Return the environment for delimiters."""
    return Environment(left, right)


def _parsed(environment: Environment, text: str) -> nodes.Template:
    try:
        return environment.parse(text)
    except TemplateSyntaxError as error:
        line = error.lineno
    left, right = environment.variable_start_string, environment.variable_end_string
    hint = f"Check that each {left} and {{% has its end, and what stands in between"
    raise _invalid("cannot be parsed", dialects.GO if dialects.like_go(text, left, right) else hint, line)


def _invalid(clause: str, hint: str, line: int | None) -> Wrong:
    return Wrong(clause, hint, Reason.TEMPLATE_INVALID, line)


def _check(tree: nodes.Template) -> None:
    """Raise ``Wrong`` for the first node that may not be; without recursion, as the depth is not known yet."""
    ahead: list[tuple[nodes.Node, int, int]] = [(tree, 0, 0)]
    line = 1
    while ahead:
        node, depth, loops = ahead.pop()
        loops += isinstance(node, nodes.For)
        # Some nodes of Jinja's tags have none.
        line = node.lineno = node.lineno or line
        if depth > MAX_DEPTH or loops > MAX_LOOPS:
            raise _invalid("is nested too deeply", "Write it flatter: join with ~, use elif", node.lineno)
        if type(node) not in _ALLOWED:
            raise _refusal(node)
        if check := _CHECKS.get(type(node)):
            check(node)
        ahead += reversed([(each, depth + 1, loops) for each in node.iter_child_nodes()])


def _refusal(node: nodes.Node) -> Wrong:
    clause, hint = _REFUSED.get(type(node), _OTHERWISE)
    if isinstance(node, nodes.Call):
        name = str(getattr(node.node, "name", None) or getattr(node.node, "attr", ""))
        hint = dialects.instead(name, hint)
    return _invalid(clause, hint, node.lineno)


def _check_filter(node: nodes.Filter | nodes.Test) -> None:
    known: Mapping[str, Any] = FILTERS if isinstance(node, nodes.Filter) else TESTS
    what = "filter" if known is FILTERS else "test"
    if node.name not in known:
        hint = dialects.instead(node.name, f"Use one of {', '.join(known)}")
        raise _invalid(f"asks for a {what} {shown(node.name)}, which there is not", hint, node.lineno)
    keywords = [str(pair.key) for pair in node.kwargs]
    fits = _takes(node.name, len(node.args), keywords) if known is FILTERS else not node.args and not keywords
    if node.node is None or node.dyn_args or node.dyn_kwargs or not fits:
        hint = "Check its arguments in the table of filters"
        raise _invalid(f"gives the {what} {node.name} arguments that it does not take", hint, node.lineno)


_SIGNATURES = {name: inspect.signature(function) for name, function in FILTERS.items()}


def _takes(name: str, count: int, keywords: list[str]) -> bool:
    try:
        _SIGNATURES[name].bind(None, None, *[None] * count, **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True


def _check_for(node: nodes.For) -> None:
    if node.recursive:
        raise _invalid("loops recursively", "Write one loop in the other", node.lineno)


def _check_condition(node: nodes.CondExpr) -> None:
    if node.expr2 is None:
        raise _invalid("has an if without an else in an expression", "Say what it is otherwise", node.lineno)


def _check_name(node: nodes.Name) -> None:
    if node.ctx == "store" and node.name in {*RESERVED, "loop"}:
        raise _invalid(f"calls a loop's variable {node.name}, which is taken", "Choose another name", node.lineno)
    if not node.name.isascii():
        raise _invalid("has a name with other letters than those of ASCII", "Choose another name", node.lineno)


_CHECKS: Final[Mapping[type[nodes.Node], Callable[[Any], None]]] = {
    nodes.Filter: _check_filter,
    nodes.Test: _check_filter,
    nodes.For: _check_for,
    nodes.CondExpr: _check_condition,
    nodes.Name: _check_name,
}


class _Metered(NodeTransformer):
    """Turns what could cost much into filters that count, and names in brackets into names behind a dot."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja calls it
        inside = [*node.body, *node.else_, *([node.test] if node.test else [])]
        cost = 1 + sum(1 + sum(1 for _ in each.find_all(nodes.Node)) for each in inside)
        self.generic_visit(node)
        node.iter = _filter(_LOOP, node.iter, nodes.Const(cost))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(_JOINED, nodes.Tuple(node.nodes, "load", lineno=node.lineno))

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.expr = _filter(_WEIGHED, node.expr, nodes.Const(""))
        for operand in node.ops:
            operand.expr = _filter(_WEIGHED, operand.expr, nodes.Const(operand.op))
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            bounds = (node.arg.start, node.arg.stop, node.arg.step)
            return _filter(_SLICED, node.node, *(each or nodes.Const(None) for each in bounds))
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return nodes.Getattr(node.node, node.arg.value, "load", lineno=node.lineno)
        return node


def _filter(name: str, node: nodes.Node, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)


def _of_entries(tree: nodes.Template) -> tuple[set[str], bool]:
    """Return the entries that are named as parts of ``entries``, and whether it is used in another way."""
    parts = tree.find_all(nodes.Getattr)
    named = [each.attr for each in parts if isinstance(each.node, nodes.Name) and each.node.name == ENTRIES]
    used = sum(each.name == ENTRIES for each in tree.find_all(nodes.Name))
    return set(named), used > len(named)
