"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import pathlib
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SOURCES = sorted((ROOT / "operator" / "keywright").rglob("*.py"))
EVERYTHING = [*SOURCES, *sorted((ROOT / "dev").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py"))]

#: Who may see a value: what sends it on, compares it, or takes it apart.
MAY_REVEAL = {"secret.py", "hvac_adapter.py", "wire.py", "stores/vault.py", "decide/render.py", "engine/target.py"}


def _name(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def test_nothing_shadows_the_operator_module_of_the_standard_library() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()


@pytest.mark.parametrize("path", EVERYTHING, ids=_name)
def test_a_file_fits_into_the_head(path: pathlib.Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400
    functions = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {each.name: each.end_lineno - each.lineno + 1 for each in functions if each.end_lineno}
    assert {name: lines for name, lines in long.items() if lines > 40} == {}


def test_values_are_revealed_in_few_places_only() -> None:
    found = set()
    for path in SOURCES:
        calls = [each.func for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.Call)]
        if any(isinstance(call, ast.Attribute) and call.attr == "reveal" for call in calls):
            found.add(str(path.relative_to(ROOT / "operator" / "keywright")))
    assert found <= MAY_REVEAL


@pytest.mark.parametrize(
    "module", ["keywright.decide.sync", "keywright.decide.report", "keywright.kinds", "keywright.cli"]
)
def test_light_parts_load_no_sdk(module: str) -> None:
    heavy = "('kopf', 'kubernetes', 'hvac', 'boto3', 'requests', 'aiohttp')"
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
