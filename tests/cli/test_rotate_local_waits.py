"""``keywright rotate --local`` where something is in the way: what a person is told, and how long it goes on."""

from __future__ import annotations

import concurrent.futures
import json
import re
import time
from typing import Any

import pytest

from cli.laptop import FAILED, FINE, WAITS, Laptop
from vendors.base import Request

#: What is told with all that is in the way, and where an issuer hangs up.
UNTIL, NO_HARM = "It is looked at again until 20[-0-9T:]+Z", "Ctrl-C does no harm: the same command goes on."
BROKEN, CHECK = "broke the connection off", "Check the address and the network policies."


def is_list(request: Request) -> bool:
    return request.method == "GET" and request.path.endswith("/api_keys")


def is_create(request: Request) -> bool:
    return request.method == "POST"


def is_test(request: Request) -> bool:
    return request.path == "/v1/models"


@pytest.mark.parametrize(
    ("silent", "said", "more"),
    [
        (is_list, f"KeyIssuer/mine {BROKEN} for the list of keys. {CHECK}", UNTIL),
        (is_test, f"asked about the new key, OpenAI {BROKEN}.", UNTIL),
        (is_create, f"KeyIssuer/mine {BROKEN} for a new key. {CHECK}", "It is seen what came of it, and tried again"),
    ],
    ids=("list", "test", "new key"),
)
def test_an_issuer_that_does_not_answer_is_told_at_once_and_the_same_command_goes_on(
    openai: Laptop, silent: Any, said: str, more: str
) -> None:
    openai.has_key()
    server = openai.issuer.server
    server.forgets, server.mood = silent, "forgets"

    waits = openai.rotate("--timeout=1s")
    server.mood = "documented"
    done = openai.rotate("--timeout=1m")

    assert (waits.code, done.code) == (WAITS, FINE), waits.everything + done.everything
    (told,) = [each for each in waits.err.splitlines() if "no harm" in each]
    assert re.fullmatch(f"llm/key: {re.escape(said)} {more}; {NO_HARM}", told), told
    assert waits.out.splitlines()[-1] == f"llm/key: waits. {said[0].upper()}{said[1:]} The same command goes on."
    assert len(openai.issuer.handles()) == 1
    openai.is_whole(waits, done)


def test_with_wait_it_goes_on_while_a_person_puts_right_what_was_wrong(openai: Laptop) -> None:
    openai.has_key()
    rights = json.dumps(dict(openai.issuer.vendor.rights))
    openai.desk.must("store", "right", "--map", stdin=json.dumps({"admin": "sk-admin-wrong"}))

    at_once = openai.rotate("--timeout=1m")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = len(openai.issuer.server.requests)
        waiting = pool.submit(openai.rotate, "--wait", "--timeout=1m")
        while len(openai.issuer.server.requests) == asked:
            time.sleep(0.02)
        openai.desk.must("store", "right", "--map", stdin=rights)
        done = waiting.result()

    assert (at_once.code, done.code) == (WAITS, FINE), at_once.everything + done.everything
    assert "KeyIssuer/mine answered 401 (invalid_api_key) for the list of keys." in done.err
    openai.is_whole(at_once, done)


def test_with_wait_it_stays_for_the_overlap_but_no_longer_than_it_may(openai: Laptop) -> None:
    old = openai.has_key()

    stayed = openai.rotate("--overlap=1h", "--wait", "--timeout=2s")
    back = openai.rotate("--overlap=1h", "--back", "--wait", "--timeout=4s")
    again = openai.rotate("-o", "json")

    assert (stayed.code, back.code, again.code) == (WAITS, WAITS, WAITS), stayed.everything + back.everything
    assert "llm/key: the new key is in use, and the old one lives until" in stayed.err
    # Whoever has read the new one elsewhere has as long.
    assert "llm/key: the file has the old key again, and the new one lives until" in back.err
    assert (again.json["step"], again.json["why"]) == ("RollingBack", "NewKeyInOverlap")
    assert f"the new one lives until {again.json['until']}" in again.json["message"]
    assert (openai.held(), len(openai.issuer.handles())) == (old.parts["apiKey"], 2)


def test_an_old_key_that_is_switched_off_can_be_switched_on_again(aws: Laptop) -> None:
    old = aws.has_key()
    held = json.loads(aws.held())

    off = aws.rotate("--overlap=1s")
    assert aws.issuer.vendor.made[old.handle].off
    back = aws.rotate("--overlap=1s", "--back")

    assert (off.code, back.code) == (WAITS, FINE), off.everything + back.everything
    assert "The new key is in use, and the old one is switched off; --back switches it on again until" in off.out
    assert (json.loads(aws.held()), aws.issuer.handles()) == (held, {old.handle})
    assert not aws.issuer.vendor.made[old.handle].off
    assert [each for each in aws.acts() if "able" in each] == [
        f"{kind} {act}" for act in ("Disable", "Enable") for kind in ("intent", "outcome")
    ]

    # Who wants no overlap wants it to be over: it is revoked without that.
    done = aws.rotate()

    assert (done.code, len(aws.issuer.handles())) == (FINE, 1), done.everything
    assert len([each for each in aws.acts() if "Disable" in each]) == 2


def test_the_right_to_have_keys_made_lies_at_any_path(openai: Laptop) -> None:
    openai.has_key()
    at = "Team A/open_ai"
    openai.says(**(openai.config | {"adminKeyRef": {"name": at, "key": "admin"}}))

    lacking = openai.rotate()
    openai.desk.must("store", at, stdin="sk-admin-alone")
    text = openai.rotate()
    openai.desk.must("store", at, "--map", stdin=json.dumps({"admin": "sk-admin\nof-two-lines"}))
    strange = openai.rotate()
    openai.desk.must("store", at, "--map", stdin=json.dumps(dict(openai.issuer.vendor.rights)))
    done = openai.rotate()
    openai.says(**(openai.config | {"adminKeyRef": {"name": "../right", "key": "admin"}}))
    refused = openai.rotate()

    assert [each.code for each in (lacking, text, strange, done, refused)] == [WAITS, WAITS, WAITS, FINE, FAILED]
    assert f"needs property admin of entry {at} of the encrypted file, which is not there" in lacking.out
    assert f"needs property admin of entry {at} of the encrypted file, which is text" in text.out
    assert f"entry admin of Secret {at}, which holds something else" in strange.out
    assert "issuer.yaml:" in refused.err and "adminKeyRef.name" in refused.err
    openai.is_whole(lacking, text, strange, done, refused)
