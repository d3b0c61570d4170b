"""How the KV engine is written, version 2: by compare-and-set, and with marks in the custom metadata.

Does not belong here: logging in, reading (``vault``).
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from .. import errors
from ..errors import Reason
from . import _content
from .base import MARKS, Content, Fetched, Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..hvac_adapter import Adapter, Reply

_MERGE = {"Content-Type": "application/merge-patch+json"}


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """One path of a KV engine, as one login writes it.

    Attributes:
        fetch: reads what is current.
        who: whose login it is, as it stands in errors.
    """

    adapter: Adapter
    mount: str
    path: str
    who: str
    fetch: Callable[[], Fetched]

    def write(self, content: Content, expected: str | None) -> str:
        """Replace what is there by compare-and-set, and return the new version."""
        before = _number(expected, self.path)
        values = _content.as_map(content, self.path)
        reply = self._put(values, before)
        if expected is None and _unmatched(reply):
            # Nothing can be read of a version that was deleted, but it still counts.
            before = self._deleted()
            reply = self._put(values, before) if before else reply
        if reply.status == 200:
            return str(reply.field(reply.part("data"), "version", int))
        if _unmatched(reply):
            return self._written_before(content, expected, before)
        if reply.status == 413 or (reply.body and _says(reply, "too large")):
            said = f"{reply.said}: too large"
            raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Spread the properties over several keys")
        raise self._denied(reply, "data", "create and update") or reply.trouble(Reason.UNSUPPORTED, _CHECK)

    def claim(self, mark: Mark, over: Mark) -> Mark:
        """Put a mark where another one is known to be, or none; return which is there."""
        found = self.mark()
        if found == over:
            self._patch(mark.entries())
            # A standby may not have it yet.
            found = self.mark()
            found = mark if found in (over, Mark()) else found
        return found

    def mark(self) -> Mark:
        """Return the mark that is there; nobody's where none is."""
        from hvac.api.secrets_engines import KvV2

        reply: Reply = KvV2(self.adapter).read_secret_metadata(self.path, self.mount)
        if reply.status == 200:
            custom = reply.part("data").get("custom_metadata")
            return Mark.read(custom) if isinstance(custom, dict) else Mark()
        if reply.status == 404 and reply.refused:
            raise reply.trouble(Reason.NOT_FOUND, "Write the key first: a mark is put beside it")
        raise self._denied(reply, "metadata", "read") or reply.trouble(Reason.UNSUPPORTED, _CHECK)

    def release(self, mark: Mark) -> None:
        """Take a mark away, if it is this one."""
        if self.mark().is_of(mark):
            self._patch(dict.fromkeys(MARKS))

    def _put(self, values: dict[str, Any], before: int) -> Reply:
        from hvac.api.secrets_engines import KvV2

        reply: Reply = KvV2(self.adapter).create_or_update_secret(self.path, values, before, self.mount)
        return reply

    def _deleted(self) -> int:
        """Return the number of the latest version if that was deleted or destroyed; 0: it was not, or there is none."""
        from hvac.api.secrets_engines import KvV2

        read = KvV2(self.adapter).read_secret_version
        reply: Reply = read(self.path, None, self.mount, raise_on_deleted_version=True)
        data = (reply.body or {}).get("data") if reply.status == 404 else None
        about = data.get("metadata") if isinstance(data, dict) else None
        number = about.get("version") if isinstance(about, dict) else None
        return number if isinstance(number, int) else 0

    def _written_before(self, content: Content, expected: str | None, before: int) -> str:
        """Return the version that an earlier attempt has made, whose answer was lost.

        Raises:
            errors.Retry: ``StoreChanged``: somebody else's is there.
        """
        now = "gone"
        try:
            held = self.fetch()
            now = f"at version {held.version}"
            next_to_it = expected is None or held.version == str(before + 1)
            if held.version and next_to_it and _content.is_same(content, held, self.path):
                return held.version
        except errors.Stalled as error:
            if error.reason not in (Reason.VERSION_DELETED, Reason.NOT_FOUND):
                raise
        wanted = f"version {before}" if before else "nothing"
        said = f"is not written at {self.path}: {wanted} was to be there, and it is {now}"
        raise errors.Retry(Reason.STORE_CHANGED, said, "Find out who else writes it")

    def _patch(self, custom: Mapping[str, str | None]) -> None:
        """Change entries of the custom metadata, and leave all others as they are."""
        from hvac import utils

        url = utils.format_url("/v1/{mount}/metadata/{path}", mount=self.mount, path=self.path)
        reply = self.adapter.request("PATCH", url, json={"custom_metadata": custom}, headers=_MERGE)
        if reply.status not in (200, 204):
            hint = "Check that the server knows PATCH, and how much custom metadata the key has"
            raise self._denied(reply, "metadata", "patch") or reply.trouble(Reason.UNSUPPORTED, hint)

    def _denied(self, reply: Reply, room: str, right: str) -> errors.Error | None:
        if reply.status != 403 or not reply.refused:
            return None
        hint = f"Check that {self.who} may {right} {self.mount}/{room}/{self.path} in Vault"
        return errors.LoginExpired(Reason.STORE_READ_ONLY, reply.said, hint)


_CHECK = "Check that vault.mount is a KV engine of version 2, and its settings"


def refuse_version_1(path: str) -> errors.Stalled:
    """Return why an engine of version 1 is not written."""
    said = f"keeps no versions (KV version 1), so {path} is not written: of two writers one would lose unseen"
    return errors.Stalled(Reason.UNSUPPORTED, said, "Use a KV engine of version 2")


def _number(expected: str | None, path: str) -> int:
    if expected is None:
        return 0
    if not re.fullmatch("[1-9][0-9]{0,8}", expected):
        said = f"numbers its versions, unlike what is expected at {path}"
        raise errors.Retry(Reason.STORE_CHANGED, said, "Find out who else writes it")
    return int(expected)


def _unmatched(reply: Reply) -> bool:
    return reply.status == 400 and _says(reply, "check-and-set parameter did not match")


def _says(reply: Reply, words: str) -> bool:
    return words in str((reply.body or {}).get("errors"))
