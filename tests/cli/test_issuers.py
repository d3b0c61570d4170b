"""``keywright issuers``: what is listed, and what a file of forms changes in it."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from cli.terminal import keywright
from keywright.issuers import ISSUERS, table

CANARY = "kw-canary-6f1d2c9b4a"


def test_every_issuer_is_listed_with_its_kinds_and_their_dates() -> None:
    said = keywright("issuers")

    assert (said.code, said.err) == (0, "")
    for name, issuer in ISSUERS.items():
        assert re.search(rf"^{name} ", said.out, re.MULTILINE)
        for each in issuer.formats:
            assert re.search(rf"^{name} .*{re.escape(each.kind)} .*{each.checked}$", said.out, re.MULTILINE)


def test_it_is_told_where_an_issuer_is_asked_and_what_its_credentials_consist_of() -> None:
    out = keywright("issuers").out

    assert re.search(r"^openai +apiKey +https://api\.openai\.com +admin key +sk-admin- +2026-11-01$", out, re.MULTILINE)
    assert re.search(r"^custom +as the object says +as the object says +- +- +-$", out, re.MULTILINE)


def test_strangers_stand_apart() -> None:
    named, _, strangers = keywright("issuers").out.partition("Known in the place of another's only:\n")

    assert "groq" not in named
    assert re.search(r"^groq +API key +gsk_ +20\d\d-\d\d-\d\d$", strangers, re.MULTILINE)


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_programs_are_told_the_same(form: str) -> None:
    said = {each["issuer"]: each for each in yaml.safe_load(keywright("issuers", "-o", form).out)["issuers"]}

    assert set(said) == set(table().issuers())
    own = said["openai"]
    assert (own["title"], own["named"], own["parts"], own["probed"]) == ("OpenAI", True, ["apiKey"], True)
    assert own["address"] == "https://api.openai.com"
    assert [each["kind"] for each in own["formats"]] == [each.kind for each in table().of("openai")]
    assert said["custom"]["title"] == "Its issuer"
    assert (said["custom"]["parts"], said["custom"]["address"], said["custom"]["formats"]) == ([], None, [])
    assert (said["groq"]["named"], said["groq"]["probed"], said["groq"]["address"]) == (False, False, None)


def test_a_file_of_forms_is_taken_into_account(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "formats.yaml"
    file.write_text("openai:\n- {kind: new key, pattern: sk-new-.*, prefix: sk-new-, checked: 2026-12-24}\n")

    out = keywright("issuers", "--formats", str(file)).out

    assert re.search(r"^openai +new key +sk-new- +2026-12-24$", out, re.MULTILINE)
    assert "new key" not in keywright("issuers").out


def test_a_file_that_is_wrong_is_refused_without_its_text(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "formats.yaml"
    file.write_text(f"openai:\n- {{kind: new key, pattern: '({CANARY}', checked: 2026-12-24}}\n")

    said = keywright("issuers", "--formats", str(file))

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: the file of formats is wrong at openai, form 1 (new key): pattern: ")
    assert CANARY not in said.err


def test_a_file_that_is_not_there_is_refused(tmp_path: pathlib.Path) -> None:
    said = keywright("issuers", "--formats", str(tmp_path / "none"))

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: the file of formats cannot be read")
