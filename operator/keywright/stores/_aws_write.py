"""How Secrets Manager is written: as AWS's own rotation does it, pending first, then current; and with marks as tags.

A version is called by the token of the write that made it, so a write that is repeated finds its own. Moving the stage
``AWSCURRENT`` away from the version that is expected to have it is the compare-and-swap.

Does not belong here: logging in, reading (``aws``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import errors
from ..errors import Reason
from ..secret import SecretValue
from . import _content
from ._aws_said import refused
from .base import MARKS, Content, Fetched, Mark

if TYPE_CHECKING:
    from ..botocore_adapter import Reply

#: Bytes of a value.
LARGEST = 65_536
_CURRENT, _PENDING = "AWSCURRENT", "AWSPENDING"
#: Tokens of rotations: UUIDs of version 5, which AWS and its SDKs never make.
_OURS = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TOKEN = re.compile("[-a-zA-Z0-9]{32,64}")


@dataclasses.dataclass(frozen=True, slots=True)
class _Seen:
    """A secret without its value: which versions have the stages, its mark, and who else rotates it, if somebody."""

    current: str | None
    pending: str | None
    mark: Mark
    rotated: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """One secret, as one login writes it.

    Attributes:
        ask: asks Secrets Manager for an operation.
        fetch: reads the version with an id.
        who: whose login it is, as it stands in errors.
    """

    ask: Callable[..., Reply]
    fetch: Callable[[str], Fetched]
    path: str
    who: str

    def write(self, content: Content, expected: str | None, token: str) -> str:
        """Replace the value if a version still is current, and return the new one."""
        if not _TOKEN.fullmatch(token):
            raise errors.Stalled(Reason.UNSUPPORTED, f"needs a UUID to write {self.path}", "Name the write by a UUID")
        value = _content.as_value(content, self.path)
        seen = self._look_if_there()
        if seen is None and expected is None:
            # Only where nothing is: AWS would answer a repeated one as if it were still current.
            if self._created(value, token):
                return token
            seen = self._look()
        if seen is None:
            raise self._changed(f"{_version(expected)} was to be current, and the secret is gone")
        if seen.current == token:
            return self._written_before(content, token)
        if seen.current != expected:
            raise self._changed(f"{_version(expected)} was to be current, and {_version(seen.current)} is")
        self._see_that_it_is_free(seen, token)
        reply = self._told("put_secret_value", ClientRequestToken=token, VersionStages=[_PENDING], **_kind(value))
        if _CURRENT not in (reply.get("VersionStages") or ()):  # as is the first version of all
            self._promote(expected, token)
        return token

    def claim(self, mark: Mark, over: Mark) -> Mark:
        """Put tags where others are known to be, or none; return which are there."""
        found = self.mark()
        if found == over:
            tags = [{"Key": name, "Value": value} for name, value in mark.entries().items()]
            self._told("tag_resource", Tags=tags)
            # What is read at once may not have it yet.
            found = self.mark()
            found = mark if found in (over, Mark()) else found
        return found

    def mark(self) -> Mark:
        """Return the mark that is there; nobody's where none is."""
        return self._look().mark

    def release(self, mark: Mark) -> None:
        """Take the tags away, if they are these."""
        if self.mark().is_of(mark):
            self._told("untag_resource", TagKeys=list(MARKS))

    def _created(self, value: SecretValue, token: str) -> bool:
        """Make the secret; False if there is one."""
        reply = self.ask("create_secret", Name=self.path, ClientRequestToken=token, **_kind(value))
        if reply.body is None and reply.code != "ResourceExistsException":
            raise self._refused(reply, "create_secret")
        return reply.body is not None

    def _promote(self, expected: str | None, token: str) -> None:
        """Make the pending version the current one; AWS calls the former one previous by itself."""
        away = {"RemoveFromVersionId": expected} if expected else {}
        moved = {"SecretId": self.path, "VersionStage": _CURRENT, "MoveToVersionId": token}
        reply = self.ask("update_secret_version_stage", **moved, **away)
        if reply.body is not None:
            return
        if reply.code not in ("InvalidParameterException", "ResourceNotFoundException"):
            raise self._refused(reply, "update_secret_version_stage")
        if self._look().current != token:
            # What was put there a moment ago must not look like a rotation that is under way.
            with contextlib.suppress(errors.Error):
                self.ask(
                    "update_secret_version_stage",
                    SecretId=self.path,
                    VersionStage=_PENDING,
                    RemoveFromVersionId=token,
                )
            raise self._changed(f"another version than {_version(expected)} became current meanwhile")

    def _look_if_there(self) -> _Seen | None:
        try:
            return self._look()
        except errors.Stalled as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
        return None

    def _look(self) -> _Seen:
        found = self._told("describe_secret")
        if found.get("DeletedDate"):
            said = f"has {self.path}, which is scheduled for deletion"
            raise errors.Stalled(Reason.VERSION_DELETED, said, "Restore it in AWS")
        stages: Mapping[str, Any] = found.get("VersionIdsToStages") or {}
        by_stage = {stage: version for version, held in stages.items() for stage in held}
        mark = Mark.read({str(each.get("Key")): each.get("Value") for each in found.get("Tags") or ()})
        rotated = bool(found.get("RotationEnabled") or found.get("OwningService"))
        return _Seen(by_stage.get(_CURRENT), by_stage.get(_PENDING), mark, rotated)

    def _see_that_it_is_free(self, seen: _Seen, token: str) -> None:
        """Refuse to come between AWS, or somebody else, and a secret that is being rotated."""
        if seen.rotated:
            said = f"has {self.path}, which AWS or another service rotates"
            hint = "Switch that rotation off, or leave this key to it"
            raise errors.Stalled(Reason.ROTATION_OWNED_ELSEWHERE, said, hint)
        # One of ours was left there by a write that was killed: the next one takes its stage.
        left = bool(seen.mark) and seen.pending is not None and _OURS.fullmatch(seen.pending)
        if seen.pending not in (None, token, seen.current) and not left:
            said = f"has {_version(seen.pending)} of {self.path} pending, which somebody else has put there"
            hint = "Let its rotation end; or, if none is under way, take the stage AWSPENDING off that version"
            raise errors.Stalled(Reason.PENDING_HELD_ELSEWHERE, said, hint)

    def _written_before(self, content: Content, token: str) -> str:
        """Return the version that an earlier attempt has made, whose answer was lost."""
        if _content.is_same(content, self.fetch(token), self.path):
            return token
        raise self._changed("another value was written under the name of this write")

    def _told(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        reply = self.ask(operation, SecretId=self.path, **parameters)
        if reply.body is None:
            raise self._refused(reply, operation)
        return reply.body

    def _refused(self, reply: Reply, operation: str) -> errors.Error:
        if reply.code == "ResourceExistsException":
            return self._changed("another value was written under the name of this write")
        if reply.code == "AccessDeniedException" and "KMS" not in reply.text:
            right = operation.title().replace("_", "")
            said, hint = f"{reply.said} ({reply.code})", f"Allow {self.who} secretsmanager:{right} on it"
            reason = Reason.ACCESS_DENIED if operation == "describe_secret" else Reason.STORE_READ_ONLY
            return errors.Stalled(reason, said, hint)
        if reply.code == "LimitExceededException":
            said = f"{reply.said} ({reply.code}): it holds as much as it may"
            return errors.Stalled(Reason.STORE_READ_ONLY, said, "Look at the account's quotas, and delete what is old")
        return refused(reply, self.who)

    def _changed(self, why: str) -> errors.Retry:
        return errors.Retry(
            Reason.STORE_CHANGED, f"is not written at {self.path}: {why}", "Find out who else writes it"
        )


def see_that_it_fits(content: Content, path: str) -> None:
    """Refuse what AWS would not take for its size.

    Raises:
        errors.Stalled: ``ValueTooLarge``, ``ValueEmpty``, ``DecodeFailed``.
    """
    size = len(_content.as_value(content, path).reveal())
    if size > LARGEST:
        said = f"takes no value of more than {LARGEST // 1024} KiB, as for {path}"
        raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Spread the properties over several secrets")
    if not size:
        raise errors.Stalled(Reason.VALUE_EMPTY, f"takes no empty value, as for {path}", "Write a value")


def _kind(value: SecretValue) -> dict[str, str | bytes]:
    """Return a value as AWS takes it: text, or bytes."""
    raw = value.reveal()
    with contextlib.suppress(UnicodeDecodeError):
        return {"SecretString": raw.decode()}
    return {"SecretBinary": raw}


def _version(version: str | None) -> str:
    return f"version {version}" if version else "no version"
