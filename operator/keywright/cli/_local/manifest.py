"""Who makes keys, as a KeyIssuer in a file says; a Secret in it is an entry of the encrypted file, named by its path.

Does not belong here: what is in the entries (``credentials``), what a rotation makes of it (``task``).
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Mapping
from typing import Any

import click

from ... import crd, errors, kinds, schema
from ...errors import Reason
from ...issuing import ISSUING
from ...keyfile.contents import check_path
from .. import _manifests, _structural

#: Bytes of a manifest.
_LARGEST = 1 << 20
Json = dict[str, Any]


def read(path: str) -> tuple[str, kinds.KeyIssuerSpec]:
    """Read the KeyIssuer that a file holds; return how it is called, and what it says.

    Raises:
        errors.Stalled: ``InvalidSpec``.
        click.UsageError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(_LARGEST)
    except OSError:
        raise click.UsageError(f"--issuer-file: {path} cannot be read.") from None
    with errors.boundary(lambda _: _wrong(path, 1, "it is not UTF-8")):
        text = raw.decode("utf-8-sig")
    found = [each for each in _manifests.documents(text) if isinstance(each, _manifests.Unreadable) or each.value]
    if len(found) != 1:
        raise _wrong(path, 1, f"it holds {len(found)} manifests, and one KeyIssuer is wanted")
    (document,) = found
    if isinstance(document, _manifests.Unreadable):
        raise _wrong(path, document.line, str(document))
    return _read(path, document)


def _read(path: str, document: _manifests.Document) -> tuple[str, kinds.KeyIssuerSpec]:
    manifest = document.value if isinstance(document.value, dict) else {}
    kind, spec = str(manifest.get("kind")), manifest.get("spec")
    if manifest.get("apiVersion") != kinds.API_VERSION or kind != "KeyIssuer" or not isinstance(spec, dict):
        raise _wrong(path, document.line(""), f"it is no KeyIssuer of {kinds.API_VERSION}")
    for each, line in document.doubled:
        raise _wrong(path, line, f"{each} stands there twice")
    described: Any = crd.manifest(kinds.KINDS[kind])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    bare = {name: value for name, value in manifest.items() if name not in ("metadata", "status")}
    names: dict[str, str] = {}
    named = _with_names(described, bare, names)
    for fault in _structural.faults(described, named, "", rules=_structural.rules_are_checked()):
        raise _wrong(path, document.line(fault.path), f"{fault.path} {fault.message}".strip())
    if len(spec.keys() & ISSUING.keys()) != 1:
        raise _wrong(path, document.line("spec"), f"spec needs exactly one of {', '.join(ISSUING)}")
    meta = manifest.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    read_spec = _with_paths(kinds.KINDS[kind].read_spec(named["spec"]), {each: at for at, each in names.items()})
    assert isinstance(read_spec, kinds.KeyIssuerSpec)  # noqa: S101 - the kind says so
    return f"KeyIssuer/{name if isinstance(name, str) and name.isprintable() else '?'}"[:200], read_spec


def _with_names(described: Json, value: Any, names: dict[str, str]) -> Any:
    """Return a value in which each entry has a name such as objects of a cluster have.

    Args:
        names: which one each path has; it grows.
    """
    if isinstance(value, list):
        return [_with_names(described.get("items") or {}, each, names) for each in value]
    if not isinstance(value, dict):
        return value
    fields = described.get("properties") or {}
    made = {name: _with_names(fields.get(name) or {}, each, names) for name, each in value.items()}
    at = value.get("name")
    if {"name", "key"} <= fields.keys() and isinstance(at, str) and _is_path(at):
        made["name"] = names.setdefault(at, f"entry-{len(names)}")
    return made


def _is_path(name: str) -> bool:
    with contextlib.suppress(errors.Stalled):
        check_path(name)
        return True
    return False


def _with_paths(part: Any, paths: Mapping[str, str]) -> Any:
    """Return part of a spec with the paths of entries, by the names that they were given."""
    if isinstance(part, list | tuple):
        return type(part)(_with_paths(each, paths) for each in part)
    if not isinstance(part, schema.Spec):
        return part
    changed = {name: _with_paths(getattr(part, name), paths) for name in part.model_fields_set}
    if isinstance(part, schema.SecretKeyRef | schema.CaProvider):
        changed["name"] = paths.get(part.name, part.name)
    return part.model_copy(update=changed)


def _wrong(path: str, line: int, said: str) -> errors.Stalled:
    hint = "Write a KeyIssuer, as for a cluster: keywright validate tells more"
    return errors.Stalled(Reason.INVALID_SPEC, f"{pathlib.PurePath(path).name}:{line}: {said}", hint)
