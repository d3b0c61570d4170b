"""``keywright validate``: what the API server would say against manifests, without a cluster.

Does not belong here: what a schema says against a value (``_structural``), reading files (``_manifests``).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import click
import pydantic

from .. import schema
from . import _credentials, _manifests, _output, _structural
from ._exit import Exit
from ._section import Section


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at one place.

    Attributes:
        object: kind and name, where the document tells them.
        path: of the value; empty for the document.
    """

    file: str
    line: int
    object: str
    path: str
    message: str


@dataclasses.dataclass
class Report:
    """What was found.

    Attributes:
        checked: how many manifests are of our kinds.
        passed_over: other manifests, by file, line and kind.
        rules: whether rules (CEL) were evaluated, too.
        unchecked: what those would demand that were not, of manifests that are right but for them.
    """

    rules: bool
    checked: int = 0
    findings: list[Finding] = dataclasses.field(default_factory=list)
    unchecked: list[Finding] = dataclasses.field(default_factory=list)
    passed_over: list[dict[str, Any]] = dataclasses.field(default_factory=list)


SECTION = Section.OFFLINE


@click.command("validate")
@click.argument("files", type=click.File("rb"), nargs=-1, required=True, metavar="FILE...")
@click.option("--no-rules", is_flag=True, help="Leave rules between fields (CEL) to the API server.")
@click.option("-o", "--output", type=click.Choice(["text", "json", "yaml"]), default="text", show_default=True)
def command(files: tuple[Any, ...], no_rules: bool, output: str) -> None:
    """Check manifests against the CRDs of this version, without a cluster. `-` is the standard input.

    Other kinds are passed over. What stands below metadata, but for the name, only the API server checks.

    Rules between fields need the extra `validate`: without it, what they demand is listed.

    Exit code: 0 if all would be accepted, or with --no-rules but for those; 1 if something would be refused, or if that
    could not be found out because the extra is not installed.
    """
    report = Report(rules=_structural.rules_are_checked() and not no_rules)
    for file in files:
        _look_at(file.read(), "stdin" if file.name in ("-", "<stdin>") else str(file.name), report)
    if output == "text":
        _show(report, no_rules=no_rules)
    else:
        told = dataclasses.asdict(report)
        told["passedOver"] = told.pop("passed_over")
        _output.structured(output, told)
    if report.findings or (report.unchecked and not no_rules):
        click.get_current_context().exit(Exit.FAILED)


def _look_at(text: bytes, name: str, report: Report) -> None:
    try:
        manifests = text.decode("utf-8-sig")
    except UnicodeDecodeError:
        report.findings.append(Finding(name, 1, "", "", "it is not UTF-8"))
        return
    for document in _manifests.documents(manifests):
        if isinstance(document, _manifests.Unreadable):
            report.findings.append(Finding(name, document.line, "", "", str(document)))
        else:
            _judge(document, name, report)


def _judge(document: _manifests.Document, file: str, report: Report) -> None:
    from .. import kinds

    if document.value is None:
        return
    manifest = document.value if isinstance(document.value, dict) else {}
    version, kind = str(manifest.get("apiVersion", "")), str(manifest.get("kind", ""))
    if version.partition("/")[0] != kinds.GROUP:
        passed = {"file": file, "line": document.line(""), "kind": f"{version} {kind}".strip() or "no manifest"}
        report.passed_over.append(passed)
        return
    report.checked += 1
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    title = f"{kind}/{name}" if isinstance(name, str) else kind
    wrong = _demanded(manifest, kind, list(_of_manifest(manifest, rules=report.rules)))
    if not (wrong or report.rules):
        demands = _structural.rules(_schema(kind), _bare(manifest), "")
        report.unchecked += [Finding(file, document.line(at.path), title, at.path, at.message) for at in demands]
    found = [*wrong, *(_structural.Fault(path, "stands there twice") for path, _ in document.doubled)]
    second = dict(document.doubled)
    for each in found:
        line = second[each.path] if each.message == "stands there twice" else document.line(each.path)
        report.findings.append(Finding(file, line, title, each.path, each.message))


def _demanded(manifest: dict[str, Any], kind: str, refused: list[_structural.Fault]) -> list[_structural.Fault]:
    """Return what is wrong, with what the operator says of credentials of a spec that can be read.

    Args:
        refused: what the API server says.
    """
    from .. import kinds

    readable = kind == "ApiKeySecret" and manifest["apiVersion"] == kinds.API_VERSION
    if not readable or _structural.faults(_schema(kind), _bare(manifest), "", rules=False):
        return refused
    more = list(_credentials.faults(manifest.get("spec") or {}))
    # What the API server says of parts, and of an issuer's own fields, as a whole is told in detail.
    at = {each.path[: each.path.index("]") + 1] for each in more}
    told = ("parts of ", "issuer: ")
    return [each for each in refused if not (each.path in at and each.message.startswith(told))] + more


def _of_manifest(manifest: dict[str, Any], *, rules: bool = True) -> Iterator[_structural.Fault]:
    """Yield what is wrong with a manifest of our group."""
    from .. import kinds

    version, name = str(manifest["apiVersion"]), str(manifest.get("kind", ""))
    if version != kinds.API_VERSION:
        yield _structural.Fault("apiVersion", f"must be {kinds.API_VERSION}")
    elif name not in kinds.KINDS:
        yield _structural.Fault("kind", f"is no kind of {kinds.GROUP}{_structural.nearest(name, list(kinds.KINDS))}")
    else:
        yield from _metadata(manifest.get("metadata"))
        yield from _structural.faults(_schema(name), _bare(manifest), "", rules=rules)


@functools.cache
def _schema(kind: str) -> dict[str, Any]:
    from .. import crd, kinds

    described: dict[str, Any] = crd.manifest(kinds.KINDS[kind])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return described


def _bare(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what the schema is asked about: the API server takes no status from who writes the object."""
    return {field: value for field, value in manifest.items() if field not in ("metadata", "status")}


def _metadata(metadata: Any) -> Iterator[_structural.Fault]:
    said = metadata if isinstance(metadata, dict) else {}
    if not said.get("name"):
        if not said.get("generateName"):
            yield _structural.Fault("metadata.name", "is required")
        return
    try:
        pydantic.TypeAdapter(schema.ObjectName).validate_python(said["name"])
    except pydantic.ValidationError:
        yield _structural.Fault("metadata.name", "must be lower-case letters, digits, - and ., at most 253")


def _show(report: Report, *, no_rules: bool) -> None:
    page = _output.Page()
    for each in report.findings:
        page.line(_line(each, each.message))
    for each in report.unchecked:
        page.line(_line(each, f"not checked: {each.message}"))
    for passed in report.passed_over:
        page.line(f"{passed['file']}:{passed['line']}: passed over: {passed['kind']}")
    if report.unchecked and not no_rules:
        page.line("Rules between fields were not checked, so what is listed may be wrong. Install what checks them,")
        page.line("in a checkout by `pip install '.[validate]'`, or leave them to the API server by --no-rules.")
    unchecked = f", not checked: {len(report.unchecked)}" if report.unchecked else ""
    page.line(
        f"checked {report.checked}, passed over {len(report.passed_over)}, wrong: {len(report.findings)}{unchecked}"
    )


def _line(finding: Finding, message: str) -> str:
    about = " ".join(filter(None, (finding.object, finding.path)))
    return f"{finding.file}:{finding.line}: {f'{about}: ' if about else ''}{message}"
