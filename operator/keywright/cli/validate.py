"""``keywright validate``: what the API server would say against manifests, without a cluster.

Does not belong here: what a schema says against a value (``_structural``), reading files (``_manifests``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import click
import pydantic

from .. import schema
from . import _manifests, _output, _structural
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
    """

    rules: bool
    checked: int = 0
    findings: list[Finding] = dataclasses.field(default_factory=list)
    passed_over: list[dict[str, Any]] = dataclasses.field(default_factory=list)


SECTION = Section.OFFLINE


@click.command("validate")
@click.argument("files", type=click.File("rb"), nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", type=click.Choice(["text", "json", "yaml"]), default="text", show_default=True)
def command(files: tuple[Any, ...], output: str) -> None:
    """Check manifests against the CRDs of this version, without a cluster. `-` is the standard input.

    Other kinds are passed over. What stands below metadata, but for the name, only the API server checks.

    Exit code: 0 if all would be accepted, 1 if something would be refused.
    """
    report = Report(rules=_structural.rules_are_checked())
    for file in files:
        _look_at(file.read(), "stdin" if file.name in ("-", "<stdin>") else str(file.name), report)
    if output == "text":
        _show(report)
    else:
        told = dataclasses.asdict(report)
        told["passedOver"] = told.pop("passed_over")
        _output.structured(output, told)
    if report.findings:
        click.get_current_context().exit(Exit.FAILED)


def _look_at(text: bytes, name: str, report: Report) -> None:
    try:
        for document in _manifests.documents(text.decode("utf-8-sig")):
            _judge(document, name, report)
    except UnicodeDecodeError:
        report.findings.append(Finding(name, 1, "", "", "it is not UTF-8"))
    except _manifests.Unreadable as wrong:
        report.findings.append(Finding(name, wrong.line, "", "", str(wrong)))


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
    found = [*_of_manifest(manifest), *(_structural.Fault(path, "stands there twice") for path, _ in document.doubled)]
    second = dict(document.doubled)
    for each in found:
        line = second[each.path] if each.message == "stands there twice" else document.line(each.path)
        report.findings.append(Finding(file, line, title, each.path, each.message))


def _of_manifest(manifest: dict[str, Any]) -> Iterator[_structural.Fault]:
    """Yield what is wrong with a manifest of our group."""
    from .. import crd, kinds

    version, name = str(manifest["apiVersion"]), str(manifest.get("kind", ""))
    if version != kinds.API_VERSION:
        yield _structural.Fault("apiVersion", f"must be {kinds.API_VERSION}")
    elif name not in kinds.KINDS:
        yield _structural.Fault("kind", f"is no kind of {kinds.GROUP}{_structural.nearest(name, list(kinds.KINDS))}")
    else:
        definition = crd.manifest(kinds.KINDS[name])["spec"]["versions"][0]
        yield from _metadata(manifest.get("metadata"))
        # The API server takes no status from who writes the object.
        bare = {field: value for field, value in manifest.items() if field not in ("metadata", "status")}
        yield from _structural.faults(definition["schema"]["openAPIV3Schema"], bare, "")


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


def _show(report: Report) -> None:
    page = _output.Page()
    for each in report.findings:
        about = " ".join(filter(None, (each.object, each.path)))
        page.line(f"{each.file}:{each.line}: {f'{about}: ' if about else ''}{each.message}")
    for passed in report.passed_over:
        page.line(f"{passed['file']}:{passed['line']}: passed over: {passed['kind']}")
    if not report.rules:
        page.line("Rules between fields were not checked: the API server does; or install keywright[validate].")
    page.line(f"checked {report.checked}, passed over {len(report.passed_over)}, wrong: {len(report.findings)}")
