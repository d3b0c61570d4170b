"""Who makes and accepts keys: one file an issuer. The file's stem is its page in the docs and, in camelCase, its name.

Issuers do not import each other. What they need of an SDK is imported when a credential is probed.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from types import MappingProxyType

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


@functools.lru_cache(maxsize=1)
def table() -> Table:
    """Return the formats of all issuers, as they are built in."""
    return Table({name: issuer.formats for name, issuer in ISSUERS.items()})
