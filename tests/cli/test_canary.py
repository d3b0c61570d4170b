"""Marked values go through the commands that take them, good and bad: nothing that is printed or left has one."""

from __future__ import annotations

import concurrent.futures
import json
import pathlib

import pytest

from cli.desk import Desk
from cli.terminal import Said, keywright
from keywright.issuers import ISSUERS
from sweep import Canaries

#: Forms of credentials that are none, and how they are said to be laid out.
FORMS = {
    "value": (
        "{}\n\n",
        "{} {}",
        '"{}"',
        "sk-proj-{}",
        "ghp_{}",
        "-----BEGIN PRIVATE KEY-----\n{}\n{}\n",
        "{}\0",
        "eyJ{}.{}.{}",
    ),
    "lines": ("{}", "apiKey={}\napiKey={}\n", "{}={}\n", "apiKey={}\n{}\n"),
    "json": ("{}", '["{}"]', '{"apiKey": "{}"', '{"{}": "{}"}', '{"apiKey": {"{}": 1}}'),
}


def test_a_credential_that_is_piped_in_is_never_printed() -> None:
    canary = Canaries()
    given = [((), form) for form in FORMS["value"]]
    given += [((f"--issuer={name}",), "{}\n") for name in ISSUERS if name != "custom"]
    given += [
        ((f"--parts={layout}", "--issuer=openai"), form) for layout in ("lines", "json") for form in FORMS[layout]
    ]

    def checked(number: int) -> Said:
        options, form = given[number]
        more = ("check", "--stdin", "--no-probe", "--log-level=debug", "-o", "json" if number % 2 else "table")
        return keywright(*more, *options, stdin=canary(str(number), form))

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        said = list(pool.map(checked, range(len(given))))

    assert len(canary.values) == len(given)
    leaks = [(given[number], canary.found_in(each.everything)) for number, each in enumerate(said)]
    assert [each for each in leaks if each[1]] == []
    assert all(each.everything for each in said)


def test_a_value_that_is_stored_is_printed_and_left_nowhere(
    desk: Desk, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    canary = Canaries()
    first, second, pem = (
        canary("first"),
        canary("second"),
        canary("pem", "-----BEGIN X-----\n{}\n{}\n-----END X-----\n"),
    )
    other = desk.key.with_name("other.key")
    other.write_text(canary("passphrase", "{}"))
    other.chmod(0o600)
    wrong = f"--key-file={other}"

    said = [
        desk("store", "llm/one", "--kdf=raw", stdin=first),
        desk("store", "llm/one", stdin=second),
        desk("store", "llm/pem", stdin=pem),
        desk("store", "llm/map", "--map", stdin=json.dumps({"a": first})),
        desk("store", "llm/bad", "--map", stdin=second),
        desk("store", f"llm/../{first}", stdin=second),
        desk("store", "llm/wrong", wrong, stdin=first),
        desk("get", "llm/one"),
        desk("get", "llm/map", "-o", "json"),
        desk("get", "llm/one", wrong),
        desk("list", "-o", "json"),
        desk("rekey", wrong, stdin=first),
        desk("delete", "llm/pem", "--yes"),
    ]
    shown = desk("get", "llm/one", "--reveal")

    assert [each.everything for each in said if canary.found_in(each.everything)] == []
    left = [path for folder in (desk.data, temporary) for path in folder.rglob("*") if path.is_file()]
    assert desk.file in left
    assert [path for path in left if canary.found_in(path.read_bytes().decode("latin-1"))] == []
    # And what a person asks for is found.
    assert {name for name, _ in canary.found_in(shown.out)} == {"second"}
