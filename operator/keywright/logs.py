"""Logging of a process: one line a record, SDKs kept quiet, tracebacks without exception texts, and a last redaction.

Redaction rests on types and boundaries; the one here is the last line of defence, and its counter stays at 0.

Does not belong here: what is logged where; images of the process's memory (``dumps``).
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import errors

if TYPE_CHECKING:
    import asyncio

#: What is ours, and at which level a library may speak where nothing else is said.
OURS = "keywright"
FLOOR = logging.WARNING
#: Loggers of libraries that print bodies, headers or values when asked for details, or say in words that are not ours
#: what our errors say.
CAPPED = {
    "aiohttp": FLOOR,
    # In debug mode it warns of slow calls, with their arguments.
    "asyncio": logging.ERROR,
    "azure": FLOOR,
    "boto3": FLOOR,
    "botocore": FLOOR,
    "google": FLOOR,
    "googleapiclient": FLOOR,
    "grpc": FLOOR,
    "hvac": FLOOR,
    "kopf": FLOOR,
    # Tells of kubeconfigs and login plugins in words that are not ours; our errors say what to do.
    "kubernetes": logging.CRITICAL,
    "msal": FLOOR,
    "requests": FLOOR,
    "s3transfer": FLOOR,
    "urllib3": FLOOR,
}

#: What must never be in a log line: tokens of stores, bearer tokens, and keys by their issuers' prefixes.
_TELLTALE = re.compile(
    r"\b(?:hv[sbr]\.[\w-]{20,}|s\.[A-Za-z0-9]{24}\b|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|sk-[\w-]{20,}|[rs]k_(?:live|test)_\w{16,}|AIza[\w-]{30,}|hf_\w{30,}|xox[a-z]-[\w-]{10,}"
    r"|gh[pousr]_\w{30,}|github_pat_\w{20,}|glpat-[\w-]{20,})"
    # All of a private key; of one that has no end, all that follows.
    r"|-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
    r"(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|(?P<endless>\Z))"
)
#: How the lines begin that are evidence, see ``audit.heads``: who can have a text logged must not make any.
_EVIDENCE = re.compile(r"keywright-audit-(?=head\b|key +[0-9a-f]{16})|\{(?=\"head\":)")


class _Plain(logging.Formatter):
    """One line for the message, one for each part of a traceback; nothing from outside can begin another.

    Of an exception it prints where it was raised and its type, its text only if it is one of ours.
    """

    def format(self, record: logging.LogRecord) -> str:
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        try:
            record.message = record.getMessage()
        except Exception:  # noqa: BLE001 - logging itself would print the arguments
            record.message = f"a record of {record.filename}:{record.lineno} cannot be formatted"
        lines = [self.formatMessage(record), *(_trace(record.exc_info) if record.exc_info else ())]
        # Before they are made visible: a sign that is spelled out could hide where a key begins.
        clean = _redacted(lines)
        if clean != lines:
            from . import metrics  # noqa: PLC0415 - takes a tenth of a second to load, which no command should

            metrics.REDACTIONS.inc()
        return "\n".join(_EVIDENCE.sub(r"\g<0> ", visible(line)) for line in clean)


def _redacted(lines: list[str]) -> list[str]:
    """Take out what looks like a key; behind a private key that has no end, no further line is kept."""
    clean = []
    for line in lines:
        clean.append(_TELLTALE.sub("[redacted]", line))
        if any(found["endless"] is not None for found in _TELLTALE.finditer(line)):
            break
    return clean


def _ends_kopf(record: logging.LogRecord) -> bool:
    """Whether it is the trace of an answer of the API server that ends Kopf: who runs it tells that, once."""
    error = record.exc_info[1] if record.exc_info else None
    return record.name.startswith("kopf.") and isinstance(getattr(error, "status", None), int)


def _without_answer(record: logging.LogRecord) -> bool:
    """Take out of a record of Kopf's what the API server said: its text is not ours. Keeps every record."""
    if record.name.startswith("kopf") and " -> " in (said := record.getMessage()):
        record.msg, record.args = said.partition(" -> ")[0], None
    return True


def visible(text: str) -> str:
    """Spell out what would break a line, speak to a terminal, or show text in another order than it has."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _trace(info: Any) -> list[str]:
    kind, error, trace = info
    frames = traceback.extract_tb(trace)
    lines = [f"  {frame.filename.rpartition('/')[2]}:{frame.lineno} in {frame.name}" for frame in frames]
    said = f": {error}" if isinstance(error, errors.Error) else ""
    lines.append(f"  {getattr(kind, '__name__', kind)}{said}")
    if isinstance(error, BaseExceptionGroup):
        lines += [line for each in error.exceptions for line in _trace((type(each), each, each.__traceback__))]
    return lines


def _is_fit(record: logging.LogRecord) -> bool:
    """Whether a record may be printed: libraries speak from their floor on, whatever level they gave themselves."""
    top = record.name.partition(".")[0]
    return top == OURS or record.levelno >= CAPPED.get(top, FLOOR)


def _handler() -> logging.Handler:
    """Return what prints records as they may be printed."""
    made = logging.StreamHandler(sys.stderr)
    made.setFormatter(_Plain("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    made.addFilter(_is_fit)
    made.addFilter(lambda record: not _ends_kopf(record))
    made.addFilter(_without_answer)
    return made


def guard() -> None:
    """Let what nobody catches, and warnings, be told without texts, whether or not logging is set up."""
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    warnings.showwarning = _warned
    # Where a record cannot be printed, logging would print its arguments.
    logging.raiseExceptions = False
    # Prints what nobody else does, with the texts of exceptions as Python has it.
    logging.lastResort = _handler()
    logging.lastResort.setLevel(FLOOR)


def configure(level: str) -> None:
    """Set up logging of the whole process: to stderr, at this level for our own loggers."""
    root = logging.getLogger()
    root.handlers[:] = [_handler()]
    root.setLevel(FLOOR)
    logging.getLogger(OURS).setLevel(level.upper())
    for name, floor in CAPPED.items():
        logging.getLogger(name).setLevel(floor)
    guard()


def watch_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Log what escapes in an event loop, without its text."""

    def escaped(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        info = (type(error), error, error.__traceback__) if error else None
        logging.getLogger(__name__).error("something escaped in the event loop", exc_info=info)

    loop.set_exception_handler(escaped)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger(__name__).critical("not caught", exc_info=(kind, error, trace))  # type: ignore[arg-type]


def _warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object, **__: object
) -> None:
    """Tell of a warning without its text, which is a library's and may hold anything."""
    del message
    place = filename.rpartition("/")[2]
    logging.getLogger(__name__).warning("a library warns: %s at %s:%d", category.__name__, place, lineno)
