"""What a local rotation is about: which entry, who makes its keys, who is asked about them, by which rules.

Does not belong here: the file that says who makes keys (``manifest``), what is remembered (``book``), what is done
(``acting``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ... import errors, kinds
from ...decide.rotate.recipe import Recipe
from ...decide.rotate.sight import Rules
from ...engine.rotate import policies
from ...errors import Reason
from ...issuing.base import Issuing, Way
from ...kinds import CredentialSpec
from ...kinds.rotation import RotationSpec, Trial
from ...secret import SecretValue
from ...stores.encrypted_file import current
from .. import _probing
from .._keyfile import Keys
from . import manifest
from .credentials import FileCredentials

if TYPE_CHECKING:
    from ...issuers.base import Issuer
    from .options import Options

_NOT_HERE = {
    Way.MANUAL: "a person makes its keys; have one made, and store it: keywright store",
    Way.MINTED: "its keys live for a short while, and are kept in no file",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What is to be done.

    Attributes:
        path: of the entry.
        recipe: which of its properties holds which part of the key.
        name: of who makes keys, as the manifest has it.
        tester: who is asked whether a key is accepted; None: nobody can be.
        endpoint: where, if not at its usual address.
    """

    keys: Keys
    path: str
    recipe: Recipe
    name: str
    issuing: Issuing
    tester: Issuer | None
    endpoint: str | None
    rules: Rules

    @property
    def layout(self) -> Mapping[str, Any]:
        """What must stay as it began while a rotation is under way."""
        return {"issuer": self.tester.name if self.tester else "", "parts": dict(self.recipe.properties)}


def read(keys: Keys, path: str, asked: Options) -> Task:
    """Put together what options and a manifest say.

    Raises:
        errors.Stalled: what is wrong with the manifest, or cannot be done from here.
        click.UsageError: the options do not go together, or not with the manifest.
    """
    name, spec = manifest.read(asked.issuer_file)
    kind, config = spec.issuing()
    if why := _NOT_HERE.get(kind.way):
        raise errors.Stalled(Reason.ROTATION_UNSUPPORTED, f"{name} is {kind.name}: {why}")
    issuing = kind(config, FileCredentials(keys), spec.limits.timeout_seconds)
    whose = asked.credential_issuer or issuing.issuer
    if issuing.issuer and whose != issuing.issuer:
        raise click.UsageError(f"{name} makes keys of {issuing.issuer}, and --credential-issuer is {whose}.")
    tester = _probing.issuer_of(whose, asked.config, asked.endpoint, option="--credential-issuer") if whose else None
    required = [each.name for each in tester.parts_for(()) if each.required] if tester else []
    recipe = _recipe(keys, path, asked.parts or _made(config) or dict.fromkeys(required))
    tests = bool(tester and tester.address_for(dict.fromkeys(recipe.properties, SecretValue("none"))))
    return Task(keys, path, recipe, name, issuing, tester, asked.endpoint, _rules(asked, name, spec, issuing, tests))


def _rules(asked: Options, name: str, spec: kinds.KeyIssuerSpec, issuing: Issuing, tests: bool) -> Rules:
    trial = Trial.model_construct(
        passes=asked.passes, apart=asked.apart, within=asked.within, allow_limited=asked.allow_limited
    )
    rotation = RotationSpec.model_construct(overlap=asked.overlap, test=trial, consumers="Optional")
    settle = spec.limits.settle_seconds if asked.settle is None else asked.settle
    who = f"{issuing.name} {issuing.account or name}"
    # A file is written when the call returns, or never.
    rules = policies.rules_of(rotation, issuing, who=who, settle=settle, store_within=0.0, tests=tests)
    # Who wants no overlap wants no time either in which the old key is switched off and could be switched on. Where the
    # same command goes on, an overlap that is left out must not cut the one that it began with.
    return dataclasses.replace(rules, disables=rules.disables and rules.overlap > 0, needs_users=False, anew=False)


def _recipe(keys: Keys, path: str, wanted: Mapping[str, str | None]) -> Recipe:
    """Return which property holds which part: a text is the only part; in a map, parts are called as they are."""
    if not wanted:
        raise click.UsageError("It is not known of which parts such a key consists: say so with --parts.")
    found = current(keys.open(), path)
    whole = len(wanted) == 1 and not any(wanted.values()) and not (found and found.is_map)
    properties = {part: None if whole else name or part for part, name in wanted.items()}
    return Recipe(CredentialSpec.model_construct(name=path, issuer="custom", parts={}), None, path, properties)


def _made(config: Any) -> dict[str, str | None]:
    """Return the parts of what is made, where its configuration tells."""
    if call := getattr(config, "issue", None):
        return dict.fromkeys(call.parts)
    if getattr(config, "ssh_key", None):
        return dict.fromkeys(("privateKey", "publicKey"))
    if getattr(config, "basic_auth", None):
        return dict.fromkeys(("username", "password", "auth"))
    one = getattr(config, "random", None) or getattr(config, "uuid", None)
    return {one.part: None} if one else {}
