"""What the files of a folder define, so that a new one is found by being there.

Does not belong here: what they are members of (``stores/``, ``issuers/``, ``kinds/``).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def members(package: str, path: Iterable[str], base: type[T]) -> Iterator[type[T]]:
    """Import every file of a package but ``base`` and those with an underscore, and yield what it defines.

    A file that fails to import ends the program.

    Args:
        path: ``__path__`` of the package.
        base: what it defines are subclasses of this.
    """
    for name in sorted(each.name for each in pkgutil.iter_modules(path)):
        if name != "base" and not name.startswith("_"):
            module = importlib.import_module(f"{package}.{name}")
            for each in vars(module).values():
                if isinstance(each, type) and issubclass(each, base) and each.__module__ == module.__name__:
                    yield each
