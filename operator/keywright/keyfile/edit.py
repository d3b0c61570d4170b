"""A file at its place: opened, changed, saved.

A change is made of what was read and saved only over that: who comes second reads again and does his change anew, so
that no entry is lost between two writers.

Does not belong here: asking people for anything (``cli/``).
"""

from __future__ import annotations

from collections.abc import Callable

from .. import errors
from ..errors import Reason
from ..secret import SecretValue
from . import keys, sealed
from .contents import Contents
from .keys import Algorithm, Kdf, Master
from .place import Place


class KeyFile:
    """One encrypted file.

    Args:
        secret: asked for the passphrase or key once it is needed, with whether the file is there already.
    """

    def __init__(self, place: Place, secret: Callable[[bool], SecretValue]) -> None:
        self._place, self._ask = place, secret
        self._secret: SecretValue | None = None
        self._known: tuple[Kdf, Master] | None = None

    def open(self) -> Contents:
        """Read the file.

        Raises:
            errors.Stalled: ``NotFound``: there is none; ``AuthFailed``, ``FileCorrupt``, ``FileRefused``.
        """
        data = self._place.read()
        if data is None:
            raise errors.Stalled(Reason.NOT_FOUND, "is not there", "Store an entry, and it will be: keywright store")
        return self._opened(data)

    def update(self, change: Callable[[Contents], Contents], algorithm: Algorithm | None = None) -> Contents:
        """Change the file, or make it, and return what is in it then.

        Args:
            change: what is to be done; called again where somebody else was faster.
            algorithm: how the key of a file is made that is not there yet; None: as the passphrase or key wants it, and
                as a file that is there has it.

        Raises:
            errors.Stalled: as ``open``, and ``StoreReadOnly``; ``Unsupported``: the file has another algorithm.
        """
        while True:
            before = self._place.read()
            after = change(self._new(algorithm) if before is None else self._opened(before, algorithm))
            if self._place.swap(before, _fitting(after)):
                return after

    def rekey(self, secret: SecretValue, algorithm: Algorithm | None = None) -> Contents:
        """Seal every entry anew under another passphrase or key. The generation before goes: the old one opens it.

        It is one save: whatever ends it, the file opens with the old passphrase or with the new one, and doing it again
        completes it.

        Raises:
            errors.Stalled: as ``open``, and ``StoreReadOnly``.
        """
        kdf = Kdf.fresh(algorithm or keys.fitting(secret))
        master = keys.derive(kdf, secret)
        while True:
            data = self._place.read()
            if data is None:
                return self.open()
            after = self._opened(data).rekeyed(kdf, master)
            if self._place.swap(data, _fitting(after), keep=False):
                self._secret, self._known = secret, (kdf, master)
                return after

    def _new(self, algorithm: Algorithm | None) -> Contents:
        """Return an empty file, unless one has been here: nothing takes the place of a file that was lost."""
        if self._place.previous.exists():
            said = f"is gone, but its previous generation is there: {self._place.previous}"
            hint = "Restore the file, by moving that to its place if there is nothing newer; or move that away"
            raise errors.Stalled(Reason.NOT_FOUND, said, hint)
        secret = self._secret = self._secret or self._ask(False)
        kdf = Kdf.fresh(algorithm or keys.fitting(secret))
        self._known = kdf, keys.derive(kdf, secret)
        return Contents.new(*self._known)

    def _opened(self, data: bytes, algorithm: Algorithm | None = None) -> Contents:
        """Open the file; its key is made once for each salt."""
        file = sealed.parse(data)
        if algorithm not in (None, file.header.kdf.algorithm):
            said = f"is there already, and derives its key by {file.header.kdf.algorithm}"
            raise errors.Stalled(Reason.UNSUPPORTED, said, f"Change that by keywright rekey --kdf {algorithm}")
        if not self._known or self._known[0] != file.header.kdf:
            self._secret = self._secret or self._ask(True)
            self._known = file.header.kdf, keys.derive(file.header.kdf, self._secret)
        return Contents.open(file, self._known[1])


def _fitting(contents: Contents) -> bytes:
    data = contents.to_bytes()
    if len(data) > sealed.MAX_FILE:
        said = f"would be larger than the {sealed.MAX_FILE // 1024} KiB that are read"
        raise errors.Stalled(Reason.FILE_REFUSED, said, "Spread its entries over several files")
    return data
