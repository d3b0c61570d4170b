"""What is said of a call that cannot be meant, in words that repeat no value: a key may have been typed as an argument.

Does not belong here: what our own types say (``_types``).
"""

from __future__ import annotations

import re

import click

#: A word that is no value: how options, commands and choices are written.
_WORD = r"[a-z-]{1,20}"
#: How click begins where it repeats such a word, or a number that is out of a range.
_HARMLESS = re.compile(rf"('{_WORD}'|-?[0-9.]{{1,12}}) is not ")
_NEVER = "A value is never an argument: pipe it in, or type it when asked."


def own_words(wrong: click.UsageError) -> click.UsageError:
    """Return what was wrong, without what was typed where that may be a value."""
    if isinstance(wrong, click.NoSuchOption):
        if not re.fullmatch(_WORD, wrong.option_name):
            return click.UsageError(f"There is no such option. {_NEVER}", wrong.ctx)
    elif isinstance(wrong, click.BadParameter):
        return _of_a_parameter(wrong)
    elif wrong.message.startswith("No such command"):
        if not re.search(rf"'{_WORD}'", wrong.message):
            return click.UsageError("There is no such command.", wrong.ctx)
    elif wrong.message.startswith("Got unexpected extra argument"):
        name = wrong.ctx.info_name if wrong.ctx else "the command"
        return click.UsageError(f"There are more arguments than {name} takes. {_NEVER}", wrong.ctx)
    return wrong


def _of_a_parameter(wrong: click.BadParameter) -> click.BadParameter:
    """Take what was typed out of what click says of one of its own types."""
    kind = wrong.param.type if wrong.param else None
    if kind is None or not type(kind).__module__.startswith("click.") or isinstance(wrong, click.MissingParameter):
        return wrong
    if not wrong.message or _HARMLESS.match(wrong.message):
        return wrong
    if isinstance(kind, click.Choice):
        said = f"it is one of {', '.join(kind.normalize_choice(each, wrong.ctx) for each in kind.choices)}."
    else:
        said = f"it is no {kind.name.removesuffix(' range')}."
    return click.BadParameter(said, wrong.ctx, wrong.param, wrong.param_hint)
