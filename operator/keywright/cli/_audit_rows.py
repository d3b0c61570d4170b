"""Records for people: which of them are meant, and how one is told in a line.

A record may have been written by another version, or by somebody who wants to see this break: nothing of its form is
taken for granted.

Does not belong here: where records come from (``_audit_sources``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..audit.verify import Row

COLUMNS = ["TIME", "WHO", "WHAT", "OBJECT", "DETAIL"]
WIDE = ["PLACE", "INSTANCE", "FROM"]
_ACCOUNT = "system:serviceaccount:"


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Which records are meant; what is empty does not matter.

    Attributes:
        namespaces: of the object.
        actions: types, beginnings of types, or codes.
        since, until: as records have the time; the first is included.
    """

    namespaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    since: str = ""
    until: str = ""

    def has(self, row: Row) -> bool:
        """Whether a record is meant."""
        if row["time"] < self.since or (self.until and row["time"] >= self.until):
            return False
        thing = part(row, "object")
        return (
            _one_of(self.namespaces, text(thing, "namespace"))
            and _one_of(self.names, text(thing, "name"), text(row, "secret"))
            and _one_of(self.kinds, text(thing, "kind"))
            and _one_of(self.actions, row["type"], row["type"].partition(".")[0], text(row, "code"))
            and _one_of(self.people, text(part(row, "who"), "name"), who(row))
        )


def _one_of(wanted: tuple[str, ...], *found: str) -> bool:
    if not wanted:
        return True
    lower = {each.lower() for each in found}
    return any(each.lower() in lower for each in wanted)


def cells(row: Row, *, wide: bool) -> list[str]:
    """Return a record as the cells of a table."""
    verified = part(row, "who").get("verified") is True
    told = who(row) if verified else f"{who(row)} (unverified)"
    code = text(row, "code")
    made = [moment(row["time"]), told, f"{row['type']} {code}".strip(), thing(row), "; ".join(_detail(row)) or "-"]
    if wide:
        paths = {f"{text(each, 'store')} {text(each, 'path')}".strip(): None for each in parts(row, "keys")}
        made += [place(row), text(part(row, "who"), "instance") or "-", ", ".join(filter(None, paths)) or "-"]
    return made


def place(row: Row) -> str:
    """Return where a record is: its log and its number."""
    return f"{row['log']}/{row['seq']}"


def moment(time: str) -> str:
    """Return a record's time to the second."""
    return f"{time.partition('.')[0]}Z" if "." in time else time


def who(row: Row) -> str:
    """Return whose act it was, for people: of a ServiceAccount namespace and name."""
    name = text(part(row, "who"), "name") or "-"
    return name.removeprefix(_ACCOUNT).replace(":", "/") if name.startswith(_ACCOUNT) else name


def thing(row: Row) -> str:
    """Return the object that it was done to; its kind is told where that is not ApiKeySecret."""
    found = part(row, "object")
    named = "/".join(filter(None, (text(found, "namespace"), text(found, "name"))))
    kind = text(found, "kind")
    return (named if kind == "ApiKeySecret" else f"{kind}/{named}") if named else "-"


def _detail(row: Row) -> Iterator[str]:
    yield from map(_change, parts(row, "keys"))
    if name := text(part(row, "credential"), "name"):
        found = part(row, "credential")
        yield f"{name} {_arrow(text(found, 'old'), text(found, 'new'))}".rstrip()
    if found := part(row, "action"):
        yield " ".join(filter(None, (text(found, each) for each in ("act", "name", "reason", "reference"))))
    if (secret := text(row, "secret")) and secret != text(part(row, "object"), "name"):
        yield f"Secret {secret}"
    if text(row, "count"):
        since = text(row, "since")
        yield f"{text(row, 'count')} times" + (f" since {moment(since)}" if since else "")
    if found := part(row, "previous"):
        yield f"follows {text(found, 'log')} with {text(found, 'size')} records"
    if found := part(row, "part"):
        yield f"part {text(found, 'number')} of {text(found, 'of')}"


def _change(found: dict[str, Any]) -> str:
    """Tell of one entry which version it had, and has: ``OPENAI_API_KEY 3→4``."""
    old, new, key = part(found, "old"), part(found, "new"), text(found, "key")
    versions = text(old, "version"), text(new, "version")
    if old and not new:
        return f"{key} {versions[0]} removed".replace("  ", " ")
    if new and not old:
        return f"{key} {versions[1]} new".replace("  ", " ")
    if any(versions):
        return f"{key} {_arrow(*versions)}"
    return f"{key} changed" if old != new else key


def _arrow(old: str, new: str) -> str:
    return f"{old or '?'}→{new or '?'}" if old != new and old else new or old


def part(found: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a part of a record; an empty one if there is none."""
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def parts(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of parts of a record."""
    value = found.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text(found: dict[str, Any], name: str) -> str:
    """Return a text or a number of a record as text; an empty one if there is none."""
    value = found.get(name)
    return str(value)[:1024] if isinstance(value, str | int) and not isinstance(value, bool) else ""
