"""Forms of credentials from a file, instead of those built in or beside them: vendors change them between releases.

The file is YAML: by the issuer's name, a list of forms with the fields of ``Format``. One of a kind that is there
replaces it, another is added, ``remove: true`` drops it::

    openai:
    - kind: user key
      remove: true
    - {kind: project key, prefix: sk-proj-, pattern: 'sk-proj-[A-Za-z0-9_-]{100,300}', checked: 2026-12-24}

What is told of a file that is wrong names places in it, and holds none of its patterns.

Does not belong here: what is built in (each issuer's file, ``_strangers``).
"""

from __future__ import annotations

import datetime
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pydantic
import yaml

from .. import errors, schema
from ..errors import Reason
from ._table import Format

#: Characters, levels and values of a file; forms of one issuer.
MAX_TEXT, MAX_DEPTH, MAX_VALUES, MAX_FORMS = 256 * 1024, 4, 20_000, 64
#: Bytes of memory, and steps, that a pattern may take.
_MAX_MEMORY, _MAX_PROGRAM = 1 << 20, 4096

_HINT = "Correct the file of formats"
_Short = Annotated[schema.Printable, pydantic.StringConstraints(max_length=63)]


class _Form(pydantic.BaseModel):
    """One form as a file has it: all of it is text."""

    model_config = pydantic.ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: _Short
    pattern: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1024)] | None = None
    checked: Annotated[str, pydantic.StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    source: Annotated[schema.Printable, pydantic.StringConstraints(max_length=256)] = "configuration"
    prefix: Annotated[str, pydantic.StringConstraints(max_length=64, pattern=r"^([!-~]{2,})?$")] = ""
    part: Annotated[str, pydantic.StringConstraints(max_length=32)] = ""
    remove: Literal["true", "false"] = "false"


def read(path: pathlib.Path) -> str:
    """Return a file of forms.

    Raises:
        errors.Stalled: ``InvalidSpec``: it cannot be read, is too large, or is not UTF-8.
    """
    with errors.boundary(lambda _: _wrong("cannot be read, or is not UTF-8")), path.open("rb") as file:
        raw = file.read(MAX_TEXT + 1)
        if len(raw) > MAX_TEXT:
            raise _wrong(f"is larger than {MAX_TEXT >> 10} KiB")
        return raw.decode("utf-8-sig")


def overridden(
    built_in: Mapping[str, Sequence[Format]], parts: Mapping[str, Sequence[str]], text: str
) -> dict[str, tuple[Format, ...]]:
    """Return the forms of all issuers, as a file changes those that are built in.

    Args:
        built_in: by the issuer's name.
        parts: names of the parts that the issuer's credentials have; one that has none has no forms either.
        text: the file.

    Raises:
        errors.Stalled: ``InvalidSpec``: the file is wrong; nothing of it holds.
    """
    found = {name: tuple(each) for name, each in built_in.items()}
    said = _parsed(text)
    if said in ("", None):
        return found
    if not isinstance(said, dict):
        raise _wrong("holds no map of issuers")
    for number, (name, forms) in enumerate(said.items(), 1):
        if not parts.get(name):
            shown = name if re.fullmatch("[a-zA-Z][a-zA-Z0-9]{0,31}", name) else f"number {number}"
            raise _wrong(f"names issuer {shown}, of which no forms are known")
        if not isinstance(forms, list) or len(forms) > MAX_FORMS:
            raise _wrong(f"holds for {name} no list of forms, or one of more than {MAX_FORMS}")
        by_kind = {each.kind: each for each in found.get(name, ())}
        for place, form in enumerate(forms, 1):
            _override(by_kind, f"{name}, form {place}", form, parts[name])
        found[name] = tuple(by_kind.values())
    return found


def _override(by_kind: dict[str, Format], where: str, said: Any, parts: Sequence[str]) -> None:
    """Replace, add or drop one form."""
    with errors.boundary(lambda error: _wrong(f"is wrong at {where}: {_problems(error)}")):
        form = _Form.model_validate(said)
    where = f"{where} ({form.kind})"
    if form.remove == "true":
        if form.kind not in by_kind:
            raise _wrong(f"is wrong at {where}: remove: there is no such kind")
        del by_kind[form.kind]
        return
    by_kind[form.kind] = Format(
        kind=form.kind,
        pattern=_pattern(form.pattern, where),
        checked=_date(form.checked, where),
        source=form.source,
        prefix=form.prefix,
        part=_part(form.part, where, parts),
    )


def _problems(error: Exception) -> str:
    return schema.problems(error) if isinstance(error, pydantic.ValidationError) else "it cannot be read"


def _pattern(pattern: str | None, where: str) -> str:
    import re2  # takes a while to load

    wrong = _wrong(f"is wrong at {where}: pattern: missing, no RE2, or with too many repetitions")
    options = re2.Options()
    options.max_mem, options.log_errors = _MAX_MEMORY, False
    with errors.boundary(lambda _: wrong):
        if not pattern or re2.compile(pattern, options).programsize > _MAX_PROGRAM:
            raise wrong
    return pattern


def _date(text: str | None, where: str) -> str:
    with errors.boundary(lambda _: _wrong(f"is wrong at {where}: checked: missing, or no date")):
        return datetime.date.fromisoformat(text or "").isoformat()


def _part(name: str, where: str, parts: Sequence[str]) -> str:
    if name and name not in parts:
        raise _wrong(f"is wrong at {where}: part: its credentials have no such part")
    return name


def _parsed(text: str) -> Any:
    """Return what a text says, every scalar as text: a date is none here, and no other word means no."""
    if len(text) > MAX_TEXT:
        raise _wrong(f"is larger than {MAX_TEXT >> 10} KiB")
    with errors.boundary(lambda _: _wrong("is not YAML")):
        depth = 0
        for number, event in enumerate(yaml.parse(text, Loader=yaml.BaseLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > MAX_DEPTH or number > MAX_VALUES:
                raise _wrong("has aliases, too many values, or too deep ones")
        return _value(yaml.compose(text, Loader=yaml.BaseLoader))


def _value(node: yaml.Node | None) -> Any:
    if isinstance(node, yaml.MappingNode):
        names = [key.value if isinstance(key, yaml.ScalarNode) else None for key, _ in node.value]
        if None in names or len(set(names)) < len(names):
            raise _wrong(f"has a name twice, or one that is no text, below line {node.start_mark.line + 1}")
        return dict(zip(names, (_value(each) for _, each in node.value), strict=True))
    if isinstance(node, yaml.SequenceNode):
        return [_value(each) for each in node.value]
    return node.value if node else None


def _wrong(said: str) -> errors.Stalled:
    return errors.Stalled(Reason.INVALID_SPEC, f"the file of formats {said}", _HINT)
