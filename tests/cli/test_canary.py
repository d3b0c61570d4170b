"""Marked values go through the commands that take them, good and bad: nothing that is printed or left has one."""

from __future__ import annotations

import json
import pathlib

from cli.desk import Desk
from keywright.issuers import ISSUERS
from outputs import called
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
    given: list[tuple[tuple[str, ...], str]] = [((), form) for form in FORMS["value"]]
    given += [((f"--issuer={name}",), "{}\n") for name in ISSUERS if name != "custom"]
    given += [
        ((f"--parts={layout}", "--issuer=openai"), form) for layout in ("lines", "json") for form in FORMS[layout]
    ]
    common = ["check", "--stdin", "--no-probe", "--log-level=debug"]
    calls = [
        ([*common, *options, "-o", output], canary(f"{options} {form}", form))
        for options, form in given
        for output in ("table", "json")
    ]

    said = called(calls)

    assert {name: canary.found_in(text) for name, text in said.items()} == {"stdout": set(), "stderr": set()}
    assert "Malformed" in said["stdout"]


def another_key(desk: Desk, passphrase: str) -> pathlib.Path:
    """Return a file with a passphrase that opens nothing."""
    found = desk.key.with_name("other.key")
    found.write_text(passphrase)
    found.chmod(0o600)
    return found


def test_a_value_that_is_stored_is_printed_and_left_nowhere(desk: Desk, tmp_path: pathlib.Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    canary = Canaries()
    first, second, pem = (
        canary("first"),
        canary("second"),
        canary("pem", "-----BEGIN X-----\n{}\n{}\n-----END X-----\n"),
    )
    wrong = f"--key-file={another_key(desk, canary('passphrase', '{}'))}"

    said = called(
        [
            (["store", "llm/one", "--kdf=raw"], first),
            (["store", "llm/one"], second),
            (["store", "llm/pem"], pem),
            (["store", "llm/map", "--map"], json.dumps({"a": first})),
            (["store", "llm/bad", "--map"], second),
            (["store", "llm/wrong", wrong], first),
            (["get", "llm/one"], ""),
            (["get", "llm/map", "-o", "json"], ""),
            (["get", "llm/one", wrong], ""),
            (["list", "-o", "json"], ""),
            (["rekey", wrong], first),
            (["delete", "llm/pem", "--yes"], ""),
        ],
        TMPDIR=str(temporary),
        XDG_DATA_HOME=str(desk.data),
        KEYWRIGHT_AUDIT_FOLDER=str(desk.data / "audit"),
        KEYWRIGHT_MASTER_KEY_FILE=str(desk.key),
    )
    shown = desk("get", "llm/one", "--reveal")

    assert {name: canary.found_in(text) for name, text in said.items()} == {"stdout": set(), "stderr": set()}
    left = [path for folder in (desk.data, temporary) for path in folder.rglob("*") if path.is_file()]
    assert desk.file in left
    assert any("audit" in path.parts for path in left), left
    assert [path for path in left if canary.found_in(path.read_bytes().decode("latin-1"))] == []
    # And what a person asks for is found.
    assert {name for name, _ in canary.found_in(shown.out)} == {"second"}
