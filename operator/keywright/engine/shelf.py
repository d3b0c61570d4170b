"""The shelf: where minted keys lie, as they are in no store. A Secret for each credential, in the operator's namespace.

To everybody else it is a store like others: what a refresh reads, and a rotation writes by compare-and-swap. Nothing
that lies here is asked of its issuer again, however often it is read.

Does not belong here: when a key is minted (``decide/rotate``), the journal of that (``journals``).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from typing import Any

from .. import canonical, cluster, errors, pacing
from ..errors import Reason
from ..schema import Spec
from ..secret import SecretValue
from ..stores.base import Content, Credentials, Fetched, Mark, Ref, Store
from .credentials import DEADLINE, ClusterCredentials

#: Marks the Secrets that are on the shelf.
LABEL = {"keywright.dev/minted": "credential"}
TYPE = "keywright.dev/minted-key"
#: Annotation that tells people of which object, and which credential of it, a key is.
OF = "keywright.dev/minted-for"
#: How messages and the status name the shelf.
TITLE = "minted keys"
#: Beside the parts: when a key was minted, and when it ends (RFC 3339). No part has a dot in its name.
MADE, ENDS = "at.made", "at.ends"


def path(namespace: str, name: str, credential: str) -> str:
    """Return where on the shelf a credential of an object lies."""
    return f"{namespace}/{name}/{credential}"


def name_of(place: str) -> str:
    """Return the name of the Secret in which a credential lies."""
    return f"keywright-minted-{hashlib.sha256(place.encode()).hexdigest()[:32]}"


def times(made: float | None, ends: float | None) -> dict[str, SecretValue]:
    """Return what is written beside the parts of a key.

    Args:
        made: Unix time at which it was minted.
        ends: Unix time at which it ends.
    """
    known = {MADE: made, ENDS: ends}
    return {name: SecretValue(pacing.rfc3339(at).encode()) for name, at in known.items() if at is not None}


class Shelf(Store, name="shelf"):
    """The shelf of one install, as a store."""

    class Config(Spec):
        """Nothing can be configured."""

    def __init__(self, config: Any, credentials: Credentials, timeout: float) -> None:
        assert isinstance(credentials, ClusterCredentials)  # noqa: S101 - the catalog opens it with no others
        self._cluster, self._timeout = credentials, min(timeout, DEADLINE)

    @classmethod
    def identity(cls, config: Any, namespace: str) -> str:
        """Return the one login there is: the operator's own."""
        return ""

    @classmethod
    def location(cls, config: Any, namespace: str) -> str:
        """Name the one shelf there is."""
        return cls.name

    @classmethod
    def previous(cls, version: str) -> str | None:
        """Return that no version before is kept."""
        return None

    def login(self) -> float | None:
        """Log in: the operator has."""
        return None

    def fetch(self, ref: Ref) -> Fetched:
        """Read one credential: its parts as properties.

        Raises:
            errors.Retry: ``KeyNotMinted``: there is none yet.
        """
        found = self._ask("GET", ref)
        if found is None:
            raise errors.Retry(Reason.KEY_NOT_MINTED, f"have none yet for {ref.path}", _HINT)
        held = self._held(ref, found)
        made, ends = (value.reveal().decode() if (value := held.get(each)) else None for each in (MADE, ENDS))
        # What a later version has put beside the parts is none.
        text = canonical.text({part: value.reveal().decode() for part, value in held.items() if "." not in part})
        return Fetched(SecretValue(text), True, found["metadata"]["resourceVersion"], made, ends)

    def write(self, ref: Ref, content: Content, *, expected: str | None, token: str) -> str:
        """Put a credential on the shelf, over the version that is expected; see ``Store.write``."""
        assert isinstance(content, dict)  # noqa: S101 - parts, and times
        for value in content.values():
            _see_text(ref, value)
        meta: cluster.Json = {"name": name_of(ref.path), "labels": LABEL, "annotations": {OF: ref.path}}
        if expected:
            meta["resourceVersion"] = expected
        data = {part: base64.b64encode(value.reveal()).decode() for part, value in content.items()}
        body = {"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": meta, "data": data}
        if written := self._ask("PUT" if expected else "POST", ref, body=body):
            return str(written["metadata"]["resourceVersion"])
        found = self._ask("GET", ref)
        if found and found.get("data") == data:
            # The answer to a first try was lost.
            return str(found["metadata"]["resourceVersion"])
        raise errors.Retry(Reason.STORE_CHANGED, f"have another key for {ref.path} than was to be replaced")

    def release(self, ref: Ref, mark: Mark) -> None:
        """Take a credential off the shelf: nobody wants it any more."""
        self._ask("DELETE", ref)

    def _held(self, ref: Ref, secret: cluster.Json) -> dict[str, SecretValue]:
        try:
            held = {part: base64.b64decode(each, validate=True) for part, each in (secret.get("data") or {}).items()}
            for value in held.values():
                value.decode()
        except (ValueError, TypeError, binascii.Error):
            held = {}
        if secret.get("type") != TYPE or not held:
            said = f"cannot be read for {ref.path}: Secret {self._cluster.home}/{name_of(ref.path)} is no minted key"
            raise errors.Stalled(Reason.STORE_ANSWER_INVALID, said, "Delete it; another one is minted")
        return {part: SecretValue(value) for part, value in held.items()}

    def _ask(self, method: str, ref: Ref, *, body: cluster.Json | None = None) -> cluster.Json | None:
        """Ask the API server through the loop; None where it says that it is not so."""
        place, name = self._cluster.home, None if method == "POST" else name_of(ref.path)
        call = self._cluster.api.call(method, cluster.SECRETS, place, name, body=body, deadline=self._timeout)
        try:
            return asyncio.run_coroutine_threadsafe(call, self._cluster.loop).result(self._timeout + 2)
        except cluster.Refused as refused:
            if refused.status in (404, 409):
                return None
            status = refused.status
        except TimeoutError:
            raise cluster.unavailable(f"Secret {place}/{name_of(ref.path)}") from None
        said = f"could not be reached: the API server answered {status} for Secret {place}/{name_of(ref.path)}"
        hint = "Grant the operator's role that right, as the chart does with rotation.enabled"
        raise errors.Stalled(Reason.ACCESS_DENIED, said, hint)


_HINT = "It is written as soon as its issuer has made it; the condition Rotating says how far that is"


def _see_text(ref: Ref, value: SecretValue) -> None:
    try:
        value.reveal().decode()
    except UnicodeDecodeError:
        said = f"cannot hold a part of {ref.path} that is no text"
    else:
        return
    raise errors.Stalled(Reason.DECODE_FAILED, said, "Have keys made that are text")
