"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import pathlib
import pkgutil
import re
import subprocess
import sys
import tomllib
import zipfile
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SOURCES = sorted((ROOT / "operator" / "keywright").rglob("*.py"))
PACKAGE = ROOT / "operator" / "keywright"
EVERYTHING = [*SOURCES, *(path for place in ("dev", "bench", "tests") for path in sorted((ROOT / place).rglob("*.py")))]

#: Files that are too long today, and functions: what is mended leaves the list, and nothing joins it.
TOO_LONG: dict[str, set[str]] = {
    "tests/crd/test_manifests.py": {"test_a_model_becomes_a_structural_schema"},
    "tests/operator/test_bad_objects.py": {"test_entries_that_are_not_to_be_had_are_refused_by_name"},
}


def _name(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def test_nothing_shadows_the_operator_module_of_the_standard_library() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()


@pytest.mark.parametrize("path", EVERYTHING, ids=_name)
def test_a_file_fits_into_the_head(path: pathlib.Path) -> None:
    assert _too_long(path) <= TOO_LONG.get(_name(path), set())


def test_what_is_no_longer_too_long_leaves_the_list() -> None:
    assert {name: _too_long(ROOT / name) for name in TOO_LONG} == TOO_LONG


def _too_long(path: pathlib.Path) -> set[str]:
    """Return the names of functions with more than 40 lines, and `file` if it has more than 400."""
    text = path.read_text() if path.exists() else ""
    functions = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {each.name for each in functions if each.end_lineno and each.end_lineno - each.lineno >= 40}
    return long | ({"file"} if text.count("\n") > 400 else set())


def test_types_are_checked_wherever_there_is_python() -> None:
    files = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]

    folders = (each for each in ROOT.iterdir() if each.is_dir() and not each.name.startswith("."))
    made = {"build", "dist"}
    assert {each.name for each in folders if any(each.rglob("*.py"))} - made == {
        each.partition("/")[0] for each in files
    }


def _contracts() -> dict[str, dict[str, Any]]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {each["name"]: each for each in config["tool"]["importlinter"]["contracts"]}


def _modules(folder: pathlib.Path = PACKAGE, name: str = "keywright") -> set[str]:
    """Return the modules and packages right below a package."""
    return {f"{name}.{each.name}" for each in pkgutil.iter_modules([str(folder)])}


def test_every_module_has_its_layer() -> None:
    layers = _contracts()["imports point down only"]["layers"]

    assert set(re.findall(r"[\w.]+", " ".join(layers))) == _modules()


@pytest.mark.parametrize(
    ("contract", "may"),
    [("only handlers knows kopf", "keywright.handlers"), ("only cluster knows kubernetes", "keywright.cluster")],
)
def test_no_module_slips_through_a_contract(contract: str, may: str) -> None:
    assert set(_contracts()[contract]["source_modules"]) == _modules() - {may}


def test_every_store_is_kept_apart_from_the_others() -> None:
    assert set(_contracts()["stores do not know each other"]["modules"]) == _members("stores")


def test_every_issuer_is_kept_apart_from_the_others() -> None:
    assert set(_contracts()["issuers do not know each other"]["modules"]) == _members("issuers")


def test_every_sink_is_kept_apart_from_the_others() -> None:
    room = _modules(PACKAGE / "audit" / "sinks", "keywright.audit.sinks")

    assert set(_contracts()["sinks do not know each other"]["modules"]) == room - {"keywright.audit.sinks.base"}


def _members(room: str) -> set[str]:
    """Return the files of a folder of which each is one of its kind."""
    found = _modules(PACKAGE / room, f"keywright.{room}")
    return {each for each in found if not each.rpartition(".")[2].startswith("_")} - {f"keywright.{room}.base"}


@pytest.mark.parametrize(
    "module", ["keywright.decide.sync", "keywright.decide.report", "keywright.kinds", "keywright.cli"]
)
def test_light_parts_load_no_sdk(module: str) -> None:
    heavy = "('kopf', 'kubernetes', 'hvac', 'boto3', 'requests', 'aiohttp', 'prometheus_client')"
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        tops = {name.partition("/")[0] for name in opened.namelist()}
    assert {top.partition("-")[0] for top in tops} == {"keywright"}
