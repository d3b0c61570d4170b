"""``keywright rotate --local``: a key of the encrypted file is replaced from a laptop, whatever comes in between."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest
import yaml

from cli.desk import Desk
from cli.laptop import FAILED, FINE, USAGE, WAITS, Laptop
from cli.terminal import BIN
from issuing import cases
from keyfile.files import at
from keywright.secret import SecretValue
from vendors.base import Request, Response
from vendors.server import MoodyServer


def remembered(desk: Desk) -> dict[str, Any]:
    """Return what the file remembers of the rotation."""
    found = at(desk.file, SecretValue(desk.key.read_bytes())).open().remembered("rotations/llm/key")
    assert found
    told: dict[str, Any] = json.loads(found[1].reveal())
    return told


def test_a_key_is_replaced_and_the_old_one_is_revoked(openai: Laptop) -> None:
    old = openai.has_key()

    said = openai.rotate()

    assert said.code == FINE, said.everything
    (new,) = openai.issuer.vendor.made.values()
    assert (openai.held(), new.handle != old.handle) == (new.parts["apiKey"], True)
    assert said.out.splitlines() == [
        "llm/key: KeyIssuer/mine is asked for a new key.",
        "llm/key: a new key is made, and sealed in the file; now it is tested.",
        "llm/key: its issuer accepts it.",
        "llm/key: it is in the file, and whoever reads the entry gets it.",
        "llm/key: the old key is revoked, and not accepted any more.",
        "llm/key: done; the file has the new key.",
    ]
    steps = ["Issue", "StoreNew", "Revoke"]
    assert openai.acts() == [f"{kind} {step}" for step in steps for kind in ("intent", "outcome")]
    kept = remembered(openai.desk)
    assert (kept["old"], kept["new"], kept["act"]) == ({}, {}, "")
    openai.is_whole(said)

    again = openai.rotate("-o", "json")

    assert (again.code, again.json["outcome"], again.json["debts"]) == (FINE, "Rotated", [])
    assert len(openai.issuer.handles()) == 1
    openai.is_whole(again)


def test_a_key_of_two_parts_is_replaced_as_one_where_there_is_room_for_two(aws: Laptop) -> None:
    old = aws.has_key()
    held = json.loads(aws.held())
    aws.desk.must("store", "llm/key", "--map", stdin=json.dumps({"id": held["accessKeyId"], "note": "x", **held}))
    parts = "--parts=accessKeyId=id,secretAccessKey"

    said = aws.rotate(parts)
    stranger = aws.issuer.person_makes()
    full = aws.rotate(parts)

    assert (said.code, full.code) == (FINE, FAILED), said.everything + full.everything
    assert "not replaced. There are as many keys as the issuer allows, and none of them is ours." in full.out
    now = json.loads(aws.held())
    assert (now["note"], now["accessKeyId"], now["id"] == old.handle) == ("x", held["accessKeyId"], False)
    assert aws.issuer.handles() == {now["id"], stranger.handle}


def test_a_bad_new_key_never_gets_into_the_file_and_is_revoked(openai: Laptop) -> None:
    old = openai.has_key()
    openai.issuer.vendor.spoils = True

    said = openai.rotate("--within=1s")

    assert said.code == FAILED
    why = "The issuer did not accept the new key in time, or lets it do less than the old one; where"
    why += " that is meant, say --allow-limited."
    assert said.out.splitlines()[-1] == f"llm/key: not replaced. {why}"
    assert (openai.held(), openai.issuer.handles()) == (old.parts["apiKey"], {old.handle})
    assert openai.desk.must("get", "llm/key", "-o", "json").json["version"] == 1
    openai.is_whole(said)


@pytest.mark.parametrize("mood", ["killed", "forgets"])
def test_a_key_whose_answer_is_lost_is_found_and_ended_and_there_is_no_second_one(openai: Laptop, mood: str) -> None:
    old, server = openai.has_key(), openai.issuer.server
    if mood == "killed":
        killed_after_issuing(openai)
        assert len(openai.issuer.handles()) == 2
        said = openai.rotate()
        assert "going on with rotation" in said.out
    else:
        creates = openai.issuer.case.creates
        server.mood, server.forgets = "forgets", lambda request: creates(request) and openai.issuer.asked() == 1
        said = openai.rotate()

    assert said.code == FINE, said.everything
    (new,) = openai.issuer.vendor.made.values()
    assert (openai.held(), new.handle != old.handle, openai.issuer.asked()) == (new.parts["apiKey"], True, 2)
    openai.is_whole(said)


def killed_after_issuing(laptop: Laptop) -> None:
    """Begin, and end the process with -9 when the key is made, and its answer on the way."""
    made, release = threading.Event(), threading.Event()
    answer = laptop.issuer.vendor.answer

    def hangs(request: Request) -> Any:
        found = answer(request)
        if laptop.issuer.case.creates(request):
            made.set()
            release.wait(60)
        return found

    server = MoodyServer(hangs)
    laptop.says(**laptop.issuer.case.config(server.url))
    with begun(laptop) as process:
        assert made.wait(60)
        second = laptop.rotate()
        assert (second.code, "is being rotated by another command just now" in second.err) == (FAILED, True)
        process.send_signal(signal.SIGKILL)
    laptop.issuer.server.requests += server.requests
    release.set()
    server.close()
    laptop.says(**laptop.config)


def begun(laptop: Laptop) -> subprocess.Popen[bytes]:
    """Call the command, and do not wait for its end."""
    env = os.environ | laptop.desk.environment
    # Whoever runs the tests in the background has them ignore Ctrl-C, and whatever they start.
    heeds = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", heeds, str(BIN / "keywright"), *laptop.command()]
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_what_somebody_else_writes_meanwhile_counts(openai: Laptop) -> None:
    old = openai.has_key()
    theirs, once = "sk-theirs-" + "x" * 40, threading.Event()
    answer = openai.issuer.vendor.answer

    def while_it_is_tested(request: Request) -> Any:
        if request.path == "/v1/models" and not once.is_set():
            once.set()
            openai.desk.must("store", "llm/key", stdin=theirs)
        return answer(request)

    server = MoodyServer(while_it_is_tested)
    said = openai.rotate(f"--endpoint={server.url}")
    server.close()

    assert said.code == FAILED
    assert said.out.splitlines()[-2:] == [
        "llm/key: not replaced. Somebody else has written another key to the entry; that one counts.",
        f"llm/key: owed for key {old.handle}: it was left alive. When nobody needs it, remove it at the issuer; then"
        f" --forget {old.handle}.",
    ]
    assert openai.held() == theirs
    assert openai.issuer.handles() == {old.handle}

    unknown, forgotten = openai.rotate("--forget=other"), openai.rotate(f"--forget={old.handle}", "-o", "json")

    assert (unknown.code, forgotten.code, forgotten.json["debts"]) == (FAILED, FINE, [])
    openai.is_whole(said, unknown, forgotten)


def test_a_test_writes_nothing_and_leaves_no_key(openai: Laptop) -> None:
    old = openai.has_key()

    said = openai.rotate("--test-only")

    assert (said.code, openai.held(), openai.issuer.handles()) == (FINE, old.parts["apiKey"], {old.handle})
    assert "nothing was written" in said.out
    openai.is_whole(said)


def test_a_file_that_is_sealed_anew_meanwhile_is_no_other_key(openai: Laptop, tmp_path: pathlib.Path) -> None:
    old, key = openai.has_key(), tmp_path / "new.key"
    key.write_bytes(b"\x08" * 32)
    key.chmod(0o600)

    begun = openai.rotate("--overlap=1h")
    openai.desk.must("rekey", "--new-key-file", str(key))
    openai.desk.write_key(key.read_bytes())
    seen = openai.rotate("--overlap=1h")
    back = openai.rotate("--back")

    assert [each.code for each in (begun, seen, back)] == [WAITS, WAITS, FINE], seen.everything
    assert (openai.held(), openai.issuer.handles()) == (old.parts["apiKey"], {old.handle})
    openai.is_whole(begun, seen, back)


def test_one_may_break_it_off_and_go_on_or_turn_back(openai: Laptop) -> None:
    old, tested, vendor = openai.has_key(), threading.Event(), openai.issuer.vendor
    vendor.spoils = True

    def is_a_test(request: Request) -> bool:
        if request.path == "/v1/models":
            tested.set()
        return request.path == "/v1/models"

    openai.issuer.server.forgets, openai.issuer.server.mood = is_a_test, "forgets"

    with begun(openai) as process:
        assert tested.wait(60)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    openai.issuer.server.mood = "documented"
    back = openai.rotate("--back")

    assert (process.returncode, back.code) == (130, FINE), back.everything
    assert b"Broken off. If it had begun, the same command goes on." in said
    assert (openai.held(), openai.issuer.handles()) == (old.parts["apiKey"], {old.handle})
    openai.is_whole(back)


def test_while_the_old_key_lives_one_can_turn_back(openai: Laptop) -> None:
    old = openai.has_key()

    begun = openai.rotate("--overlap=1h")
    seen = openai.rotate("--overlap=1h", "-o", "json")
    other = openai.rotate("--overlap=1h", "--parts=apiKey=api_key")
    typed = openai.desk("store", ".keywright/rotations/llm/key", stdin="x")
    back = openai.rotate("--overlap=1s", "--back")
    nothing = openai.rotate("--back")

    assert [each.code for each in (begun, seen, other, typed, back, nothing)] == [3, 3, 1, 1, 0, 1]
    assert "the old one lives until" in begun.out
    assert (seen.json["step"], seen.json["outcome"]) == ("Grace", "Waits")
    assert "has begun with --credential-issuer openai --parts apiKey" in other.err
    assert "takes no path below .keywright/" in typed.err
    assert back.out.splitlines()[-1] == "llm/key: turned back; the file has the old key."
    assert "nothing to turn back" in nothing.err
    assert (openai.held(), openai.issuer.handles()) == (old.parts["apiKey"], {old.handle})
    openai.is_whole(begun, seen, back)


def test_without_the_right_nothing_is_done_and_the_same_command_goes_on(openai: Laptop) -> None:
    openai.has_key()
    rights = json.dumps(dict(openai.issuer.vendor.rights))
    openai.desk.must("store", "right", "--map", stdin=json.dumps({"admin": "sk-admin-wrong"}))

    denied = openai.rotate()
    openai.desk.must("store", "right", "--map", stdin=rights)
    openai.says(**(openai.config | {"project": "proj_other"}))
    wrong = openai.rotate()
    openai.says(**openai.config)
    done = openai.rotate()

    assert [each.code for each in (denied, wrong, done)] == [WAITS, WAITS, FINE], denied.everything
    assert "KeyIssuer/mine answered 401 (invalid_api_key) for the list of keys. Check the admin key" in denied.out
    assert "The file names another issuer than the one that this began with." in wrong.out
    assert len(openai.issuer.handles()) == 1
    openai.is_whole(denied, wrong, done)


@pytest.mark.parametrize(
    ("spec", "options", "code", "said"),
    [
        ({"manual": {}}, (), FAILED, "KeyIssuer/mine is manual: a person makes its keys"),
        ({"openai": {}}, (), FAILED, "issuer.yaml:"),
        ({}, (), FAILED, "spec"),
        ({"generated": {"uuid": {}}}, ("--credential-issuer=aws", "--parts=x,x"), USAGE, "each once"),
        ({"generated": {"random": {"length": 8}}}, (), FAILED, "minEntropy"),
    ],
)
def test_what_makes_no_sense_here_is_refused_by_name(
    desk: Desk, tmp_path: pathlib.Path, spec: dict[str, Any], options: tuple[str, ...], code: int, said: str
) -> None:
    desk.must("store", "a", stdin="before")
    kept = desk.file.read_bytes()

    refused = desk("rotate", "--local=a", f"--issuer-file={issuer(tmp_path, spec)}", "--yes", *options)

    assert (refused.code, said in refused.err) == (code, True), refused.err
    assert desk.file.read_bytes() == kept


def issuer(folder: pathlib.Path, spec: dict[str, Any], kind: str = "KeyIssuer") -> pathlib.Path:
    path = folder / "issuer.yaml"
    told = {"apiVersion": "keywright.dev/v1alpha1", "kind": kind, "metadata": {"name": "mine"}, "spec": spec}
    path.write_text(yaml.safe_dump(told))
    return path


def test_options_that_do_not_go_together_are_refused(desk: Desk, tmp_path: pathlib.Path) -> None:
    path = str(issuer(tmp_path, {"generated": {"uuid": {}}}, "ClusterKeyIssuer"))
    file = f"--issuer-file={path}"

    for arguments, code, said in (
        ([], USAGE, "Name an ApiKeySecret"),
        (["llm"], USAGE, "--reason"),
        (["--local=a"], USAGE, "--local needs --issuer-file"),
        (["llm", "--reason=Test", "--back"], USAGE, "--back needs --local"),
        (["llm", "--reason=Test", "--overlap=0s"], USAGE, "--overlap needs --local"),
        (["llm", "--local=a", file], USAGE, "--local asks no cluster"),
        (["--local=a", file, "--yes"], FAILED, "it is no KeyIssuer"),
    ):
        refused = desk("rotate", *arguments)
        assert (refused.code, said in refused.err) == (code, True), (arguments, refused.err)


def test_a_key_that_is_made_here_takes_the_place_of_the_one_before(desk: Desk, tmp_path: pathlib.Path) -> None:
    desk.must("store", "a", stdin="before")
    login = issuer(tmp_path, {"generated": {"basicAuth": {"username": "ada"}}})
    first = desk("rotate", "--local=login", f"--issuer-file={login}", "--yes")
    unasked = desk("rotate", "--local=a", f"--issuer-file={issuer(tmp_path, {'generated': {'uuid': {}}})}", stdin="n\n")
    replaced = desk("rotate", "--local=a", f"--issuer-file={tmp_path / 'issuer.yaml'}", "--yes")

    assert [each.code for each in (first, unasked, replaced)] == [FINE, 130, FINE], first.everything + unasked.err
    assert first.out.startswith("login: KeyIssuer/mine is asked for a first key, as there is none at this path.\n")
    assert unasked.err.startswith("Have KeyIssuer/mine make a new key, write it to a, and end the old one? [y/N]: ")
    made = json.loads(desk.must("get", "login", "--reveal").out)
    assert (made["username"], sorted(made)) == ("ada", ["auth", "password", "username"])
    assert desk.must("get", "a", "-o", "json").json["version"] == 2
    assert len(desk.must("get", "a", "--reveal").out) == 36
    assert made["password"] not in first.everything


def test_a_key_of_another_entry_is_none_that_was_lost(desk: Desk, tmp_path: pathlib.Path) -> None:
    with cases.desk("gcpServiceAccount") as issuer:
        laptop = Laptop(desk, tmp_path, issuer)
        laptop.has_key()
        desk.must("store", "llm/other", stdin=next(iter(issuer.person_makes().parts.values())))
        answer, left = issuer.vendor.answer, [502]

        def loses(request: Request) -> Response:
            found: Response = Response(left.pop(), {}) if issuer.case.creates(request) and left else answer(request)
            return found

        issuer.vendor.answer = loses
        for path in ("llm/key", "llm/other", "llm/key"):
            said = laptop.rotate("--timeout=1m", path=path)
            assert said.code == FINE, said.everything

        alive = {made.parts["key"] for made in issuer.vendor.made.values() if not made.off}
        assert alive >= {desk.must("get", path, "--reveal").out for path in ("llm/key", "llm/other")}


def test_an_entry_that_lacks_a_part_is_not_empty(aws: Laptop) -> None:
    aws.has_key()
    assert aws.rotate("--overlap=1h").code == WAITS
    now = json.loads(aws.held())
    renamed = {"id": now["accessKeyId"], "secretAccessKey": now["secretAccessKey"]}
    aws.desk.must("store", "llm/key", "--map", stdin=json.dumps(renamed))

    said = aws.rotate("--overlap=1h", "--timeout=30s")

    assert now["accessKeyId"] in aws.issuer.handles(), said.everything
    assert json.loads(aws.held()) == renamed
