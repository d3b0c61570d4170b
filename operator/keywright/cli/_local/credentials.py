"""The right to have keys made, out of the encrypted file: a Secret's name is a path in it, its key a property there.

Does not belong here: what needs which right (``issuing/``).
"""

from __future__ import annotations

from typing import Literal, NoReturn

from ... import errors
from ...decide import render
from ...errors import Reason
from ...schema import CaProvider, SecretKeyRef, ServiceAccountRef
from ...secret import SecretValue
from ...stores.encrypted_file import current
from .._keyfile import Keys


class FileCredentials:
    """Credentials out of an encrypted file; see ``stores.base.Credentials``."""

    namespace = ""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def secret(self, ref: SecretKeyRef) -> SecretValue:
        """Return one property of an entry."""
        return self._property(ref.name, ref.key)

    def entry(self, kind: Literal["ConfigMap", "Secret"], name: str, key: str) -> SecretValue:
        """Return one property of an entry, whatever it would be in a cluster."""
        return self._property(name, key)

    def ca(self, provider: CaProvider) -> str:
        """Return CA certificates."""
        found = self._property(provider.name, provider.key)
        said = f"needs CA certificates in entry {provider.name} of the encrypted file, which holds no text"
        with errors.boundary(lambda _: errors.Stalled(Reason.CREDENTIAL_MISSING, said, "Store them as PEM")):
            return found.reveal().decode("ascii")

    def file(self, path: str, limit: int) -> SecretValue:
        """Refuse: there is no such folder here."""
        self._refuse(f"file {path}")

    def swap_file(self, path: str, before: SecretValue, after: SecretValue) -> bool:
        """Refuse: there is no such folder here."""
        self._refuse(f"file {path}")

    def service_account_token(self, ref: ServiceAccountRef, audience: str, seconds: int) -> SecretValue:
        """Refuse: there is no cluster that would make one."""
        self._refuse(f"a token of ServiceAccount {ref.name}")

    def _property(self, path: str, name: str) -> SecretValue:
        found = current(self._keys.open(), path)
        if found is None or not found.is_map:
            said = "is not there" if found is None else "is text, without properties"
            raise errors.Stalled(
                Reason.CREDENTIAL_MISSING,
                f"needs property {name} of entry {path} of the encrypted file, which {said}",
                f"Store it as a map: keywright store --map {path}",
            )
        try:
            return render.entry_value(render.Parsed(found), property=name, where=f"entry {path}")
        except errors.Stalled as error:
            lacking = error
        raise errors.Stalled(Reason.CREDENTIAL_MISSING, f"needs property {name}: {lacking.message}", lacking.hint)

    @staticmethod
    def _refuse(what: str) -> NoReturn:
        raise errors.Stalled(Reason.UNSUPPORTED, f"needs {what}, which only a cluster has", "Log in another way")
