"""An auditor's three questions, asked of the trail that a real operator has written."""

from __future__ import annotations

import pathlib

from audit.trails import Kept
from cli.terminal import Said, call, keywright
from world import World


def audit(world: World, *words: str) -> Said:
    """Call ``keywright audit`` as somebody who may read the operator's namespace."""
    place = (f"--kubeconfig={world.plane.kubeconfig}", f"--operator-namespace={world.system}")
    return keywright("audit", *words, *place)


def half_a_year(world: World) -> pathlib.Path:
    """Let a key come, and be replaced because somebody asks; return what the operator has printed."""
    operator = world.start("--lease-seconds=3")
    world.has_key()
    world.is_ready()
    world.put("llm/openai", api_key="sk-two")
    asked = call(world, "act", "refresh", "llm", "--reason=Compromised", "--reference=SEC-42", "--wait")
    assert asked.code == 0, asked.everything
    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    assert operator.stop() == 0
    return operator.log


def test_who_changed_what_and_why(world: World) -> None:
    half_a_year(world)
    operator = f"{world.system}/keywright"

    said = audit(world, "log", f"--namespace={world.namespace}", "--name=llm")

    assert said.code == 0
    lines = [line for line in said.out.splitlines()[1:] if " sync." in line or " action." in line]
    told = [(operator if operator in line else "a person", line.partition(world.namespace)[2]) for line in lines]
    assert [who for who, _ in told] == [operator, "a person", operator, "a person"]
    assert all("Refresh" in line and "Compromised SEC-42" in line for line in (lines[1], lines[3]))
    assert lines[0].endswith("OPENAI_API_KEY 1 new")
    assert lines[2].endswith("OPENAI_API_KEY 1→2")
    # Nobody vouches for the name in a cluster without the policy.
    assert "(unverified)" in lines[1]


def test_that_nobody_edited_the_log(world: World) -> None:
    printed = half_a_year(world)

    whole = audit(world, "verify", f"--heads={printed}")
    alone = audit(world, "verify")
    trail = Kept(world)
    edited = trail.segments()[1]
    world.must("DELETE", f"{trail.path}/{edited['metadata']['name']}")
    edited["spec"]["records"] = edited["spec"]["records"].replace('"Updated"', '"Created"').replace("SEC-42", "SEC-43")
    world.must(
        "POST",
        trail.path,
        edited | {"metadata": {name: edited["metadata"][name] for name in ("name", "labels", "annotations")}},
    )
    after = audit(world, "verify", f"--heads={printed}")

    assert (whole.code, alone.code, after.code) == (0, 2, 1), (whole.everything, alone.everything, after.everything)
    assert "Whole, and a witness has seen it to its end." in whole.out
    assert edited["spec"]["log"] in after.everything


def test_which_versions_of_its_keys_a_team_got_since_may(world: World) -> None:
    half_a_year(world)

    said = audit(world, "log", f"--namespace={world.namespace}", "--action=sync", "--since=2026-05-01", "--output=json")

    got = [(each["key"], each["new"]["version"]) for row in said.json["records"] for each in row.get("keys", ())]
    assert got == [("OPENAI_API_KEY", "1"), ("OPENAI_API_KEY", "2")]
    before = audit(
        world, "log", f"--namespace={world.namespace}", "--action=sync", "--until=2026-05-01", "--output=json"
    )
    assert before.json["records"] == []
    other = audit(world, "log", "--namespace=team-b", "--action=sync", "--since=2026-05-01", "--output=json")
    assert other.json["records"] == []
