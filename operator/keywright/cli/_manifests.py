"""Manifests in files: the values of each document, and the lines where they stand.

YAML is read as Kubernetes' tools read it: keys are text, dates are text, merge keys are merged.

Does not belong here: what manifests may say (``_structural``).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Generator, Iterator
from typing import Any

import yaml

#: Values in one document, with those that aliases repeat; levels of them.
MAX_VALUES, MAX_DEPTH = 100_000, 64
#: Documents of one file that are not YAML, after which the rest of it is not looked at.
MAX_BROKEN = 100

_NO_YAML = "it is not YAML"


@dataclasses.dataclass
class Document:
    """One document.

    Attributes:
        value: what it says; None if it is empty.
        lines: where each value stands, by its path as Kubernetes writes it: ``spec.data[0].key``.
        doubled: paths of keys that stand twice in one map, with the line of the second.
    """

    value: Any
    lines: dict[str, int]
    doubled: list[tuple[str, int]]

    def line(self, path: str) -> int:
        """Return the line of a value, or of the nearest around it."""
        while path not in self.lines:
            path = re.sub(r"(^|\.|\[)[^.\[]*$", "", path)
        return self.lines[path]


class Unreadable(Exception):
    """It is no YAML, or too much of it.

    Attributes:
        line: where.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    """Reads scalars as the Go library does: no dates, no numbers to the base of 60."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag.rpartition(":")[2] not in ("timestamp", "int", "float")]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_Loader.add_implicit_resolver(
    _INT, re.compile(r"[-+]?(0|[1-9][0-9_]*|0[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(r"[-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|\.[0-9]+|[0-9]+[eE][-+]?[0-9]+|\.inf|\.nan)$"),
    list("-+0123456789."),
)


def documents(text: str) -> Iterator[Document | Unreadable]:
    """Yield the documents of a file, and for each that cannot be read what is wrong with it."""
    lines = text.splitlines(keepends=True)
    start, told = 0, -1
    for _ in range(MAX_BROKEN):
        broken = yield from _documents("".join(lines[start:]), start)
        if broken is None:
            return
        if broken != told:
            yield Unreadable(broken + 1, _NO_YAML)
        told = broken
        # YAML has no way back from an error, but no document reaches beyond such a line.
        following = range(max(broken, start + 1), len(lines))
        start = next((number for number in following if re.match(r"---(\s|$)", lines[number])), len(lines))


def _documents(text: str, above: int) -> Generator[Document | Unreadable, None, int | None]:
    """Yield documents, and return the line of what is not YAML, counted from 0; None if all is.

    Args:
        above: lines that stand before the text.
    """
    try:
        loader: Any = _Loader(text)
        while loader.check_node():
            yield _read(loader, loader.get_node(), above)
    except yaml.MarkedYAMLError as wrong:
        return above + wrong.problem_mark.line if wrong.problem_mark else above
    except (yaml.YAMLError, RecursionError):
        # Of the whole text, not of a document.
        yield Unreadable(above + 1, _NO_YAML)
    return None


def _read(loader: Any, node: yaml.Node, above: int) -> Document | Unreadable:
    try:
        return _Reader(loader, above).document(node)
    except Unreadable as wrong:
        return wrong
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or node.start_mark
    except (ValueError, RecursionError):
        mark = node.start_mark
    return Unreadable(above + mark.line + 1, _NO_YAML)


class _Reader:
    """Reads one document, below some lines of others."""

    def __init__(self, loader: Any, above: int) -> None:
        self._loader = loader
        self._above = above
        self._read = 0
        self._lines: dict[str, int] = {}
        self._doubled: list[tuple[str, int]] = []

    def document(self, node: yaml.Node) -> Document:
        value = self._value(node, "", self._line(node), 0)
        return Document(value, self._lines, self._doubled)

    def _line(self, node: yaml.Node) -> int:
        return int(self._above + node.start_mark.line + 1)

    def _value(self, node: yaml.Node, path: str, line: int, depth: int) -> Any:
        self._read += 1
        if self._read > MAX_VALUES or depth > MAX_DEPTH:
            raise Unreadable(line, "it has too many values, or too deep ones")
        self._lines[path] = line
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [
                self._value(each, f"{path}[{number}]", self._line(each), depth + 1)
                for number, each in enumerate(node.value)
            ]
        return self._loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Any]:
        own = {id(key) for key, _ in node.value}
        self._loader.flatten_mapping(node)
        result: dict[str, Any] = {}
        seen: set[str] = set()
        for key, value in node.value:
            name, line = str(key.value), self._line(key)
            below = step(path, name)
            if id(key) in own:
                if name in seen:
                    self._doubled.append((below, line))
                seen.add(name)
            result[name] = self._value(value, below, line, depth + 1)
        return result


def step(path: str, name: str) -> str:
    """Return the path of a field or of a map's value."""
    if re.fullmatch("[-_a-zA-Z0-9]+", name):
        return f"{path}.{name}" if path else name
    return f"{path}[{name[:80]}]"
