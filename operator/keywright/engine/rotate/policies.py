"""What an object and its issuer say of a rotation, as ``decide`` wants it.

Does not belong here: what follows from it.
"""

from __future__ import annotations

from typing import Any

from ... import errors, pacing
from ...decide import due
from ...decide.due import Known, Policy
from ...decide.rotate.journal import Journal
from ...decide.rotate.sight import Rules
from ...errors import Reason
from ...issuing.base import Issuing, Way
from ...kinds import CredentialSpec
from ...kinds.rotation import RotationSpec
from ...secret import SecretMap, SecretValue
from ...timetable import Timetable
from ..opened_issuer import OpenedIssuer
from ..records import Record


def fits(credential: CredentialSpec, issuer: OpenedIssuer) -> None:
    """See that an issuer makes what a credential is.

    Raises:
        errors.Stalled: ``RotationUnsupported``.
    """
    makes = issuer.issuing.issuer
    if makes and makes != credential.issuer:
        said = f"{issuer.name} makes keys of {makes}, and credential {credential.name} is one of {credential.issuer}"
        raise errors.Stalled(Reason.ROTATION_UNSUPPORTED, said, "Name another one in issuerRef, or correct issuer")


def example(credential: CredentialSpec) -> SecretMap:
    """Return what stands for the values of a credential as long as there are none."""
    return {part: SecretValue("none") for part in credential.parts}


def rules(credential: CredentialSpec, issuer: OpenedIssuer, *, tests: bool) -> Rules:
    """Return what an issuer can do and its users have declared."""
    rotation = credential.rotation or RotationSpec()
    return rules_of(rotation, issuer.issuing, label=issuer.label, settle=issuer.settle, tests=tests)


def rules_of(rotation: RotationSpec, makes: Issuing, *, label: str, settle: float, tests: bool) -> Rules:
    """Return the same out of its parts.

    Args:
        label: names who makes keys, where there is no account.
        settle: seconds after which a key that was asked for is in the list.
    """
    return Rules(
        way=makes.way,
        issuer=f"{makes.name} {makes.account or label}",
        slots=makes.slots,
        lists=makes.keys is not None,
        revokes=makes.revoke is not None,
        disables=makes.disable is not None and makes.enable is not None,
        tests=tests,
        passes=rotation.test.passes,
        apart=rotation.test.apart_seconds,
        test_within=rotation.test.within_seconds,
        settle=settle,
        overlap=rotation.overlap_seconds,
        adopt_within=rotation.adoption_seconds,
        needs_users=rotation.consumers == "Required",
        quiet=min(Rules().quiet, rotation.overlap_seconds),
    )


def policy(credential: CredentialSpec) -> Policy:
    """Return when a credential is to be rotated.

    Raises:
        errors.Stalled: ``InvalidSpec``: a schedule is none, or a window never opens.
    """
    said = credential.rotation or RotationSpec()
    schedule = Timetable(said.schedule, said.time_zone) if said.schedule else None
    windows = tuple(due.Window(Timetable(each.start, each.time_zone), each.seconds) for each in said.windows)
    return Policy(
        every=said.every_seconds,
        schedule=schedule,
        before_expiry=said.before_expiry_seconds,
        windows=windows,
        reissue=said.on_invalid == "Reissue",
    )


def known(record: Record, name: str, journal: Journal | None) -> Known:
    """Return what is known of a credential's age.

    Args:
        name: of the credential.
    """
    told = record.status_json().get("credentials") or []
    row: dict[str, Any] = next((each for each in told if each.get("name") == name), {})
    born = pacing.unix(row.get("createdAt"))
    rotated = journal.placed if journal else 0.0
    seen = max(record.created, born or 0.0, rotated)
    return Known(
        seen=seen,
        born=born,
        expires=pacing.unix(row.get("expiresAt")),
        condemned=row.get("verdict") == "Invalid",
        phase=pacing.fraction(f"{record.key}/{name}"),
        journal=journal,
    )


def is_asked(way: Way) -> bool:
    """Whether anybody is asked to make a key."""
    return way not in (Way.MANUAL, Way.LOCAL)
