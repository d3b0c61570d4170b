"""Where keys live: one file a store. The file's stem is its page in the docs and, in camelCase, its field in the CRDs.

A store is plain synchronous code over the vendor's SDK. It knows nothing of retries, caches, threads, breakers,
Kubernetes objects or policy: those are the engine's. Stores do not import each other.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import MappingProxyType

from .base import Store


def _discover() -> dict[str, type[Store]]:
    """Import every file of this folder and return the stores by name. A file that fails to import stops the program."""
    found: dict[str, type[Store]] = {}
    for module in sorted(each.name for each in pkgutil.iter_modules(__path__)):
        if module == "base" or module.startswith("_"):
            continue
        loaded = importlib.import_module(f"{__name__}.{module}")
        (store,) = (
            each
            for each in vars(loaded).values()
            if isinstance(each, type) and issubclass(each, Store) and each.__module__ == loaded.__name__
        )
        found[store.name] = store
    return found


#: Every store of this version by its field in the CRDs.
STORES = MappingProxyType(_discover())
