"""Commands on rotations: what they ask for, in whose name, and what they show of what an operator tells.

What a status says of a rotation is put into the API server's answers, as an operator that rotates would have it.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
import shlex
import time
from collections.abc import Iterator
from typing import Any, get_args

import click
import pytest

from build import credential, key_action
from cli.terminal import Said, call, keywright, person
from controlplane import Answer, FaultProxy
from keywright import cli, kinds, pacing
from keywright.cli import _rotations
from keywright.decide.rotate.journal import Owed
from world import Json, World

PAGE = pathlib.Path(__file__).parents[2] / "docs/howto/rotate-by-hand.md"
HOUR, DAY = 3600, 86400
SEE = {"apiGroups": ["keywright.dev"], "resources": ["apikeysecrets"], "verbs": ["get", "list"]}
FAILED = "Failed (NotRotated)\n  ApiKeySecret llm declares no rotation. Have new keys made where they come from"


def at(seconds: float) -> str:
    """Return a time so many seconds from now, and a bit more away."""
    return pacing.rfc3339(time.time() + seconds + (600 if seconds > 0 else -600))


def rotation(**told: Any) -> Json:
    return {"id": "r-2", "step": "Grace", "since": at(-2 * HOUR), "cause": "Due", **told}


def debt(owed: str, handle: str, days: int, tries: int = 1) -> Json:
    return {"owed": owed, "handle": handle, "since": at(-days * DAY), "tries": tries}


#: Where and when a key was made that is to be found.
LOST = {"issuer": "KeyIssuer/ns/aws (aws/ci)", "madeFrom": "2026-01-02T03:00:00Z", "madeUntil": "2026-01-02T03:15:00Z"}


def in_grace() -> Json:
    return rotation(
        until=at(22 * HOUR),
        why="NotAdopted",
        waits="Not everybody is seen to use the new key.",
        asks=True,
        pods=3,
        current=1,
        laggards=[{"kind": "Deployment", "name": "api", "pods": 2, "holds": "Old"}],
        last={"id": "r-1", "outcome": "RolledBack", "at": at(-3 * DAY), "why": "NewKeyInvalid"},
        debts=[
            debt("Revoke", "key_1", 2, 7) | {"byHand": True},
            debt("Find", "", 9) | LOST,
            debt("Revoke", "key_0", 5, 9) | {"byHand": False},
        ],
    )


def idle() -> Json:
    debts = [debt("Die", "key_1", 4)]
    return {"step": "Idle", "since": at(-3 * DAY), "next": at(27 * DAY), "pinned": True, "debts": debts}


class Desk:
    """Somebody at a terminal, who reaches the API server through a proxy."""

    def __init__(self, world: World, proxy: FaultProxy) -> None:
        self.world, self._proxy = world, proxy
        path = world.folder / "through.kubeconfig"
        self.kubeconfig = world.plane.admin_kubeconfig(path, server=proxy.url, ca_file=proxy.ca_file)

    def __call__(self, *arguments: str) -> Said:
        return call(self.world, *arguments, kubeconfig=self.kubeconfig)

    @contextlib.contextmanager
    def told(self, **rotations: Json) -> Iterator[None]:
        """Let the status of ``llm`` tell of rotations, by their credentials."""
        item = self.world.object()
        item["status"]["rotations"] = [{"credential": name, **each} for name, each in rotations.items()]
        found = {"kind": "ApiKeySecretList", "metadata": {"resourceVersion": "1"}, "items": [item]}
        answers = {r"/apikeysecrets/llm(\?|$)": item, r"/apikeysecrets(\?|$)": found}
        rules = [self._proxy.fault(Answer(200, told), method="GET", path=path) for path, told in answers.items()]
        try:
            yield
        finally:
            for rule in rules:
                rule.end()


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    world.has_key(credentials=[credential("openai", "OPENAI_API_KEY")])
    with FaultProxy(world.plane, world.folder / "proxy") as proxy:
        yield Desk(world, proxy)


def made(world: World) -> list[Json]:
    return [each["spec"] for each in world.must("GET", world.path("KeyAction"))["items"]]


ASKED: dict[str, Json] = {
    "rotate llm --reason scheduled": {"action": "Rotate", "reason": "Scheduled"},
    "rotate llm --credential openai --test-only --reason test": {
        "action": "Rotate",
        "credential": "openai",
        "testOnly": True,
        "reason": "Test",
    },
    "rotate llm --take-over --reason maintenance": {"action": "Rotate", "takeOver": True, "reason": "Maintenance"},
    "rotate llm --reissue --reason compromised --reference SEC-1": {
        "action": "Reissue",
        "reason": "Compromised",
        "reference": "SEC-1",
    },
    "rollback llm --reason other --credential openai": {
        "action": "Rollback",
        "credential": "openai",
        "reason": "Other",
    },
    "pin llm --reason maintenance": {"action": "Pin", "reason": "Maintenance"},
    "pin llm --off --reason maintenance": {"action": "Unpin", "reason": "Maintenance"},
    "revoke llm --reason compromised": {"action": "RevokeNow", "reason": "Compromised"},
    "debts retry llm": {"action": "RetryDebts", "reason": "Maintenance"},
    "debts forget llm --handle key_0 --reason policy": {
        "action": "ForgetDebt",
        "credential": "openai",
        "debt": "key_0",
        "reason": "Policy",
    },
    "debts forget llm --handle - --reason other": {
        "action": "ForgetDebt",
        "credential": "openai",
        "debt": "-",
        "reason": "Other",
    },
    f"debts forget llm --handle - --made-from {LOST['madeFrom']} --reason other": {
        "action": "ForgetDebt",
        "credential": "openai",
        "debt": "-",
        "madeFrom": LOST["madeFrom"],
        "reason": "Other",
    },
}


def test_each_command_asks_for_its_act_in_ones_own_name(desk: Desk) -> None:
    with desk.told(openai=in_grace()):
        for line, spec in ASKED.items():
            said = desk(*line.split())
            assert (said.code, said.err) == (0, ""), line
            name = said.out.removesuffix(": asked for\n")
            asked = desk.world.object(name, "KeyAction")["spec"]
            assert asked == {"apiKeySecret": "llm", "requestedBy": "admin", **spec}, line
            assert name.startswith(f"{spec['action'].lower()}-llm-")

    assert {each["action"] for each in ASKED.values()} == words() - {"Refresh"}


def words() -> set[str]:
    return set(get_args(kinds.KeyActionSpec.model_fields["action"].annotation))


def test_an_end_is_waited_for_and_told_with_why(desk: Desk) -> None:
    in_vain = desk("rollback", "llm", "--reason=Test", "--wait", "--timeout=1s")
    desk.world.start("--rotations")

    said = desk("rotate", "llm", "--credential=openai", "--reason=Test", "--wait")
    begun = desk("debts", "retry", "llm", "--wait")

    assert in_vain.code == 1
    assert ": not over within 1 s; nobody leads: " in in_vain.out
    assert in_vain.out.endswith("\n  keywright history tells what becomes of it.\n")
    for each in (said, begun):
        assert (each.code, each.err) == (1, "")
        assert FAILED in each.out


def test_of_several_debts_without_a_handle_one_has_to_be_named(desk: Desk) -> None:
    several = [debt("Find", "", 9) | LOST, debt("Keep", "", 4)]
    forget = ("debts", "forget", "llm", "--handle=-", "--reason=Other")
    with desk.told(openai=idle() | {"debts": several}):
        unsaid, other = desk(*forget), desk(*forget, "--made-from=2026-01-01")
        named = desk(*forget, "--made-from", several[1]["since"])

    assert (unsaid.code, other.code, named.code) == (1, 1, 0), unsaid.everything + other.everything + named.everything
    assert "/llm has 2 debts without a handle." in unsaid.err
    assert unsaid.err.endswith(f"Say which one with --made-from: {LOST['madeFrom']}, {several[1]['since']}.\n")
    assert "/llm has no debt of that time." in other.err
    asked = desk.world.object(named.out.removesuffix(": asked for\n"), "KeyAction")["spec"]
    assert (asked["debt"], asked["madeFrom"]) == ("-", several[1]["since"])


def test_what_is_not_there_is_not_asked_for_and_not_repeated(desk: Desk) -> None:
    typed = "sk-typed-by-a-slip"
    with desk.told(openai=in_grace(), other=idle()):
        ends = {
            "no object": desk("pin", "nothere", "--reason=Test"),
            "no credential": desk("pin", "llm", "--credential", typed, "--reason=Test"),
            "no debt": desk("debts", "forget", "llm", "--handle", typed, "--reason=Test"),
            "no debt of that one": desk("debts", "forget", "llm", "--handle=-", "--credential=other", "--reason=Test"),
            "two debts": desk("debts", "forget", "llm", "--handle=key_1", "--reason=Test"),
        }
    told = {name: each.err.splitlines()[0].partition(f"{desk.world.namespace}")[2] for name, each in ends.items()}

    assert {each.code for each in ends.values()} == {1}
    assert told == {
        "no object": ".",
        "no credential": "/llm has no credential of that name.",
        "no debt": "/llm has no debt of that handle.",
        "no debt of that one": "/llm has no debt of that handle.",
        "two debts": "/llm has debts of that handle for several credentials.",
    }
    assert ends["no credential"].err.endswith("It has openai.\n")
    assert ends["two debts"].err.endswith("Say which one with --credential: openai, other.\n")
    assert typed not in "".join(each.everything for each in ends.values())
    assert made(desk.world) == []


@pytest.mark.parametrize(
    "line",
    [
        "rotate llm",
        "rotate llm --reason because",
        "rotate llm --reason test --test-only --reissue",
        "rotate llm --reason test --test-only --take-over",
        "rotate llm --reason test --credential OPENAI",
        "rollback --reason test",
        "revoke llm",
        "pin llm --off",
        "debts forget llm --reason test",
        "debts forget llm --handle key_1",
        "debts forget llm --handle key_1 --made-from yesterday --reason test",
        "debts list -A -n team-a",
        "debts list llm -A",
        "history",
    ],
)
def test_wrong_usage_is_refused(line: str) -> None:
    assert keywright(*line.split()).code == 2


def rows(text: str) -> list[list[str]]:
    """Return what stands in the columns of what was printed."""
    return [[cell for cell in line.split("  ") if cell.strip()] for line in text.splitlines() if line.strip()]


def test_history_shows_rotations_and_who_asked_for_what(desk: Desk) -> None:
    world = desk.world
    world.apply(key_action("of-other", "other", action="Pin"))
    world.apply(key_action("a-test", action="Rotate", testOnly=True, credential="openai", requestedBy="bob"))
    resting = idle()
    with desk.told(openai=in_grace(), other=resting):
        said, told = desk("history", "llm"), desk("history", "llm", "-o", "json")

    assert (said.code, said.err, told.code) == (3, "", 3)
    found = [[cell.strip() for cell in row] for row in rows(said.out)]
    assert found[:10] == [
        ["CREDENTIAL", "STEP", "FOR", "CAUSE", "UNTIL", "NEXT", "LAST"],
        ["openai", "Grace", "2 h", "Due", "in 22 h", "-", "RolledBack 3 d ago (NewKeyInvalid)"],
        ["other", "Idle", "3 d", "-", "-", "pinned", "-"],
        ["openai"],
        ["It waits for a person (NotAdopted): Not everybody is seen to use the new key."],
        ["1 of 3 pods are seen to use the new key; late: Deployment/api."],
        ["3 clean-ups at the issuer are owed: `keywright debts list` tells more."],
        ["other"],
        ["It is pinned: none begins by itself until `keywright pin --off`."],
        ["One clean-up at the issuer is owed: `keywright debts list` tells more."],
    ]
    assert found[10] == ["ASKED FOR", "CREDENTIAL", "BY", "WHY", "PHASE", "OUTCOME", "AGE"]
    assert [row[:-1] for row in found[11:]] == [["Rotate (test only)", "openai", "bob", "Test", "-", "-"]]
    assert [each["credential"] for each in told.json["rotations"]] == ["openai", "other"]
    assert told.json["rotations"][1] == {**dict.fromkeys(_rotations.FIELDS), **resting, "credential": "other"}
    (action,) = told.json["keyActions"]
    assert (action["name"], action["testOnly"], action["phase"]) == ("a-test", True, None)


def test_history_tells_what_came_of_acts_where_nothing_rotates(desk: Desk) -> None:
    world = desk.world
    world.apply(key_action("earlier", requestedBy="alice"))
    world.start()
    world.is_ready()
    world.ends("earlier", "Succeeded")
    world.until(lambda: world.object()["status"].get("history"), "its acts are told")

    said = desk("history", "llm")
    unseen = call(world, "history", "llm", kubeconfig=person(world, SEE))
    unknown = desk("history", "nothere")

    assert (said.code, said.err) == (0, "")
    lines = [[cell.strip() for cell in row] for row in rows(said.out)]
    assert lines[0] == [f"No rotation is known of ApiKeySecret {world.namespace}/llm."]
    assert lines[2][:-1] == ["Refresh", "-", "alice (unverified)", "Test", "Succeeded", "Done"]
    assert lines[3] == ["DONE", "WHY", "OF", "KEYS", "AGE"]
    assert ["Created", "-", "Secret llm", "OPENAI_API_KEY"] in [row[:-1] for row in lines[4:]]
    assert (unseen.code, "\nYou may not list keyactions.\n" in unseen.out) == (0, True)
    assert (unknown.code, "ApiKeySecret nothere does not exist" in unknown.err) == (1, True)


def test_debts_are_listed_with_what_to_do_about_them(desk: Desk) -> None:
    none = desk("debts", "list"), desk("debts", "list", "llm", "-o", "json")
    with desk.told(openai=in_grace(), other=idle()):
        said = desk("debts", "list")
        one = desk("debts", "list", "llm", "-o", "json")
        every = keywright("debts", "list", "-A", f"--kubeconfig={desk.kubeconfig}")

    assert [(each.code, each.err) for each in none] == [(0, ""), (0, "")]
    assert none[0].out == f"Nothing is owed in namespace {desk.world.namespace}.\n"
    assert none[1].json == {"debts": []}
    assert (said.code, one.code, every.code) == (3, 3, 3)
    table, *told = said.out.split("\n\n")
    assert [[cell.strip() for cell in row] for row in rows(table)] == [
        ["NAME", "CREDENTIAL", "OWED", "HANDLE", "SINCE", "TRIES"],
        ["llm", "openai", "Find", "-", "9 d", "1"],
        ["llm", "openai", "Revoke", "key_0", "5 d", "9"],
        ["llm", "openai", "Revoke", "key_1", "2 d", "by hand"],
        ["llm", "other", "Die", "key_1", "4 d", "1"],
    ]
    assert [each.splitlines()[0] for each in told] == ["Revoke", "Find", "Die"]
    assert told[0].splitlines()[1:] == [f"  {each}" for each in _rotations.meaning("Revoke", one.json["debts"])]
    found = "llm: made by KeyIssuer/ns/aws (aws/ci) between 2026-01-02T03:00:00Z and 2026-01-02T03:15:00Z."
    assert told[1].splitlines()[-1] == f"  {found}"
    assert [each["handle"] for each in one.json["debts"]] == ["", "key_0", "key_1", "key_1"]
    assert every.out.splitlines()[1].split()[:2] == [desk.world.namespace, "llm"]


def test_nobody_is_told_that_a_debt_is_tried_again_which_is_not() -> None:
    untold, unnamed, kept = debt("Revoke", "key_0", 5), debt("Revoke", "", 5), debt("Keep", "key_1", 5)
    named, by_hand = untold | {"byHand": False}, debt("Revoke", "key_2", 5) | {"byHand": True}

    assert _rotations.meaning("Revoke", [kept]) == []
    assert _rotations.meaning("Revoke", [named, kept]) == [_rotations.OWED["Revoke"]]
    every = _rotations.meaning("Revoke", [by_hand, unnamed, untold, named])
    assert ["tried again by itself" in each for each in (*every, _rotations.OWED["Keep"])] == [1, 0, 1, 0, 0]
    assert "not tried by itself" in every[1] and "Revoke the key at its issuer" in every[1]
    assert "Where Keywright may revoke it" in every[2]
    assert [every[1:2], every[2:3], every[3:]] == [
        _rotations.meaning("Revoke", [x]) for x in (by_hand, untold, unnamed)
    ]
    assert [_rotations.tries(each) for each in (by_hand, unnamed, untold, named)] == ["by hand", "by hand", "1", "1"]
    assert _rotations.meaning(_rotations.UNDER_WAY, [debt(_rotations.UNDER_WAY, "", 5)])


def test_every_command_of_the_page_is_one() -> None:
    blocks = re.findall(r"^```(?:bash|console)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^(?:\$ )?(keywright .*)$", "".join(blocks), re.MULTILINE)
    called = set()
    for line in lines:
        _, *words = shlex.split(line, comments=True)
        command: click.Command | None = cli.keywright
        # What a command learns from those above it, as how help is asked for, it keeps.
        above = click.Context(cli.keywright, **cli.keywright.context_settings)
        while isinstance(command, click.Group):
            command = command.get_command(above, words.pop(0))
            above = click.Context(command, above) if isinstance(command, click.Group) else above
        assert command, line
        assert command.make_context("keywright", words, above).params, line
        called.add(command.name)

    assert called == {"rotate", "rollback", "revoke", "pin", "history", "list", "retry", "forget"}


def test_what_is_owed_is_told_in_the_words_of_the_machine() -> None:
    assert list(_rotations.OWED) == list(Owed)


def test_without_the_right_to_make_key_actions_nothing_is_asked_for(desk: Desk) -> None:
    config: pathlib.Path = person(desk.world, SEE)

    said = call(desk.world, "revoke", "llm", "--reason=Test", kubeconfig=config)

    assert said.code == 1
    assert f"Error: you have no right to create keyactions in namespace {desk.world.namespace}." in said.err
    assert made(desk.world) == []
