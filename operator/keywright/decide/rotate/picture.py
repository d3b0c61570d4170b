"""The machine as people see it: a picture of its steps, and of each step the reasons in their order.

Does not belong here: the page around it (``reference``).
"""

from __future__ import annotations

import inspect

from .journal import Step
from .machine import STEPS
from .moves import Row
from .outcomes import AFTER


def edges() -> list[tuple[Step, Step, str]]:
    """Return every way from one step to another, and what is done on it where it is an effect that leads there."""
    asked = [(step, to, "") for step, rows in STEPS.items() for row in rows for to in row.to if to is not step]
    acted = [
        (step, to, str(effect))
        for (effect, step), found in AFTER.items()
        for to in found
        if any(effect in row.does for row in STEPS[step])
    ]
    begun = [(Step.IDLE, Step.ISSUING, "a rotation begins")]
    does = {(of, to): effect for of, to, effect in [*begun, *asked, *acted]}
    order = list(Step)
    return sorted(((*ends, each) for ends, each in does.items()), key=lambda edge: [order.index(x) for x in edge[:2]])


def mermaid() -> str:
    """Return the picture, as a state diagram of Mermaid."""
    lines = [f"  {of} --> {to}{f': {does}' if does else ''}" for of, to, does in edges()]
    return "\n".join(["stateDiagram-v2", f"  [*] --> {Step.IDLE}", *lines])


def reasons(step: Step) -> list[tuple[str, str, str]]:
    """Return what is asked at a step, in order: the answer, what is done outside then, the steps that follow."""
    return [(_told(row), ", ".join(row.does), ", ".join(row.to)) for row in STEPS[step]]


def _told(row: Row) -> str:
    return (inspect.getdoc(row.check) or "").partition("\n\n")[0]
