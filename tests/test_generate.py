"""What is generated: that it is up to date, that ``--check`` notices, and that the pages tell everything."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator

import pytest
import yaml

import keywright
from keywright import crd, generate, kinds, reference
from keywright.errors import Reason

PACKAGE = pathlib.Path(keywright.__file__).parent
KINDS = pytest.mark.parametrize("kind", kinds.KINDS.values(), ids=list(kinds.KINDS))


def contents(root: pathlib.Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_what_is_generated_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    code = generate.main(["--check"])

    assert (capsys.readouterr().out, code) == ("", 0)


def test_a_fresh_root_gets_every_file(tmp_path: pathlib.Path) -> None:
    assert generate.main([], tmp_path) == 0

    assert contents(tmp_path) == generate.outputs()
    assert generate.main(["--check"], tmp_path) == 0


def test_every_kind_has_a_crd_and_a_page() -> None:
    expected = {f"crds/{kind.plural}.yaml" for kind in kinds.KINDS.values()}
    expected |= {f"docs/reference/{kind.kind.lower()}.md" for kind in kinds.KINDS.values()}

    assert expected | {"docs/reference/conditions.md"} <= generate.outputs().keys()


def test_check_shows_a_changed_file_and_touches_nothing(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate.write(tmp_path)
    changed = tmp_path / "crds/keystores.yaml"
    changed.write_text(changed.read_text().replace("maximum: 10000", "maximum: 9999"))
    before = contents(tmp_path)

    assert generate.main(["--check"], tmp_path) == 1

    said = capsys.readouterr()
    assert "--- crds/keystores.yaml" in said.out
    changes = [line.replace(" ", "") for line in said.out.splitlines() if line[0] in "+-"]
    assert changes[2:] == ["-maximum:9999", "+maximum:10000"]
    assert "make generate" in said.err
    assert contents(tmp_path) == before


def test_check_shows_a_missing_file(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate.write(tmp_path)
    (tmp_path / "docs/reference/conditions.md").unlink()

    assert generate.main(["--check"], tmp_path) == 1
    assert "+# Conditions" in capsys.readouterr().out
    assert not (tmp_path / "docs/reference/conditions.md").exists()


@pytest.mark.parametrize("name", ["crds/old.yaml", "docs/reference/old.md", "crds/below/old.yaml", "crds/.old"])
def test_a_file_that_nothing_generates_is_shown_and_removed(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    generate.write(tmp_path)
    orphan = tmp_path / name
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_text("kind: Old")
    kept = tmp_path / "docs/howto.md"
    kept.write_text("Ours.")

    assert generate.main(["--check"], tmp_path) == 1

    said = capsys.readouterr()
    assert said.out == f"{name}: nothing generates this file\n"
    assert "make generate" in said.err
    assert orphan.exists()
    assert generate.main([], tmp_path) == 0
    assert generate.main(["--check"], tmp_path) == 0
    assert not orphan.exists()
    assert kept.exists()


def test_everything_is_generated_into_a_folder_of_its_own() -> None:
    names = generate.outputs().keys() - {generate.CHART}

    assert {str(pathlib.PurePath(name).parent) for name in names} == set(generate.FOLDERS)


@KINDS
def test_the_crd_file_is_the_crd(kind: type[kinds.Kind]) -> None:
    assert yaml.safe_load(generate.outputs()[f"crds/{kind.plural}.yaml"]) == crd.manifest(kind)


def cells(page: str) -> Iterator[list[str]]:
    """Yield the rows of all tables."""
    for line in page.splitlines():
        if line.startswith("| "):
            yield [each.strip() for each in line.strip("| ").replace("\\|", "\0").split(" | ")]


def fields(described: crd.Json, path: str) -> Iterator[str]:
    for name, each in described.get("properties", {}).items():
        if "type" in each:
            below = f"{path}.{name}".removeprefix(".")
            yield below
            yield from fields(each.get("items", each), below + "[]" * ("items" in each))


@KINDS
def test_a_page_tells_every_field_and_nothing_else(kind: type[kinds.Kind]) -> None:
    page = reference.kind(kind)
    parts = page.split("\n## ")[1:]

    models = [each for each in (kind.Spec, kind.Status) if each]

    for part, model in zip(parts, models, strict=True):
        told = [row[0].strip("`") for row in cells(part)][2:]
        assert told == list(fields(crd.structural(model, ""), ""))


@KINDS
def test_every_row_has_as_many_cells_as_its_header(kind: type[kinds.Kind]) -> None:
    assert {line.replace("\\|", "").count("|") for line in reference.kind(kind).splitlines() if line[:2] == "| "} == {5}


@pytest.mark.parametrize(
    ("field", "kind_of", "default"),
    [
        ("refreshInterval", "duration, for example `90s` or `1h30m`", "`1h`"),
        ("data", "list (at most 500, each `key` once) of object", ""),
        ("data[].key", "Secret key", "*required*"),
        ("data[].remoteRef.path", "printable text (1 to 1024 characters)", "*required*"),
        ("data[].decode", "`None` or `Base64` or `Base64URL`", "`None`"),
        ("data[].optional", "boolean", "`false`"),
        ("target.labels", "map (at most 64) of label value", ""),
        ("target.annotations", "map (at most 64) of string (at most 4096 characters)", ""),
        ("storeRef.name", "object name", "*required*"),
    ],
)
def test_a_row_tells_type_bounds_and_default(field: str, kind_of: str, default: str) -> None:
    row = next(each for each in cells(reference.kind(kinds.ApiKeySecret)) if each[0] == f"`{field}`")

    assert row[1:3] == [kind_of, default]


def test_an_address_is_called_so_and_not_shown_as_a_pattern() -> None:
    row = next(each for each in cells(reference.kind(kinds.KeyStore)) if each[0] == "`vault.server`")

    assert row[1] == "URL (at most 260 characters)"


def test_a_page_tells_where_other_fields_are_refused() -> None:
    page = reference.kind(kinds.ClusterKeyStore)

    assert "* `namespaceSelector`: has only matchLabels and matchExpressions\n" in page


@KINDS
def test_a_page_begins_with_the_example(kind: type[kinds.Kind]) -> None:
    page = reference.kind(kind)

    assert page.index(f"```yaml\n{kind.example}```") < page.index("## spec")


def test_every_reason_is_told_once() -> None:
    told = [row[0].strip("`") for row in cells(reference.conditions()) if len(row) == 2]

    both = {Reason.SUSPENDED, *reference.ENDING}  # conditions of their own, too
    assert sorted(set(told) & set(Reason)) == sorted(Reason)
    assert all(told.count(str(each)) == 1 for each in Reason if each not in both)


def raised() -> Iterator[tuple[str, Reason]]:
    """Yield, from our own source, each class of error that is made with a reason that stands there by name."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=name) | ast.Name(id=name),
                    args=[ast.Attribute(value=ast.Name(id="Reason"), attr=reason), *_],
                ):
                    yield name, Reason[reason]


def test_reasons_are_told_where_they_are_raised() -> None:
    by_person = {reason for name, reason in raised() if name == "Stalled"}
    by_time = {reason for name, reason in raised() if name in ("Retry", "Outage", "Held")}

    assert by_time
    assert by_time - set(reference.WAITING) == set()
    assert (by_person - by_time) & set(reference.WAITING) == set()
