"""What a Secret's metadata says of who writes what in it: labels, annotations, owners, field managers.

Does not belong here: what to do about it (``sync``), reading and writing Secrets (``engine/target.py``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

#: Label by which our Secrets are found, annotation that names the ApiKeySecret they belong to.
MANAGED = {"keywright.dev/managed": "true"}
OWNER = "keywright.dev/api-key-secret"
#: What a Secret says that was made by us; on one that was there before, its maker's word stays.
MADE_BY = {"app.kubernetes.io/managed-by": "keywright"}

#: Begins the annotation by which an object marks a Secret that it merges entries into; its field manager ends it.
MERGED = "merged.keywright.dev/"
#: Begins the annotation that tells of which keys an object made its entries; its field manager ends it.
MADE_OF = "made-of.keywright.dev/"
#: Ends the mark's value where the entries stay when the object goes.
_STAYS = ";retain"


def field_manager(owner: str) -> str:
    """Return the field manager of one ApiKeySecret, so that two of them in one Secret keep their own entries.

    Args:
        owner: namespace/name of the ApiKeySecret.
    """
    return f"keywright-{hashlib.sha256(owner.encode()).hexdigest()[:12]}"


def metadata(
    owner: str, uid: str, labels: Mapping[str, str], annotations: Mapping[str, str], *, owned: bool, made: bool
) -> Any:
    """Return the target's metadata as we apply it, without name and version.

    Args:
        owned: whether the Secret goes with the ApiKeySecret (ownerReference), or is kept.
        made: whether it is ours from the beginning, not adopted.
    """
    body: dict[str, Any] = {
        "labels": {**(MADE_BY if made else {}), **labels, **MANAGED},
        "annotations": {**annotations, OWNER: owner},
    }
    if owned:
        reference = {"apiVersion": "keywright.dev/v1alpha1", "kind": "ApiKeySecret"}
        body["ownerReferences"] = [{**reference, "name": owner.partition("/")[2], "uid": uid, "controller": True}]
    return body


def merge_metadata(owner: str, labels: Mapping[str, str], annotations: Mapping[str, str], *, goes: bool) -> Any:
    """Return the metadata that we apply to a Secret which somebody else makes.

    Args:
        goes: whether what is merged goes with the ApiKeySecret.
    """
    mark = MERGED + field_manager(owner)
    return {
        "labels": {**labels, **MANAGED},
        "annotations": {**annotations, mark: owner.partition("/")[2] + ("" if goes else _STAYS)},
    }


def merged(namespace: str, annotations: Mapping[str, str]) -> tuple[tuple[str, bool], ...]:
    """Return which ApiKeySecrets mark a Secret as one that they merge entries into, and whether these go with them.

    A mark that does not fit the name in it is nobody's: anybody may write annotations.
    """
    found = []
    for name, value in annotations.items():
        if name.startswith(MERGED):
            owner = f"{namespace}/{value.removesuffix(_STAYS)}"
            if name == MERGED + field_manager(owner):
                found.append((owner, not value.endswith(_STAYS)))
    return tuple(sorted(found))


def made_of(annotations: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the field managers that tell of which keys they made entries, and what they tell (``origins``)."""
    told = ((name.removeprefix(MADE_OF), text) for name, text in annotations.items() if name.startswith(MADE_OF))
    return tuple(sorted(told))


def dressed(actual: Mapping[str, Any], wanted: Mapping[str, Any], *, shared: bool = False) -> bool:
    """Whether a Secret's metadata holds everything that we apply to it, and no owner of ours that is gone.

    Args:
        shared: it is somebody else's, and so are its owners.
    """
    maps = ("labels", "annotations")
    present = all(wanted[part].items() <= (actual.get(part) or {}).items() for part in maps)
    ours = [each for each in actual.get("ownerReferences") or [] if each.get("kind") == "ApiKeySecret"]
    meant = wanted.get("ownerReferences", [])
    return present and (shared or [each.get("uid") for each in ours] == [each["uid"] for each in meant])


def own_entries(managed_fields: list[dict[str, Any]], manager: str) -> AbstractSet[str]:
    """Return the entries that a field manager owns in a Secret, from its ``metadata.managedFields``."""
    return _own(managed_fields, manager, "f:data")


def own_fields(managed_fields: list[dict[str, Any]], manager: str) -> AbstractSet[str]:
    """Return the fields of a Secret (`type`, `data`, …) of which a field manager owns something."""
    return _own(managed_fields, manager)


def left_over(actual: Mapping[str, Any], wanted: Mapping[str, Any], manager: str) -> bool:
    """Whether a Secret has labels or annotations that we once applied to it and apply no more."""
    fields, told = actual.get("managedFields") or [], {MADE_OF + manager}
    return any(
        _own(fields, manager, "f:metadata", f"f:{part}") - wanted[part].keys() - told
        for part in ("labels", "annotations")
    )


def _own(managed_fields: list[dict[str, Any]], manager: str, *path: str) -> AbstractSet[str]:
    """Return what a field manager owns below a path."""
    owned: set[str] = set()
    for each in managed_fields:
        if each.get("manager") == manager and each.get("operation") == "Apply":
            at = each.get("fieldsV1") or {}
            for step in path:
                at = at.get(step) or {}
            owned |= {name.removeprefix("f:") for name in at if name.startswith("f:")}
    return owned


def others(managed_fields: list[dict[str, Any]], manager: str) -> str:
    """Name who else writes entries of a Secret, newest first, for a person."""
    named = [
        re.sub(r"[^-\w./]", "?", str(each.get("manager")))[:60]
        for each in sorted(managed_fields, key=lambda each: str(each.get("time")), reverse=True)
        # Whoever applies stringData is said to own that, not the data that it becomes.
        if each.get("manager") != manager and not {"f:data", "f:stringData"}.isdisjoint(each.get("fieldsV1") or {})
    ]
    return ", ".join(dict.fromkeys(named)) or "somebody"
