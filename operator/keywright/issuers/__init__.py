"""Who makes and accepts keys: one file an issuer. The file's stem is its page in the docs and, in camelCase, its name.

Issuers do not import each other. What they need of an SDK is imported when a credential is probed.
"""

from __future__ import annotations

import functools
import importlib
import pathlib
import pkgutil
from types import MappingProxyType

from ._strangers import STRANGERS
from ._table import Table
from .base import Issuer


def _discover() -> dict[str, type[Issuer]]:
    """Import every file of this folder and return the issuers by name. A file that fails to import ends the program."""
    found: dict[str, type[Issuer]] = {}
    for module in sorted(each.name for each in pkgutil.iter_modules(__path__)):
        if module == "base" or module.startswith("_"):
            continue
        loaded = importlib.import_module(f"{__name__}.{module}")
        (issuer,) = (
            each
            for each in vars(loaded).values()
            if isinstance(each, type) and issubclass(each, Issuer) and each.__module__ == loaded.__name__
        )
        found[issuer.name] = issuer
    return found


#: Every issuer of this version by its name.
ISSUERS = MappingProxyType(_discover())


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


def load(path: pathlib.Path) -> Table:
    """Return the formats of all issuers, as a file changes those that are built in.

    Raises:
        errors.Stalled: ``InvalidSpec``: the file cannot be read, or is wrong.
    """
    from . import _overrides

    return table(_overrides.read(path))
