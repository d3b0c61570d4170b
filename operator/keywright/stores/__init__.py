"""Where keys live: one file a store. The file's stem is its page in the docs and, in camelCase, its field in the CRDs.

A store is plain synchronous code over the vendor's SDK. It knows nothing of retries, caches, threads, breakers,
Kubernetes objects or policy: those are the engine's. Stores do not import each other.
"""

from __future__ import annotations

from types import MappingProxyType

from ..members import members
from .base import Store

#: Every store of this version by its field in the CRDs.
STORES = MappingProxyType({each.name: each for each in members(__name__, __path__, Store)})  # type: ignore[type-abstract]
