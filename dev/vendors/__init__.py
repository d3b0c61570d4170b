"""Issuers as their vendors document them: real HTTP servers on loopback, which know the credentials they are told of.

One file a vendor, found by its name, which is the issuer's. A file says what its vendor answers to a request; what no
vendor documents, slow, huge, broken and hostile answers, every server here can give on demand.

Does not belong here: anything of Keywright: these are written after the vendors' documents, not after our code.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import ssl
from collections.abc import Iterator

from .base import Vendor
from .server import VendorServer as VendorServer


def vendors() -> dict[str, type[Vendor]]:
    """Return every vendor by the issuer's name."""
    names = (each.name for each in pkgutil.iter_modules(__path__) if each.name not in ("base", "server"))
    loaded = [importlib.import_module(f"{__name__}.{name}") for name in names]
    found = (each for module in loaded for each in vars(module).values() if isinstance(each, type))
    return {each.name: each for each in found if issubclass(each, Vendor) and each is not Vendor}


@contextlib.contextmanager
def serving(name: str, context: ssl.SSLContext | None = None) -> Iterator[VendorServer]:
    """Run the server of a vendor; with TLS, where there is something for it to show."""
    server = VendorServer(vendors()[name](), context)
    try:
        yield server
    finally:
        server.close()
