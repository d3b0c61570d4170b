"""What an object and its issuer say of a rotation, as ``decide`` wants it.

Does not belong here: what follows from it.
"""

from __future__ import annotations

from typing import Any

from ... import errors, pacing
from ...decide import due
from ...decide.due import Known, Policy
from ...decide.rotate import calls, makers
from ...decide.rotate.any_time import SOON
from ...decide.rotate.journal import Journal, Step
from ...decide.rotate.recipe import Recipe
from ...decide.rotate.sight import Rules
from ...errors import Reason
from ...issuing.base import Issuing, Way
from ...kinds import CredentialSpec
from ...kinds.rotation import RotationSpec
from ...secret import SecretMap, SecretValue
from ...timetable import Timetable
from ..opened_issuer import OpenedIssuer
from ..records import Record

#: Seconds for which a new key that is not accepted yet holds up others at its issuer: how long it is tested says
#: whoever wants it.
FAIR = 900.0


def fits(recipe: Recipe, issuer: OpenedIssuer) -> None:
    """See that an issuer makes what a credential is, and as its object wants it: for a store, or minted.

    Raises:
        errors.Stalled: ``RotationUnsupported``.
    """
    credential, makes, title = recipe.credential, issuer.issuing.issuer, issuer.issuing.title
    if makes and makes != credential.issuer:
        said = f"{issuer.name} makes keys of {makes}, and credential {credential.name} is one of {credential.issuer}"
        raise errors.Stalled(Reason.ROTATION_UNSUPPORTED, said, "Name another one in issuerRef, or correct issuer")
    made = issuer.issuing.parts
    if made is not None and (why := calls.lacking(made, recipe.properties, f"credential {credential.name}")):
        raise why.about(issuer.name)
    mints = issuer.issuing.way is Way.MINTED
    if mints and not recipe.minted:
        said = f"credential {credential.name} has a remoteRef, and what {issuer.name} mints is kept in no store"
        raise errors.Stalled(Reason.ROTATION_UNSUPPORTED, said, "Leave out remoteRef in its entries")
    if recipe.minted and not mints:
        said = f"credential {credential.name} has no remoteRef, and keys of {title} are kept in a store"
        raise errors.Stalled(Reason.ROTATION_UNSUPPORTED, said, "Name a remoteRef in its entries")


def example(credential: CredentialSpec) -> SecretMap:
    """Return what stands for the values of a credential as long as there are none."""
    return {part: SecretValue("none") for part in credential.parts}


def rules(credential: CredentialSpec, issuer: OpenedIssuer, *, store_within: float, tests: bool) -> Rules:
    """Return what an issuer can do and its users have declared.

    Args:
        store_within: seconds that one call of the store may take.
    """
    rotation, makes = credential.rotation or RotationSpec(), issuer.issuing
    who = makers.name(makes.name, makers.bound(issuer.label, issuer.binding), makes.address, makes.account)
    return rules_of(rotation, makes, who=who, settle=issuer.settle, store_within=store_within, tests=tests)


def rules_of(
    rotation: RotationSpec, makes: Issuing, *, who: str, settle: float, store_within: float, tests: bool
) -> Rules:
    """Return the same out of its parts.

    Args:
        who: makes keys, by what stays the same.
        settle: seconds after which a key that was asked for is in the list.
        store_within: seconds that one call of the store may take.
    """
    return Rules(
        way=makes.way,
        issuer=who,
        slots=makes.slots,
        lists=makes.keys is not None,
        names=makes.names,
        revokes=makes.revoke is not None,
        disables=makes.disable is not None and makes.enable is not None,
        renews=makes.renew is not None,
        before_end=rotation.before_expiry_seconds,
        tests=tests,
        passes=rotation.test.passes,
        apart=rotation.test.apart_seconds,
        limited=rotation.test.allow_limited,
        # An object that was there before the API server refused it must not have good keys given up.
        test_within=max(rotation.test.within_seconds, 2 * rotation.test.apart_seconds, SOON * rotation.test.passes),
        settle=settle,
        store_within=store_within,
        overlap=rotation.overlap_seconds,
        observe=rotation.observe_seconds,
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
    windows = tuple(due.window(each) for each in said.windows)
    return Policy(
        every=said.every_seconds,
        schedule=schedule,
        before_expiry=said.before_expiry_seconds,
        windows=windows,
        reissue=said.on_invalid == "Reissue",
    )


def known(record: Record, name: str, journal: Journal | None, minted: due.Minted | None) -> Known:
    """Return what is known of a credential's age.

    Args:
        name: of the credential.
        minted: what is known of its life, where it is minted.
    """
    told = record.status_json().get("credentials") or []
    row: dict[str, Any] = next((each for each in told if each.get("name") == name), {})
    born = pacing.unix(row.get("createdAt"))
    rotated = journal.placed if journal else 0.0
    seen = max(record.created, born or 0.0, rotated)
    half = minted.half if minted else None
    return Known(
        seen=seen,
        born=born,
        expires=half.lives_until if half else pacing.unix(row.get("expiresAt")),
        condemned=row.get("verdict") == "Invalid",
        phase=pacing.fraction(f"{record.key}/{name}"),
        journal=journal,
        minted=minted,
    )


def disabled() -> errors.Stalled:
    """Return why nothing is rotated where that is switched off."""
    said = "this install rotates nothing"
    return errors.Stalled(
        Reason.ROTATIONS_DISABLED, said, "Set the chart's rotation.enabled, or run it with --rotations"
    )


def takes_turn(way: Way, step: Step, lasts: float = 0.0) -> bool:
    """Whether a rotation has one of the turns of its issuer at a step.

    Args:
        lasts: for how many seconds it has been there.
    """
    if way is Way.MINTED:
        # Many keys that live for a short while must not wait for each other's tests.
        return step is Step.ISSUING
    # Where anybody is asked to make a key, and as long as it may turn out soon that those that it makes are no good.
    return way not in (Way.MANUAL, Way.LOCAL) and (step is Step.ISSUING or (step is Step.HELD and lasts < FAIR))
