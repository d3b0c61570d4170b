"""What is found about one credential in this process, without a cluster, by the operator's own functions.

Does not belong here: how it is given (``_given``), forms and probes (``issuers/``), what objects say (``engine/``).
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Any

import click

from .. import errors
from ..errors import Reason
from ..secret import SecretMap, SecretValue
from . import _given, _manifests, _named, _output, _structural
from ._exit import Exit

if TYPE_CHECKING:
    from ..issuers.base import Finding, Issuer

_PRINTF = "Pipe it in without that: `printf %s` adds no newline, where `echo` does"
_WHOSE = "It does not tell by itself whose it is: say that with --issuer."


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes:
        issuer: whose credential it is said to be, or else is by its form; None if nobody knows.
        kind: which one of the issuer's, where its form is known.
        form: ``Recognised``, ``Unrecognised`` or ``Malformed``.
        verdict: the issuer's, as in ``status.credentials``.
        message: how that was found out, in sentences.
        asked: whether the issuer was to be asked.
        created_at: RFC 3339.
        expires_at: RFC 3339.
    """

    issuer: str | None
    kind: str | None
    form: str
    verdict: str
    message: str
    asked: bool
    created_at: str | None = None
    expires_at: str | None = None

    @property
    def code(self) -> Exit:
        """Exit code."""
        if self.form == "Malformed":
            return Exit.MALFORMED
        if self.verdict in ("Valid", "ValidLimited"):
            return Exit.FINE
        if self.verdict == "Invalid":
            return Exit.INVALID
        if self.form == "Unrecognised" and (not self.asked or self.issuer is None):
            return Exit.UNRECOGNISED
        return Exit.UNKNOWN if self.asked else Exit.FINE

    def show(self, output: str) -> None:
        """Print it, as ``table``, ``json`` or ``yaml``."""
        if output != "table":
            told = dataclasses.asdict(self)
            told["createdAt"], told["expiresAt"] = told.pop("created_at"), told.pop("expires_at")
            _output.structured(output, told)
            return
        page = _output.Page()
        row = [self.issuer, self.kind, self.form, self.verdict, self.expires_at]
        page.table(["ISSUER", "KIND", "FORM", "VERDICT", "EXPIRES"], [[each or "-" for each in row]])
        page.line()
        page.line(self.message)


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What is to be found out.

    Attributes:
        issuer: its name; None: the credential should tell.
        layout: how the parts stand in the pipe.
        probe: whether the issuer is asked.
        endpoint: where, if not at its usual address: at any private or loopback address, too.
        config: file with the fields that the issuer takes beside parts.
    """

    issuer: str | None
    layout: _given.Layout | None
    probe: bool
    endpoint: str | None
    config: str | None

    def answer(self) -> Found:
        """Read the credential, and find out about it.

        Raises:
            errors.Error: it cannot be read, or the configuration is wrong.
            click.UsageError: the options do not go together, or not with what is read.
        """
        if self.issuer is None:
            return self._by_itself(_given.value("Value"))
        issuer = issuer_of(self.issuer, self.config, self.endpoint)
        return self._found(issuer, _given.parts(issuer.title, issuer.parts_for(()), self.layout))

    def _by_itself(self, value: SecretValue) -> Found:
        """Find out whose credential a value is, then all the rest."""
        from .. import issuers
        from ..decide import looks

        look = looks.look(value, issuers.table()) or looks.Look()
        form = "Recognised" if look.kind else "Unrecognised"
        found = Found(look.issuer, look.kind, form, "NotChecked", _WHOSE, self.probe, expires_at=look.expires_at)
        if not value:
            return dataclasses.replace(found, form="Malformed", message="The standard input is empty.")
        if look.issuer is None:
            return found
        if look.issuer not in issuers.ISSUERS:
            message = f"It is a credential of {look.issuer}, by how it begins; those are not checked."
            return dataclasses.replace(found, message=message)
        issuer = issuer_of(look.issuer, self.config, self.endpoint)
        said = f"By how it begins, it is a credential of {issuer.title}."
        parts = issuer.parts_for(())
        if [each for each in parts if each.required] != [parts[0]]:
            more = f"{said} It has several parts: give them with --issuer {look.issuer}."
            return dataclasses.replace(found, message=more)
        rest = self._found(issuer, {parts[0].name: value})
        return dataclasses.replace(rest, message=f"{said} {rest.message}")

    def _found(self, issuer: Issuer, parts: SecretMap) -> Found:
        from ..decide import looks
        from ..engine.cases import earliest
        from ..issuers.base import Malformed, Recognised

        recognised = issuer.recognise(parts)
        ends = [looks.expires_at(each) for each in parts.values()]
        found = Found(issuer.name, None, type(recognised).__name__, "NotChecked", "", self.probe)
        if isinstance(recognised, Malformed):
            hint = f" {_PRINTF}." if "newline" in recognised.said else ""
            return dataclasses.replace(found, message=f"{recognised.part} {recognised.said}.{hint}")
        said = "" if isinstance(recognised, Recognised) else f"It has no form of {issuer.title} that is known. "
        if isinstance(recognised, Recognised):
            found = dataclasses.replace(found, kind=recognised.kind)
            ends.append(recognised.expires_at)
        if not self.probe:
            message = f"{said}Nobody was asked."
            return dataclasses.replace(found, message=message, expires_at=earliest(*ends))
        finding = asked(issuer, parts, self.endpoint)
        return dataclasses.replace(
            found,
            verdict=str(finding.verdict),
            message=f"{said}{issuer.title} {finding.said}.",
            created_at=finding.created_at,
            expires_at=earliest(*ends, finding.expires_at),
        )


def issuer_of(name: str, config: str | None, endpoint: str | None, *, option: str = "--issuer") -> Issuer:
    """Return an issuer, as options describe it.

    Args:
        config: file with the fields that it takes beside parts.
        endpoint: where it is asked, if not at its usual address.
        option: that names it, for messages.

    Raises:
        errors.Stalled: the file is wrong.
        click.UsageError: it needs one, or takes none.
    """
    from .. import issuers

    kind = issuers.ISSUERS[name]
    found = _config(kind, config) if config else None
    if _named.needs_config(kind) and not found:
        raise click.UsageError(f"{option} {name} needs --config: a file with what an object has in `{name}`.")
    return kind(found, issuers.table(), endpoint)


def asked(issuer: Issuer, parts: SecretMap, endpoint: str | None) -> Finding:
    """Ask an issuer whether it accepts a credential, from here.

    Args:
        endpoint: where, if not at its usual address: at any private or loopback address, too.
    """
    from .. import wire
    from ..engine import egress, prober

    anywhere = endpoint is not None
    probe = prober.Probe(issuer, parts, egress.Scope(private=anywhere, loopback=anywhere), every=0.0)
    finding, _ = prober.asked(probe, lambda: wire.Server(endpoint or probe.address, wire.trust(), prober.MAX_ANSWER))
    return finding


def _config(kind: type[Issuer], path: str) -> Any:
    """Read the fields that an issuer takes beside parts, as an object writes them.

    Raises:
        errors.Stalled: they cannot be read; the first thing that is wrong is told, with its line.
        click.UsageError: the issuer takes none.
    """
    if kind.Config is None:
        raise click.UsageError(f"--issuer {kind.name} takes no --config.")
    text = _text(path)
    document = next(_manifests.documents(text), _manifests.Document({}, {"": 1}, []))
    if isinstance(document, _manifests.Unreadable):
        raise _wrong(path, document.line, str(document))
    for each, line in document.doubled:
        raise _wrong(path, line, f"{each} stands there twice")
    for fault in _structural.faults(_schema(kind), document.value or {}, ""):
        raise _wrong(path, document.line(fault.path), f"{fault.path} {fault.message}".strip())
    with errors.boundary(lambda _: _wrong(path, 1, "it cannot be read")):
        return kind.Config.model_validate(document.value or {})


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            found = file.read(_given.MAX_GIVEN)
    except OSError:
        raise click.UsageError(f"--config: {path} cannot be read.") from None
    with errors.boundary(lambda _: _wrong(path, 1, "it is not UTF-8")):
        return found.decode("utf-8-sig")


def _schema(kind: type[Issuer]) -> dict[str, Any]:
    """Return what the CRD says of the fields of an issuer."""
    from .. import crd, kinds

    described: Any = crd.manifest(kinds.KINDS["ApiKeySecret"])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found: dict[str, Any] = described["properties"]["spec"]["properties"]["credentials"]["items"]["properties"]
    return dict(found[kind.name])


def _wrong(path: str, line: int, said: str) -> errors.Stalled:
    hint = "Write what an object has in the field of the issuer's name"
    return errors.Stalled(Reason.INVALID_SPEC, f"{pathlib.PurePath(path).name}:{line}: {said}", hint)
