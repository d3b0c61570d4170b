"""What the entries of a map are, and what they are called in a Secret. Pure.

Names come from the store and may hold anything, also what should have been a value: a map of tokens, say. One that is
refused is told by its place and its first characters.

Does not belong here: one entry with a name of its own (``decide/render.py``), the fields of a rule
(``kinds/rewrite.py``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

import re2

from .. import errors, schema
from ..errors import Reason
from ..kinds.rewrite import Case, Regexp, Rewrite
from ..secret import SecretMap, SecretValue
from . import render

#: Entries of one map.
MAX_ENTRIES = 500

#: Characters of a name, at every step: those that a Secret's may have.
MAX_NAME = 253

#: Memory of a compiled expression (bytes), and its instructions. One of ordinary length has some dozen.
MAX_MEMORY, MAX_PROGRAM = 256 * 1024, 4096

#: What all rewrites of one object may cost: instructions times the characters ahead, summed over all searches. RE2
#: looks at a character at most once for each instruction, in less than 10 ns.
MAX_COST = 32 * 1024 * 1024

#: What it costs to compile one instruction; a step for one name, and each of its characters: measured in the same unit.
_COMPILED, _STEP, _CHARACTER = 64, 512, 8

_LIST = "list the wanted ones in data in place of the extract"

#: Before a capital that follows a small letter, or that a small letter follows; else at what is no letter or digit.
#: ASCII only: a Secret's names are, and other letters are to be seen in the message that refuses them.
_BREAKS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z0-9])(?=[A-Z][a-z])|[\x00-/:-@\[-`{-\x7f]+")

#: What a rule makes of a name, and what that cost.
Step = Callable[[str], tuple[str, int]]

#: A reference to a group, as Go reads one.
_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|(?P<bare>\w+)|\{(?P<braced>\w+)\})")


class Budget:
    """What the rewrites of one object may still cost, all of its maps together."""

    def __init__(self) -> None:
        self._left = MAX_COST

    def take(self, cost: int, where: str) -> None:
        """Take what a step has cost.

        Raises:
            errors.Stalled: ``InvalidSpec``: it was too much.
        """
        self._left -= cost
        if self._left < 0:
            said = f"{where} has a rewrite that costs too much, with all before it"
            raise _failed(said, "Write fewer or simpler expressions, or spread the maps over several ApiKeySecrets")


def renamed(names: Iterable[str], rules: Sequence[Rewrite], budget: Budget, *, where: str) -> dict[str, str]:
    """Return what each name becomes when the rules are applied one after the other.

    Args:
        budget: of the object whose map this is.
        where: the map, as messages begin.

    Raises:
        errors.Stalled: ``InvalidSpec``: a rule cannot be used or costs too much, or a name cannot be that of an entry
            of a Secret; ``ConflictingEntries``: two names become one.
    """
    result = {each: each for each in names}
    _check(result, _carried, f"{where} has names that are too long or no text", "Name the entries in data")
    steps = [_step(each, budget, where) for each in rules]
    for step in steps:
        for old, new in result.items():
            result[old], cost = step(new)
            budget.take(cost, where)
            _check(result, _carried, f"{where} has a rewrite that makes names too long", "Correct it", only=old)
    hint = f"Rename them with rewrite, for example case: UpperSnake, or {_LIST}"
    _check(result, schema.is_data_key, f"{where} has names that no entry of a Secret can have", hint)
    _check_conflicts(result, where)
    return result


def extracted(
    parsed: render.Parsed,
    property: str | None,  # noqa: A002 - the field's name
    where: str,
) -> dict[str, SecretValue]:
    """Return the entries of a map by the names that they have in the store.

    A map is a JSON object, or the text of one. Strings are taken as they are; numbers, booleans, lists and maps become
    their JSON text; null is empty.

    Args:
        property: which property of the key is the map: a literal name, else segments joined by dots; None for the key.
        where: the map, as messages begin.

    Raises:
        errors.Stalled: ``PropertyNotFound``: no map is there; ``ValueTooLarge``: too many entries; ``DecodeFailed``: a
            value is no text.
    """
    values = _map(parsed, property, where)
    if len(values) > MAX_ENTRIES:
        said = f"{where} has more than {MAX_ENTRIES} entries"
        raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Name the entries in data, or spread them over several keys")
    return {name: _value(values, name, where) for name in values}


def check_empty(values: SecretMap, besides: Container[str], where: str) -> None:
    """Refuse a map without entries, and entries without a value.

    Args:
        besides: names of entries that may be empty, as nothing is made of them.

    Raises:
        errors.Stalled: ``ValueEmpty``.
    """
    hint = "Write it into the store, or set allowEmpty beside the extract"
    if not values:
        raise errors.Stalled(Reason.VALUE_EMPTY, f"{where} has no entries", hint)
    for name, value in values.items():
        if not value and name not in besides:
            raise errors.Stalled(Reason.VALUE_EMPTY, f"{where}, {hinted(name, values)}, is empty", hint)


def hinted(name: str, among: Iterable[str], become: str | None = None) -> str:
    """Return what may be told of a name in a store's map: enough to find it for whoever may read the map.

    Args:
        among: all names of the map; places count from 1, in the order of characters, as ``jq keys`` has them.
        become: what the name has become.
    """
    names = sorted(among)
    signs = sorted({each for each in become or "" if not each.isalnum() and each not in "-._"})[:3]
    wrong = f", with {' and '.join(map(ascii, signs))}" if signs else ""
    return f"name {names.index(name) + 1} of {len(names)} ({render.cut(name)}{wrong})"


def shown(name: str) -> str:
    """Return a part of an object as it may stand in a message: quoted, in plain letters, cut."""
    return ascii(name if len(name) <= 64 else f"{name[:60]}...")


def _map(parsed: render.Parsed, name: str | None, where: str) -> dict[str, Any]:
    fetched = parsed.fetched
    none = errors.Stalled(
        Reason.PROPERTY_NOT_FOUND, f"{where} is no map of entries", "Name the property that is a map, or use data"
    )
    with errors.boundary(lambda _: none):
        whole = parsed.values() if fetched.is_map else fetched.value.reveal()
        found = render.property_of(_object(whole, where), name, where) if name is not None else whole
        return _object(found, where)


def _object(value: Any, where: str) -> dict[str, Any]:
    """Return a map that is one already, or the text of one; else raise anything.

    Raises:
        errors.Stalled: ``ValueTooLarge``: it would take too much memory.
    """
    if isinstance(value, str | bytes) and render.weight(SecretValue(value)) > render.MAX_READ:
        said = f"{where} has more parts than can be taken apart"
        raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Spread the entries over several keys")
    found = json.loads(value) if isinstance(value, str | bytes) else value
    if not isinstance(found, dict):
        raise TypeError
    return found


def _value(values: Mapping[str, Any], name: str, where: str) -> SecretValue:
    def wrong(_: Exception) -> errors.Stalled:
        said = f"{where}, {hinted(name, values)}, is not text that can be read"
        return errors.Stalled(Reason.DECODE_FAILED, said, "Correct the value")

    with errors.boundary(wrong):
        return SecretValue(render.text_of(values[name]))


def _check(
    names: Mapping[str, str], good: Callable[[str], bool], said: str, hint: str, *, only: str | None = None
) -> None:
    """Refuse names that are not good for what they have become; all of them, or one."""
    wrong = sorted(each for each in (names if only is None else (only,)) if not good(names[each]))
    if wrong:
        first = [hinted(old, names, names[old]) for old in wrong[:3]]
        more = f" and {len(wrong) - 3} more" if wrong[3:] else ""
        raise _failed(f"{said}: {', '.join(first)}{more}", hint)


def _carried(name: str) -> bool:
    """Whether a name can be worked on: not too long, and without halves of characters, as JSON can hold them."""
    return len(name) <= MAX_NAME and not re.search("[\ud800-\udfff]", name)


def _check_conflicts(names: Mapping[str, str], where: str) -> None:
    first: dict[str, str] = {}
    for old in sorted(names):
        if (other := first.setdefault(names[old], old)) != old:
            both = f"{hinted(other, names)} and {hinted(old, names)}"
            said = f"{where} has {both}, which become the same: {render.cut(names[old])}"
            hint = f"Change the rewrite so that they stay apart, or {_LIST}"
            raise errors.Stalled(Reason.CONFLICTING_ENTRIES, said, hint)


def _step(spec: Rewrite, budget: Budget, where: str) -> Step:
    """Return a rule ready to use.

    Raises:
        errors.Stalled: ``InvalidSpec``: the expression cannot be used, or the rule is one of a later version.
    """
    if spec.regexp:
        replacing = _Replacing(spec.regexp, where)
        budget.take(replacing.size * _COMPILED, where)
        return replacing
    if (prefix := spec.prefix) is not None:
        return lambda name: (prefix + name, _plain(name))
    if (case := spec.case) is not None:
        return lambda name: (_spelled(name, case), _plain(name))
    said = f"{where} has a rewrite that this version does not know"
    raise _failed(said, "Use regexp, prefix or case, or install the version that the CRD is from")


def _plain(name: str) -> int:
    """Return what a step without an expression costs at most."""
    return _STEP + _CHARACTER * len(name)


#: What RE2 finds in the middle of a letter too, where Go does not.
_OF_BYTES = re.compile(r"(?<!\\)(\\\\)*\\[BC]")


class _Replacing:
    """Replaces all that an expression finds, as Go's ``ReplaceAllString`` does.

    ``re2.sub`` is another thing: it takes a match of nothing at the end of the text twice, and one behind a match.
    """

    def __init__(self, spec: Regexp, where: str) -> None:
        said = f"{where} has a rewrite whose expression {shown(spec.source)}"
        wrong = _failed(f"{said} cannot be used", "Write it in RE2's syntax: no look-around, few repetitions, no \\\\B")
        if _OF_BYTES.search(spec.source):
            raise wrong
        options = re2.Options()
        options.max_mem, options.log_errors = MAX_MEMORY, False
        with errors.boundary(lambda _: wrong):
            self._found = re2.compile(spec.source, options)
        self.size: int = self._found.programsize
        if self.size > MAX_PROGRAM:
            raise wrong
        self._target = self._parts(spec.target, where)

    def __call__(self, name: str) -> tuple[str, int]:
        pieces: list[str] = []
        end, cost = 0, _plain(name) + self._cost(name)
        for match in self._found.finditer(name):
            start, stop = match.span()
            pieces.append(name[end:start])
            # Nothing right behind a match is not another one.
            if stop > end or start == 0:
                pieces += (each if isinstance(each, str) else match[each] or "" for each in self._target)
            end = stop
            cost += _STEP + self._cost(name[end:])
        return "".join([*pieces, name[end:]]), cost

    def _cost(self, ahead: str) -> int:
        """Return what a search costs at most."""
        return self.size * (len(ahead) + 1)

    def _parts(self, target: str, where: str) -> list[str | int]:
        """Return a target as text and numbers of groups."""
        parts: list[str | int] = []
        end = 0
        for match in _REFERENCE.finditer(target):
            parts.append(target[end : match.start()])
            parts.append("$" if match["dollar"] else self._group(match["bare"] or match["braced"], where))
            end = match.end()
        return [*parts, target[end:]]

    def _group(self, name: str, where: str) -> int:
        """Return the number of a group. Go takes nothing for a group that is not there, which is never meant."""
        number = int(name) if re.fullmatch("0|[1-9][0-9]{0,3}", name) else self._found.groupindex.get(name)
        if number is None or number > self._found.groups:
            said = f"{where} has a rewrite whose target names group {shown(name)}, which its source has not"
            raise _failed(said, "Write ${1} where a letter, a digit or _ follows, and $$ for a dollar")
        return int(number)


def _spelled(name: str, case: Case) -> str:
    words = [each for each in _BREAKS.split(name) if each]
    match case:
        case "UpperSnake":
            return "_".join(map(_upper, words))
        case "LowerSnake":
            return "_".join(map(_lower, words))
        case "Kebab":
            return "-".join(map(_lower, words))
        case "Camel":
            return "".join([*map(_lower, words[:1]), *map(_capitalized, words[1:])])
        case "Pascal":
            return "".join(map(_capitalized, words))


def _upper(word: str) -> str:
    return word.encode().upper().decode()


def _lower(word: str) -> str:
    return word.encode().lower().decode()


def _capitalized(word: str) -> str:
    return word.encode().capitalize().decode()


def _failed(said: str, hint: str) -> errors.Stalled:
    return errors.Stalled(Reason.INVALID_SPEC, said, hint)
