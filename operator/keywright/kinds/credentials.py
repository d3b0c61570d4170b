"""What the entries of an ApiKeySecret are: credentials of issuers, and how they are checked. A part of its spec.

Does not belong here: any issuer's own fields (its file), what a check comes to (``decide/checks.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import alias_generators

from .. import schema
from ..issuers import ISSUERS
from ..issuers.base import Issuer, Verdict
from ..schema import Cel, DataKey, Duration, ObjectName, Renamed, Spec, Time, Url
from .base import with_fields
from .keyissuer import IssuerRef
from .rotation import RotationSpec

Policy = Literal["Enforce", "Warn", "Off"]
#: Parts by their names, in camelCase as all fields.
Parts = Annotated[
    dict[str, DataKey],
    pydantic.Field(min_length=1, max_length=8),
    Cel("self.all(part, part.matches('^[a-z][a-zA-Z0-9]{0,31}$'))", "a part is named in camelCase: apiKey"),
]
#: Names of issuers. A list for the CRD, and not for those who check types: which there are, the files say.
if TYPE_CHECKING:
    IssuerName = str
else:
    IssuerName = Literal[tuple(ISSUERS)]

#: What issuers take that take more than parts, by the field of the model that holds it.
_CONFIGS: Mapping[str, type[Spec]] = {
    alias_generators.to_snake(name): issuer.Config for name, issuer in ISSUERS.items() if issuer.Config
}


class Check(Spec):
    """How a credential is checked before it is written, and after."""

    renamed = (Renamed("interval", "every"), Renamed("probe", "liveness"))

    format: Policy = "Enforce"
    """What becomes of a malformed value: `Enforce`: it is not written; `Warn`: it is written and told; `Off`: it is not
    looked for."""
    liveness: Policy = "Warn"
    """Whether the issuer is asked if the credential is alive. `Enforce`: only what it accepts is written; `Warn`: what
    it does not accept is written and told; `Off`: it is not asked."""
    every: Annotated[Duration, Cel("self >= duration('1m')", "must be at least 1m")] = "6h"
    """How often it is asked again, at least: `1h`, `1d`."""
    trim: bool = False
    """Whether white space around a value is taken off before anything is made of it, and told."""

    @property
    def every_seconds(self) -> float:
        """Seconds between probes."""
        return schema.seconds(self.every)


def _rules() -> tuple[Cel, ...]:
    """Return what the API server checks of an issuer's parts and fields."""
    rules = []
    for name, issuer in ISSUERS.items():
        known = [each.name for each in issuer.parts]
        needed = [each.name for each in issuer.parts if each.required]
        if known:
            has = " && ".join(f"'{each}' in self.parts" for each in needed)
            rules.append(
                Cel(
                    f"self.issuer != '{name}' || ({has} && self.parts.all(part, part in {known}))",
                    f"parts of {name}: {_named(issuer)}",
                )
            )
        if issuer.Config:
            rules.append(Cel(f"!has(self.{name}) || self.issuer == '{name}'", f"{name} goes with issuer: {name}"))
            if any(each.is_required() for each in issuer.Config.model_fields.values()):
                rules.append(Cel(f"self.issuer != '{name}' || has(self.{name})", f"issuer: {name} needs {name}"))
    return tuple(rules)


def _named(issuer: type[Issuer]) -> str:
    return ", ".join(each.name if each.required else f"{each.name} (optional)" for each in issuer.parts)


@with_fields(_CONFIGS)
class CredentialSpec(Spec):
    """One credential: which entries it consists of, who issued it, and how it is checked."""

    cel: ClassVar[tuple[Cel, ...]] = (
        *_rules(),
        Cel("has(self.issuerRef) == has(self.rotation)", "rotation needs issuerRef, and issuerRef is for rotation"),
    )
    renamed: ClassVar[tuple[Renamed, ...]] = (Renamed("provider", "issuer"), Renamed("keys", "parts"))

    name: Annotated[ObjectName, pydantic.StringConstraints(max_length=63)]
    """Name of the credential, for status and messages."""
    issuer: IssuerName
    """Who issued it."""
    parts: Parts
    """Which entry holds which part of it; the issuer's page says what parts there are."""
    endpoint: Url | None = None
    """Where the issuer is asked, if not at its usual address: one of its own hosts, or one that the operator's
    `--allow-issuer-endpoint` names."""
    check: Check = pydantic.Field(default_factory=Check)
    """How it is checked."""
    issuer_ref: IssuerRef | None = None
    """Who makes new keys, where it is rotated."""
    rotation: RotationSpec | None = None
    """When it gets a new key, and how the old one ends. Omitted, it is not rotated."""
    fallback_to_previous: bool = False
    """Whether the store's version before is written while the newest is malformed, or the issuer does not accept it."""

    def config(self) -> Any:
        """Return the issuer's own fields; None if there are none."""
        return getattr(self, alias_generators.to_snake(self.issuer), None)


class CredentialStatus(Spec):
    """A credential as it is in the Secret."""

    name: Annotated[str, pydantic.StringConstraints(max_length=253)]
    """Name of the credential; of an entry that tells by itself what it is, the entry's."""
    issuer: Annotated[str, pydantic.StringConstraints(max_length=63)] | None = None
    """Who issued it."""
    kind: Annotated[str, pydantic.StringConstraints(max_length=63)] | None = None
    """Which kind of the issuer's credentials it is, by its form."""
    verdict: Literal[tuple(str(each) for each in Verdict)]  # type: ignore[valid-type] # mypy knows no computed ones
    """What the issuer said last: `Valid`; `ValidLimited`: it may do less than asked; `Invalid`: three times over ten
    minutes; `Unknown`: the issuer has not answered yet; `NotChecked`: it is not asked."""
    since: Time
    """When that became so."""
    created_at: Time | None = None
    """When it was made, as the issuer or else the store says."""
    expires_at: Time | None = None
    """When it ends, as it says itself, or the issuer, or the store: the earliest of them."""
    version: Annotated[str, pydantic.StringConstraints(max_length=128)] | None = None
    """The store's version of its first part."""
    fingerprint: Annotated[str, pydantic.StringConstraints(max_length=64)]
    """Keyed fingerprint of its parts; means nothing outside this install."""
    warned: Annotated[str, pydantic.StringConstraints(max_length=40)] | None = None
    """Of which expiry there has been an Event: how long before it, as in `warnBeforeExpiry`; `0`: it has ended."""
