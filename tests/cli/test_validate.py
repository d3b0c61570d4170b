"""``keywright validate``: the verdict of the API server, without one."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest
import yaml

from build import api_key_secret, entry
from cli.terminal import BIN, Said, keywright
from controlplane import ControlPlane
from crd.definitions import Json, url
from crd.test_refused import ACCEPTED, REFUSED
from crd.test_words import TYPOS
from crd.writing import cluster_store, store, with_entry, with_remote, with_spec
from keywright import kinds
from keywright.cli import _structural, validate

CANARY = "kw-canary-6f1d2c9b4a"

#: Beside what the tests of the CRDs try: what strict reading refuses, and what only looks wrong.
MORE = {
    "right": with_spec(),
    "a field with a typo": with_spec(refreshIntervall="1h"),
    "a field of another place": with_entry(path="a"),
    "a field at the top": with_spec() | {"sepc": {}},
    "no spec": {name: each for name, each in with_spec().items() if name != "spec"},
    "no name": with_spec() | {"metadata": {}},
    "a name that is none": with_spec() | {"metadata": {"name": "LLM"}},
    "a name to be made": with_spec() | {"metadata": {"generateName": "llm-"}},
    "a status": with_spec() | {"status": {"observedGeneration": 5}},
    "a spec of another type": with_spec() | {"spec": []},
    "null": with_spec(target=None, refreshInterval=None),
    "null in place of a list": with_spec(data=None),
    "null where a value must be": with_entry(key=None),
    "two entries of one key": api_key_secret("llm", entry("KEY", "a"), entry("KEY", "b")),
    "a number for text": with_remote(version=3),
    "text for a boolean": with_spec(suspend="true"),
    "a number without a fraction": store(limits={"requestsPerSecond": 5.0}),
    "a number with a fraction": store(limits={"requestsPerSecond": 5.5}),
    "a boolean for a number": store(limits={"requestsPerSecond": True}),
    "text for a list": with_spec(data="KEY"),
    "a label that is a number": with_spec(target={"labels": {"a": 1}}),
    "a null label": with_spec(target={"labels": {"a": None}}),
    "an empty path": with_remote(path=""),
    "characters, not bytes": with_remote(path="🗝" * 1024),
    "a character too many": with_remote(path="🗝" * 1025),
    "a field of cluster stores": store(default=True),
    "a selector that is text": cluster_store(namespaceSelector="a"),
}
TABLE: dict[str, Any] = {
    **ACCEPTED,
    **MORE,
    **{name: manifest for name, (manifest, *_) in (*REFUSED.items(), *TYPOS.items())},
}


def run(folder: pathlib.Path, *texts: str | Json, output: str = "json") -> Said:
    """Validate files ``0.yaml``, ``1.yaml``, …"""
    for number, text in enumerate(texts):
        said = text if isinstance(text, str) else yaml.safe_dump(text, allow_unicode=True)
        (folder / f"{number}.yaml").write_text(said)
    return keywright("validate", *(str(folder / f"{number}.yaml") for number in range(len(texts))), "-o", output)


def found(said: Said) -> list[tuple[int, str, str]]:
    assert said.code == (1 if said.json["findings"] else 0)
    return [(each["line"], each["path"], each["message"]) for each in said.json["findings"]]


@pytest.mark.parametrize("name", TABLE)
def test_the_verdict_is_that_of_the_api_server(control_plane: ControlPlane, name: str) -> None:
    manifest = TABLE[name]
    path = url(kinds.KINDS[manifest["kind"]])

    status, answer = control_plane.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", manifest)
    faults = list(validate._of_manifest(manifest))

    assert status in (201, 400, 422), answer
    assert bool(faults) == (status != 201), (faults, answer)
    named = [each.path for each in faults if each.path.rpartition(".")[2].rstrip("]") in str(answer)]
    assert named or not faults, (faults, answer)


MANIFEST = """\
# Ours
apiVersion: keywright.dev/v1alpha1
kind: ApiKeySecret
metadata:
  name: llm
spec:
  refreshIntervall: 1h
  data:
  - key: KEY
    remoteRef:
      key: llm/openai
  - {key: 'a b', remoteRef: {path: a}}
  target:
    adopt: Sometimes
"""


def test_each_finding_has_its_line(tmp_path: pathlib.Path) -> None:
    assert found(run(tmp_path, MANIFEST)) == [
        (7, "spec.refreshIntervall", "is no field; did you mean refreshInterval?"),
        (10, "spec.data[0].remoteRef.path", "is required"),
        (11, "spec.data[0].remoteRef.key", "write path"),
        (12, "spec.data[1].key", r"is not written like ^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$"),
        (14, "spec.target.adopt", "must be one of Never, IfEqual, Always"),
    ]


def test_a_person_reads_file_line_and_what_is_wrong(tmp_path: pathlib.Path) -> None:
    said = run(tmp_path, f"{MANIFEST}---\napiVersion: v1\nkind: Secret\n---\n", with_spec(), output="text")

    lines = said.out.splitlines()
    place = tmp_path / "0.yaml"
    assert said.code == 1
    assert lines[0] == f"{place}:7: ApiKeySecret/llm spec.refreshIntervall: " + (
        "is no field; did you mean refreshInterval?"
    )
    assert lines[-2:] == [f"{place}:16: passed over: v1 Secret", "checked 2, passed over 1, wrong: 5"]


def test_rules_are_looked_at_where_all_else_is_right(tmp_path: pathlib.Path) -> None:
    both = with_remote(property="a", jmesPath="b")

    said = run(tmp_path, both, with_spec(refreshInterval="5s"))

    assert [(path, message) for _, path, message in found(said)] == [
        ("spec.data[0].remoteRef", "property and jmesPath exclude each other"),
        ("spec.refreshInterval", "must be 0 (once) or at least 10s"),
    ]
    assert (said.json["rules"], said.json["unchecked"]) == (True, [])


#: A shell of Python in which the library of rules is not installed.
WITHOUT = "import sys; sys.modules['cel'] = None; from keywright.cli import main; main()"


def without_rules(*arguments: str) -> Said:
    done = subprocess.run([sys.executable, "-c", WITHOUT, "validate", *arguments], capture_output=True, check=False)
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_what_the_library_of_rules_is_missing_for_is_told_and_is_no_success(tmp_path: pathlib.Path) -> None:
    file = str(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(with_spec(refreshInterval="5s")))

    said, told = without_rules(file), without_rules(file, "-o", "json")

    assert (said.code, told.code) == (1, 1)
    assert "spec.refreshInterval: not checked: must be 0 (once) or at least 10s" in said.out
    assert "pip install '.[validate]'" in said.out
    assert (told.json["rules"], told.json["findings"]) == (False, [])
    assert ("spec.refreshInterval", "must be 0 (once) or at least 10s") in [
        (each["path"], each["message"]) for each in told.json["unchecked"]
    ]


def test_rules_may_be_left_to_the_api_server(tmp_path: pathlib.Path) -> None:
    file = str(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(with_spec(refreshInterval="5s")))

    with_it = keywright("validate", file, "--no-rules", "-o", "json")

    assert (with_it.code, with_it.json["rules"], with_it.json["findings"]) == (0, False, [])
    assert with_it.json["unchecked"] != []
    assert without_rules(file, "--no-rules").code == 0


def test_of_what_is_wrong_without_them_no_rules_are_listed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(with_spec(refreshIntervall="5s")))

    assert without_rules(str(tmp_path / "a.yaml"), "-o", "json").json["unchecked"] == []


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (f"a: b\nc: [{CANARY}\n", 3, "it is not YAML"),
        (f"a: b\n---\nc: !!python/name:os.{CANARY} x\n", 3, "it is not YAML"),
        ("a: &a [*a]\n", 1, "too many values"),
        ("a: &a [" + "[" * 80 + "]" * 80 + "]\n", 1, "too deep ones"),
        ("".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 1}]\n" for n in range(9)), 1, "too many"),
        ("a: \x07\n", 1, "it is not YAML"),
    ],
)
def test_what_is_no_yaml_is_refused_without_its_text(
    tmp_path: pathlib.Path, text: str, line: int, message: str
) -> None:
    said = run(tmp_path, text)

    ((at, path, why),) = found(said)
    assert (at, path, message in why) == (line, "", True), why
    assert CANARY not in said.everything


@pytest.mark.parametrize(
    ("broken", "line"),
    [("c: [\n", 2), ("--- [}\n", 1), ("a: !!python/name:os.x y\n", 1), ("a: 0x_\n", 1), ("a: &a [*a]\n", 1)],
)
def test_a_broken_document_does_not_hide_what_is_wrong_with_the_next(
    tmp_path: pathlib.Path, broken: str, line: int
) -> None:
    said = run(tmp_path, f"{MANIFEST}---\n{broken}---\n{MANIFEST}---\n{broken}")

    # The finding of line 7, of the broken one, of line 7 of the one after.
    length, own = MANIFEST.count("\n") + 1, broken.count("\n") + 1
    lines = [each for each, path, _ in found(said) if not path]
    assert lines == [length + line, length + own + length + line]
    assert [each for each, path, _ in found(said) if "Intervall" in path] == [7, length + own + 7]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (with_entry(key=""), "must have at least 1 character"),
        (with_remote(path="a" * 1025), "must have at most 1024 characters"),
        (store(limits={"requestsPerSecond": 0}), "must be at least 1"),
    ],
)
def test_an_amount_is_told_in_its_unit(tmp_path: pathlib.Path, manifest: Json, message: str) -> None:
    assert message in [said for *_, said in found(run(tmp_path, manifest))]


def test_a_file_that_is_no_text_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe")

    assert "it is not UTF-8" in keywright("validate", str(tmp_path / "a")).out


def test_yaml_is_read_as_kubectl_reads_it(tmp_path: pathlib.Path) -> None:
    text = MANIFEST.partition("spec:")[0] + (
        "spec:\n"
        "  data:\n"
        "  - &one {key: KEY, remoteRef: {path: 2026-08-01}}\n"
        "  - {<<: *one, key: OTHER}\n"
        "  - {key: SIXTY, remoteRef: {path: 1:30}}\n"
        "  suspend: off\n"
        "  suspend: on\n"
        "  refreshInterval: 60\n"
    )

    assert found(run(tmp_path, text)) == [
        (13, "spec.refreshInterval", "must be of type string"),
        (12, "spec.suspend", "stands there twice"),
    ]


CREDENTIALS = """\
apiVersion: keywright.dev/v1alpha1
kind: ApiKeySecret
metadata: {name: llm}
spec:
  data:
  - {key: KEY, remoteRef: {path: a}}
  credentials:
  - name: a
    issuer: openai
    parts:
      apiKeey: KEY
  - name: b
    issuer: openai
    parts:
      apiKey: KEYS
  - {name: c, issuer: openai, parts: {apiKey: KEY}}
"""


def test_credentials_that_name_what_is_not_there_are_told_with_their_lines(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.yaml").write_text(CREDENTIALS)
    unknown = [
        (11, "spec.credentials[0].parts.apiKeey", "is no part that OpenAI knows: apiKey"),
        (10, "spec.credentials[0].parts", "lacks apiKey, which OpenAI needs"),
    ]
    entry = [(15, "spec.credentials[1].parts.apiKey", "names an entry that data does not have; did you mean KEY?")]

    assert found(run(tmp_path, CREDENTIALS)) == [*unknown, *entry]
    # What is known of issuers needs no library of rules.
    assert found(without_rules(str(tmp_path / "a.yaml"), "-o", "json")) == [*unknown, *entry]
    # What dataFrom brings, only the store knows.
    more = CREDENTIALS.replace("spec:\n", "spec:\n  dataFrom: [{extract: {path: a}}]\n")
    assert [path for _, path, _ in found(run(tmp_path, more))] == [path for _, path, _ in unknown]


CUSTOM = """\
  - name: d
    issuer: custom
    parts: {apiKey: KEY}
    custom:
      parts:
      - {name: apiKey, pattern: '(%s'}
"""


def test_what_an_issuers_own_fields_cannot_mean_is_told_with_its_line(tmp_path: pathlib.Path) -> None:
    broken = CREDENTIALS.partition("  - name: a\n")[0] + CUSTOM % CANARY

    said = run(tmp_path, broken)

    why = "custom.parts of apiKey: pattern cannot be used. Write it in RE2's syntax: no look-around, few repetitions"
    assert found(said) == [(11, "spec.credentials[0].custom", why)]
    assert CANARY not in said.everything
    (tmp_path / "b.yaml").write_text(broken.partition("    custom:")[0])
    for rules in ((), ("--no-rules",)):
        alone = keywright("validate", *rules, str(tmp_path / "b.yaml"), "-o", "json")
        assert [each["path"] for each in alone.json["findings"]] == ["spec.credentials[0].custom"]


def test_credentials_of_a_spec_that_cannot_be_read_are_left_to_what_is_wrong_with_it(tmp_path: pathlib.Path) -> None:
    texts = [
        CREDENTIALS.replace("issuer: openai", f"issuer: {CANARY}", 1),
        CREDENTIALS.replace("parts: {apiKey: KEY}", "parts: 5"),
        CREDENTIALS.replace("parts: {apiKey: KEY}", "parts: {}"),
        CREDENTIALS.replace("v1alpha1", "v1"),
    ]

    said = run(tmp_path, *texts)

    told = [(path, message.partition(" ")[0]) for _, path, message in found(said)]
    assert told == [
        ("spec.credentials[0].issuer", "must"),
        ("spec.credentials[2].parts", "must"),
        ("spec.credentials[2].parts", "must"),
        ("apiVersion", "must"),
    ]
    assert CANARY not in said.everything


def test_kinds_and_versions_that_are_not_of_this_version_are_told(tmp_path: pathlib.Path) -> None:
    other = with_spec() | {"apiVersion": "keywright.dev/v1"}
    unknown = with_spec() | {"kind": "ApiKeySecrets"}

    assert [message for _, _, message in found(run(tmp_path, other, unknown))] == [
        "must be keywright.dev/v1alpha1",
        "is no kind of keywright.dev; did you mean ApiKeySecret?",
    ]


def test_other_kinds_are_passed_over(tmp_path: pathlib.Path) -> None:
    said = run(tmp_path, "kind: Pod\napiVersion: v1\n---\n- 1\n---\n5\n")

    assert found(said) == []
    assert [each["kind"] for each in said.json["passedOver"]] == ["v1 Pod", "no manifest", "no manifest"]


def test_examples_of_all_kinds_are_right(tmp_path: pathlib.Path) -> None:
    said = run(tmp_path, *(kind.example for kind in kinds.KINDS.values()))

    assert (found(said), said.json["checked"]) == ([], len(kinds.KINDS))


def test_examples_of_the_docs_are_right() -> None:
    files = sorted((pathlib.Path(__file__).parents[2] / "examples").glob("*.yaml"))

    said = keywright("validate", *map(str, files), "-o", "json")

    assert found(said) == []
    assert said.json["checked"] > len(files)


def test_the_standard_input_is_a_file_too() -> None:
    command = [str(BIN / "keywright"), "validate", "-", "-o", "json"]
    done = subprocess.run(command, input=MANIFEST, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert {each["file"] for each in json.loads(done.stdout)["findings"]} == {"stdin"}


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: pathlib.Path) -> None:
    assert keywright("validate", str(tmp_path / "none.yaml")).code == 2
    assert keywright("validate").code == 2


@pytest.mark.parametrize("value", [f"{CANARY} ", {CANARY: CANARY}, [CANARY], 5])
def test_values_are_not_shown(tmp_path: pathlib.Path, value: Any) -> None:
    said = run(tmp_path, with_entry(default=value, optional=value, decode=value), output="text")

    assert said.code == 1
    assert f"{CANARY} " not in said.everything and f"={CANARY}" not in said.everything


def test_a_rule_that_cannot_be_evaluated_does_not_hold() -> None:
    described = {
        "type": "object",
        "properties": {},
        "x-kubernetes-validations": [{"rule": "self.no", "message": "No."}],
    }

    assert _structural.faults(described, {}, "a") == [_structural.Fault("a", "No.")]
