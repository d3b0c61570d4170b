"""Keys that look like ones whose answer was lost, and are in use: they do not end, and people are told."""

from __future__ import annotations

import base64
import json
import threading

from build import api_key_secret, credential, entry, key_action, key_issuer
from rotating import LISTED, QUICK, Rotating, declared
from vendors.base import Request, Response
from world import World

from .test_rotation_in_use import loses_an_answer


def reads(world: World, rotating: Rotating, name: str, path: str, issuer: str) -> None:
    """Let there be an object whose key one issuer makes, and no other part of the account's keys has a name."""
    first = rotating.vendor.make(f"key_{name}", "by-hand", "service account key")
    world.put(path, api_key=first.parts["apiKey"])
    rotation = {"overlap": "0", "consumers": "Optional", "test": QUICK}
    one = credential("openai", "OPENAI_API_KEY", rotating.server.url, issuerRef={"name": issuer}, rotation=rotation)
    world.apply(api_key_secret(name, entry("OPENAI_API_KEY", path, "api_key"), credentials=[one]))


def two_addresses(world: World, rotating: Rotating) -> str:
    """Let two objects read keys of one account, whose issuers are at two addresses; return the second one."""
    elsewhere = rotating.server.url.replace("127.0.0.1", "localhost")
    listed = LISTED | {"createdAt": "created_at"}
    world.has_store(access="ReadWrite")
    world.secret_is("openai-admin", {"key": rotating.vendor.admin})
    rotating.vendor.page = 100
    for name, url in (("one", rotating.server.url), ("two", elsewhere)):
        world.apply(key_issuer(name, limits={"settle": "1s"}, webhook=declared(url, list=listed)))
    reads(world, rotating, "llm", "llm/openai", "one")
    reads(world, rotating, "neighbour", "llm/neighbour", "two")
    rotating.starts(f"--allow-issuer-endpoint={elsewhere}")
    world.is_ready()
    world.is_ready("neighbour")
    return elsewhere


def hears_nothing_at(rotating: Rotating, url: str) -> tuple[threading.Event, threading.Event]:
    """Let an answer be lost there, and no list be given until the second event is set; the first tells that it was."""
    loses_an_answer(rotating)
    answer, asked, go = rotating.vendor.answer, threading.Event(), threading.Event()

    def blind(request: Request) -> Response:
        there = {name.lower(): each for name, each in request.headers.items()}["host"] in url
        if there and request.method == "POST":
            asked.set()
        if there and request.method == "GET" and asked.is_set() and not go.is_set():
            return Response(503, {})
        found: Response = answer(request)
        return found

    rotating.vendor.answer = blind
    return asked, go


def slow(rotating: Rotating) -> threading.Event:
    """Let the issuer answer who asks for a key only once the event is set."""
    answer, go = rotating.vendor.answer, threading.Event()

    def waits(request: Request) -> Response:
        if request.method == "POST":
            go.wait(20)
        found: Response = answer(request)
        return found

    rotating.vendor.answer = waits
    return go


def test_a_key_of_another_rotation_at_another_address_of_the_account_is_not_taken_for_a_lost_one(
    world: World, rotating: Rotating
) -> None:
    elsewhere = two_addresses(world, rotating)
    asked, go = hears_nothing_at(rotating, elsewhere)
    world.apply(key_action("asks", "neighbour", action="Rotate", reason="Test"))
    world.until(asked.is_set, "the neighbour has asked, and hears no answer")
    rotating.asks("Rotate")
    rotating.reaches("Grace")
    used = rotating.key()
    rotating.vendor.end("key_llm")
    rotating.vendor.end("key_neighbour")
    go.set()

    def owed() -> list[str]:
        (told,) = world.object("neighbour")["status"]["rotations"]
        return [each["owed"] for each in told.get("debts") or []]

    world.until(lambda: "Find" in owed(), lambda: f"a person is told: {world.object('neighbour')['status']}", 120)
    assert used == rotating.stored()["api_key"]
    assert used in rotating.alive()


def test_a_key_that_a_journal_out_of_a_backup_has_only_asked_for_does_not_end_where_the_store_was_emptied(
    world: World, rotating: Rotating
) -> None:
    rotating.begins()
    go = slow(rotating)
    operator = rotating.starts()
    world.is_ready()
    rotating.asks("Rotate")

    def asked() -> bool:
        kept = next(iter(rotating.journals()), None)
        return bool(kept and json.loads(base64.b64decode(kept["data"]["journal"])).get("asked_at"))

    world.until(asked, "a key was asked for")
    (backup,) = rotating.journals()
    go.set()
    world.until(lambda: rotating.told().get("last"), lambda: f"it is over: {rotating.told()}", 90)
    used = rotating.key()
    assert rotating.alive() == {used} == {rotating.stored()["api_key"]}
    operator.stop()
    path = f"/api/v1/namespaces/{world.system}/secrets/{backup['metadata']['name']}"
    now = world.must("GET", path)
    world.must("PUT", path, now | {"data": backup["data"]})
    world.vault.secrets.kv.v2.delete_latest_version_of_secret("llm/openai", mount_point=world.mount)

    rotating.starts()

    def owed() -> list[str]:
        return [each["owed"] for each in rotating.told().get("debts") or []]

    world.until(lambda: "Find" in owed(), lambda: f"a person is told: {rotating.told()}", 60)
    assert rotating.key() == used
    assert rotating.alive() == {used}
