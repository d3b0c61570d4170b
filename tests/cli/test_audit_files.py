"""``keywright audit`` on files: no cluster is asked, and what is no trail is told in our own words."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from audit.logbook import DAY, KEY, OPERATOR, OTHER_KEY, START, act, edited, judged, log, trail, whole, written
from cli.terminal import keywright
from keywright.audit import heads, lines
from keywright.audit.record import Entry, Type, Who
from keywright.audit.verify import Problem, Verifier
from keywright.cli import _audit_archive, _audit_rows, _audit_sources
from keywright.errors import Stalled

PARTS = trail()
LINES = whole(PARTS)


def file(folder: pathlib.Path, found: list[bytes], name: str = "trail.jsonl") -> str:
    path = folder / name
    path.write_bytes(b"".join(line + b"\n" for line in found))
    return str(path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"\xff\xfe\n", 1),
        (LINES[0] + b"\n\n", 2),
        (LINES[0] + b"\n" + b"[" * 60_000 + b"\n", 2),
        (b'{"log":"a","seq":NaN,"prev":"","time":"","type":""}\n', 1),
        (b'{"log":"a","seq":' + b"9" * 50_000 + b',"prev":"","time":"","type":""}\n', 1),
        (b'{"log":"a","seq":-1,"prev":"","time":"","type":""}\n', 1),
        (b'{"head":{}}\n', 1),
    ],
)
def test_what_is_no_record_is_told_with_its_line(tmp_path: pathlib.Path, text: bytes, line: int) -> None:
    (tmp_path / "bad").write_bytes(text)
    verifier = Verifier()
    verifier.begins("bad")
    for batch in _audit_sources.in_file(str(tmp_path / "bad")):
        list(verifier.take_all(batch))

    finding = verifier.verdict().findings[0]

    assert (finding.problem, finding.line) == (Problem.UNREADABLE, line)
    assert str(finding).startswith("line 1 of bad " if line == 1 else f"record 1 of log {PARTS[0].name} ")


def sparse(path: pathlib.Path) -> None:
    with path.open("wb") as made:
        made.truncate(1 << 30)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (sparse, "line 1 of {} is too long for a record"),
        (lambda path: path.touch(), "{} is empty: it has no line 1"),
        (lambda path: path.mkdir(), "{} cannot be read: Is a directory"),
        (lambda path: None, "{} cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: pathlib.Path, make: Callable[[pathlib.Path], None], why: str
) -> None:
    make(tmp_path / "bad")

    with pytest.raises(Stalled) as refused:
        list(_audit_sources.in_file(str(tmp_path / "bad")))
    assert refused.value.message == why.format(tmp_path / "bad")


def test_exit_codes_tell_whole_tampered_and_without_a_witness(tmp_path: pathlib.Path) -> None:
    good, bad = file(tmp_path, LINES), file(tmp_path, [edited(LINES[0], code="Invented"), *LINES[1:]], "bad")
    witness, folder = tmp_path / "operator.log", tmp_path / "data" / "keywright" / "audit"
    witness.write_text("".join(f"{heads.printed(part.head)}\n" for part in PARTS))
    seen = f"--heads={witness}"

    assert keywright("audit", "verify", good, seen).code == 0
    assert keywright("audit", "verify", "-", seen, stdin=pathlib.Path(good).read_text()).code == 0
    assert keywright("audit", "verify", bad).code == 1
    assert keywright("audit", "verify", good).code == 2

    (tmp_path / "key").write_text(heads.printed_key(OTHER_KEY.public))
    said = keywright("audit", "verify", good, f"--public-key={tmp_path}/key")
    assert (said.code, "is signed with a key that you do not trust" in said.out) == (1, True)

    assert (
        "nothing was recorded on this workstation yet"
        in keywright("audit", "log", "--local", KEYWRIGHT_AUDIT_FOLDER=str(folder)).err
    )
    folder.mkdir(parents=True)
    file(folder, LINES, "000001.jsonl")
    said = keywright("audit", "log", "--local", "--limit=1", "-o", "wide", KEYWRIGHT_AUDIT_FOLDER=str(folder))
    assert (said.code, said.out.count("\n"), f"{PARTS[2].name}/3" in said.out) == (0, 2, True)


def test_what_cannot_be_read_is_not_called_tampered_with(tmp_path: pathlib.Path) -> None:
    good, text, empty = file(tmp_path, LINES), file(tmp_path, [b"x", b"{}"], "text"), file(tmp_path, [], "empty")
    nobody = tmp_path / "kubeconfig"
    nobody.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n"
        "users: [{name: a, user: {}}]\nclusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}]\n"
    )
    for arguments, why in (
        ((str(tmp_path),), "Is a directory"),
        ((f"{tmp_path}/none",), "No such file or directory"),
        ((empty,), "is empty"),
        ((text,), f"{text} is no audit trail: no line is a record or a head"),
        ((good, f"--heads={tmp_path}/none"), "No such file or directory"),
        ((good, f"--heads={text}"), f"{text} has no line keywright-audit-head in it"),
        ((good, f"--public-key={text}"), "holds no public key"),
        ((f"--kubeconfig={nobody}",), "does not answer"),
    ):
        said = keywright("audit", "verify", *arguments)
        assert (said.code, said.out, why in said.err) == (7, "", True), said.everything
    said = keywright("audit", "verify", "--local", KEYWRIGHT_AUDIT_FOLDER=f"{tmp_path}/none")
    assert (said.code, "nothing was recorded on this workstation yet" in said.err) == (7, True)
    # A trail of which nothing is left, though a witness has seen some, was tampered with.
    witness = tmp_path / "operator.log"
    witness.write_text(f"{heads.printed_key(KEY.public)}\n{heads.printed(PARTS[0].head)}\n")
    assert keywright("audit", "verify", text, f"--heads={witness}").code == 1


def test_heads_that_anybody_could_have_written_do_not_count(tmp_path: pathlib.Path) -> None:
    good, witness = file(tmp_path, LINES), tmp_path / "operator.log"
    forged = heads.printed(OTHER_KEY.sign(PARTS[2].name, 4, b"x" * 32))
    witness.write_text(f"2026-05-04 09:00:00,123 INFO    keywright.sync: {forged}\n{forged}\n")

    said = keywright("audit", "verify", good, f"--heads={witness}")
    assert (said.code, "1 lines look like heads and do not count" in said.out) == (2, True)
    assert "Without a witness" in said.out
    with witness.open("a") as more:
        more.write("".join(f"{heads.printed(part.head)}\n" for part in PARTS))
    said = keywright("audit", "verify", good, f"--heads={witness}", "-o", "json")
    assert (said.code, said.json["heads"]) == (0, {"counted": 3, "foreign": 1})

    proof = tmp_path / "proof.json"
    proof.write_text(keywright("audit", "prove", f"{PARTS[2].name}/3", f"--file={good}").out)
    assert keywright("audit", "verify", str(proof), f"--heads={witness}").code == 0


def test_open_acts_do_not_hide_that_there_was_no_witness(tmp_path: pathlib.Path) -> None:
    part = log(1, [[act(Type.ACTION_INTENT, "a")]])
    path, witness = file(tmp_path, part.lines()), tmp_path / "operator.log"
    witness.write_text(heads.printed(part.head))

    said = keywright("audit", "verify", path)
    assert (said.code, "as far as it can be told without a witness, with acts" in said.out) == (3, True)
    assert "Without a witness, nobody can tell" in said.out
    said = keywright("audit", "verify", path, f"--heads={witness}")
    assert (said.code, "Whole, with acts of which" in said.out) == (3, True)


def test_what_an_archive_leaves_hangs_together() -> None:
    """Of two leaders at a time, both may follow the same log; what one of them wrote must not stay alone."""
    first = log(1, [[written(1)]], name="000001-0000-5f0c2a9b1d3e", generation=0)
    dead = log(1, [[written(2)]], first.head, START + 2 * DAY, name="000001-0001-5f0c2a9b1d3e", generation=1)
    alive = log(2, [[written(3)]], first.head, START + DAY, name="000002-0001-5f0c2a9b1d3e", generation=1)
    newest = log(2, [[written(4)]], alive.head, START + 3 * DAY, name="000002-0002-5f0c2a9b1d3e", generation=2)
    parts = [first, dead, alive, newest]
    verdict = judged(whole(parts))
    ends = sorted(each.last for each in verdict.logs)

    for before, count in ((ends[0], 0), (ends[1], 1), (ends[2], 1), ("9", 3)):
        gone = _audit_archive._old(verdict, newest.name, before)
        assert (len(gone), verdict.findings) == (count, ())
        left = judged(whole(part for part in parts if part.name not in gone), [part.head for part in parts])
        assert left.findings == ()


def test_logs_that_do_not_follow_each_other_are_no_export(tmp_path: pathlib.Path) -> None:
    good = file(tmp_path, LINES)
    first, second, third = (f"--log={part.name}" for part in PARTS)

    assert keywright("audit", "export", f"--file={good}", first, second).out.encode().splitlines() == whole(PARTS[:2])
    said = keywright("audit", "export", f"--file={good}", first, third)
    assert (said.code, said.out) == (1, "")
    assert "these logs do not follow each other" in said.err


def test_an_export_of_places_that_overlap_holds_each_record_once(tmp_path: pathlib.Path) -> None:
    june, july = file(tmp_path, whole(PARTS[:2]), "june"), file(tmp_path, whole(PARTS[1:]), "july")

    assert keywright("audit", "export", f"--file={june}", f"--file={july}").out.encode().splitlines() == LINES


def test_a_terminal_is_told_nothing_by_a_record(tmp_path: pathlib.Path) -> None:
    evil = edited(LINES[1], who={"name": "\x1b[2J", "verified": 1}, object=[1], keys={"a": 1}, code=None, secret=7)

    said = keywright("audit", "log", file(tmp_path, [LINES[0], evil]))

    assert said.code == 1
    assert "\x1b" not in said.everything
    assert "[2J (unverified)" in said.out


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (_audit_rows.Wanted(), 6),
        (_audit_rows.Wanted(actions=("sync",)), 4),
        (_audit_rows.Wanted(actions=("sync.written", "log")), 6),
        (_audit_rows.Wanted(actions=("repaired",)), 1),
        (_audit_rows.Wanted(actions=("syn",)), 0),
        (_audit_rows.Wanted(namespaces=("team-b",)), 1),
        (_audit_rows.Wanted(names=("llm",), kinds=("ApiKeySecret",)), 4),
        (_audit_rows.Wanted(people=("mallory",)), 1),
        (_audit_rows.Wanted(people=("keywright-system/keywright",)), 5),
        (_audit_rows.Wanted(since="2026-05-04T09:01:00.000000Z"), 4),
        (_audit_rows.Wanted(until="2026-05-04T09:01:00.000000Z"), 2),
    ],
)
def test_filters_choose_records(wanted: _audit_rows.Wanted, count: int) -> None:
    stranger = written(4).model_copy(update={"who": Who(kind="Unknown", name="mallory", verified=False)})
    entries = [written(2, code="Repaired"), written(3, namespace="team-b"), stranger]
    ended = Entry(type=Type.LOG_CLOSED, code="Stopped", who=OPERATOR)
    part = log(1, [[written(1)], [*entries, ended]], at=START)
    rows = [row for row in map(_row, part.lines()) if row]

    assert len(rows) == 6
    assert sum(map(wanted.has, rows)) == count


def _row(line: bytes) -> dict[str, object] | None:
    return None if lines.is_head(line) else Verifier().take(line)


def test_whoever_has_the_key_is_told_by_his_own(tmp_path: pathlib.Path) -> None:
    """Who is no cluster has a trail of his own: several laptops are no quarrel."""
    one = log(0, [[written(1)]], name="laptop-a", key=KEY)
    other = log(0, [[written(1)]], name="laptop-b", key=OTHER_KEY)

    assert keywright("audit", "verify", file(tmp_path, whole([one, other]))).code == 2
