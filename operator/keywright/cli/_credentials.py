"""What the operator would say against the credentials of a spec, as far as that shows without a store.

Does not belong here: what the API server says (``_structural``), credentials with values (``engine/cases.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .. import errors
from . import _named
from ._structural import Fault, nearest

if TYPE_CHECKING:
    from ..kinds import CredentialSpec


def faults(spec: dict[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with the credentials of a spec; nothing where it cannot be read at all."""
    from .. import kinds

    try:
        read = kinds.ApiKeySecret.read_spec({name: each for name, each in spec.items() if each is not None})
    except errors.Stalled:
        return
    entries = None if read.data_from else [each.key for each in read.data]
    for number, credential in enumerate(read.credentials):
        yield from _of(credential, entries, f"spec.credentials[{number}]")


def _of(credential: CredentialSpec, entries: list[str] | None, path: str) -> Iterator[Fault]:
    """Yield what is wrong with one.

    Args:
        entries: names of all that there are; None where the store knows them.
    """
    for part, entry in credential.parts.items():
        if entries is not None and entry not in entries:
            yield Fault(f"{path}.parts.{part}", f"names an entry that data does not have{nearest(entry, entries)}")
    try:
        issuer = _named.issuer(credential)
    except errors.Stalled as wrong:
        yield Fault(f"{path}.{credential.issuer}", f"{wrong.message}. {wrong.hint}")
        return
    known = {each.name: each.required for each in issuer.parts_for(credential.parts)}
    for part in sorted(credential.parts.keys() - known.keys()):
        yield Fault(f"{path}.parts.{part}", f"is no part that {issuer.title} knows: {', '.join(known)}")
    for part in (name for name, needed in known.items() if needed and name not in credential.parts):
        yield Fault(f"{path}.parts", f"lacks {part}, which {issuer.title} needs")
