"""Where a credential lies in its store, and what a rotation of it needs to know when its object is gone. Pure.

Does not belong here: which store that is (``engine``), what is done when (``machine``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pydantic

from ... import canonical, errors, schema
from ...errors import Reason
from ...kinds import ApiKeySecretSpec, CredentialSpec, DataEntry, StoreRef
from ...secret import SecretMap, SecretValue
from ...stores.base import Content, Fetched
from .. import render

_HINT = "Rotate what `data` names: without decode, jmesPath, version, sources or default, and at one path"


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """What is rotated.

    Attributes:
        credential: as its object describes it.
        store_ref: the store; None for the default one.
        path: in the store, as the object writes it.
        properties: which property of the key at that path holds which part; None: the key is that part.
        minted: whether it is in no store: its parts lie on the shelf, each under its own name.
    """

    credential: CredentialSpec
    store_ref: StoreRef | None
    path: str
    properties: Mapping[str, str | None]
    minted: bool = False

    def text(self) -> str:
        """Return it as JSON, as a journal keeps it."""
        told: dict[str, Any] = {
            "credential": schema.dump(self.credential),
            "storeRef": schema.dump(self.store_ref) if self.store_ref else None,
            "path": self.path,
            "properties": dict(self.properties),
        }
        return canonical.text(told | ({"minted": True} if self.minted else {}))


def read(text: str) -> Recipe:
    """Read one that a journal keeps.

    Raises:
        errors.Stalled: ``JournalUnreadable``.
    """
    try:
        found = json.loads(text)
        ref = found["storeRef"]
        return Recipe(
            CredentialSpec.model_validate(found["credential"]),
            StoreRef.model_validate(ref) if ref else None,
            str(found["path"]),
            {str(part): name if name is None else str(name) for part, name in found["properties"].items()},
            found.get("minted") is True,
        )
    except (ValueError, KeyError, TypeError, AttributeError, pydantic.ValidationError):
        said = "a journal does not say what it rotates"
    raise errors.Stalled(Reason.JOURNAL_UNREADABLE, said, "Run the version that wrote it")


def of(spec: ApiKeySecretSpec, credential: CredentialSpec) -> Recipe:
    """Return what an object wants to have rotated.

    Raises:
        errors.Stalled: ``RotationUnsupported``: it cannot be written where it is read.
    """
    entries = {each.key: each for each in spec.data}
    found: dict[str, DataEntry] = {}
    for part, key in credential.parts.items():
        entry = entries.get(key)
        if entry is None:
            raise _refused(credential, f"entry {key} is none of data")
        if why := _unfit(entry):
            raise _refused(credential, f"entry {key} has {why}")
        found[part] = entry
    remotes = {part: each.remote_ref for part, each in found.items() if each.remote_ref}
    if not remotes:
        return Recipe(credential, None, "", {part: part for part in found}, minted=True)
    if len(remotes) < len(found):
        raise _refused(credential, "some of its parts have no remoteRef, and others have one")
    places = {(found[part].store_ref or spec.store_ref, each.path) for part, each in remotes.items()}
    names = [each.property for each in remotes.values()]
    if len(places) > 1:
        raise _refused(credential, "its parts are at more than one path, which cannot be written as one")
    if len(set(names)) < len(names) or (None in names and len(names) > 1):
        raise _refused(credential, "two of its parts are the same property")
    ((ref, path),) = places
    return Recipe(credential, ref, path, {part: each.property for part, each in remotes.items()})


def _unfit(entry: DataEntry) -> str:
    remote = entry.remote_ref
    wrong = {
        "decode": entry.decode != "None",
        "jmesPath": remote is not None and remote.jmes_path is not None,
        "a version": remote is not None and remote.version is not None,
        "sources": bool(entry.sources),
        "a default": entry.default is not None,
    }
    return next((name for name, is_so in wrong.items() if is_so), "")


def _refused(credential: CredentialSpec, why: str) -> errors.Stalled:
    return errors.Stalled(Reason.ROTATION_UNSUPPORTED, f"credential {credential.name} cannot be rotated: {why}", _HINT)


def parts(recipe: Recipe, fetched: Fetched) -> SecretMap | None:
    """Return the credential out of what the store has; None where that is not whole."""
    parsed = render.Parsed(fetched)
    try:
        return {
            part: render.entry_value(parsed, property=name, where=f"part {part}")
            for part, name in recipe.properties.items()
        }
    except errors.Stalled:
        return None


def has_some(recipe: Recipe, fetched: Fetched) -> bool:
    """Whether what the store has holds a part of the credential at least."""
    if None in recipe.properties.values() or not fetched.is_map:
        return True
    parsed = render.Parsed(fetched)
    for part, name in recipe.properties.items():
        with contextlib.suppress(errors.Stalled):
            render.entry_value(parsed, property=name, where=f"part {part}")
            return True
    return False


def content(recipe: Recipe, fetched: Fetched | None, values: SecretMap) -> Content:
    """Return what is to be in the store: the parts, and beside them what else is there now.

    Raises:
        errors.Stalled: ``RotationUnsupported``: what is there is no map, or the issuer makes other parts than the
            object names; ``DecodeFailed``: a part is no text.
    """
    if missing := sorted(recipe.properties.keys() - values.keys()):
        raise _refused(recipe.credential, f"who makes the keys makes no part {missing[0]}")
    if None in recipe.properties.values():
        (part,) = recipe.properties
        return values[part]
    if fetched is not None and not fetched.is_map:
        raise _refused(recipe.credential, "the key at its path is text, without properties")
    if fetched is None or recipe.minted:
        # A store that keeps texts as well would keep the text of a map as one. On the shelf nothing else lies there.
        return {name or part: values[part] for part, name in recipe.properties.items()}
    held: dict[str, Any] = render.Parsed(fetched).values()
    with errors.boundary(lambda _: _no_text(recipe)):
        for part, name in recipe.properties.items():
            _put(held, name or part, values[part].reveal().decode())
    return SecretValue(canonical.text(held))


def _put(held: dict[str, Any], name: str, text: str) -> None:
    """Put a property where it is read: under its name, else at the end of its segments."""
    at, segments = held, name.split(".")
    while name not in held and len(segments) > 1 and isinstance(at.get(segments[0]), dict):
        at, segments = at[segments[0]], segments[1:]
    at[".".join(segments)] = text


def _no_text(recipe: Recipe) -> errors.Stalled:
    said = f"credential {recipe.credential.name} cannot be written: a part is no text, and its store keeps text"
    return errors.Stalled(Reason.DECODE_FAILED, said, "Have keys made that are text")
