"""What a report makes of objects: keys by age, issuer, environment and verdict; what ends; what is not Ready."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from build import api_key_secret, cluster_key_store, credential, entry, key_store
from keywright.cli._report.shape import Share
from keywright.cli._report.state import Environments, State
from unit.reporting import NOW, Json, environments, key, objects, report, seen

CLUSTER = {"kind": "ClusterKeyStore", "name": "vault"}


def shares(*pairs: tuple[str, int]) -> tuple[Share, ...]:
    return tuple(Share(*each) for each in pairs)


def test_a_small_world_is_counted() -> None:
    made = report(objects())

    assert made.by_issuer == shares(("github", 1), ("openai", 1), ("unknown", 1))
    assert made.by_environment == shares(("staging", 2), ("production", 1))
    assert made.by_verdict == shares(("Valid", 2), ("Invalid", 1))
    assert made.by_rotation == shares(("rotated", 0), ("pinned", 0), ("waits for a person", 1), ("not rotated", 2))
    assert "Rotations that wait for a person: 1" in made.attention
    assert [(each.name, each.reason) for each in made.not_ready] == [("other", "NotFound")]
    summary = made.summary
    assert (summary.objects, summary.ready, summary.keys, summary.other_entries) == (3, 2, 3, 2)


@pytest.mark.parametrize(
    ("age", "bucket"),
    [
        (-1, "< 30 d"),
        (0, "< 30 d"),
        (29.9, "< 30 d"),
        (30, "30–90 d"),
        (90, "90–180 d"),
        (180, "180 d–1 y"),
        (364.9, "180 d–1 y"),
        (365, "> 1 y"),
        (None, "unknown"),
    ],
)
def test_a_key_is_of_an_age(age: float | None, bucket: str) -> None:
    made = report([seen(api_key_secret("llm", entry("A", "a")), "team-a", key("A", age=age))])

    assert {each.name: each.keys for each in made.by_age if each.keys} == {bucket: 1}
    assert len(made.by_age) == 6


@pytest.mark.parametrize(
    ("told", "how", "row"),
    [
        (None, "rotated", (None, None, None, None, False, False, 0)),
        (
            {"step": "Grace", "next": None, "debts": [{}, {}]},
            "rotated",
            ("Grace", None, None, None, False, False, 2),
        ),
        (
            {"step": "Idle", "pinned": True, "last": {"outcome": "Rotated", "at": "2026-11-01T00:00:00Z"}},
            "pinned",
            ("Idle", "Rotated", "2026-11-01T00:00:00Z", None, True, False, 0),
        ),
    ],
    ids=["nothing is known yet", "under way", "pinned"],
)
def test_what_is_rotated_is_told_one_by_one(told: Json | None, how: str, row: tuple[Any, ...]) -> None:
    one = credential("openai", "A", rotation={})
    item = seen(api_key_secret("llm", entry("A", "a"), credentials=[one]), "team-a", key("openai"))
    if told:
        item["status"]["rotations"] = [{"credential": "openai", **told}]

    made = report([item])

    assert {each.name: each.keys for each in made.by_rotation if each.keys} == {how: 1}
    (rotated,) = made.rotated
    assert dataclasses.astuple(rotated) == ("team-a", "llm", "openai", *row)


@pytest.mark.parametrize(
    ("age", "ends", "told"),
    [
        (None, -1, "ended"),
        (10, -0.1, "ended"),
        (None, 30, "soon"),
        (None, 30.1, ""),
        (100, 29, "soon"),
        (10, 15, ""),
        (None, None, ""),
    ],
)
def test_a_key_ends_soon_unless_it_lives_for_a_short_time_only(
    age: float | None, ends: float | None, told: str
) -> None:
    made = report([seen(api_key_secret("llm", entry("A", "a")), "team-a", key("A", age=age, ends=ends))])

    assert ["ended" if each.ended else "soon" for each in made.ending] == ([told] if told else [])
    assert (made.summary.ended, made.summary.ending) == (int(told == "ended"), int(told == "soon"))


def default(name: str, selector: Json, environment: str | None) -> Json:
    more: Json = {"environment": environment} if environment else {}
    return cluster_key_store(name, "https://v", "kv", default=True, namespaceSelector=selector, **more)


ENTRIES = [entry("A", "a"), entry("B", "b", storeRef=CLUSTER)]


@pytest.mark.parametrize(
    ("name", "spec", "namespace", "told"),
    [
        ("A", {}, "team-a", "-"),
        ("A", {}, "team-b", "staging"),
        ("A", {"storeRef": CLUSTER}, "team-b", "production"),
        ("A", {"storeRef": None}, "team-a", "-"),
        ("A", {"storeRef": None}, "team-b", "test"),
        ("B", {}, "team-b", "production"),
        ("both", {}, "team-b", "production, staging"),
        ("of-an-extract", {"dataFrom": [{"extract": {"path": "x"}}]}, "team-b", "production, staging"),
    ],
)
def test_a_key_belongs_where_its_store_says_else_where_its_namespace_does(
    name: str, spec: dict[str, Any], namespace: str, told: str
) -> None:
    found = environments()
    found.take_store("ClusterKeyStore", default("one", {"matchLabels": {"environment": "staging"}}, "test"))
    found.take_store("ClusterKeyStore", default("other", {"matchLabels": {"environment": "x"}}, "other"))
    found.take_store("ClusterKeyStore", default("broken", {"matchLabel": {}}, "broken"))
    state = State(found, NOW)
    both = credential("openai", "A", name="both") | {"parts": {"accessKeyId": "A", "secretAccessKey": "B"}}

    state.take(seen(api_key_secret("llm", *ENTRIES, credentials=[both], **spec), namespace, key(name)))

    assert state.by_environment == shares((told, 1))


def test_a_store_without_an_environment_leaves_it_to_the_label() -> None:
    found = Environments()
    found.take_store(
        "KeyStore", key_store("vault", "https://v", "kv") | {"metadata": {"name": "vault", "namespace": "a"}}
    )
    found.take_namespace({"metadata": {"name": "a", "labels": {"environment": "test"}}})

    assert found.of("a", frozenset({"KeyStore/a/vault"})) == "test"
    assert found.of("b", frozenset({"KeyStore/b/vault"})) == "-"


def test_all_is_well_where_nothing_calls_for_a_person() -> None:
    made = report([seen(api_key_secret("llm", entry("A", "a")), "team-a", key("A", "openai", 3))])

    assert made.attention == ()
