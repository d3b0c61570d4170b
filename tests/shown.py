"""What pages show of a terminal: commands, and what they print, compared without what differs from time to time.

Does not belong here: running the commands (the tests of the pages).
"""

from __future__ import annotations

import dataclasses
import re

#: Commands that change nothing: a reader calls them when things have happened, a test until they have.
LOOKS = re.compile(r"kubectl (-n \S+ )?(get|events)|keywright (plan|status)")

#: What is different at each reading, and what it is called here.
DIFFERENT = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "NOW"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "NOW"),
    (r"since \d{4}-\d\d-\d\d \d\d:\d\d UTC", "since NOW"),
    (r"request [-0-9a-f]{36}", "request ID"),
    (r"[0-9a-f]{8}:[0-9a-f]{20}", "FINGERPRINT"),
    (r"\b\d of the 3 times over \S+ minutes\b", "some of the 3 times"),
    (r"\b\d+ ?(s|m|min|h|m\d+s)\b", "AGE"),
    (r"operator \S+ leads", "operator NAME leads"),
    (r"[ \t]+", " "),
)


@dataclasses.dataclass(frozen=True)
class Step:
    """A command on a page, and what the page shows of its output; nothing, where that is not worth a line."""

    command: str
    shown: str


def steps(text: str) -> list[Step]:
    """Return what a reader types who follows a text, from its first terminal to its last."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            here = re.match(r".*<<END\n.*?^END\n", part, re.MULTILINE | re.DOTALL)
            command = here.group() if here else part.partition("\n")[0]
            found.append(Step(command, part.removeprefix(command).strip("\n")))
    return found


def alike(text: str) -> str:
    """Return a text without what is different at each reading."""
    for pattern, name in DIFFERENT:
        text = re.sub(pattern, name, text)
    return "\n".join(line.strip() for line in text.strip().splitlines())
