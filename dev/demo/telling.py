"""How the story is told: a line for each step, with what it took; what kubectl shows, indented; failures clearly.

Does not belong here: what happens (``story``).
"""

from __future__ import annotations

import contextlib
import textwrap
import time
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

_INDENT = " " * 5


class Broken(Exception):
    """The story did not go as it should; the message says what was expected and what was found."""


class Step:
    """One step, while it is played.

    Attributes:
        took: seconds to show; None: from its start to its end.
        remark: shown after the time.
    """

    def __init__(self) -> None:
        self.took: float | None = None
        self.remark = ""


class Teller:
    """Tells the story on the terminal, or plainly where there is none.

    Args:
        width: columns that it takes at most.
    """

    def __init__(self, width: int = 120) -> None:
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            # What a pipe or a log gets is not cut at some terminal's width.
            self._console = Console(highlight=False, width=width, color_system=None)
        self._console.width = min(width, self._console.width)
        self._number = 0

    def say(self, text: str, style: str = "") -> None:
        """Say something between the steps."""
        self._console.print(Text(text, style=style))

    def show(self, text: str, style: str = "dim") -> None:
        """Show something that belongs to the last step."""
        width = self._console.width - len(_INDENT)
        for line in text.rstrip().splitlines():
            for part in textwrap.wrap(line, width) or [""]:
                self._console.print(Text(f"{_INDENT}{part}".rstrip(), style=style), soft_wrap=True)

    def command(self, command: str, output: str) -> None:
        """Show a command and what it printed."""
        self.show(f"$ {command}", "bold cyan")
        self.show(output)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Tell a step: meanwhile what is waited for, then how it ended and how long it took."""
        self._number += 1
        step, started = Step(), time.monotonic()
        try:
            with self.waiting(title):
                yield step
        except BaseException:
            self._line("✗", "bold red", title, "")
            raise
        took = time.monotonic() - started if step.took is None else step.took
        shown = f"{took * 1000:.0f} ms" if took < 1 else f"{took:.1f} s"
        self._line("✓", "bold green", title, f"{shown}{step.remark}")

    def failed(self, message: str) -> None:
        """Say that the demo failed, and why."""
        self._console.print(Text(f"The demo failed: {message}", style="bold red"))

    def waiting(self, title: str) -> contextlib.AbstractContextManager[object]:
        """Show meanwhile what is waited for, where that can be wiped out again."""
        if self._console.is_terminal:
            return self._console.status(f"{title} …")
        return contextlib.nullcontext()

    def _line(self, sign: str, style: str, title: str, after: str) -> None:
        self._console.print(
            Text.assemble(
                (f"{self._number:>2} ", "dim"), (sign, style), f" {title}", (f"  {after}" if after else "", "dim")
            )
        )


def masked(value: str) -> str:
    """Return a value so that one can tell it from another, and no more: its end."""
    return f"••••{value[-4:]}"
