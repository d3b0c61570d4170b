"""One credential of an object, put together out of what the object says and what the stores gave.

Does not belong here: what is found about it (``checker``), the issuers (``issuers/``).
"""

from __future__ import annotations

import dataclasses

from .. import errors, kinds, settings
from ..decide import report
from ..decide.checks import Checked
from ..errors import Reason
from ..issuers import ISSUERS
from ..issuers._table import Table
from ..issuers.base import Issuer
from ..secret import FingerprintKey, SecretMap
from . import egress, endpoints
from .assemble import Gathered


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One credential of an object, with its values.

    Attributes:
        scope: what addresses its issuer may have.
        checked: what is known of it so far.
    """

    spec: kinds.CredentialSpec
    issuer: Issuer
    scope: egress.Scope
    parts: SecretMap
    checked: Checked

    @property
    def named(self) -> str:
        """The credential and its entries, as messages name it."""
        return f"credential {self.spec.name} ({report.few(self.checked.entries)})"

    def but(self, **changed: object) -> Case:
        """Return the same case with more known of it."""
        return dataclasses.replace(self, checked=dataclasses.replace(self.checked, **changed))  # type: ignore[arg-type]


class Cases:
    """Puts cases together.

    Args:
        table: the forms of all credentials.
    """

    def __init__(self, keys: FingerprintKey, chosen: settings.Settings, table: Table) -> None:
        self._keys, self._settings, self._table = keys, chosen, table

    def of(self, owner: str, spec: kinds.CredentialSpec, gathered: Gathered) -> Case | None:
        """Return a credential as it would be written; None where an optional part of it is not there.

        Args:
            owner: namespace/name of the object.

        Raises:
            errors.Stalled: the object says of it what cannot be.
        """
        try:
            issuer = issuer_of(spec, self._table)
            parts = _parts(issuer, spec, gathered)
            if parts is None:
                return None
            scope = scope_of(issuer, spec, issuer.address_for(parts), self._settings)
        except errors.Stalled as error:
            said = error.about(f"credential {spec.name}")
        else:
            return Case(spec, issuer, scope, parts, self._known(owner, issuer, spec, gathered, parts))
        raise said

    def _known(
        self, owner: str, issuer: Issuer, spec: kinds.CredentialSpec, gathered: Gathered, parts: SecretMap
    ) -> Checked:
        entries = tuple(spec.parts[part] for part in parts)
        # What one issuer said at one address is no word about the same value elsewhere.
        config = issuer.config.model_dump_json(exclude_defaults=True) if issuer.config else ""
        whose = f"{owner}/{spec.name} {spec.issuer} {issuer.address_for(parts)} {config}"
        return Checked(
            spec.name,
            entries,
            self._keys.of_entries(whose, parts),
            asked=spec.check.liveness != "Off",
            issuer=spec.issuer,
            created_at=gathered.created.get(entries[0]),
            expires_at=earliest(*(gathered.ends.get(each) for each in entries)),
            version=gathered.versions.get(entries[0]),
        )


def issuer_of(spec: kinds.CredentialSpec, table: Table) -> Issuer:
    """Return the issuer of a credential, configured as its object says.

    Args:
        table: the forms of all credentials.

    Raises:
        errors.Stalled: ``InvalidSpec``: there is none of the name, or its own fields say what cannot be.
    """
    kind = ISSUERS.get(spec.issuer)
    if kind is None:
        hint = f"Name one of {', '.join(ISSUERS)}, or install the version that its CRD is from"
        raise errors.Stalled(Reason.INVALID_SPEC, "names an issuer that this version does not know", hint)
    return kind(spec.config(), table, spec.endpoint)


def scope_of(issuer: Issuer, spec: kinds.CredentialSpec, address: str, chosen: settings.Settings) -> egress.Scope:
    """Return what addresses the issuer of a credential may have; none where it is not asked.

    Raises:
        errors.Stalled: ``EndpointForbidden``, ``InvalidSpec``.
    """
    if not address or spec.check.liveness == "Off":
        return egress.Scope()
    loopback = chosen.allow_loopback_stores
    return endpoints.scope(type(issuer), address, chosen.issuer_endpoints, loopback=loopback)


def earliest(*times: str | None) -> str | None:
    """Return the first of some points in time (RFC 3339, UTC); None if there is none."""
    return min((each for each in times if each), default=None)


def _parts(issuer: Issuer, spec: kinds.CredentialSpec, gathered: Gathered) -> SecretMap | None:
    """Return the values of a credential; None where an entry is optional and not there, but needed."""
    known = {each.name: each for each in issuer.parts_for(spec.parts)}
    if strange := spec.parts.keys() - known.keys():
        said = f"has a part {min(strange)}, which {issuer.title} does not know"
        raise errors.Stalled(Reason.PART_NOT_FOUND, said, f"Name {', '.join(known)}")
    if lacking := [name for name, each in known.items() if each.required and name not in spec.parts]:
        hint = f"Say in parts which entry holds its {lacking[0]}"
        raise errors.Stalled(Reason.PART_NOT_FOUND, f"has no part {lacking[0]}, which {issuer.title} needs", hint)
    absent = [part for part, key in spec.parts.items() if key not in gathered.inputs]
    for part in absent:
        key = spec.parts[part]
        if key not in gathered.absent and not gathered.lacking:
            hint = "Add it to data, or name one of the entries that there are"
            raise errors.Stalled(Reason.PART_NOT_FOUND, f"names entry {key}, which the object does not have", hint)
    if any(known[part].required for part in absent) or len(absent) == len(spec.parts):
        return None
    return {part: gathered.inputs[key] for part, key in spec.parts.items() if key in gathered.inputs}
