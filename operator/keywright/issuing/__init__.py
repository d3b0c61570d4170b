"""Who makes keys: one file a way to have one made. Its stem is its page in the docs and, in camelCase, its field.

What makes keys is plain synchronous code. It knows nothing of journals, retries, threads, Kubernetes objects or policy:
those are the engine's. Files do not import each other. Whether a key is accepted, ``issuers`` asks.
"""

from __future__ import annotations

from types import MappingProxyType

from ..members import members
from .base import Issuing

#: Every way of this version by its field in the CRDs.
ISSUING = MappingProxyType({each.name: each for each in members(__name__, __path__, Issuing)})  # type: ignore[type-abstract]
