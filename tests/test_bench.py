"""The benchmarks run, and what they count is right. What they time is for people to read."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("scenario", "counted"),
    [
        ("shared_key", {"store reads of a refresh of 50 objects": 1.0}),
        ("restart", {"writes with 100 objects": 0.0, "requests for single objects": 0.0, "store reads": 0.0}),
    ],
)
def test_a_scenario_writes_down_what_it_counted(
    tmp_path: pathlib.Path, scenario: str, counted: dict[str, float]
) -> None:
    command = [sys.executable, "-m", "bench", "--only", scenario, "--objects", "100", "--out", str(tmp_path)]

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)

    assert ran.returncode == 0, ran.stderr
    rows = {row["what"]: row for row in json.loads((tmp_path / "results.json").read_text())["rows"]}
    assert {what: rows[what]["measured"] for what in counted} == counted
    assert all(rows[what]["met"] for what in counted)
    assert (tmp_path / "results.md").read_text().count("| yes |") >= len(counted)
    assert (tmp_path / "results.png").stat().st_size > 10_000
