"""``keywright status --expiring``: which credentials end soon, the first of them first."""

from __future__ import annotations

import base64
import json
import time

import pytest

from build import api_key_secret, entry
from cli.terminal import call, keywright
from keywright import pacing
from world import World

DAY = 86_400.0
COLUMNS = ["NAMESPACE", "NAME", "CREDENTIAL", "ISSUER", "EXPIRES", "IN", "VERDICT"]


def token(end: float) -> str:
    """Return a JSON Web Token that ends at a time, which it tells by itself."""
    claims = json.dumps({"exp": int(end)}).encode()
    return f"eyJhbGciOiJub25lIn0.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.x"


def has(world: World, name: str, **days: float) -> dict[str, str]:
    """Let there be an object whose entries end in so many days; return when."""
    ends = {key: time.time() + many * DAY for key, many in days.items()}
    world.put(f"llm/{name}", **{key: token(end) for key, end in ends.items()}, plain="sk")
    entries = [entry(key, f"llm/{name}", key) for key in (*days, "plain")]
    world.apply(api_key_secret(name, *entries))
    return {key: pacing.rfc3339(int(end)) for key, end in ends.items()}


def test_what_ends_within_the_time_is_listed_soonest_first(world: World) -> None:
    world.start()
    world.has_store()
    ends = has(world, "llm", LATER=20, NEVER=400) | has(world, "other", GONE=-2, SOON=3)
    world.is_ready()
    world.is_ready("other")

    said, told = call(world, "status", "--expiring=30d"), call(world, "status", "--expiring=30d", "-o", "json")
    one, week = call(world, "status", "llm", "--expiring=30d"), call(world, "status", "llm", "--expiring=7d")

    header, *rows = [line.split() for line in said.out.splitlines()]
    assert (said.code, told.code, one.code, week.code) == (3, 3, 3, 0)
    assert header == COLUMNS
    space = world.namespace
    assert rows == [
        [space, "other", "GONE", "-", ends["GONE"], "ended", "NotChecked"],
        [space, "other", "SOON", "-", ends["SOON"], "2", "d", "NotChecked"],
        [space, "llm", "LATER", "-", ends["LATER"], "19", "d", "NotChecked"],
    ]
    assert [each["credential"] for each in told.json["credentials"]] == ["GONE", "SOON", "LATER"]
    assert [row.split()[2] for row in one.out.splitlines()[1:]] == ["LATER"]
    assert week.out == "No credential whose end is known ends within 7 d.\n"
    everywhere = keywright("status", "-A", "--expiring=30d", f"--kubeconfig={world.plane.kubeconfig}")
    assert [space, "other", "GONE"] in [row.split()[:3] for row in everywhere.out.splitlines()]


def test_the_table_of_objects_tells_the_first_end_where_there_is_one(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    plain = call(world, "status")
    ends = has(world, "other", ONE=20, TWO=10)
    world.is_ready("other")

    said, told = call(world, "status"), call(world, "status", "-o", "json").json

    assert "EXPIRES" not in plain.out
    rows = {row.split()[0]: row.split() for row in said.out.splitlines() if row}
    assert rows["NAME"] == ["NAME", "READY", "REASON", "STORE", "KEYS", "EXPIRES", "LAST", "CHANGE", "AGE"]
    assert (rows["llm"][5], rows["other"][5]) == ("-", ends["TWO"])
    assert {each["name"]: each["expires"] for each in told["apiKeySecrets"]} == {"llm": None, "other": ends["TWO"]}


@pytest.mark.parametrize("within", ["soon", "", "30", "-1d"])
def test_a_time_that_is_none_is_refused(within: str) -> None:
    said = keywright("status", f"--expiring={within}")

    assert (said.code, said.out) == (2, "")
    assert "a span of time is written like 90s, 5m or 30d" in said.err
