"""Who makes and accepts keys: one file an issuer. The file's stem is its page in the docs and, in camelCase, its name.

Issuers do not import each other. What they need of an SDK is imported when a credential is probed.
"""

from __future__ import annotations

import functools
import pathlib
from types import MappingProxyType

from ..members import members
from ._strangers import STRANGERS
from ._table import Table
from .base import Issuer

#: Every issuer of this version by its name.
ISSUERS = MappingProxyType({each.name: each for each in members(__name__, __path__, Issuer)})  # type: ignore[type-abstract]


@functools.lru_cache(maxsize=4)
def table(overrides: str | None = None) -> Table:
    """Return the formats of all issuers, and of strangers that are known by how their credentials begin.

    Args:
        overrides: text of a file that changes what is built in, as ``_overrides`` reads it; None for no changes.

    Raises:
        errors.Stalled: ``InvalidSpec``: the text is wrong.
    """
    built_in = {**STRANGERS, **{name: issuer.formats for name, issuer in ISSUERS.items()}}
    if overrides is None:
        return Table(built_in)
    from . import _overrides

    parts = {name: [each.name for each in issuer.parts] for name, issuer in ISSUERS.items()}
    return Table(_overrides.overridden(built_in, {name: ["apiKey"] for name in STRANGERS} | parts, overrides))


def is_secret(text: str) -> bool:
    """Whether a text surely is a credential, by one of the forms that are built in, and not what only names one."""
    found = table().owner(text)
    return found is not None and not found[1].public


def load(file: str | pathlib.Path | None) -> Table:
    """Return the formats of all issuers, as a file changes those that are built in.

    Args:
        file: where it is; None for no changes.

    Raises:
        errors.Stalled: ``InvalidSpec``: the file cannot be read, or is wrong.
    """
    from . import _overrides

    return table(_overrides.read(pathlib.Path(file)) if file else None)
