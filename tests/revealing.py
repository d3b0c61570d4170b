"""What source code must not do with values, as checks over its syntax tree: each returns the lines that do.

They are sound for what they say, and say no more than that; types (mypy) and the sweep of all outputs do the rest.

Does not belong here: which modules are held to what (``unit/test_redaction_rules.py``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

#: So many lines after it was bound, a revealed value is used for the last time.
NEAR = 5
#: Names that say that what they name is a value. ``key`` alone is the name of an entry in this house.
VALUES = frozenset(
    ("value", "values", "secret", "secrets", "token", "password", "passphrase", "jwt", "plaintext", "raw")
)
#: What may be said of a foreign exception: numbers.
NUMBERS = frozenset(("errno", "status", "lineno", "colno", "returncode"))
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = _FUNCTIONS | ast.Lambda | ast.ClassDef


def reveals(tree: ast.AST) -> list[int]:
    """Return where values are revealed, also where the method is handed on. That below it is private: ruff says so."""
    found = (each for each in ast.walk(tree) if isinstance(each, ast.Attribute) and each.attr == "reveal")
    return sorted(each.lineno for each in found)


def lingering(tree: ast.AST) -> list[int]:
    """Return where a revealed value, or its text, gets a name that is used more than ``NEAR`` lines further down."""
    found = []
    for function in _functions(tree):
        names = {name for name, _ in _bindings(function)}
        read = (each for each in _own(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load))
        uses = [each for each in read if each.id in names]
        for name, line in _bindings(function):
            rebound = min((each for other, each in _bindings(function) if other == name and each > line), default=None)
            later = [each.lineno for each in uses if each.id == name and each.lineno >= line]
            last = max((each for each in later if rebound is None or each <= rebound), default=line)
            if last - line > NEAR:
                found.append(line)
    return sorted(set(found))


def kept(tree: ast.AST) -> list[int]:
    """Return where what is revealed, or what a call makes of it, becomes an attribute: it stays as long as that."""
    found = []
    for each in ast.walk(tree):
        if isinstance(each, ast.Assign | ast.AnnAssign) and each.value:
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            calls = (call for call in ast.walk(each.value) if isinstance(call, ast.Call))
            made = any(_is_revealed(part, set()) for call in calls for part in call.args if _makes(call))
            if any(isinstance(target, ast.Attribute) for target in targets) and (
                made or _is_revealed(each.value, set())
            ):
                found.append(each.lineno)
    return found


def _makes(call: ast.Call) -> bool:
    """Whether a call gives back what it is given, in another form."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in ("bytes", "bytearray", "memoryview", "str", "loads", "list", "tuple")


def _bindings(function: ast.AST) -> list[tuple[str, int]]:
    """Return the names that a function gives to what is revealed, and to what is read from that, with their lines."""
    found: list[tuple[str, int]] = []
    while True:
        names = {name for name, _ in found}
        more = [
            (name, each.lineno)
            for each in _own(function)
            if isinstance(each, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.For)
            if (value := each.iter if isinstance(each, ast.For) else each.value) and _is_revealed(value, names)
            for name in _names(each)
        ]
        if sorted(set(more)) == sorted(set(found)):
            return sorted(set(found), key=lambda each: each[1])
        found = more


def _is_revealed(value: ast.expr, names: set[str]) -> bool:
    """Whether an expression is bytes or text of a value: ``reveal()``, methods on that, slices, joins, choices."""
    if isinstance(value, ast.Name):
        return value.id in names
    if isinstance(value, ast.Call):
        if isinstance(value.func, ast.Attribute):
            asked = value.func.attr.startswith(("is", "starts", "ends", "find", "count"))
            return not asked and (value.func.attr == "reveal" or _is_revealed(value.func.value, names))
        return False
    inner = (getattr(value, field) for field in _INSIDE.get(type(value), ()))
    parts = (part for each in inner for part in (each if isinstance(each, list) else [each]))
    return any(_is_revealed(part, names) for part in parts if isinstance(part, ast.expr))


#: Where in an expression stands what it is made of.
_INSIDE: dict[type[ast.expr], tuple[str, ...]] = {
    ast.Attribute: ("value",),
    ast.BinOp: ("left", "right"),
    ast.BoolOp: ("values",),
    ast.Dict: ("values",),
    ast.DictComp: ("value",),
    ast.FormattedValue: ("value",),
    ast.GeneratorExp: ("elt",),
    ast.IfExp: ("body", "orelse"),
    ast.JoinedStr: ("values",),
    ast.List: ("elts",),
    ast.ListComp: ("elt",),
    ast.SetComp: ("elt",),
    ast.Subscript: ("value",),
    ast.Tuple: ("elts",),
}


def _names(binding: ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.For) -> Iterator[str]:
    targets = binding.targets if isinstance(binding, ast.Assign) else [binding.target]
    for target in targets:
        # Of `self.text = …` no name is bound: `kept` finds those.
        yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name) and each.id != "self")


def bare(tree: ast.AST) -> list[tuple[int, str]]:
    """Return parameters, attributes and returns that are called a value and typed as text or bytes, and their names."""
    found = []
    for each in ast.walk(tree):
        if isinstance(each, ast.arg) and each.annotation and _is_text(each.annotation) and _is_value(each.arg):
            found.append((each.lineno, each.arg))
        if isinstance(each, ast.AnnAssign) and _is_text(each.annotation):
            name = each.target.id if isinstance(each.target, ast.Name) else getattr(each.target, "attr", "")
            if _is_value(name):
                found.append((each.lineno, name))
        if isinstance(each, _FUNCTIONS) and each.returns and _is_text(each.returns):
            told = _is_value(each.name) or any(
                isinstance(back, ast.Return) and back.value and _is_revealed(back.value, _names_in(each))
                for back in _own(each)
            )
            if told:
                found.append((each.lineno, each.name))
    return sorted(found)


def _names_in(function: ast.AST) -> set[str]:
    return {name for name, _ in _bindings(function)}


def _is_value(name: str) -> bool:
    return not VALUES.isdisjoint(name.lower().split("_"))


def _is_text(annotation: ast.expr) -> bool:
    """Whether an annotation is text or bytes, or a list, a map or a choice of them: ``Mapping[str, str]`` is one."""
    if isinstance(annotation, ast.Constant):
        return isinstance(annotation.value, str) and _is_text(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.Subscript):
        inside = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        return _is_text(inside[-1])
    if isinstance(annotation, ast.BinOp):
        return _is_text(annotation.left) or _is_text(annotation.right)
    return isinstance(annotation, ast.Name) and annotation.id in ("str", "bytes", "bytearray", "memoryview")


def chained(tree: ast.AST) -> list[int]:
    """Return where an error is raised that keeps the one that it came of: ``from error``, or no ``from None``."""
    raised = [each for each in ast.walk(tree) if isinstance(each, ast.Raise)]
    kept = {each.lineno for each in raised if each.cause and not _is_none(each.cause)}
    for handler in _handlers(tree):
        inside = [each for each in _own(handler) if isinstance(each, ast.Raise) and each.exc and not each.cause]
        kept |= {each.lineno for each in inside if each.exc and not _is_same(each.exc, handler.name)}
    return sorted(kept)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _is_same(raised: ast.expr, caught: str | None) -> bool:
    """Whether it is the error that was caught, raised again."""
    return isinstance(raised, ast.Name) and raised.id == caught


def told(tree: ast.AST, ours: frozenset[str]) -> list[int]:
    """Return where text is made of a caught exception that is not one of ours.

    Args:
        ours: names of our own errors, whose texts are ours.
    """
    found = []
    for handler in _handlers(tree):
        if not handler.name or (handler.type and _types(handler.type) <= ours):
            continue
        found += [getattr(each, "lineno", handler.lineno) for each in ast.walk(handler) if _tells(each, handler.name)]
    return sorted(set(found))


def _types(caught: ast.expr) -> set[str]:
    each = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "?") for one in each}


def _tells(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.FormattedValue):
        return _mentions(node.value, name)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _mentions(node.right, name)
    if isinstance(node, ast.Call):
        function = node.func
        makes = isinstance(function, ast.Name) and function.id in ("str", "repr", "format", "print", "vars")
        logs = isinstance(function, ast.Attribute) and (
            (isinstance(function.value, ast.Name) and function.value.id == "log")
            or function.attr in ("format", "format_exception", "format_exc", "print_exc", "print_exception", "echo")
        )
        return (makes or logs) and any(_mentions(each, name) for each in node.args)
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Name) and node.value.id == name
    texts = ("args", "doc", "object", "strerror", "msg", "reason", "filename")
    return isinstance(node, ast.Attribute) and node.attr in texts and _mentions(node.value, name)


def _mentions(value: ast.expr, name: str) -> bool:
    """Whether an expression has an exception in it, but for its numbers, its type and its place."""
    if isinstance(value, ast.Attribute) and value.attr in NUMBERS:
        return False
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name | ast.Attribute):
        called = value.func.id if isinstance(value.func, ast.Name) else value.func.attr
        if called in ("type", "place_of", "isinstance"):
            return False
    if isinstance(value, ast.Name):
        return value.id == name
    return any(_mentions(each, name) for each in ast.iter_child_nodes(value) if isinstance(each, ast.expr))


def hashes(tree: ast.AST) -> list[tuple[int, str]]:
    """Return where something is hashed without a key, and by what; also where what hashes gets another name."""
    found = [
        (each.lineno, f"import {name.name} as {name.asname}")
        for each in ast.walk(tree)
        if isinstance(each, ast.Import)
        for name in each.names
        if name.asname and name.name in ("hashlib", "zlib", "binascii")
    ]
    for each in ast.walk(tree):
        if isinstance(each, ast.Call):
            function = each.func
            if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                if function.value.id in ("hashlib", "zlib", "binascii") and function.attr not in ("Error", "hexlify"):
                    found.append((each.lineno, f"{function.value.id}.{function.attr}"))
                if function.value.id == "hashes" and function.attr == "Hash":
                    found.append((each.lineno, "hashes.Hash"))
            if isinstance(function, ast.Name) and function.id == "hash":
                found.append((each.lineno, "hash"))
        if isinstance(each, ast.ImportFrom) and each.module in ("hashlib", "zlib", "_hashlib", "_sha256", "Crypto"):
            found.append((each.lineno, f"from {each.module}"))
    return sorted(found)


def _handlers(tree: ast.AST) -> Iterator[ast.ExceptHandler]:
    return (each for each in ast.walk(tree) if isinstance(each, ast.ExceptHandler))


def _functions(tree: ast.AST) -> Iterator[ast.AST]:
    return (each for each in ast.walk(tree) if isinstance(each, _FUNCTIONS | ast.Module))


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is in a function or a block, without the functions and classes inside it; lambdas belong to it."""
    for each in ast.iter_child_nodes(node):
        if not isinstance(each, _FUNCTIONS | ast.ClassDef):
            yield each
            yield from _own(each)
