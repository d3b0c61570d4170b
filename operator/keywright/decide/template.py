"""Templates: text for a Secret, filled in with the values of entries. Pure.

Whoever may write an ApiKeySecret writes templates, so they are hostile until shown otherwise: `sandbox.py` says what
they may be made of, `filters.py` what they may do, and both what it may cost. Values are inserted and never parsed as
templates. Messages have the template's place and line, names that stand in its text, and nothing of a value.

Does not belong here: which templates a Secret has, and what becomes of what they make (``kinds/``, ``engine/``).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from types import TracebackType

from .. import errors
from ..errors import Reason
from ..kinds.target import DELIMITER
from ..secret import SecretMap, SecretValue
from . import sandbox
from .filters import MAX_OUTPUT, Salt, Work, Wrong, cost
from .sandbox import ENTRIES, METADATA, WORK, Program

#: The text of a template (bytes).
MAX_SOURCE = 16 * 1024

#: Templates that stay compiled; larger ones (characters) are fewer, as each takes much more than its text.
_KEPT, _LARGE, _KEPT_LARGE = 2048, 1024, 32

_SIGNS = re.compile(DELIMITER)
#: The signs of tags and comments.
_TAKEN = ("{%", "%}", "{#", "#}")

DELIMITERS = ("{{", "}}")


class Template:
    """A template of a Secret's entry: Jinja without calls, assignments and files.

    An entry is a variable by its name where that is an identifier; all are in the map ``entries``, and ``metadata`` is
    what ``render`` is told about the object. These two names win over entries that are called so.

    Args:
        text: at most 16 KiB.
        where: how messages begin: ``template of entry config.yaml``.
        delimiters: what stands around expressions.

    Raises:
        errors.Stalled: ``TemplateInvalid``.
    """

    #: The entries that it names, whether they are there or not.
    names: frozenset[str]
    #: It reads ``entries`` as a whole, so that each of them counts as used.
    uses_all: bool
    #: It hashes passwords: some 60 ms each. Better not rendered where others wait.
    slow: bool

    def __init__(self, text: str, where: str, delimiters: tuple[str, str] = DELIMITERS) -> None:
        self._where = where
        with errors.boundary(self._refusal):
            self._program = _program(text, *delimiters)
        self.names, self.uses_all, self.slow = self._program[1:]

    def render(self, entries: SecretMap, about: Mapping[str, str], salt: Salt) -> SecretValue:
        """Return what the template makes of the entries.

        Args:
            about: what templates see as ``metadata``: the object's name and namespace.
            salt: gives 16 bytes for a password to hash, the same ones each time.

        Raises:
            errors.Stalled: ``TemplateFailed``, ``ValueTooLarge``.
        """
        with errors.boundary(self._failure):
            return SecretValue(b"".join(self._chunks(entries, about, Work(salt))))

    def _chunks(self, entries: SecretMap, about: Mapping[str, str], work: Work) -> Iterator[bytes]:
        template = self._program.template
        used = entries if self.uses_all else self.names & entries.keys()
        values = {name: _value(work, entries[name]) for name in sorted(used)}
        context = template.new_context({**values, ENTRIES: values, METADATA: dict(about), WORK: work}, shared=True)
        left = MAX_OUTPUT
        for chunk in template.root_render_func(context):
            made = chunk.encode()
            left -= len(made)
            if left < 0:
                raise Wrong("makes more than a Secret may hold (1 MiB)", "Make less", Reason.VALUE_TOO_LARGE)
            yield made

    def _refusal(self, foreign: Exception) -> errors.Error:
        if not isinstance(foreign, Wrong):
            # RecursionError in Jinja's parser, a number of too many digits: nothing that a person would write.
            foreign = Wrong("cannot be compiled", "Write it flatter and simpler", Reason.TEMPLATE_INVALID)
        return self._stalled(foreign, foreign.line)

    def _failure(self, foreign: Exception) -> errors.Error:
        line = self._line(foreign.__traceback__)
        if not isinstance(foreign, Wrong):
            foreign = Wrong("does with a value what cannot be done with it", "Check that text, numbers and lists fit")
        return self._stalled(foreign, line)

    def _stalled(self, wrong: Wrong, line: int | None) -> errors.Stalled:
        place = f" (line {line})" if line else ""
        return errors.Stalled(wrong.reason, f"{self._where} {wrong.clause}{place}", wrong.hint)

    def _line(self, traceback: TracebackType | None) -> int | None:
        """Return the line of the template that a foreign exception went through last."""
        template, found = self._program.template, None
        inside = template.root_render_func.__globals__
        while traceback:
            if traceback.tb_frame.f_globals is inside:
                found = template.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        return found


def _value(work: Work, entry: SecretValue) -> str | SecretValue:
    """Return an entry as templates see it: text, or bytes that are none."""
    raw = entry.reveal()
    work.touch(len(raw))
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return entry
    work.touch(cost(len(text), text) - len(text))
    return text


def _program(text: str, left: str, right: str) -> Program:
    """Return a template compiled, from memory if it was met lately.

    Raises:
        Wrong: ``TemplateInvalid``.
    """
    if len(text.encode()) > MAX_SOURCE:
        raise Wrong(f"is larger than {MAX_SOURCE >> 10} KiB", "Split it over several entries", Reason.TEMPLATE_INVALID)
    fine = (2 <= len(each) <= 4 and _SIGNS.fullmatch(each) and each not in _TAKEN for each in (left, right))
    if left == right or not all(fine):
        hint = "Use two to four signs for each, such as [[ and ]]; not + and -"
        raise Wrong("has delimiters that cannot be told from the rest", hint, Reason.TEMPLATE_INVALID)
    return (_large if len(text) > _LARGE else _small)(text, left, right)


_small = functools.lru_cache(_KEPT)(sandbox.compiled)
_large = functools.lru_cache(_KEPT_LARGE)(sandbox.compiled)
