"""The issuers that the credentials of a spec name, put together as the operator does.

Does not belong here: reading specs (``kinds/``), checking credentials (``engine/checker.py``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .. import errors
from ..errors import Reason

if TYPE_CHECKING:
    from ..issuers.base import Issuer
    from ..kinds import CredentialSpec


def issuer(credential: CredentialSpec) -> Issuer:
    """Return the issuer of a credential, configured as the spec says.

    Raises:
        errors.Stalled: ``InvalidSpec``: its own fields say what cannot be.
    """
    from .. import issuers

    if needs_config(issuers.ISSUERS[credential.issuer]) and credential.config() is None:
        hint = f"Say in {credential.issuer} what its credentials are"
        raise errors.Stalled(Reason.INVALID_SPEC, f"is needed by issuer: {credential.issuer}", hint)
    return issuers.ISSUERS[credential.issuer](credential.config(), issuers.table(), credential.endpoint)


def needs_config(kind: type[Issuer]) -> bool:
    """Whether an issuer takes fields beside parts, and cannot be without."""
    return bool(kind.Config and any(each.is_required() for each in kind.Config.model_fields.values()))


def addresses(credentials: list[CredentialSpec]) -> Iterator[str]:
    """Yield where issuers would be asked; of those whose fields cannot be used there is nothing to say."""
    for each in credentials:
        with contextlib.suppress(errors.Stalled):
            if address := issuer(each).address:
                yield address
